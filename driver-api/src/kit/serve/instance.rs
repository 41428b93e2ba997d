//! `Instance`: the driver's object behind [`Obj`], and the way from a C call into it.

use crate::abi::host::Services;
use crate::abi::lock::Call;
use crate::abi::root::{HostRef, Obj};
use crate::abi::value::{Fault, Pair};
use crate::driver::{Config, Driver};
use crate::error::{Code, Error, Origin, Result};
use crate::host::Host;
use crate::kit::{log, panic};
use crate::lock::level::Level;
use crate::lock::token::Cx;
use abi_stable::std_types::{RResult, RSlice};

/// A driver with the host's services that it was made with.
#[derive(Debug)]
pub(crate) struct Instance<T> {
    pub(crate) driver: T,
    services: &'static Services,
}

impl<T: Driver> Instance<T> {
    /// Runs one method behind the shield.
    pub(crate) fn enter<R>(obj: Obj, method: &str, work: impl FnOnce(&Self) -> Result<R>) -> RResult<R, Fault> {
        // SAFETY: the host gives back what `create::<T>` answered: a leaked `Instance<T>`, `Sync` since `T` is.
        let instance = unsafe { &*obj.0.cast::<Self>() };
        panic::shield(&who::<T>(), method, || work(instance))
    }

    /// The token of a call; the host must have made it with the level that the method promises.
    pub(crate) fn token<L: Level>(&self, call: Call) -> Result<Cx<'_, L>> {
        if call.level != L::RANK {
            let held = call.level;
            return Err(Error::new(
                Code::INTERNAL,
                Origin::NONE,
                format!(
                    "the host calls with a token of rank {held} where one of {} is meant",
                    L::NAME
                ),
            ));
        }
        let (table, obj) = self.services.lock();
        Ok(Cx::from_call(table, obj, call))
    }
}

fn who<T: Driver>() -> String {
    format!("plug-in '{}'", T::INFO.name)
}

/// `Root::create` of a driver.
#[doc(hidden)]
pub extern "C" fn create<T: Driver>(host: HostRef, pairs: RSlice<'_, Pair>) -> RResult<Obj, Fault> {
    panic::shield(&who::<T>(), "open", || {
        let services: &'static Services = Box::leak(Box::new(Services::connect(host, T::INFO.needs)?));
        panic::install(services);
        log::install(services);
        let driver = T::open(Host::from_services(services), config(pairs.as_slice()))?;
        let instance: &'static Instance<T> = Box::leak(Box::new(Instance { driver, services }));
        Ok(Obj(std::ptr::from_ref(instance).cast()))
    })
}

fn config(pairs: &[Pair]) -> Config {
    let find = |name: &str| {
        let pair = pairs.iter().find(|pair| pair.name.as_str() == name);
        pair.map_or("", |pair| pair.value.as_str())
    };
    let option = |pair: &Pair| {
        let name = pair.name.as_str().strip_prefix("option.")?;
        Some((name.to_owned(), pair.value.as_str().to_owned()))
    };
    Config {
        conf_dir: find("conf_dir").into(),
        state_dir: find("state_dir").into(),
        run_dir: find("run_dir").into(),
        log_dir: find("log_dir").into(),
        privileged: find("privileged") == "1",
        options: pairs.iter().filter_map(option).collect(),
    }
}
