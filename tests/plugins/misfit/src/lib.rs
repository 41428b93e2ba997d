//! `misfit`: a driver whose `driver.core/1` is not the one that the host knows.

use abi_stable::StableAbi;
use abi_stable::std_types::{RErr, RResult, RSlice};
use driver_api::abi::interface::Table;
use driver_api::abi::manifest::{KIND_VIRT, Manifest};
use driver_api::abi::root::{HostRef, Obj, Root};
use driver_api::abi::value::{Fault, Pair};
use driver_api::driver::DriverInfo;
use driver_api::error::{Code, Error, Origin};
use driver_api::kit::export;

/// One function too few, and the first one with another argument.
#[repr(C)]
#[derive(Clone, Copy, Debug, StableAbi)]
#[allow(missing_docs, reason = "nobody calls it")]
pub struct CoreV1 {
    pub bring_up: extern "C" fn(u64) -> u64,
}

impl Table for CoreV1 {
    const ID: &'static str = "driver.core/1";
}

extern "C" fn bring_up(number: u64) -> u64 {
    number
}

static CORE: CoreV1 = CoreV1 { bring_up };

extern "C" fn query(id: export::Id<'_>) -> export::Found {
    export::find(id, &[export::offer(&CORE)])
}

extern "C" fn create(_host: HostRef, _config: RSlice<'_, Pair>) -> RResult<Obj, Fault> {
    RErr(Error::new(Code::INTERNAL, Origin::NONE, "a misfit was made all the same").into())
}

static ROOT: Root = Root { query, create };

const INFO: DriverInfo = DriverInfo {
    name: "misfit",
    title: "Misfit",
    version: env!("CARGO_PKG_VERSION"),
    needs: &[],
};

/// What the host reads first.
#[unsafe(no_mangle)]
pub static LOCKSTEP_DRIVER: Manifest = Manifest::new(&INFO, "MIT OR Apache-2.0", KIND_VIRT, &[], &ROOT);
