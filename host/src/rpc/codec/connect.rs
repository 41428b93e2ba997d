//! Opening, closing and describing a connection.

use super::procedures;
use crate::rpc::xdr::List;

/// Flag of [`ConnectOpen`]: the connection shall not change anything.
pub const OPEN_READ_ONLY: u32 = 1;
/// Every flag of [`ConnectOpen`] that clients send. Besides the first they tell how the client library found this socket
/// (2: it wanted the user's own host, or no URI aliases; 4: it would have started a host), which is its own matter.
pub const OPEN_FLAGS: u32 = OPEN_READ_ONLY | 2 | 4;

/// The only way to authenticate that is offered: none, since the socket's permissions decided already.
pub const AUTH_NONE: i32 = 0;

/// Numbers of [`ConnectSupportsFeature`] that matter here.
pub mod feature {
    /// Typed parameters may be strings.
    pub const TYPED_PARAM_STRING: i32 = 9;
    /// The keepalive program.
    pub const KEEPALIVE: i32 = 10;
    /// Event registrations with callback ids.
    pub const REMOTE_EVENT_CALLBACK: i32 = 14;
    /// Close callbacks may be registered.
    pub const CLOSE_CALLBACK: i32 = 15;
}

procedures! {
    1 ConnectOpen { name: Option<String>, flags: u32 } -> ();
    2 ConnectClose {} -> ();
    3 ConnectGetType {} -> String;
    4 ConnectGetVersion {} -> u64;
    5 ConnectGetMaxVcpus { virt_type: Option<String> } -> i32;
    7 ConnectGetCapabilities {} -> String;
    59 ConnectGetHostname {} -> String;
    60 ConnectSupportsFeature { feature: i32 } -> i32;
    66 AuthList {} -> List<i32, 20>;
    70 AuthPolkit {} -> i32;
    110 ConnectGetUri {} -> String;
    149 ConnectIsSecure {} -> i32;
    157 ConnectGetLibVersion {} -> u64;
    203 ConnectGetSysinfo { flags: u32 } -> String;
    342 ConnectGetDomainCapabilities {
        emulator: Option<String>, arch: Option<String>, machine: Option<String>, virt_type: Option<String>, flags: u32
    } -> String;
    360 ConnectRegisterCloseCallback {} -> ();
    361 ConnectUnregisterCloseCallback {} -> ();
}
