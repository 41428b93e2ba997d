//! `Arrival`: a device that has been put into a guest; and what is stored and published of one that is gone.

use super::without;
use crate::core::{Core, seize};
use crate::def::change::Place;
use crate::run::session::{Edit, Session};
use crate::state::record::{Port, Record};
use crate::state::remnant::Remnant;
use crate::state::status::Served;
use driver_api::error::Result;
use driver_api::lock::level::{After, Domain, Level, Unlocked, Virt};
use driver_api::lock::token::Cx;

/// A device that has been put into a guest.
#[derive(Debug, Default)]
pub(super) struct Arrival {
    /// What is to be cleared away if it comes to nothing after all.
    pub(super) remnants: Vec<Remnant>,
    /// Its port, of an interface.
    pub(super) port: Option<Port>,
    /// Its place at the supervisor, of a line that leads there.
    pub(super) line: Option<Served>,
}

impl Arrival {
    /// Enters what the definition does not tell.
    pub(super) fn note(&self, record: &mut Record) {
        if let Some(port) = &self.port {
            record.arriving = None;
            record.ports = record.ports.iter().chain([port]).cloned().collect();
        }
        let devices = record.devices();
        if let Some(run) = &mut record.run {
            run.live.devices = devices;
            self.line.iter().cloned().for_each(|line| run.note_line(line));
        }
    }
}

impl Core {
    /// Stores and publishes that a device is gone. What runs is shown without it whatever can not be stored.
    pub(super) fn settle_gone(
        &self,
        cx: &mut Cx<'_, Unlocked>,
        session: &Session<'_>,
        edit: &Edit<'_>,
        record: &Record,
        place: Place,
    ) -> Result<Option<i32>> {
        let port = match place {
            Place::Interface(at) => record.ports.get(at),
            _ => None,
        };
        let note = |record: &mut Record| {
            without(record, place);
            Ok(())
        };
        let Some(port) = port else {
            return self
                .settle(cx, session, edit, note)
                .inspect_err(|_| self.show_without(cx, session, place));
        };
        // The filter goes in the same hold in which the port does: no filter that is defined meanwhile finds one without
        // the other.
        let settled = {
            let mut update = cx.update_read()?;
            let settled = self
                .settle(&mut update, session, edit, note)
                .inspect_err(|_| self.show_without(&mut update, session, place));
            self.unfilter(&mut update, port.request.iter().map(|request| request.port.as_str()));
            settled
        };
        self.names.free(&port.device);
        settled
    }

    fn show_without<L: Level>(&self, cx: &mut Cx<'_, L>, session: &Session<'_>, place: Place)
    where
        Virt: After<L>,
        Domain: After<L>,
    {
        let entry = session.entry;
        let shown = seize(cx, entry.uuid).map(|mut domain| {
            if let Some(record) = entry.load().filter(|record| record.runs_on(session.run.guest)) {
                let mut record = Record::clone(&record);
                without(&mut record, place);
                record.updated = record.differs();
                entry.publish(&mut domain, Some(record));
            }
        });
        if let Err(error) = shown {
            tracing::warn!(dom = %entry.name, %error, "a device that is gone is shown still");
        }
    }
}
