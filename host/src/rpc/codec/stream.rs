//! What stream packets carry beside raw bytes.

use crate::rpc::xdr::xdr_struct;

xdr_struct! {
    /// A hole in a sparse stream.
    StreamHole {
        length: i64,
        flags: u32,
    }
}
