//! Reads `<bandwidth>`.

use super::super::rest::Rest;
use super::super::shaping::{Rate, Shaping};
use super::{one, wrong};
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::kit::xml::Element;

/// The largest figure whose bits a second still are a number.
const MOST: u64 = u64::MAX / 8192;

pub(super) fn of(interface: &mut Element) -> Result<Shaping> {
    let Some(mut element) = one(interface, "bandwidth") else {
        return Ok(Shaping::default());
    };
    let inbound = one(&mut element, "inbound").as_ref().map_or(Ok(None), rate)?;
    let outbound = one(&mut element, "outbound").as_ref().map_or(Ok(None), rate)?;
    if outbound.is_some_and(|rate| rate.floor.is_some()) {
        let message = "'floor' of <outbound> is not possible, only <inbound> can have one";
        return Err(Error::new(Code::CONFIG_UNSUPPORTED, Origin::DOMAIN, message));
    }
    Ok(Shaping {
        inbound,
        outbound,
        rest: Rest::of(element, &[]),
    })
}

fn rate(element: &Element) -> Result<Option<Rate>> {
    let figure = |name: &str| -> Result<Option<u64>> {
        let Some(text) = element.attr(name) else {
            return Ok(None);
        };
        let digits = !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
        let number = digits.then(|| text.parse().ok()).flatten();
        let number: u64 = number.filter(|number| *number <= MOST).ok_or_else(|| {
            let message = format!("'{text}' for '{name}' of <{}> is not a whole number", element.name);
            Error::new(Code::CONFIG_UNSUPPORTED, Origin::DOMAIN, message)
        })?;
        Ok(Some(number).filter(|number| *number > 0))
    };
    let rate = Rate {
        average: figure("average")?,
        peak: figure("peak")?,
        burst: figure("burst")?,
        floor: figure("floor")?,
    };
    let said = ["average", "floor"].iter().any(|name| element.attr(name).is_some());
    if !said {
        let message = format!("<{}> says neither 'average' nor 'floor'", element.name);
        return Err(wrong(element, message));
    }
    // A figure of 0 says nothing, as in libvirt.
    Ok((rate.average.is_some() || rate.floor.is_some()).then_some(rate))
}
