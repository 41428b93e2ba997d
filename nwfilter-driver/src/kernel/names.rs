//! What our tables, chains, sets and mark bits are called.

use crate::nft::Family;
use crate::ruleset::{ChainName, Hook, ProgramName};

/// The name of our table in each family.
pub(super) const TABLE: &str = "lockstep_nwfilter";
/// What people read who list it.
pub(super) const COMMENT: &str = "kept by lockstep: changes made here are undone";
/// The family that sees all frames.
pub(super) const FRAMES: Family = Family::Bridge;
/// Bytes of a device's name, with the zero at its end.
pub(super) const DEVICE: usize = 16;

/// The set of all pairs of equal bytes.
pub(super) const EQUAL_BYTES: &str = "equal-bytes";

/// A map from the name of a port's device to the chain where its program begins.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Map(pub(super) Hook);

impl Map {
    pub(super) const ALL: [Self; 4] = [
        Self(Hook::FrameOut),
        Self(Hook::FrameIn),
        Self(Hook::PacketOut),
        Self(Hook::PacketIn),
    ];

    pub(super) const fn name(self) -> &'static str {
        match self.0 {
            Hook::FrameOut => "from",
            Hook::FrameIn => "to",
            Hook::PacketOut => "from-packet",
            Hook::PacketIn => "to-packet",
        }
    }

    /// The program whose first chain of this hook has that name.
    pub(super) fn program_of(self, chain: &str) -> Option<ProgramName> {
        let program = chain.strip_suffix(self.0.name())?.strip_suffix('-')?;
        Some(program.to_owned())
    }
}

/// A chain of a program.
pub(super) fn chain(program: &str, name: &ChainName) -> String {
    let hook = name.hook.name();
    if name.suffix.is_empty() {
        format!("{program}-{hook}")
    } else {
        format!("{program}-{hook}-{}", name.suffix)
    }
}

/// The set of one of a program's slots.
pub(super) fn slot(program: &str, slot: usize) -> String {
    format!("{program}-slot-{slot}")
}

/// A device's name as the kernel compares it; `None` if no device can have that name.
pub(super) fn device_key(port: &str) -> Option<Vec<u8>> {
    let bytes = port.as_bytes();
    let fits = !bytes.is_empty() && bytes.len() < DEVICE && !bytes.contains(&0);
    fits.then(|| {
        let mut key = bytes.to_vec();
        key.resize(DEVICE, 0);
        key
    })
}

/// The device's name at the start of a key.
pub(super) fn port_of(key: &[u8]) -> Option<String> {
    let name = key.get(..DEVICE)?.split(|byte| *byte == 0).next()?;
    String::from_utf8(name.to_vec()).ok()
}

/// Bits of the packet's mark that are ours while a packet is in a bridge.
pub(super) mod mark {
    use crate::ruleset::States;

    pub(in super::super) const OURS: u32 = 0xffff_0000;
    /// The state of the packet's connection: four bits, in the order of [`States`].
    const STATE: u32 = 16;
    /// The packet goes against the way in which its connection was opened.
    pub(in super::super) const REPLY: u32 = 1 << 20;
    /// To be refused, with a word to the sender.
    pub(in super::super) const REJECT: u32 = 1 << 21;
    /// The packet came in by a bridge.
    pub(in super::super) const SEEN: u32 = 1 << 22;

    /// The first of the bits for the answers to predicates.
    pub(in super::super) const FIRST_FLAG: u32 = 23;
    /// How many there are.
    pub(in super::super) const FLAGS: usize = 9;

    /// The bits of these states.
    pub(in super::super) const fn states(states: States) -> u32 {
        (states as u32 & 0xf) << STATE
    }
}
