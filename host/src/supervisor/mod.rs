//! Guest supervisors: the process that stands behind each guest, and the host's side of it.
//!
//! A guest is started by a process of its own (`lockstep __supervise`), which holds the guest's consoles, waits for its
//! end and writes that down. The host may die and come back as often as it likes; the guest does not notice. The
//! supervisor may die too: then the kernel kills the guest, whose first process is the first of a PID namespace and
//! tied to its supervisor's life.

mod address;
mod attach;
mod backend;
mod cgroup;
pub mod child;
mod companion;
mod confinement;
mod console;
mod control;
mod delivery;
mod elf;
mod extras;
mod guests;
mod handover;
mod hotplug;
mod identity;
mod launch;
mod life;
mod limits;
mod link;
mod node;
mod numbers;
mod order;
mod outbox;
mod parcel;
mod peer;
mod plug;
mod process;
mod pty;
mod record;
mod ring;
mod rotation;
mod sandbox;
mod seccomp;
mod start;
mod survey;
mod sys;
mod table;
mod viewer;
mod watch;

pub use attach::ConsoleMode;
pub use confinement::{Layer, Layers, Security, Seen};
pub use delivery::Sink;
pub use guests::{Guests, Options};
pub(crate) use process::boot_id;
