//! The host's own program beside libvirt's, on the same sockets: what libvirt's protocol has no procedure for.

use super::domain::DomainRef;
use super::procedures;

procedures! {
    1_000_001 HostGetPlugins {} -> String;
    1_000_002 HostGetLocks {} -> String;
    1_000_003 HostSetLogFilter { filter: String } -> ();
    1_000_012 DomainGetSecurity { dom: DomainRef } -> String;
}
