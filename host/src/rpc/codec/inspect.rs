//! What the filter driver tells of filters in force, part of the host's own program: the driver's values as they are.

use super::procedures;
use crate::rpc::xdr::{Input, List, Opaque, Xdr, XdrError};
use driver_api::types::inspect::{
    FrameVerdict, PortCounters, PortView, RuleCount, RulePlace, RuleView, TestFrame, TestOutcome, TestRequest,
    TestStep, TraceBatch, TraceStep, TreeNode,
};

/// The most frames in one test.
pub const FRAMES_MAX: usize = 16_384;
/// The longest frame in bytes.
pub const FRAME_MAX: usize = 65_535;
/// The most elements in any other list here; the length of the message is the tighter bound.
const MANY: usize = 1_048_576;

/// Names with their values.
pub type Pairs = List<(String, String), MANY>;
/// One outcome per frame.
pub type Outcomes = List<TestOutcome, FRAMES_MAX>;

impl Xdr for (String, String) {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), XdrError> {
        self.0.encode(out)?;
        self.1.encode(out)
    }

    fn decode(input: &mut Input<'_>) -> Result<Self, XdrError> {
        Ok((Xdr::decode(input)?, Xdr::decode(input)?))
    }
}

impl Xdr for FrameVerdict {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), XdrError> {
        (*self as i32).encode(out)
    }

    fn decode(input: &mut Input<'_>) -> Result<Self, XdrError> {
        match i32::decode(input)? {
            0 => Ok(Self::Accept),
            1 => Ok(Self::Drop),
            2 => Ok(Self::Reject),
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
    TestFrame { out, bytes: Opaque<FRAME_MAX> }
    TestRequest { filter, parameters: List<MANY>, frames: List<FRAMES_MAX> }
    TestStep { chain, verdict, place }
    TestOutcome { verdict, steps: List<MANY> }
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
