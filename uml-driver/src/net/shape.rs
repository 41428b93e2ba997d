//! How much a tap may carry, as queueing disciplines of the host's kernel: what goes to the guest waits in a token bucket,
//! what comes from it too fast is dropped.
//!
//! Rtnetlink's `tcmsg` is 20 bytes: family, padding, index of the device, handle, parent, and what depends on the message.

use super::message::Request;
use crate::def::shaping::Rate;
use driver_api::error::Code;

/// `RTM_NEWQDISC`, `RTM_DELQDISC` and `RTM_NEWTFILTER`.
const NEW_QUEUE: u16 = 36;
const DELETE_QUEUE: u16 = 37;
const NEW_FILTER: u16 = 44;
/// `NLM_F_CREATE`, `NLM_F_REPLACE` and `NLM_F_EXCL`.
const CREATE: u16 = 0x400;
const REPLACE: u16 = 0x100;
const EXCLUSIVE: u16 = 0x200;
/// `TC_H_ROOT` and `TC_H_INGRESS`.
const ROOT: u32 = 0xffff_ffff;
const INGRESS: u32 = 0xffff_fff1;
/// `1:` and `ffff:`.
const ROOT_HANDLE: u32 = 0x0001_0000;
const INGRESS_HANDLE: u32 = 0xffff_0000;
/// Priority 1, and `ETH_P_ALL` as the network writes it.
const ALL_FRAMES: u32 = 0x0001_0000 | (0x0003_u16.to_be() as u32);

/// `TCA_KIND` and `TCA_OPTIONS`.
const KIND: u16 = 1;
const OPTIONS: u16 = 2;
/// `TCA_TBF_*`.
mod bucket {
    pub(super) const PARAMETERS: u16 = 1;
    pub(super) const RATE: u16 = 4;
    pub(super) const PEAK: u16 = 5;
    pub(super) const BURST: u16 = 6;
    pub(super) const PEAK_BURST: u16 = 7;
}
/// `TCA_U32_SEL` and `TCA_U32_POLICE`.
const SELECTOR: u16 = 5;
const POLICE: u16 = 6;
/// `TCA_POLICE_*`.
mod police {
    pub(super) const PARAMETERS: u16 = 1;
    pub(super) const TABLE: u16 = 2;
    pub(super) const RATE: u16 = 8;
}
/// `TC_ACT_SHOT`.
const DROP: u32 = 2;
/// `TC_LINKLAYER_ETHERNET`: the kernel computes with the rate itself and not with a table.
const ETHERNET: u8 = 1;
/// `TC_RTAB_SIZE`: a table must come with a policer all the same.
const TABLE_BYTES: usize = 1024;
/// Any cell size that the kernel takes; the table is not looked at.
const CELL: u8 = 8;
/// The kernel counts a policer's burst in units of this many nanoseconds of the rate.
const TICK: u64 = 64;

/// The largest frame that crosses a tap uncut, with its headers: smaller bursts would never let it pass.
const WHOLE_FRAME: u64 = 66_000;

/// What is said to the kernel about one way.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) order: Request,
    /// Errors that mean there was nothing to do.
    pub(super) harmless: &'static [i32],
}

/// `ENOENT`, `EINVAL` and `EEXIST`.
const NOTHING_THERE: &[i32] = &[2, 22];
const THERE_ALREADY: &[i32] = &[17];

/// Limits what goes to the guest.
pub(super) fn inbound(index: i32, rate: Option<Rate>) -> Vec<Step> {
    let Some(rate) = rate else {
        let order = Request::traffic(DELETE_QUEUE, 0, index, 0, ROOT, 0);
        return vec![Step {
            order,
            harmless: NOTHING_THERE,
        }];
    };
    let order = Request::traffic(NEW_QUEUE, CREATE | REPLACE, index, ROOT_HANDLE, ROOT, 0)
        .text(KIND, "tbf")
        .nested(OPTIONS, |options| token_bucket(options, rate));
    vec![Step { order, harmless: &[] }]
}

/// Limits what comes from the guest.
pub(super) fn outbound(index: i32, rate: Option<Rate>) -> Vec<Step> {
    // A filter can not be replaced by one with another rate in one message that every kernel takes.
    let mut steps = vec![Step {
        order: Request::traffic(DELETE_QUEUE, 0, index, INGRESS_HANDLE, INGRESS, 0),
        harmless: NOTHING_THERE,
    }];
    if let Some(rate) = rate {
        let queue = Request::traffic(NEW_QUEUE, CREATE | EXCLUSIVE, index, INGRESS_HANDLE, INGRESS, 0);
        steps.push(Step {
            order: queue.text(KIND, "ingress").nested(OPTIONS, |options| options),
            harmless: THERE_ALREADY,
        });
        let filter = Request::traffic(NEW_FILTER, CREATE | EXCLUSIVE, index, 0, INGRESS_HANDLE, ALL_FRAMES);
        steps.push(Step {
            order: filter
                .text(KIND, "u32")
                .nested(OPTIONS, |options| policer(options, rate)),
            harmless: &[],
        });
    }
    steps
}

/// Bytes a second of a figure in 1000 bytes a second.
const fn bytes(kilobytes: u64) -> u64 {
    kilobytes.saturating_mul(1000)
}

/// What the header of a rate has room for; the whole figure stands beside it.
fn short(rate: u64) -> u32 {
    u32::try_from(rate).unwrap_or(u32::MAX)
}

/// `struct tc_ratespec`.
fn specification(rate: u64) -> Vec<u8> {
    let mut spec = vec![CELL, ETHERNET];
    spec.extend_from_slice(&[0; 6]);
    spec.extend_from_slice(&short(rate).to_ne_bytes());
    spec
}

fn token_bucket(options: Request, rate: Rate) -> Request {
    let (average, peak) = (bytes(rate.average.unwrap_or(0)), rate.peak.map(bytes));
    // The kernel wants a peak that is above the rate.
    let average = peak.map_or(average, |peak| average.min(peak));
    let peak = peak.filter(|peak| *peak > average);
    let burst = rate
        .burst
        .map_or(average / 20, |kib| kib.saturating_mul(1024))
        .max(WHOLE_FRAME);
    // A fifth of a second: enough for a window of TCP, and short enough to be noticed.
    let waiting = burst.saturating_add(average / 5);
    let mut parameters = specification(average);
    parameters.extend(peak.map_or_else(|| vec![0; 12], specification));
    parameters.extend_from_slice(&short(waiting).to_ne_bytes());
    parameters.extend_from_slice(&[0; 8]);
    let options = options
        .with(bucket::PARAMETERS, &parameters)
        .with(bucket::RATE, &average.to_ne_bytes())
        .with(bucket::BURST, &short(burst).to_ne_bytes());
    match peak {
        Some(peak) => options
            .with(bucket::PEAK, &peak.to_ne_bytes())
            .with(bucket::PEAK_BURST, &short(WHOLE_FRAME).to_ne_bytes()),
        None => options,
    }
}

fn policer(options: Request, rate: Rate) -> Request {
    let average = bytes(rate.average.unwrap_or(0)).max(1);
    // Without a burst of a second TCP, which takes each loss for a full network, stays far below the rate.
    let burst = rate
        .burst
        .or(rate.average)
        .unwrap_or(0)
        .saturating_mul(1024)
        .max(WHOLE_FRAME);
    let nanoseconds = u128::from(burst) * 1_000_000_000 / u128::from(average);
    let ticks = u32::try_from(nanoseconds / u128::from(TICK)).unwrap_or(u32::MAX);
    let mut parameters = Vec::new();
    // Index, what is done to frames beyond the rate, unused, burst, largest frame.
    for word in [0, DROP, 0, ticks, u32::MAX] {
        parameters.extend_from_slice(&word.to_ne_bytes());
    }
    parameters.extend(specification(average));
    // No peak, and three counters of the kernel's.
    parameters.extend_from_slice(&[0; 12 + 12]);
    // `struct tc_u32_sel` with one key whose mask is empty, which every frame matches.
    let mut selector = vec![0; 16 + 16];
    selector[0] = 1; // TC_U32_TERMINAL
    selector[2] = 1;
    options.with(SELECTOR, &selector).nested(POLICE, |police| {
        police
            .with(police::PARAMETERS, &parameters)
            .with(police::TABLE, &[0; TABLE_BYTES])
            .with(police::RATE, &average.to_ne_bytes())
    })
}

/// What it means that the kernel refuses: the code, and the remedy.
pub(super) fn refusal(inbound: bool, errno: Option<i32>) -> (Code, &'static str) {
    match (errno, inbound) {
        (Some(2), true) => (Code::CONFIG_UNSUPPORTED, ": its kernel has no token bucket (sch_tbf)"),
        (Some(2), false) => (
            Code::CONFIG_UNSUPPORTED,
            ": its kernel has not what drops frames beyond a rate (sch_ingress, cls_u32, act_police)",
        ),
        _ => (Code::SYSTEM_ERROR, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate {
        average: Some(1000),
        peak: None,
        burst: Some(1024),
        floor: None,
    };

    fn words(bytes: &[u8]) -> Vec<u32> {
        let words = bytes
            .chunks_exact(4)
            .map(|word| u32::from_ne_bytes(word.try_into().unwrap()));
        words.collect()
    }

    #[test]
    fn a_policer_is_laid_out_as_the_kernel_reads_it() {
        let steps = outbound(7, Some(RATE));
        assert_eq!(
            steps.len(),
            3,
            "off with the old one, a place for the new one, and that"
        );
        let bytes = steps.into_iter().next_back().unwrap().order.bytes();
        let place = |what: &[u8]| bytes.windows(what.len()).position(|window| window == what).unwrap();
        // Header: length, RTM_NEWTFILTER with REQUEST, ACK, EXCL and CREATE, and its tcmsg.
        assert_eq!(words(&bytes[..4]), [u32::try_from(bytes.len()).unwrap()]);
        assert_eq!(&bytes[4..8], [44_u16.to_ne_bytes(), 0x605_u16.to_ne_bytes()].concat());
        let priority_and_protocol = 0x0001_0000 | u32::from(3_u16.to_be());
        assert_eq!(words(&bytes[16..36]), [0, 7, 0, 0xffff_0000, priority_and_protocol]);
        // 1 MiB at 1 MB/s are 1.048576 s, in units of 64 ns; then no largest frame, and the rate.
        let police = place(&[60_u16.to_ne_bytes(), 1_u16.to_ne_bytes()].concat()) + 4;
        assert_eq!(words(&bytes[police..police + 20]), [0, 2, 0, 16_384_000, u32::MAX]);
        assert_eq!(&bytes[police + 20..police + 22], [8, 1]);
        assert_eq!(words(&bytes[police + 28..police + 32]), [1_000_000]);
        // The table has the one size that the kernel takes.
        assert_eq!(
            &bytes[police + 56..police + 60],
            [1028_u16.to_ne_bytes(), 2_u16.to_ne_bytes()].concat()
        );
    }

    #[test]
    fn a_bucket_is_laid_out_as_the_kernel_reads_it() {
        let peak = Rate {
            peak: Some(3000),
            ..RATE
        };
        let bytes = inbound(7, Some(peak)).remove(0).order.bytes();
        assert_eq!(&bytes[4..8], [36_u16.to_ne_bytes(), 0x505_u16.to_ne_bytes()].concat());
        assert_eq!(words(&bytes[16..36]), [0, 7, 0x0001_0000, u32::MAX, 0]);
        // tcmsg, "tbf", the head of the options and that of the parameters.
        let parameters = 36 + 8 + 4 + 4;
        let told = words(&bytes[parameters..parameters + 36]);
        assert_eq!([told[2], told[5]], [1_000_000, 3_000_000]);
        assert_eq!(told[6], 1024 * 1024 + 200_000, "what may wait");
        let slow = Rate {
            peak: Some(1000),
            ..RATE
        };
        let bytes = inbound(7, Some(slow)).remove(0).order.bytes();
        assert_eq!(words(&bytes[parameters..parameters + 36])[5], 0, "a peak that is none");
        let off = inbound(7, None).remove(0);
        assert_eq!(&off.order.bytes()[4..6], 37_u16.to_ne_bytes());
        assert_eq!(off.harmless, [2, 22]);
    }
}
