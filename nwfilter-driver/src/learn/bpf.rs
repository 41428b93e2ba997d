//! `Program`: the kernel's first look at frames, in classic BPF, so that what tells nothing costs nothing here.
//!
//! It may let pass too much, never too little: what counts is decided by [`super::frame`] and [`super::dialogue`].

use crate::def::address::Mac;

/// One instruction as the kernel has it (`struct sock_filter`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Insn {
    /// What to do.
    pub code: u16,
    /// How many instructions to skip if it holds.
    pub yes: u8,
    /// And if not.
    pub no: u8,
    /// Its number.
    pub k: u32,
}

/// What is looked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Look {
    /// The guest.
    pub mac: Mac,
    /// DHCP.
    pub dhcp: bool,
    /// DHCPv6.
    pub dhcp6: bool,
    /// Any ARP and IPv4 of the guest.
    pub v4: bool,
    /// Neighbour discovery of the guest.
    pub v6: bool,
}

/// Longer frames are cut: no message that counts is longer.
pub const SNAP: u32 = 2048;

// Instruction codes (linux/filter.h).
const LOAD_WORD: u16 = 0x20;
const LOAD_HALF: u16 = 0x28;
const LOAD_BYTE: u16 = 0x30;
const LOAD_WORD_BEHIND: u16 = 0x40;
const LOAD_HALF_BEHIND: u16 = 0x48;
const LOAD_IP_HEADER_LENGTH: u16 = 0xb1;
const IS: u16 = 0x15;
const HAS_BITS: u16 = 0x45;
const RETURN: u16 = 0x06;
/// What the kernel knows of the frame beside its bytes: at these "offsets" (`SKF_AD_OFF`).
const PACKET_TYPE: u32 = 0xffff_f000 + 4;
const TAGGED: u32 = 0xffff_f000 + 48;
const OUTGOING: u32 = 4;

/// One question: load, compare; the alternative goes on only with the expected answer.
#[derive(Clone, Copy)]
struct Ask {
    load: Option<(u16, u32)>,
    test: u16,
    k: u32,
    expect: bool,
}

const fn ask(load: u16, at: u32, k: u32) -> Ask {
    Ask {
        load: Some((load, at)),
        test: IS,
        k,
        expect: true,
    }
}

const fn not(ask: Ask) -> Ask {
    Ask {
        expect: !ask.expect,
        ..ask
    }
}

impl Look {
    /// Whether nothing is looked for.
    #[must_use]
    pub const fn is_nothing(&self) -> bool {
        !(self.dhcp || self.dhcp6 || self.v4 || self.v6)
    }

    /// The program for it.
    #[must_use]
    pub fn program(&self) -> Vec<Insn> {
        let [a, b, c, d, e, f] = self.mac.0;
        let (high, low) = (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([0, 0, e, f]));
        let to_guest = ask(LOAD_BYTE, PACKET_TYPE, OUTGOING);
        let source = [ask(LOAD_WORD, 6, high), ask(LOAD_HALF, 10, low)];
        let from_guest: Vec<Ask> = [not(to_guest)].into_iter().chain(source).collect();
        let mut program = Vec::new();
        alternative(&mut program, &[not(ask(LOAD_BYTE, TAGGED, 0))], 0);
        let mut pass = |parts: &[&[Ask]]| alternative(&mut program, &parts.concat(), SNAP);
        let ether = |ether_type| [ask(LOAD_HALF, 12, ether_type)];
        let udp = [
            ask(LOAD_BYTE, 23, 17),
            not(Ask {
                test: HAS_BITS,
                ..ask(LOAD_HALF, 20, 0x3fff)
            }),
        ];
        let ports = |source, destination| {
            [
                Ask {
                    load: Some((LOAD_IP_HEADER_LENGTH, 14)),
                    test: 0,
                    k: 0,
                    expect: true,
                },
                ask(LOAD_HALF_BEHIND, 14, source),
                ask(LOAD_HALF_BEHIND, 16, destination),
            ]
        };
        let ports6 = |source, destination| [ask(LOAD_HALF, 54, source), ask(LOAD_HALF, 56, destination)];
        if self.v4 {
            pass(&[&from_guest, &ether(0x0806)]);
            pass(&[&from_guest, &ether(0x0800)]);
        }
        if self.dhcp {
            // The client's hardware address is 28 bytes into the message: behind 14 of Ethernet, the IP header and 8 of
            // UDP.
            let client = [ask(LOAD_WORD_BEHIND, 50, high), ask(LOAD_HALF_BEHIND, 54, low)];
            pass(&[&from_guest, &ether(0x0800), &udp, &ports(68, 67)]);
            pass(&[&[to_guest], &ether(0x0800), &udp, &ports(67, 68), &client]);
        }
        if self.v6 {
            for kind in [135, 136] {
                pass(&[
                    &from_guest,
                    &ether(0x86dd),
                    &[ask(LOAD_BYTE, 20, 58), ask(LOAD_BYTE, 54, kind)],
                ]);
            }
        }
        if self.dhcp6 {
            let udp = [ask(LOAD_BYTE, 20, 17)];
            let destination = [ask(LOAD_WORD, 0, high), ask(LOAD_HALF, 4, low)];
            pass(&[&from_guest, &ether(0x86dd), &udp, &ports6(546, 547)]);
            pass(&[&[to_guest], &destination, &ether(0x86dd), &udp, &ports6(547, 546)]);
        }
        program.push(answer(0));
        program
    }
}

const fn answer(k: u32) -> Insn {
    Insn {
        code: RETURN,
        yes: 0,
        no: 0,
        k,
    }
}

/// If all questions are answered as expected the program ends with `value`, else it goes on behind.
fn alternative(program: &mut Vec<Insn>, asks: &[Ask], value: u32) {
    let length = |ask: &Ask| u8::from(ask.load.is_some()) + u8::from(ask.test != 0);
    // The answer at the end is one more to skip.
    let mut left = asks.iter().map(length).sum::<u8>() + 1;
    for ask in asks {
        left -= length(ask);
        if let Some((code, k)) = ask.load {
            program.push(Insn { code, yes: 0, no: 0, k });
        }
        if ask.test != 0 {
            let (yes, no) = if ask.expect { (0, left) } else { (left, 0) };
            program.push(Insn {
                code: ask.test,
                yes,
                no,
                k: ask.k,
            });
        }
    }
    program.push(answer(value));
}

#[cfg(test)]
mod tests;
