//! An interface comes and goes: its tap is filtered before it is attached to anything, and gone before its filter is.

use super::arrival::Arrival;
use super::disk::{NO_DEVICE, gone, nowhere};
use crate::core::Core;
use crate::def::DomainDef;
use crate::mconsole::client::Failure;
use crate::plan::order::{Order, Unit};
use crate::plan::{Nic, Way, launch};
use crate::run::ports::Made;
use crate::run::programs;
use crate::run::session::Session;
use crate::state::record::{Port, Record};
use crate::state::remnant::Remnant;
use driver_api::error::Result;
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;
use driver_api::types::launch::{Companion, Link, Plug, Unplug};
use std::os::fd::{AsFd, OwnedFd};

/// An interface on its way into a guest.
struct Coming {
    nic: Nic,
    port: Port,
    link: Link,
    companion: Option<Companion>,
    order: Order,
}

impl Coming {
    /// What it would leave, in the order in which it is made.
    fn remnants(&self) -> Vec<Remnant> {
        let device = || self.port.device.clone();
        let port = self.nic.has_device().then(|| Remnant::Port(device()));
        let tap = (self.nic.way == Way::Tap).then(|| Remnant::Tap(device()));
        let link = Some(Remnant::Link(self.link.name().to_owned()));
        let companion = self.companion.as_ref();
        let companion = companion.map(|companion| Remnant::Companion(companion.name.clone()));
        let unit = Some(Remnant::Unit(self.nic.unit()));
        [port, tap, link, companion, unit].into_iter().flatten().collect()
    }
}

impl Core {
    /// Puts interface number `at` of `def` into the guest.
    pub(super) fn plug_interface(
        &self,
        cx: &mut Cx<'_, Unlocked>,
        session: &Session<'_>,
        def: &DomainDef,
        at: usize,
    ) -> Result<Arrival> {
        let plan = launch(def)?;
        self.kernel_can(def, &plan)?;
        let mut nic = plan.nics.get(at).cloned().ok_or_else(nowhere)?;
        nic.offload = true;
        self.network.check(&nic)?;
        let what = || format!("interface '{}' of type 'user'", nic.mac);
        let companion = nic
            .companion()
            .map(|stack| programs::found(stack, &what()))
            .transpose()?;
        let Made { port, tap, .. } = self.make_tap(session.entry, &nic, None)?;
        let order = nic.order(&port.device).inspect_err(|_| self.names.free(&port.device))?;
        let coming = Coming {
            link: nic.link(&port.device),
            nic,
            port,
            companion,
            order,
        };
        let remnants = coming.remnants();
        match self.show_interface(cx, session, &coming, tap, &remnants) {
            Ok(()) => Ok(Arrival {
                remnants,
                port: Some(coming.port),
                ..Arrival::default()
            }),
            Err(error) => {
                self.take_back(cx, session, remnants);
                Err(error)
            }
        }
    }

    fn show_interface(
        &self,
        cx: &mut Cx<'_, Unlocked>,
        session: &Session<'_>,
        coming: &Coming,
        tap: Option<OwnedFd>,
        remnants: &[Remnant],
    ) -> Result<()> {
        let Coming { nic, port, .. } = coming;
        {
            // Known and filtered under one hold: a filter that is defined at the same time finds both or neither.
            let mut update = cx.update_read()?;
            self.note_beginning(&mut update, session, remnants, Some(port))?;
            if let Some(request) = &port.request {
                let filtered = self.host.attach_port(&mut update, request);
                filtered.map_err(|error| error.within(format!("cannot filter interface '{}'", nic.mac)))?;
            }
        }
        if nic.way == Way::Tap {
            self.network.connect(&port.device, nic)?;
        }
        let guest = session.run.guest;
        if let Some(companion) = &coming.companion {
            self.host.plug(cx, guest, &Plug::Companion(companion.clone()), None)?;
        }
        let link = Plug::Link(coming.link.clone());
        self.host.plug(cx, guest, &link, tap.as_ref().map(AsFd::as_fd))?;
        // From here on it lives as long as the guest, or until it is unplugged.
        drop(tap);
        let told = session.tell(&coming.order);
        told.map_err(|failure| failure.into_error(format!("the guest does not take interface '{}'", nic.mac)))?;
        Ok(())
    }

    /// Takes interface number `at` of what runs out of the guest and its tap out of the host's network. The filter stays
    /// until the record is without it.
    pub(super) fn unplug_interface(
        &self,
        cx: &mut Cx<'_, Unlocked>,
        session: &Session<'_>,
        record: &Record,
        at: usize,
    ) -> Result<()> {
        let interface = record.current.interfaces.get(at).ok_or_else(nowhere)?;
        let unit = Unit::Interface(interface.number);
        match session.tell(&Order::remove(unit)) {
            Ok(_) | Err(Failure::Refused(NO_DEVICE, _)) => {}
            Err(failure) => {
                let what = format!(
                    "the guest keeps interface '{}': take '{unit}' down in the guest first",
                    interface.mac
                );
                return Err(failure.into_error(what));
            }
        }
        let nic = Nic::of(interface)?;
        let device = record.ports.get(at).map_or("", |port| port.device.as_str());
        let guest = session.run.guest;
        let link = nic.link(device).name().to_owned();
        gone(self.host.unplug(cx, guest, &Unplug::Link(link)))?;
        if let Some(companion) = nic.companion() {
            gone(self.host.unplug(cx, guest, &Unplug::Companion(companion.name)))?;
        }
        match nic.way {
            // A guest kernel that kept a descriptor has one of nothing.
            Way::Tap => self.network.remove(device),
            _ => Ok(()),
        }
    }
}
