//! The wire as bytes and messages: libvirt's remote protocol both ways, without sockets, drivers or threads.
//!
//! [`frame`] cuts bytes into frames, [`header`] says what a frame is, [`procs`] is the table of procedures,
//! [`codec`] the arguments and results of those that are served, [`xdr`] their encoding, [`error`] a failure on the wire.

pub mod codec;
pub mod error;
pub mod frame;
pub mod fuzzing;
pub mod header;
pub mod procs;
pub mod xdr;
