//! mconsole: the management console of a UML kernel, a datagram protocol on a Unix socket in its run folder.
//!
//! ```text
//! request       magic  version 2  length  data[512]           host  -> guest kernel
//! reply         error  more       length  data[<= 512]        guest -> host, several datagrams while more != 0
//! notification  magic  version    kind    length  data        guest -> host, unasked, on @RUN@/notify
//! ```
//!
//! All integers are native-endian. The guest kernel matches commands by prefix and some commands kill it, so only the
//! fixed strings of [`Command`](client::Command) and the checked ones of [`Order`](crate::plan::order::Order) are ever sent. A guest
//! kernel is not trusted: whatever comes back is bounded and checked.

pub mod client;
pub mod conversation;
pub mod packet;

/// What a guest kernel may send, whatever it is: `bytes` are datagrams, each behind its length in two bytes (little-endian).
/// Each is read as part of an answer and as a notification.
///
/// Fuzzing and the tests of its seeds call this.
///
/// # Panics
/// The driver has a bug.
pub fn check_datagrams(bytes: &[u8]) {
    use packet::Notification::{Hang, Other, Panic, Socket, User};
    let mut assembly = packet::Assembly::default();
    let mut rest = bytes;
    while let Some((length, tail)) = rest.split_first_chunk::<2>() {
        let (datagram, behind) = tail.split_at(tail.len().min(usize::from(u16::from_le_bytes(*length))));
        rest = behind;
        // A replaced byte takes three.
        match assembly.push(datagram) {
            Ok(None) => {}
            Ok(Some(answer)) => {
                assert!(answer.text.len() <= packet::MAX_ANSWER * 3, "an answer without bound");
                assembly = packet::Assembly::default();
            }
            Err(_) => assembly = packet::Assembly::default(),
        }
        match packet::notification(datagram) {
            Ok(Socket(text) | Panic(text) | Hang(text) | User(text)) => {
                assert!(text.len() <= packet::MAX_DATA * 3, "a notification without bound");
            }
            Ok(Other(kind)) => assert!(kind > 3, "kind {kind} is known"),
            Err(_) => {}
        }
    }
}
