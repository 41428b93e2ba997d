//! What a mutant exports: the tables of its methods, some of them wrong themselves.

use super::which::on;
use super::{Mutant, service};
use abi_stable::StableAbi;
use abi_stable::std_types::{ROk, ROption, RResult, RSlice, RString};
use driver_api::abi::interface::{Interface, Table};
use driver_api::abi::manifest::{KIND_NWFILTER, KIND_VIRT, Manifest, Text, texts};
use driver_api::abi::root::{HostRef, Obj, Root};
use driver_api::abi::value::{Fault, Pair};
use driver_api::abi::virt::VirtV1;
use driver_api::driver::Driver;
use driver_api::kit::{export, serve};
use driver_api::types::uuid::Uuid;
use std::sync::OnceLock;

/// One function too few.
#[repr(C)]
#[derive(Clone, Copy, Debug, StableAbi)]
#[allow(missing_docs, reason = "nobody calls it")]
pub(crate) struct ConsoleV1 {
    pub(crate) console: extern "C" fn(Obj, Uuid) -> u64,
}

impl Table for ConsoleV1 {
    const ID: &'static str = "virt.console/1";
}

extern "C" fn no_console(_: Obj, _: Uuid) -> u64 {
    0
}

static WRONG: ConsoleV1 = ConsoleV1 { console: no_console };
static VIRT: OnceLock<VirtV1> = OnceLock::new();

fn virt() -> &'static VirtV1 {
    VIRT.get_or_init(|| {
        let mut table = *serve::virt::table::<Mutant>();
        if on("says_what_is_no_text") {
            table.capabilities = no_text;
        }
        table
    })
}

/// Bytes that are not UTF-8, where text is promised.
extern "C" fn no_text(_: Obj) -> RResult<RString, Fault> {
    // SAFETY: none: a text that is none is what this mutant is for.
    ROk(unsafe { RString::from_utf8_unchecked(vec![0x3c_u8, 0xff, 0xfe, 0x80, 0x3e].into()) })
}

extern "C" fn query(id: export::Id<'_>) -> export::Found {
    if on("offers_the_wrong_number") && id.as_str() == VirtV1::ID {
        return ROption::RNone;
    }
    if on("offers_the_wrong_layout") && id.as_str() == ConsoleV1::ID {
        return ROption::RSome(Interface::of(&WRONG));
    }
    // The newest that there is, whichever was asked for.
    let first = id.as_str().rsplit_once('/').map(|(name, _)| format!("{name}/1"));
    let id = match &first {
        Some(first) if on("answers_for_every_version") => first.as_str().into(),
        _ => id,
    };
    export::find(
        id,
        &[
            export::offer(serve::core::table::<Mutant>()),
            export::offer(virt()),
            export::offer(serve::console::table::<Mutant>()),
            export::offer(serve::metadata::table::<Mutant>()),
            export::offer(serve::device::devices_table::<Mutant>()),
            export::offer(serve::device::resources_table::<Mutant>()),
            export::offer(serve::device::stats_table::<Mutant>()),
            export::offer(serve::device::control_table::<Mutant>()),
            export::offer(serve::nwfilter::filters_table::<Mutant>()),
            export::offer(serve::nwfilter::bindings_table::<Mutant>()),
            export::offer(serve::inspect::table::<Mutant>()),
        ],
    )
}

extern "C" fn create(host: HostRef, config: RSlice<'_, Pair>) -> RResult<Obj, Fault> {
    let lacks = |id: &str| !service::offers(&host, id);
    if on("breaks_without_notices") && lacks("notice/1") {
        std::process::abort();
    }
    serve::instance::create::<Mutant>(service::between(host), config)
}

static NEEDS: [Text; Mutant::INFO.needs.len()] = texts(Mutant::INFO.needs);
static ROOT: Root = Root { query, create };

/// What the host reads first.
#[unsafe(no_mangle)]
pub(crate) static LOCKSTEP_DRIVER: Manifest = Manifest::new(
    &Mutant::INFO,
    env!("CARGO_PKG_LICENSE"),
    KIND_VIRT | KIND_NWFILTER,
    &NEEDS,
    &ROOT,
);
