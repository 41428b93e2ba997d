//! A guest's processors, and the processors of the machine that they may use.

use super::super::Dispatch;
use super::super::domain::{document, find, running, unknown_flags};
use super::Figures;
use super::cpuset::CpuSet;
use crate::rpc::codec::domain::DomainRef;
use crate::rpc::codec::stats::{
    CPU_MAPS_MAX, DomainGetEmulatorPinInfo, DomainGetVcpuPinInfo, DomainGetVcpus, EmulatorPin, VCPUS_MAX, VcpuInfo,
    VcpuPins, Vcpus,
};
use crate::rpc::xdr::{List, Opaque};
use crate::server::Call;
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::kit::xml::Element;
use driver_api::types::device::stats::VCPU;
use driver_api::types::domain::DomainBrief;
use driver_api::types::domain::flags::{AFFECT_CONFIG, AFFECT_LIVE, XML_INACTIVE};

/// Where a processor of the guest runs is not known (`virVcpuHostCpuState`).
const UNAVAILABLE: i32 = -2;

/// How many maps of which length a client has room for.
fn room(count: i32, length: i32, most: usize) -> Result<(usize, usize)> {
    let sizes = usize::try_from(count).ok().zip(usize::try_from(length).ok());
    sizes
        .filter(|(count, length)| *count <= most && count.saturating_mul(*length) <= CPU_MAPS_MAX)
        .ok_or_else(|| {
            let text = format!("{count} maps of {length} bytes are no room that an answer can fill");
            Error::new(Code::INVALID_ARG, Origin::DOMAIN, text)
        })
}

pub(in super::super) fn vcpus(host: &Dispatch, call: &Call<'_>, args: DomainGetVcpus) -> Result<Vcpus> {
    let (room, length) = room(args.max_info, args.map_length, VCPUS_MAX)?;
    let figures = Figures::live(host, call, &args.dom, VCPU)?;
    let info: Vec<VcpuInfo> = told(&figures).take(room).collect();
    if info.is_empty() && room > 0 {
        return Err(host.lacks(call, "figures of guests' processors"));
    }
    let maps = if length == 0 {
        Vec::new()
    } else {
        let pins = Pins::of(host, call, &figures.domain, 0)?;
        pins.maps(info.iter().map(|info| info.number), length)
    };
    Ok(Vcpus {
        info: List(info),
        cpumaps: Opaque(maps),
    })
}

fn told(figures: &Figures) -> impl Iterator<Item = VcpuInfo> {
    (0..figures.domain.vcpus).filter_map(|number| {
        let state = figures.number(&format!("vcpu.{number}.state"))?;
        Some(VcpuInfo {
            number,
            state: i32::try_from(state).ok()?,
            cpu_time: figures.number(&format!("vcpu.{number}.time")).unwrap_or(0),
            cpu: UNAVAILABLE,
        })
    })
}

pub(in super::super) fn vcpu_pins(host: &Dispatch, call: &Call<'_>, args: DomainGetVcpuPinInfo) -> Result<VcpuPins> {
    let (room, length) = room(args.max_maps, args.map_length, VCPUS_MAX)?;
    let (domain, pins) = Pins::asked(host, call, &args.dom, args.flags)?;
    let count = domain.vcpus.min(u32::try_from(room).unwrap_or(u32::MAX));
    Ok(VcpuPins {
        cpumaps: Opaque(pins.maps(0..count, length)),
        num: count.cast_signed(),
    })
}

pub(in super::super) fn emulator_pin(
    host: &Dispatch,
    call: &Call<'_>,
    args: DomainGetEmulatorPinInfo,
) -> Result<EmulatorPin> {
    let (_, length) = room(1, args.map_length, VCPUS_MAX)?;
    let (_, pins) = Pins::asked(host, call, &args.dom, args.flags)?;
    Ok(EmulatorPin {
        cpumaps: Opaque(pins.emulator.map(length)),
        ret: 1,
    })
}

/// The processors of the machine that a guest's processors, and its other threads, may use as its document says.
#[derive(PartialEq, Eq, Debug)]
struct Pins {
    /// Those of every processor that has none of its own.
    all: CpuSet,
    own: Vec<(u32, CpuSet)>,
    emulator: CpuSet,
}

impl Pins {
    /// The pins that a client asks for by flags.
    fn asked(host: &Dispatch, call: &Call<'_>, dom: &DomainRef, flags: u32) -> Result<(DomainBrief, Self)> {
        let unknown = flags & !(AFFECT_LIVE | AFFECT_CONFIG);
        if unknown != 0 {
            return Err(unknown_flags("the pins of processors", unknown));
        }
        if flags == AFFECT_LIVE | AFFECT_CONFIG {
            let text = "pins can be shown as they are or as they will be, but not both at once";
            return Err(Error::new(Code::INVALID_ARG, Origin::DOMAIN, text));
        }
        let domain = find(host, call, dom)?;
        if flags == AFFECT_LIVE {
            running(&domain)?;
        }
        let which = if flags == AFFECT_CONFIG { XML_INACTIVE } else { 0 };
        let pins = Self::of(host, call, &domain, which)?;
        Ok((domain, pins))
    }

    fn of(host: &Dispatch, call: &Call<'_>, domain: &DomainBrief, which: u32) -> Result<Self> {
        let online = CpuSet::of(&host.machine.cpu_map()?.online);
        Self::read(&document(host, call, domain.uuid, which)?, online)
    }

    fn read(document: &Element, online: CpuSet) -> Result<Self> {
        let set = |element: &Element| element.attr("cpuset").map(parsed).transpose();
        let all = document.child("vcpu").map(set).transpose()?.flatten().unwrap_or(online);
        let mut pins = Self {
            emulator: all.clone(),
            all,
            own: Vec::new(),
        };
        let Some(tune) = document.child("cputune") else {
            return Ok(pins);
        };
        for pin in tune.children_named("vcpupin") {
            let number = pin.attr("vcpu").and_then(|number| number.parse().ok());
            pins.own.extend(number.zip(set(pin)?));
        }
        if let Some(set) = tune.child("emulatorpin").map(set).transpose()?.flatten() {
            pins.emulator = set;
        }
        Ok(pins)
    }

    /// The maps of these processors of the guest.
    fn maps(&self, vcpus: impl Iterator<Item = u32>, length: usize) -> Vec<u8> {
        let map = |vcpu| {
            let own = self.own.iter().find(|(number, _)| *number == vcpu);
            own.map_or(&self.all, |(_, set)| set).map(length)
        };
        vcpus.flat_map(map).collect()
    }
}

fn parsed(list: &str) -> Result<CpuSet> {
    CpuSet::parse(list).ok_or_else(|| {
        let text = format!("the processors '{list}' in a domain's document are no list such as '0-3,^2'");
        Error::new(Code::XML_ERROR, Origin::DOMAIN, text)
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::figures;
    use super::*;
    use driver_api::kit::xml::{Limits, parse};
    use driver_api::types::param::Param;

    fn pins(inside: &str) -> Result<Pins> {
        let document = format!("<domain>{inside}</domain>");
        let document = parse(document.as_bytes(), Origin::DOMAIN, &Limits::default()).unwrap();
        Pins::read(&document, CpuSet::parse("0-7").unwrap())
    }

    #[test]
    fn pins_are_all_processors_unless_the_document_says_less() {
        let all = pins("<vcpu>2</vcpu>").unwrap();
        assert_eq!((all.maps(0..2, 1), all.emulator.map(1)), (vec![0xff, 0xff], vec![0xff]));
        let some = pins("<vcpu cpuset='1-2'>2</vcpu>").unwrap();
        assert_eq!((some.maps(0..2, 1), some.emulator.map(1)), (vec![6, 6], vec![6]));
        let own = pins(
            "<vcpu cpuset='1-2'>2</vcpu><cputune><vcpupin vcpu='1' cpuset='0'/><emulatorpin cpuset='3'/></cputune>",
        );
        let own = own.unwrap();
        assert_eq!((own.maps(0..2, 2), own.emulator.map(1)), (vec![6, 0, 1, 0], vec![8]));
        let error = pins("<vcpu cpuset='all'/>").unwrap_err();
        assert!(error.to_string().contains("'all'"), "{error}");
    }

    #[test]
    fn room_that_no_answer_can_fill_is_refused() {
        assert_eq!(room(2, 3, VCPUS_MAX).unwrap(), (2, 3));
        for (count, length) in [(-1, 1), (1, -1), (16_385, 1), (16_384, 513)] {
            assert_eq!(room(count, length, VCPUS_MAX).unwrap_err().code(), Code::INVALID_ARG);
        }
    }

    #[test]
    fn processors_are_those_that_the_driver_tells_a_state_of() {
        let none: Vec<VcpuInfo> = told(&figures(vec![Param::new("vcpu.0.time", 5_u64)])).collect();
        assert_eq!(none, []);
        let figures = figures(vec![
            Param::new("vcpu.0.state", 1_i32),
            Param::new("vcpu.0.time", 5_u64),
        ]);
        let one: Vec<VcpuInfo> = told(&figures).collect();
        let expected = VcpuInfo {
            number: 0,
            state: 1,
            cpu_time: 5,
            cpu: -2,
        };
        assert_eq!(one, [expected]);
    }
}
