//! The first state: from files, and from what the kernel has.

use super::Engine;
use super::state::{Plan, State};
use crate::binding::store::{Loaded, Record};
use crate::binding::{BindingDef, Maker, Owner};
use crate::def::address::Mac;
use crate::def::vars::Parameters;
use crate::filters::Filters;
use driver_api::error::Result;
use driver_api::types::uuid::Uuid;
use std::collections::BTreeMap;
use std::sync::Arc;

impl Engine {
    /// Puts filters into force, and every binding that the last host left. If the kernel has what it should, nothing is
    /// written; a binding that can not be used is closed, and named.
    ///
    /// # Errors
    /// 38 when the folder of bindings can not be read.
    pub fn start(&self, filters: Filters) -> Result<()> {
        let mut force = self.force.lock();
        let Loaded {
            records,
            damaged,
            interrupted,
        } = self.bindings.load()?;
        let bindings = records.len() + damaged.len();
        let backend = force.backend(&self.opener);
        let names = backend.as_ref().map_err(ToString::to_string);
        let names = names.and_then(|backend| backend.names().map_err(|error| error.to_string()));
        let names = names.unwrap_or_else(|error| {
            match bindings {
                // An ordinary user's host never has any.
                0 => tracing::debug!(error, "ports can not be filtered"),
                _ => tracing::warn!(error, bindings, "the kernel's filter tables can not be read"),
            }
            BTreeMap::new()
        });
        if bindings == 0 && !interrupted {
            if !names.is_empty() {
                // Perhaps another host's. What is left over closes ports, it opens none.
                tracing::warn!(
                    ports = names.len(),
                    "rules of ports that this host does not know are left as they are"
                );
            }
            self.publish(&mut force, State::default(), Some(Arc::new(filters)));
            return Ok(());
        }
        let mut plan = Plan::new(&force.state, &filters, &self.internal);
        for record in records {
            let old = names.get(&record.def.port).cloned();
            let generation = force.next_generation();
            if let Err(error) = plan.place(record.clone(), generation, old.clone()) {
                let (port, filter) = (record.def.port.clone(), record.def.filter.clone());
                tracing::error!(
                    port, filter, %error,
                    "the port is closed: its filter can not be used; define the filter anew, or delete the binding"
                );
                plan.close(record, generation, old, error.to_string())?;
            }
        }
        for damaged in damaged {
            let (port, error) = (damaged.port, damaged.error.to_string());
            tracing::error!(
                port,
                error,
                "the port is closed: its binding's file is damaged; delete the binding and make it anew"
            );
            let old = names.get(&port).cloned();
            let generation = force.next_generation();
            plan.close(unreadable(port), generation, old, error)?;
        }
        let fresh = plan.fresh().to_vec();
        let mut state = plan.finish();
        let ports = state.ports.len();
        match backend {
            Ok(backend) => match backend.deviations(&state.desired) {
                Ok(found) if found.is_empty() => tracing::info!(ports, "the rules in force are those that should be"),
                found => {
                    let found = found.unwrap_or_else(|error| vec![error.to_string()]);
                    let first = found.first();
                    tracing::info!(ports, deviations = found.len(), ?first, "rules are made anew");
                    match self.install(&*backend, &filters, state.clone()) {
                        Ok(installed) => state = installed,
                        Err(error) => {
                            tracing::error!(%error, ports, "no rules could be made: what the last host left is in force");
                            force.doubt = true;
                        }
                    }
                }
            },
            Err(_) => force.doubt = true,
        }
        for (port, bound) in state.ports.iter() {
            let Some(lesson) = &bound.lesson else { continue };
            if let Err(error) = self.learner().and_then(|learner| learner.start(lesson.clone())) {
                tracing::error!(port, %error, "the port's addresses are not learned, it stays as it is");
            }
        }
        self.publish(&mut force, state, Some(Arc::new(filters)));
        self.tell(&mut force, fresh);
        Ok(())
    }
}

/// Stands for a binding of which only the port is known.
fn unreadable(port: String) -> Record {
    Record {
        def: BindingDef {
            owner: Owner {
                name: "unknown".to_owned(),
                uuid: Uuid::default(),
            },
            port,
            link: None,
            mac: Mac([0; 6]),
            filter: String::new(),
            parameters: Parameters::new(),
        },
        maker: Maker::Client,
        learned: Vec::new(),
    }
}
