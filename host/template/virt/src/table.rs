//! `Table`: the snapshots of all domains, and the names that are taken.

use crate::document::Document;
use crate::domain::Domain;
use crate::fault;
use driver_api::error::{Code, Result};
use driver_api::types::domain::DomainBrief;
use driver_api::types::uuid::Uuid;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Every domain as it is now.
#[derive(Debug, Default)]
pub(crate) struct Table {
    // A leaf: held for a look or an exchange, never while the host or the disk is asked for something.
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    domains: BTreeMap<Uuid, Arc<Domain>>,
    /// Names that a change under way will use.
    claims: BTreeMap<String, Uuid>,
}

/// A name that is ours until this is dropped.
pub(crate) struct Claim<'a>(&'a Table, &'a str);

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.0.inner().claims.remove(self.1);
    }
}

impl Table {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        // What it protects is whole at every moment, whoever panicked.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn find(&self, uuid: Uuid) -> Option<Arc<Domain>> {
        self.inner().domains.get(&uuid).cloned()
    }

    pub(crate) fn get(&self, uuid: Uuid) -> Result<Arc<Domain>> {
        self.find(uuid).ok_or_else(|| {
            let hint = "'list --all' shows those that there are";
            let message = format!("no domain with UUID '{uuid}'; {hint}");
            fault(Code::NO_DOMAIN, message)
        })
    }

    /// The domain that is wanted, if there is one.
    pub(crate) fn search(&self, wanted: impl Fn(&Domain) -> bool) -> Option<DomainBrief> {
        let inner = self.inner();
        let found = inner.domains.values().find(|domain| wanted(domain));
        found.map(|domain| domain.brief())
    }

    pub(crate) fn briefs(&self) -> Vec<DomainBrief> {
        let inner = self.inner();
        inner
            .domains
            .values()
            .map(|domain| domain.brief())
            .collect()
    }

    /// Lets everybody see `domain`; the caller holds its lock.
    pub(crate) fn publish(&self, domain: Domain) -> DomainBrief {
        let brief = domain.brief();
        let mut inner = self.inner();
        inner.domains.insert(brief.uuid, Arc::new(domain));
        brief
    }

    pub(crate) fn remove(&self, uuid: Uuid) {
        self.inner().domains.remove(&uuid);
    }

    /// Keeps others from taking this document's name meanwhile.
    pub(crate) fn claim<'a>(&'a self, document: &'a Document) -> Result<Claim<'a>> {
        let mut inner = self.inner();
        let (uuid, name) = (document.uuid, document.name.as_str());
        let taken = |other: Uuid| {
            let message = format!("the name '{name}' belongs to the domain with UUID '{other}'");
            fault(Code::OPERATION_FAILED, message)
        };
        if let Some(other) = inner.claims.get(name) {
            return Err(taken(*other));
        }
        for domain in inner.domains.values().map(|domain| &domain.current) {
            if domain.name == name && domain.uuid != uuid {
                return Err(taken(domain.uuid));
            }
            if domain.uuid == uuid && domain.name != name {
                let message = format!("the UUID '{uuid}' belongs to domain '{}'", domain.name);
                return Err(fault(Code::OPERATION_FAILED, message));
            }
        }
        inner.claims.insert(name.to_owned(), uuid);
        Ok(Claim(self, name))
    }
}
