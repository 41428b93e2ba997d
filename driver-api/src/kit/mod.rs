//! What is compiled into each side: the shield, the log forwarder, the export macro, both ends of the tables, XML. It
//! may change freely, since nothing of it crosses the boundary.

pub mod export;
pub mod loaded;
mod log;
pub mod offer;
mod panic;
pub mod serve;
pub mod xml;
