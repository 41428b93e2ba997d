//! A port of a running guest gets another filter, bridge or limit, or its cable pulled; it is never open meanwhile.

use super::disk::nowhere;
use super::update::exchange;
use crate::core::{Core, fault, seize};
use crate::def::DomainDef;
use crate::def::change::Place;
use crate::plan::{Nic, Way, nics};
use crate::run::session::{Edit, Session};
use crate::state::record::{Port, Record};
use crate::state::remnant::Remnant;
use driver_api::error::{Code, Result};
use driver_api::lock::level::{After, Domain, Level, Unlocked, Virt};
use driver_api::lock::token::Cx;
use std::sync::Arc;

/// What an interface was and is to be.
struct Turn {
    at: usize,
    old: (Nic, Port),
    new: (Nic, Port),
}

impl Turn {
    fn moves(&self) -> bool {
        let (old, new) = (&self.old.0, &self.new.0);
        old.bridge != new.bridge || old.up != new.up
    }

    fn reshapes(&self) -> bool {
        self.old.0.shaping != self.new.0.shaping
    }

    fn rebinds(&self) -> bool {
        self.old.1.request != self.new.1.request
    }
}

impl Core {
    /// Makes interface number `at` of what runs what it is in `def`.
    pub(in crate::run) fn update_port(
        &self,
        cx: &mut Cx<'_, Unlocked>,
        session: &Session<'_>,
        edit: &Edit<'_>,
        before: &Record,
        def: &DomainDef,
        at: usize,
    ) -> Result<()> {
        let nic = |def: &DomainDef| nics(def)?.get(at).cloned().ok_or_else(nowhere);
        let port = before.ports.get(at).cloned().ok_or_else(nowhere)?;
        let new = nic(def)?;
        self.network.check(&new)?;
        let turn = Turn {
            at,
            old: (nic(&before.current)?, port.clone()),
            new: (new.clone(), Port::new(&port.device, &new, session.entry)),
        };
        let changed = self.turn(cx, session, edit, &turn, def);
        changed.inspect_err(|_| self.turn_back(cx, session, &turn))
    }

    fn turn(
        &self,
        cx: &mut Cx<'_, Unlocked>,
        session: &Session<'_>,
        edit: &Edit<'_>,
        turn: &Turn,
        def: &DomainDef,
    ) -> Result<()> {
        let (new, port) = &turn.new;
        if !new.has_device() {
            // The host's side of it is the supervisor's, which knows neither cables nor filters.
            if turn.moves() || turn.rebinds() || turn.reshapes() {
                let message = format!(
                    "interface '{}' has no device of the host that could be changed",
                    new.mac
                );
                return Err(fault(Code::OPERATION_UNSUPPORTED, message));
            }
            let place = Place::Interface(turn.at);
            let device = def.device(place).ok_or_else(nowhere)?;
            return self.settle(cx, session, edit, exchange(place, &device)).map(drop);
        }
        // Should this host not finish, the next one puts the old filter in force again.
        self.note_beginning(cx, session, &[Remnant::Port(port.device.clone())], None)?;
        if turn.rebinds()
            && let Some(request) = &port.request
        {
            // One step of the kernel: the port has the rules of either. Said under the same hold, so that a filter that is
            // defined meanwhile finds the port as it is.
            let mut update = cx.update_read()?;
            let filtered = self.host.attach_port(&mut update, request);
            filtered.map_err(|error| error.within(format!("cannot filter interface '{}'", new.mac)))?;
            self.show_port(&mut update, session, turn.at, port)?;
        }
        if turn.reshapes() {
            self.network.shape(&port.device, new.mac, &new.shaping)?;
        }
        if turn.moves() && new.way == Way::Tap {
            self.network.connect(&port.device, new)?;
        }
        let place = Place::Interface(turn.at);
        let device = def.device(place).ok_or_else(nowhere)?;
        let mut update = cx.update_read()?;
        self.settle(&mut update, session, edit, |record| {
            exchange(place, &device)(record)?;
            record.ports = with_port(record, turn.at, port);
            Ok(())
        })?;
        if turn.rebinds() && port.request.is_none() {
            self.unfilter(&mut update, [port.device.as_str()].into_iter());
        }
        Ok(())
    }

    fn turn_back(&self, cx: &mut Cx<'_, Unlocked>, session: &Session<'_>, turn: &Turn) {
        let (old, port) = &turn.old;
        if !old.has_device() {
            return;
        }
        if turn.reshapes()
            && let Err(error) = self.network.shape(&port.device, old.mac, &old.shaping)
        {
            tracing::warn!(dom = %session.entry.name, device = %port.device, %error, "a tap is left with other limits");
        }
        if turn.moves()
            && old.way == Way::Tap
            && let Err(error) = self.network.connect(&port.device, old)
        {
            tracing::warn!(dom = %session.entry.name, device = %port.device, %error, "a tap is left where it was not");
        }
        if let Err(error) = self.show_port(cx, session, turn.at, port) {
            tracing::warn!(dom = %session.entry.name, device = %port.device, %error, "a port is shown with another filter");
        }
        self.withdraw(cx, session, &[Remnant::Port(port.device.clone())]);
    }

    fn show_port<L: Level>(&self, cx: &mut Cx<'_, L>, session: &Session<'_>, at: usize, port: &Port) -> Result<()>
    where
        Virt: After<L>,
        Domain: After<L>,
    {
        let entry = session.entry;
        let mut domain = seize(cx, entry.uuid)?;
        let mut record = Record::clone(&*entry.record()?);
        record.ports = with_port(&record, at, port);
        entry.publish(&mut domain, Some(record));
        Ok(())
    }
}

fn with_port(record: &Record, at: usize, port: &Port) -> Arc<[Port]> {
    let mut ports = record.ports.to_vec();
    if let Some(old) = ports.get_mut(at) {
        *old = port.clone();
    }
    ports.into()
}
