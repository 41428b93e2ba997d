//! `Domains`: every domain as everybody sees it.

use super::model::{Domain, there};
use crate::fault::{Part, fault};
use driver_api::error::{Code, Result};
use driver_api::types::domain::DomainBrief;
use driver_api::types::uuid::Uuid;
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The table. Who adds a name holds Virt exclusively, who changes an entry holds that domain; who reads holds nothing.
#[derive(Debug, Default)]
pub(crate) struct Domains {
    // A leaf: held for a look or an exchange, never while the host is called.
    inner: Mutex<Inner>,
    ports: AtomicU64,
}

#[derive(Debug, Default)]
struct Inner {
    domains: BTreeMap<Uuid, Arc<Domain>>,
    names: HashMap<String, Uuid>,
    ids: HashMap<i32, Uuid>,
    /// Names and UUIDs of domains that are about to be.
    claims: Vec<(Uuid, String)>,
}

impl Inner {
    /// Whose this name or UUID is, if it is not these two's.
    fn conflict(&self, uuid: Uuid, name: &str) -> Option<String> {
        let known = self.domains.get(&uuid).map(|domain| domain.name());
        let claimed = self
            .claims
            .iter()
            .find(|(other, _)| *other == uuid)
            .map(|(_, name)| name.as_str());
        if let Some(other) = known.or(claimed).filter(|other| *other != name) {
            return Some(format!(
                "UUID {uuid} belongs to domain '{other}': give '{name}' another one, or rename '{other}'"
            ));
        }
        let known = self.names.get(name).copied();
        let claimed = self
            .claims
            .iter()
            .find(|(_, other)| other == name)
            .map(|(uuid, _)| *uuid);
        let other = known.or(claimed).filter(|other| *other != uuid)?;
        Some(format!(
            "domain '{name}' already exists with UUID {other}: to change it give <uuid>{other}</uuid>"
        ))
    }
}

/// A name and a UUID that nobody else can take as long as this is kept.
#[derive(Debug)]
pub(crate) struct Claim<'a> {
    table: &'a Domains,
    uuid: Uuid,
    name: String,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let mut inner = self.table.inner.lock();
        let own = |claim: &(Uuid, String)| claim.0 == self.uuid && claim.1 == self.name;
        if let Some(at) = inner.claims.iter().position(own) {
            inner.claims.swap_remove(at);
        }
    }
}

impl Domains {
    /// Claims a name and a UUID for a domain that is to be, or that is there.
    ///
    /// # Errors
    /// 9 when either is another domain's.
    pub(crate) fn claim(&self, uuid: Uuid, name: &str) -> Result<Claim<'_>> {
        let mut inner = self.inner.lock();
        if let Some(conflict) = inner.conflict(uuid, name) {
            return Err(fault(Part::Domain, Code::OPERATION_FAILED, conflict));
        }
        inner.claims.push((uuid, name.to_owned()));
        Ok(Claim {
            table: self,
            uuid,
            name: name.to_owned(),
        })
    }

    /// Claims another name for a domain that is there.
    ///
    /// # Errors
    /// 9 when it is another domain's.
    pub(crate) fn claim_name(&self, uuid: Uuid, name: &str) -> Result<Claim<'_>> {
        let mut inner = self.inner.lock();
        let known = inner.names.get(name).copied();
        let claimed = inner
            .claims
            .iter()
            .find(|(_, other)| other == name)
            .map(|(uuid, _)| *uuid);
        if let Some(other) = known.or(claimed) {
            let message = format!("the name '{name}' belongs to the domain with UUID {other}");
            return Err(fault(Part::Domain, Code::OPERATION_FAILED, message));
        }
        inner.claims.push((uuid, name.to_owned()));
        Ok(Claim {
            table: self,
            uuid,
            name: name.to_owned(),
        })
    }

    /// Shows everybody a domain as it is now.
    pub(crate) fn publish(&self, domain: Domain) {
        let domain = Arc::new(domain);
        let mut inner = self.inner.lock();
        let before = inner.domains.insert(domain.uuid(), Arc::clone(&domain));
        if let Some(before) = before {
            inner.names.remove(before.name());
            if let Some(id) = before.id() {
                inner.ids.remove(&id);
            }
        }
        inner.names.insert(domain.name().to_owned(), domain.uuid());
        if let Some(id) = domain.id() {
            inner.ids.insert(id, domain.uuid());
        }
    }

    /// Shows nobody a domain any more.
    pub(crate) fn remove(&self, uuid: Uuid) {
        let mut inner = self.inner.lock();
        if let Some(gone) = inner.domains.remove(&uuid) {
            inner.names.remove(gone.name());
            if let Some(id) = gone.id() {
                inner.ids.remove(&id);
            }
        }
    }

    /// One domain.
    pub(crate) fn find(&self, uuid: Uuid) -> Option<Arc<Domain>> {
        self.inner.lock().domains.get(&uuid).cloned()
    }

    /// One domain.
    ///
    /// # Errors
    /// 42 when there is none.
    pub(crate) fn get(&self, uuid: Uuid) -> Result<Arc<Domain>> {
        there(uuid, self.find(uuid))
    }

    pub(crate) fn by_name(&self, name: &str) -> Option<Arc<Domain>> {
        let inner = self.inner.lock();
        inner.names.get(name).and_then(|uuid| inner.domains.get(uuid)).cloned()
    }

    pub(crate) fn by_id(&self, id: i32) -> Option<Arc<Domain>> {
        let inner = self.inner.lock();
        inner.ids.get(&id).and_then(|uuid| inner.domains.get(uuid)).cloned()
    }

    /// Every domain, in the order of their UUIDs.
    pub(crate) fn all(&self) -> Vec<Arc<Domain>> {
        self.inner.lock().domains.values().cloned().collect()
    }

    /// A number that no port of this process was named with.
    pub(crate) fn next_port(&self) -> u64 {
        self.ports.fetch_add(1, Ordering::Relaxed)
    }

    /// What lists show.
    pub(crate) fn briefs(&self) -> Vec<DomainBrief> {
        self.all().iter().map(|domain| domain.brief()).collect()
    }
}
