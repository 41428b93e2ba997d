//! Ports are bound, let go, and told what was learned.

use super::bound::Bound;
use super::effect::{Next, Paper};
use super::state::Plan;
use super::{Engine, Force, unbound};
use crate::binding::store::Record;
use crate::binding::{BindingDef, Maker};
use driver_api::error::{Code, Error, Origin, Result};
use std::net::IpAddr;
use std::sync::Arc;

impl Engine {
    /// Binds a filter to a port.
    ///
    /// # Errors
    /// 9 when the port is bound, 62 when there is no such filter, 1 when it can not be instantiated, 38 when it can not
    /// be kept, or what the kernel says; nothing is changed then.
    pub fn create(&self, def: BindingDef, maker: Maker) -> Result<()> {
        let mut force = self.force.lock();
        if let Some(bound) = force.state.ports.get(&def.port) {
            let same = bound.record.def == def && bound.record.maker == maker && bound.closed().is_none();
            if maker == Maker::Guest && same {
                tracing::debug!(port = def.port, "the guest's port is bound already");
                return Ok(());
            }
            if !replaceable(bound, maker) {
                let (port, owner) = (&def.port, &bound.record.def.owner.name);
                let message = format!(
                    "port '{port}' is bound already, for '{}', to filter '{}': delete that binding first",
                    owner.escape_debug(),
                    bound.record.def.filter
                );
                return Err(Error::new(Code::OPERATION_FAILED, Origin::NWFILTER, message));
            }
            if maker == Maker::Guest && bound.record.def.owner == def.owner {
                tracing::info!(
                    port = def.port,
                    filter = def.filter,
                    "the port of a guest gets another filter"
                );
            } else {
                tracing::warn!(
                    port = def.port,
                    filter = def.filter,
                    "a binding that nobody uses any more is replaced"
                );
            }
        }
        let record = Record {
            def,
            maker,
            learned: Vec::new(),
        };
        self.put(&mut force, record, None)
    }

    /// Takes a port's filter off; with a generation only that binding of the port.
    ///
    /// # Errors
    /// 101 when it has none, 38 when its file can not be removed, or what the kernel says; nothing is changed then.
    pub fn delete(&self, port: &str, generation: Option<u64>) -> Result<()> {
        let mut force = self.force.lock();
        let bound = force.state.ports.get(port).ok_or_else(|| unbound(port))?;
        if generation.is_some_and(|generation| generation != bound.generation) {
            return Err(unbound(port));
        }
        let filters = self.filters();
        let mut plan = Plan::new(&force.state, &filters, &self.internal);
        plan.remove(port);
        let next = Next {
            state: plan.finish(),
            paper: Paper::RemoveBinding(port),
            filters: None,
        };
        self.carry_out(&mut force, next)?;
        tracing::info!(port, "filter taken off the port");
        Ok(())
    }

    /// Gives a port the addresses that its guest was found to use.
    ///
    /// # Errors
    /// As [`Engine::create`]; that the binding is another one by now is none.
    pub fn learned(&self, port: &str, generation: u64, addresses: &[IpAddr]) -> Result<()> {
        let mut force = self.force.lock();
        let same = |bound: &&Arc<Bound>| bound.generation == generation && bound.lesson.is_some();
        let Some(bound) = force.state.ports.get(port).filter(same) else {
            tracing::debug!(
                port,
                ?addresses,
                "learned too late, the binding is gone or needs no address"
            );
            return Ok(());
        };
        if bound.record.learned == addresses {
            return Ok(());
        }
        let mut record = bound.record.clone();
        record.learned = addresses.to_vec();
        self.put(&mut force, record, Some(generation))?;
        tracing::info!(port, ?addresses, "addresses learned");
        Ok(())
    }

    fn put(&self, force: &mut Force, record: Record, generation: Option<u64>) -> Result<()> {
        let filters = self.filters();
        let generation = generation.unwrap_or_else(|| force.next_generation());
        let (port, filter) = (record.def.port.clone(), record.def.filter.clone());
        let old = force.state.ports.get(&port).map(|bound| bound.program.clone());
        let mut plan = Plan::new(&force.state, &filters, &self.internal).sharing();
        let staged = self.bindings.stage(&record)?;
        plan.remove(&port);
        let failed = |error: Error| error.within(format!("cannot bind filter '{filter}' to port '{port}'"));
        plan.place(record, generation, old).map_err(failed)?;
        let fresh = plan.fresh().to_vec();
        let next = Next {
            state: plan.finish(),
            paper: Paper::Put(staged),
            filters: None,
        };
        self.carry_out(force, next).map_err(failed)?;
        self.tell(force, fresh);
        if !force.backend(&self.opener)?.has_device(&port) {
            tracing::info!(
                port,
                "there is no such device yet, it is filtered from the moment it is there"
            );
        }
        Ok(())
    }
}

/// What is closed is waiting for this; what a guest has left behind may be taken over by the next one that has the
/// device.
fn replaceable(bound: &Bound, maker: Maker) -> bool {
    bound.closed().is_some() || (maker == Maker::Guest && bound.record.maker == Maker::Guest)
}
