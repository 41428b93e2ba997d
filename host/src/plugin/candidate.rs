//! `Candidate`: one plug-in's file on its own, checked and asked exactly as the host does, for programs that test plug-ins.

use super::layout;
use super::load::{Mapped, map, offer};
use super::manifest::Facts;
use super::refusal::Refusal;
use super::trust::{Trust, open_plugin};
use driver_api::abi::interface::Table;
use driver_api::abi::manifest::{KIND_NWFILTER, KIND_VIRT};
use driver_api::abi::nwfilter::FilterV1;
use driver_api::abi::root::HostRef;
use driver_api::abi::virt::VirtV1;
use driver_api::driver::Config;
use driver_api::kit::loaded::{Loaded, Misfit, Offer, OnPanic};
use std::path::Path;

/// A plug-in that was mapped, checked and asked what it offers; no driver was made of it yet.
#[derive(Clone, Debug)]
pub struct Candidate {
    facts: Facts,
    offer: Offer,
    interfaces: Vec<&'static str>,
    refused: Vec<String>,
}

impl Candidate {
    /// Opens a plug-in's file as a host would that has the services for which `offers` answers true.
    ///
    /// # Errors
    /// The sentence with which the host would quarantine it.
    pub fn open(path: &Path, offers: impl Fn(&str) -> bool) -> Result<Self, Refusal> {
        let file = open_plugin(path, Trust::of_this_process())?;
        let mapped = map(file, offers)?;
        let checked = checked(&mapped);
        Ok(Self {
            facts: mapped.facts,
            offer: checked.offer?,
            interfaces: checked.interfaces,
            refused: checked.refused,
        })
    }

    /// The driver's name: the URI scheme of a virt driver.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.facts.name
    }

    /// What `virConnectGetType` answers.
    #[must_use]
    pub const fn title(&self) -> &'static str {
        self.facts.title
    }

    /// The driver's own version.
    #[must_use]
    pub const fn version(&self) -> &'static str {
        self.facts.version
    }

    /// Its licence, as SPDX writes it.
    #[must_use]
    pub const fn licence(&self) -> &'static str {
        self.facts.licence
    }

    /// The version of the interface that it was built for.
    #[must_use]
    pub fn api(&self) -> String {
        self.facts.api()
    }

    /// `KIND_VIRT` and `KIND_NWFILTER`, or-ed.
    #[must_use]
    pub const fn kind(&self) -> u32 {
        self.facts.kind
    }

    /// The host services without which it can not work.
    #[must_use]
    pub fn needs(&self) -> &[&'static str] {
        &self.facts.needs
    }

    /// The interfaces that can be used.
    #[must_use]
    pub fn interfaces(&self) -> &[&'static str] {
        &self.interfaces
    }

    /// The interfaces that it offers with another layout than the host's, each with what differs.
    #[must_use]
    pub fn refused(&self) -> &[String] {
        &self.refused
    }

    /// Whether it answers anything when asked for the interface with this id, known to this host or not.
    #[must_use]
    pub fn answers(&self, id: &str) -> bool {
        self.offer.answers(id)
    }

    /// Makes the driver. `on_panic` is told of every panic that the driver's shield caught.
    ///
    /// # Errors
    /// The sentence with which the host would quarantine it.
    pub fn create(self, host: HostRef, config: &Config, on_panic: OnPanic) -> Result<Loaded, Refusal> {
        let fails = |cause| Refusal::Fails { step: "open", cause };
        self.offer.create(host, config, on_panic).map_err(fails)
    }
}

/// What a mapped plug-in offers, and whether that is what a driver of its kind must.
pub(super) struct Checked {
    pub(super) interfaces: Vec<&'static str>,
    pub(super) refused: Vec<String>,
    pub(super) offer: Result<Offer, Refusal>,
}

pub(super) fn checked(mapped: &Mapped) -> Checked {
    let misfit = |misfit: &Misfit| {
        tracing::debug!(
            plugin = mapped.facts.name,
            interface = misfit.interface,
            report = misfit.report,
            "misfit"
        );
        layout::condense(misfit)
    };
    let refuse = |what: String| Refusal::Layout {
        api: mapped.facts.api(),
        what,
    };
    let offer = match offer(mapped) {
        Ok(offer) => offer,
        Err(core) => {
            return Checked {
                interfaces: Vec::new(),
                refused: Vec::new(),
                offer: Err(refuse(misfit(&core))),
            };
        }
    };
    let refused = offer.misfits().iter().map(misfit).collect();
    let interfaces = offer.interfaces();
    let required = [(KIND_VIRT, VirtV1::ID), (KIND_NWFILTER, FilterV1::ID)];
    let mut missing = required
        .into_iter()
        .filter(|(kind, id)| mapped.facts.kind & kind != 0 && !interfaces.contains(id));
    let offer = match missing.next() {
        None => Ok(offer),
        Some((_, id)) => {
            let wrong = offer.misfits().iter().find(|misfit| misfit.interface == id);
            Err(wrong.map_or(Refusal::Lacks(id), |wrong| refuse(layout::condense(wrong))))
        }
    };
    Checked {
        interfaces,
        refused,
        offer,
    }
}
