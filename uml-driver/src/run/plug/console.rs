//! A console or serial line comes and goes: the supervisor serves it, then the guest's kernel is told of the descriptor.

use super::arrival::Arrival;
use super::disk::{gone, nowhere};
use crate::core::{Core, fault};
use crate::def::DomainDef;
use crate::def::change::Place;
use crate::def::console::Console;
use crate::mconsole::client::Failure;
use crate::plan::order::{Order, Unit};
use crate::plan::{Line, line};
use crate::run::prepare::cut;
use crate::run::session::Session;
use crate::state::record::Record;
use crate::state::remnant::Remnant;
use crate::state::status::Served;
use driver_api::error::{Code, Result};
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;
use driver_api::types::launch::{Plug, Unplug};

/// What a kernel says, as an error, of a line that is not there.
pub(super) const NOT_THERE: &str = "configured as 'none'";

impl Core {
    /// Puts a line of `def` into the guest.
    pub(super) fn plug_line(
        &self,
        cx: &mut Cx<'_, Unlocked>,
        session: &Session<'_>,
        def: &DomainDef,
        place: Place,
    ) -> Result<Arrival> {
        let (unit, console) = line_at(def, place).ok_or_else(nowhere)?;
        let alias = def.alias(place);
        let line = line(console, alias.clone())?;
        line.cut.as_deref().map_or(Ok(()), cut)?;
        let console = line.console.as_ref().map(|_| Remnant::Console(alias));
        let remnants: Vec<Remnant> = console.into_iter().chain([Remnant::Unit(unit)]).collect();
        self.note_beginning(cx, session, &remnants, None)?;
        match self.show_line(cx, session, unit, line) {
            Ok(line) => Ok(Arrival {
                remnants,
                line,
                ..Arrival::default()
            }),
            Err(error) => {
                self.take_back(cx, session, remnants);
                Err(error)
            }
        }
    }

    fn show_line(
        &self,
        cx: &mut Cx<'_, Unlocked>,
        session: &Session<'_>,
        unit: Unit,
        line: Line,
    ) -> Result<Option<Served>> {
        let (order, wanted, served) = match line.console {
            None => (Order::null(unit), "null".to_owned(), None),
            Some(spec) => {
                let alias = spec.alias.clone();
                let plug = Plug::Console(spec, line.backend);
                let at = self.host.plug(cx, session.run.guest, &plug, None)?;
                let served = Served {
                    index: at.index,
                    alias,
                    pty: at.pty,
                };
                (
                    Order::line(unit, at.descriptor),
                    format!("fd:{}", at.descriptor),
                    Some(served),
                )
            }
        };
        let told = session.tell(&order).and_then(|_| session.ask(&Order::query(unit)));
        let shown = told.map_err(|failure| failure.into_error(format!("the guest does not take line '{unit}'")))?;
        if shown == wanted {
            return Ok(served);
        }
        let message = format!(
            "the guest leads line '{unit}' to '{}', '{wanted}' was wanted",
            shown.escape_debug()
        );
        Err(fault(Code::OPERATION_FAILED, message))
    }

    /// Takes a line of what runs out of the guest.
    pub(super) fn unplug_line(
        &self,
        cx: &mut Cx<'_, Unlocked>,
        session: &Session<'_>,
        record: &Record,
        place: Place,
    ) -> Result<()> {
        let (unit, line) = line_at(&record.current, place).ok_or_else(nowhere)?;
        match session.tell(&Order::remove(unit)) {
            Ok(_) => {}
            Err(Failure::Refused(_, words)) if words == NOT_THERE => {}
            Err(failure) => {
                let what = format!("the guest keeps line '{unit}': end what has it open there first");
                return Err(failure.into_error(what));
            }
        }
        if line.kind == "null" {
            return Ok(());
        }
        let console = Unplug::Console(record.current.alias(place));
        gone(self.host.unplug(cx, session.run.guest, &console))
    }
}

fn line_at(def: &DomainDef, place: Place) -> Option<(Unit, &Console)> {
    match place {
        Place::Console(at) => def.consoles.get(at).map(|line| (Unit::Console(line.port), line)),
        Place::Serial(at) => def.serials.get(at).map(|line| (Unit::Serial(line.port), line)),
        Place::Disk(_) | Place::Interface(_) => None,
    }
}
