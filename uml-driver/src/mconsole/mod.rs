//! mconsole: the management console of a UML kernel, a datagram protocol on a Unix socket in its run folder.
//!
//! ```text
//! request       magic  version 2  length  data[512]           host  -> guest kernel
//! reply         error  more       length  data[<= 512]        guest -> host, several datagrams while more != 0
//! notification  magic  version    kind    length  data        guest -> host, unasked, on @RUN@/notify
//! ```
//!
//! All integers are native-endian. The guest kernel matches commands by prefix and some commands kill it, so only the
//! fixed strings of [`Command`](client::Command) are ever sent. A guest kernel is not trusted: whatever comes back is
//! bounded and checked.

pub mod client;
pub mod packet;
