//! The panic shield around everything that crosses the boundary, and the hook that reports to the host's log.

use crate::abi::host::Services;
use crate::abi::value::{Fault, PANICKED};
use crate::error::{Code, Origin, Result};
use abi_stable::std_types::{RErr, ROk, RResult};
use std::any::Any;
use std::backtrace::Backtrace;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};

/// Runs `work` and answers a panic in it as a fault, since an unwinding that reached the boundary would end the host.
pub(crate) fn shield<T>(who: &str, method: &str, work: impl FnOnce() -> Result<T>) -> RResult<T, Fault> {
    // What `work` captures is not looked at again after a panic, apart from the driver itself, which must be prepared
    // for that: its locks tell it through their poison mark.
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => ROk(value),
        Ok(Err(error)) => RErr(error.into()),
        Err(payload) => RErr(Fault {
            code: Code::INTERNAL.0,
            origin: Origin::NONE.0,
            flags: PANICKED,
            message: format!("{who} panicked in {method}: {}", message(payload)).into(),
        }),
    }
}

/// Runs `work`, whose caller wants no answer, and swallows a panic in it: the hook has reported it.
pub(crate) fn muffle<T: Default>(work: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| {
        message(payload);
        T::default()
    })
}

/// The words of a panic. Takes the payload so that a payload whose drop panics does so here, where it is caught.
fn message(payload: Box<dyn Any + Send>) -> String {
    let text = words(payload.as_ref()).to_owned();
    if let Err(second) = catch_unwind(AssertUnwindSafe(move || drop(payload))) {
        // A payload whose drop panics may carry another one; forgetting the second ends the chain.
        #[allow(clippy::mem_forget, reason = "dropping it could panic once more")]
        std::mem::forget(second);
    }
    text
}

fn words(payload: &(dyn Any + Send)) -> &str {
    match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (_, Some(text)) => text,
        _ => "no message",
    }
}

/// Sends the panics of this copy of the standard library to the host's log. Each driver has its own copy; without this
/// they would go to the host's standard error, under the wrong thread's name.
pub(crate) fn install(services: &'static Services) {
    std::panic::set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let trace = Backtrace::capture().to_string();
        services.panicked(words(info.payload()), &place, &trace);
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn a_panic_becomes_one_sentence_with_the_mark() {
        let fault = shield("plug-in 'x'", "start", || -> Result<()> { panic!("no {}", "luck") })
            .into_result()
            .unwrap_err();
        assert_eq!(fault.message.as_str(), "plug-in 'x' panicked in start: no luck");
        assert_eq!((fault.code, fault.flags), (1, PANICKED));
    }

    #[test]
    fn an_error_keeps_its_code_and_carries_no_mark() {
        let fault = shield("plug-in 'x'", "start", || -> Result<()> {
            Err(Error::new(Code::NO_DOMAIN, Origin::UML, "no domain 'vm1'"))
        })
        .into_result()
        .unwrap_err();
        assert_eq!((fault.code, fault.origin, fault.flags), (42, 21, 0));
    }

    #[test]
    #[cfg_attr(miri, ignore = "gives the payload up on purpose, which Miri counts as a leak")]
    fn a_payload_that_panics_when_dropped_is_survived() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("again");
            }
        }
        let fault = shield("plug-in 'x'", "start", || -> Result<()> { std::panic::panic_any(Bomb) })
            .into_result()
            .unwrap_err();
        assert_eq!(fault.message.as_str(), "plug-in 'x' panicked in start: no message");
    }
}
