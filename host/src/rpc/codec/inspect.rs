//! What the filter driver tells of filters in force, part of the host's own program: the driver's values as they are.

use super::procedures;
use crate::rpc::xdr::{Input, List, Opaque, Xdr, XdrError};
use driver_api::types::inspect::{
    PacketFate, PacketSource, PacketWay, PortCounters, PortView, RuleCount, RulePlace, RuleView, TestOutcome,
    TestRequest, TestStep, TraceBatch, TraceStep, TreeNode,
};

/// The longest frame in bytes.
const FRAME_MAX: usize = 262_144;
/// The longest capture in bytes.
pub const CAPTURE_MAX: usize = 16_777_216;
/// The most elements in any other list here; the length of the message is the tighter bound.
const MANY: usize = 1_048_576;

/// Names with their values.
pub type Pairs = List<(String, String), MANY>;
/// One outcome per packet.
pub type Outcomes = List<TestOutcome, MANY>;

impl Xdr for (String, String) {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), XdrError> {
        self.0.encode(out)?;
        self.1.encode(out)
    }

    fn decode(input: &mut Input<'_>) -> Result<Self, XdrError> {
        Ok((Xdr::decode(input)?, Xdr::decode(input)?))
    }
}

/// The numbers of these are their places among all of them.
macro_rules! numbered {
    ($($plain:ident)+) => { $(
        impl Xdr for $plain {
            fn encode(&self, out: &mut Vec<u8>) -> Result<(), XdrError> {
                (*self as i32).encode(out)
            }

            fn decode(input: &mut Input<'_>) -> Result<Self, XdrError> {
                let number = i32::decode(input)?;
                let index = usize::try_from(number).unwrap_or(usize::MAX);
                Self::ALL.get(index).copied().ok_or(XdrError::BadTag(number))
            }
        }
    )+ };
}

numbered!(PacketFate PacketWay);

impl Xdr for PacketSource {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), XdrError> {
        match self {
            Self::Words(words) => {
                0_i32.encode(out)?;
                words.encode(out)
            }
            Self::Capture(bytes) => {
                1_i32.encode(out)?;
                Opaque::<CAPTURE_MAX>(bytes.clone()).encode(out)
            }
        }
    }

    fn decode(input: &mut Input<'_>) -> Result<Self, XdrError> {
        match i32::decode(input)? {
            0 => Ok(Self::Words(Xdr::decode(input)?)),
            1 => Ok(Self::Capture(Opaque::<CAPTURE_MAX>::decode(input)?.0)),
            other => Err(XdrError::BadTag(other)),
        }
    }
}

/// Gives the drivers' values their form on the wire: the fields one after the other, lists within their bounds.
macro_rules! on_the_wire {
    ($($plain:ident { $($field:ident $(: $list:ident<$max:ident>)?),+ })+) => { $(
        impl Xdr for $plain {
            fn encode(&self, out: &mut Vec<u8>) -> Result<(), XdrError> {
                $( on_the_wire!(@encode self.$field, out $(, $list<$max>)?); )+
                Ok(())
            }

            fn decode(input: &mut Input<'_>) -> Result<Self, XdrError> {
                Ok(Self { $( $field: on_the_wire!(@decode input $(, $list<$max>)?) ),+ })
            }
        }
    )+ };
    (@encode $value:expr, $out:ident) => { $value.encode($out)? };
    (@encode $value:expr, $out:ident, List<$max:ident>) => { List::<_, $max>($value.clone()).encode($out)? };
    (@encode $value:expr, $out:ident, Opaque<$max:ident>) => { Opaque::<$max>($value.clone()).encode($out)? };
    (@decode $input:ident) => { Xdr::decode($input)? };
    (@decode $input:ident, List<$max:ident>) => { List::<_, $max>::decode($input)?.0 };
    (@decode $input:ident, Opaque<$max:ident>) => { Opaque::<$max>::decode($input)?.0 };
}

on_the_wire! {
    RulePlace { filter, uuid, entry, line, text }
    TreeNode { level, filter, exists, chain, parameters: List<MANY> }
    RuleView { chain, text, place, note }
    PortView {
        port, filter, mac, owner, state, program, parameters: List<MANY>, learned: List<MANY>, tree: List<MANY>,
        rules: List<MANY>
    }
    RuleCount { chain, verdict, packets, bytes, place }
    PortCounters { ports: List<MANY>, rules: List<MANY> }
    TestRequest { filter, parameters: List<MANY>, way, packets: List<MANY> }
    TestStep { chain, verdict, place }
    TestOutcome { frame: Opaque<FRAME_MAX>, way, fate, decided, path: List<MANY>, notes: List<MANY> }
    TraceStep { packet, chain, verdict, place, headers: Opaque<FRAME_MAX> }
    TraceBatch { steps: List<MANY>, lost }
}

procedures! {
    1_000_004 NwfilterGetStatus {} -> Pairs;
    1_000_005 NwfilterGetPort { port: String } -> PortView;
    1_000_006 NwfilterGetCounters { port: String } -> PortCounters;
    1_000_007 NwfilterTest { request: TestRequest } -> Outcomes;
    1_000_008 NwfilterStartTrace { port: String } -> u64;
    1_000_009 NwfilterNextTrace { trace: u64 } -> TraceBatch;
    1_000_010 NwfilterStopTrace { trace: u64 } -> ();
    1_000_011 NwfilterReload {} -> ();
}
