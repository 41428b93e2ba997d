//! The UML driver: User-Mode Linux guests as Lockstep domains.
//!
//! | module | what it is |
//! | --- | --- |
//! | [`driver`] | the trait as the host calls it |
//! | [`core`] | what every verb works on |
//! | [`def`] | what the user asked for |
//! | [`plan`] | what will be done |
//! | [`run`] | doing it |
//! | [`state`] | what is |
//! | [`mconsole`] | talking to a guest kernel |
//! | [`net`] | guests' taps in the host's network |
//! | `pulse`, `agent` | what running guests are asked now and then, and what they tell unasked |
//! | `stats` | figures of all that under libvirt's names |
//! | [`probe`] | what a UML kernel can do |
//! | [`link`] | the seam to the host |

mod agent;
mod capabilities;
pub mod core;
pub mod def;
pub mod driver;
pub mod link;
pub mod mconsole;
pub mod net;
mod node;
mod options;
pub mod plan;
pub mod probe;
mod pulse;
pub mod run;
pub mod state;
mod stats;
mod sys;
#[cfg(test)]
mod testing;
mod workers;

driver_api::export_driver!(driver::Uml: VirtDriver + Console + Metadata + Devices + Resources + Stats + Control);
