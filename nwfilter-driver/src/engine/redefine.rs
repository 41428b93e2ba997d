//! Filters change below the ports that use them.

use super::bound::{Bound, Stage};
use super::effect::{Fresh, Next, Paper};
use super::state::{Plan, State};
use super::{Engine, Force};
use crate::filters::Filters;
use crate::folder::Staged;
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::types::uuid::Uuid;
use std::collections::BTreeSet;
use std::sync::Arc;

impl Engine {
    /// Puts another table of filters into force, in which `changed` differ from before.
    ///
    /// # Errors
    /// 1 when a port can not be rebuilt, 38 when the file can not be put in place, or what the kernel says; nothing is
    /// changed then.
    pub fn define(&self, filters: Filters, changed: &BTreeSet<String>, staged: Option<Staged>) -> Result<()> {
        let mut force = self.force.lock();
        let (state, fresh) = self.rebuilt(&force, &filters, |bound| !bound.uses.is_disjoint(changed))?;
        let next = Next {
            state,
            paper: staged.map_or(Paper::None, Paper::Put),
            filters: Some(Arc::new(filters)),
        };
        self.carry_out(&mut force, next)?;
        self.tell(&mut force, fresh);
        Ok(())
    }

    /// Puts a table of filters into force that was read anew; every port is rebuilt.
    ///
    /// # Errors
    /// As [`Engine::define`].
    pub fn reload(&self, filters: Filters) -> Result<()> {
        let mut force = self.force.lock();
        let (state, fresh) = self.rebuilt(&force, &filters, |_| true)?;
        // What somebody else did to our tables is undone too.
        force.doubt = true;
        let next = Next {
            state,
            paper: Paper::None,
            filters: Some(Arc::new(filters)),
        };
        self.carry_out(&mut force, next)?;
        self.tell(&mut force, fresh);
        Ok(())
    }

    /// Takes a filter away that no port uses.
    ///
    /// # Errors
    /// 62 when there is none, 55 when a port uses it, 38 when its file can not be removed.
    pub fn undefine(&self, uuid: Uuid) -> Result<String> {
        let mut force = self.force.lock();
        let (filters, def) = self.filters.load().without(uuid)?;
        let mut users = force
            .state
            .ports
            .values()
            .filter(|bound| bound.uses.contains(&def.name));
        if let Some(first) = users.next() {
            let more = match users.count() {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let (name, port) = (&def.name, first.port());
            let message = format!("filter '{name}' is in use by port '{port}'{more}: delete the binding first");
            return Err(Error::new(Code::OPERATION_INVALID, Origin::NWFILTER, message));
        }
        let next = Next {
            state: force.state.clone(),
            paper: Paper::RemoveFilter(&def.name),
            filters: Some(Arc::new(filters)),
        };
        self.carry_out(&mut force, next)?;
        Ok(def.name)
    }

    fn rebuilt(&self, force: &Force, filters: &Filters, affected: impl Fn(&Bound) -> bool) -> Result<(State, Fresh)> {
        let mut plan = Plan::new(&force.state, filters, &self.internal);
        for bound in force.state.ports.values().filter(|bound| affected(bound)) {
            // It waits to be replaced.
            if bound.is_unreadable() {
                continue;
            }
            let old = Some(bound.program.clone());
            match (plan.place(bound.record.clone(), bound.generation, old), &bound.stage) {
                (Ok(()), Stage::Closed(_)) => {
                    tracing::info!(port = bound.port(), "the port's filter can be used again")
                }
                (Ok(()), _) => {}
                (Err(error), Stage::Closed(_)) => {
                    tracing::debug!(port = bound.port(), %error, "the port stays closed");
                }
                (Err(error), _) => {
                    return Err(error.within(format!("port '{}' could not be rebuilt", bound.port())));
                }
            }
        }
        let fresh = plan.fresh().to_vec();
        Ok((plan.finish(), fresh))
    }
}
