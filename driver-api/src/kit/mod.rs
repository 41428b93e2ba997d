//! What is compiled into each driver: it may change freely, since nothing of it crosses the boundary.

pub mod xml;
