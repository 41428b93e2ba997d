//! What else can be done with a domain: starting it anew, another name, bytes of its disks.

use super::domain::DomainRef;
use super::procedures;
use crate::rpc::xdr::Opaque;

/// The most bytes of a disk in one answer.
pub const PEEK_MAX: usize = 4_194_304;

procedures! {
    103 DomainBlockPeek { dom: DomainRef, path: String, offset: u64, size: u32, flags: u32 } -> Opaque<PEEK_MAX>;
    245 DomainReset { dom: DomainRef, flags: u32 } -> ();
    358 DomainRename { dom: DomainRef, name: Option<String>, flags: u32 } -> i32;
    450 DomainSetAutostartOnce { dom: DomainRef, autostart: i32 } -> ();
}
