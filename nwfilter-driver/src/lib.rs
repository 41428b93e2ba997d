//! The nwfilter driver: libvirt-style network filters on any tap or veth port.

pub mod def;
