//! `Profile`: what a driver of one kind promises; derived from the interfaces that a plug-in offers.

use crate::check::Check;
use serde::Serialize;

/// A named set of promises.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Profile {
    /// `virt-console`.
    pub name: &'static str,
    /// The interface that brings it; none for the profile of every driver.
    pub interface: Option<&'static str>,
}

/// Every profile, in the order of reports.
pub const PROFILES: [Profile; 11] = [
    profile("core", None),
    profile("virt", Some("virt.lifecycle/1")),
    profile("virt-console", Some("virt.console/1")),
    profile("virt-metadata", Some("virt.metadata/1")),
    profile("virt-devices", Some("virt.devices/1")),
    profile("virt-resources", Some("virt.resources/1")),
    profile("virt-stats", Some("virt.stats/1")),
    profile("virt-control", Some("virt.control/1")),
    profile("nwfilter", Some("nwfilter.define/1")),
    profile("nwfilter-binding", Some("nwfilter.binding/1")),
    profile("nwfilter-inspect", Some("nwfilter.inspect/1")),
];

const fn profile(name: &'static str, interface: Option<&'static str>) -> Profile {
    Profile { name, interface }
}

/// The profile to which a check belongs.
#[must_use]
pub fn of(check: &Check) -> Profile {
    let last = check.needs.last().copied();
    let found = PROFILES.into_iter().find(|profile| profile.interface == last);
    found.unwrap_or(PROFILES[0])
}

/// The profiles that a plug-in with these interfaces promises to meet.
#[must_use]
pub fn offered(interfaces: &[String]) -> Vec<Profile> {
    let offers = |profile: &Profile| {
        let interface = profile.interface;
        interface.is_none_or(|wanted| interfaces.iter().any(|offered| offered == wanted))
    };
    PROFILES.into_iter().filter(offers).collect()
}
