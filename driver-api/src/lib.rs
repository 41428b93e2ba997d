//! The stable interface between the Lockstep host and its drivers.
//!
//! # Two halves
//!
//! [`abi`] crosses the boundary and is frozen: tables of C functions, plain records, the manifest. Everything else is
//! compiled into each driver and into the host, and may change from release to release: the traits that an author
//! implements ([`driver`]), the tokens and guards ([`lock`]), the host as safe calls ([`mod@host`]), plain values ([`types`])
//! and the kit that turns traits into tables and back ([`kit`]).
//!
//! # How it grows
//!
//! An interface has a name and a number (`virt.lifecycle/1`). Once released its table is never touched, not even at its
//! end; a change is the next number, offered beside the old one. Each side asks the other for the interfaces that it knows
//! and leaves the rest alone, so an old driver works in a new host and a new driver in an old host. A table with another
//! layout than ours is refused by itself, in one sentence that names the field. The version in the manifest counts what
//! was added; only another major version is refused.
//!
//! # Threads and locks
//!
//! Every method may be called from any thread, several at once. Locks belong to the host: a method that may lock gets a
//! token ([`lock::token::Cx`]), and the type of the token says what may be taken next. Tokens and guards stay on their
//! thread. A mutex of the driver's own is a leaf: never held while the host is called. A driver's own threads get a token
//! from [`host::Host::session`]. Nothing else is shared: each library has its own copy of `std`, `tracing` and their
//! statics, and is never unmapped.
//!
//! # Panics and logs
//!
//! A panic in a method is an error of that call (code 1); the host and the other drivers go on. `tracing` spans and
//! events of a driver arrive in the host's log below the span of the call that they belong to.
//!
//! # A driver
//!
//! A `cdylib` crate with this is a whole driver of the `tea:///` scheme, though one that knows no domain; it is found as
//! `libtea_driver.so`. `examples/hello-driver` is one that does something.
//!
//! ```
//! use driver_api::driver::{Config, Driver, DriverInfo, VirtDriver};
//! use driver_api::error::{Code, Error, Origin, Result};
//! use driver_api::host::Host;
//! use driver_api::lock::level::{Unlocked, Update};
//! use driver_api::lock::token::Cx;
//! use driver_api::types::{domain::DomainBrief, filter::PortRequest, guest::*, node::NodeInfo, uuid::Uuid};
//! use std::time::Duration;
//!
//! struct Tea;
//!
//! driver_api::export_driver!(Tea: VirtDriver);
//!
//! fn no_domain<T>(uuid: Uuid) -> Result<T> {
//!     Err(Error::new(Code::NO_DOMAIN, Origin::DOMAIN, format!("no domain with UUID '{uuid}'")))
//! }
//!
//! fn not_yet<T>(what: &str) -> Result<T> {
//!     Err(Error::new(Code::OPERATION_UNSUPPORTED, Origin::DOMAIN, format!("the tea driver can not {what}")))
//! }
//!
//! impl Driver for Tea {
//!     const INFO: DriverInfo = DriverInfo { name: "tea", title: "Tea", version: "1.0.0", needs: &[] };
//!     fn open(_host: Host, _config: Config) -> Result<Self> { Ok(Self) }
//!     fn bring_up(&self, _cx: &mut Cx<'_, Unlocked>) -> Result<()> { Ok(()) }
//!     fn autostart(&self, _cx: &mut Cx<'_, Unlocked>) -> Result<()> { Ok(()) }
//!     fn close(&self, _within: Duration) -> Result<()> { Ok(()) }
//! }
//!
//! impl VirtDriver for Tea {
//!     fn capabilities(&self) -> Result<String> { Ok(String::new()) }
//!     fn version(&self) -> Result<u64> { Ok(1_000_000) }
//!     fn node_info(&self) -> Result<NodeInfo> { not_yet("tell facts about the machine") }
//!     fn list(&self) -> Vec<DomainBrief> { Vec::new() }
//!     fn by_uuid(&self, _uuid: Uuid) -> Option<DomainBrief> { None }
//!     fn by_name(&self, _name: &str) -> Option<DomainBrief> { None }
//!     fn by_id(&self, _id: i32) -> Option<DomainBrief> { None }
//!     fn cpu_time(&self, uuid: Uuid) -> Result<u64> { no_domain(uuid) }
//!     fn dump_xml(&self, uuid: Uuid, _flags: u32) -> Result<String> { no_domain(uuid) }
//!     fn define(&self, cx: &mut Cx<'_, Unlocked>, _xml: &str, _flags: u32) -> Result<DomainBrief> {
//!         let _table = cx.virt_write()?;
//!         not_yet("define domains")
//!     }
//!     fn create(&self, _cx: &mut Cx<'_, Unlocked>, _xml: &str, _flags: u32) -> Result<DomainBrief> {
//!         not_yet("make domains")
//!     }
//!     fn undefine(&self, _cx: &mut Cx<'_, Unlocked>, uuid: Uuid, _flags: u32) -> Result<()> { no_domain(uuid) }
//!     fn start(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, _flags: u32) -> Result<DomainBrief> {
//!         let _domain = cx.lookup(uuid)?;
//!         no_domain(uuid)
//!     }
//!     fn shutdown(&self, _cx: &mut Cx<'_, Unlocked>, uuid: Uuid, _flags: u32) -> Result<()> { no_domain(uuid) }
//!     fn reboot(&self, _cx: &mut Cx<'_, Unlocked>, uuid: Uuid, _flags: u32) -> Result<()> { no_domain(uuid) }
//!     fn destroy(&self, _cx: &mut Cx<'_, Unlocked>, uuid: Uuid, _flags: u32) -> Result<()> { no_domain(uuid) }
//!     fn suspend(&self, _cx: &mut Cx<'_, Unlocked>, uuid: Uuid) -> Result<()> { no_domain(uuid) }
//!     fn resume(&self, _cx: &mut Cx<'_, Unlocked>, uuid: Uuid) -> Result<()> { no_domain(uuid) }
//!     fn set_autostart(&self, _cx: &mut Cx<'_, Unlocked>, uuid: Uuid, _on: bool) -> Result<()> { no_domain(uuid) }
//!     fn guest_event(&self, _cx: &mut Cx<'_, Unlocked>, _guest: GuestId, _event: GuestEvent) {}
//!     fn filtered_ports(&self, _cx: &mut Cx<'_, Update>, _filters: &[String]) -> Result<Vec<PortRequest>> {
//!         Ok(Vec::new())
//!     }
//! }
//! # fn main() {}
//! ```

pub mod abi;
pub mod driver;
pub mod error;
pub mod host;
pub mod kit;
pub mod lock;
pub mod types;
