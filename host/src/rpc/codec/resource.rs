//! Memory and processors of domains; memory in KiB.

use super::domain::DomainRef;
use super::procedures;

procedures! {
    18 DomainGetMaxVcpus { dom: DomainRef } -> i32;
    30 DomainSetMaxMemory { dom: DomainRef, memory: u64 } -> ();
    31 DomainSetMemory { dom: DomainRef, memory: u64 } -> ();
    32 DomainSetVcpus { dom: DomainRef, count: u32 } -> ();
    199 DomainSetVcpusFlags { dom: DomainRef, count: u32, flags: u32 } -> ();
    200 DomainGetVcpusFlags { dom: DomainRef, flags: u32 } -> i32;
    204 DomainSetMemoryFlags { dom: DomainRef, memory: u64, flags: u32 } -> ();
}
