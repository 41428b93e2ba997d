//! Finding domains by what a person calls them, and reading what a person wants to know of them.

use super::connection::Connection;
use super::error::{Error, Result};
use crate::rpc::codec::domain::{
    ConnectListAllDomains, DomainGetAutostart, DomainGetInfo, DomainGetState, DomainInfo, DomainIsPersistent,
    DomainLookupById, DomainLookupByName, DomainLookupByUuid, DomainRef, DomainState, NO_ID,
};
use driver_api::error::{Code, Error as HostError, Origin};
use driver_api::types::uuid::Uuid;

/// Everything about one domain that is short.
#[derive(Clone, PartialEq, Debug)]
pub struct Facts {
    /// Name, UUID and id.
    pub dom: DomainRef,
    /// State and its reason.
    pub state: DomainState,
    /// Memory, processors, time used.
    pub info: DomainInfo,
    /// Whether a definition is kept.
    pub persistent: bool,
    /// Whether the host starts it.
    pub autostart: bool,
}

impl Connection {
    /// The domain called `word`: an id, a UUID or a name, tried in this order as virsh does.
    ///
    /// # Errors
    /// 42 when there is none.
    pub fn find_domain(&mut self, word: &str) -> Result<DomainRef> {
        if let Ok(id) = word.parse::<i32>()
            && id >= 0
        {
            match self.call(&DomainLookupById { id }) {
                Err(error) if is_missing(&error) => {}
                other => return other,
            }
        }
        if let Ok(uuid) = word.parse::<Uuid>() {
            match self.call(&DomainLookupByUuid { uuid }) {
                Err(error) if is_missing(&error) => {}
                other => return other,
            }
        }
        let name = word.to_owned();
        match self.call(&DomainLookupByName { name }) {
            Err(error) if is_missing(&error) => Err(Error::Remote(HostError::new(
                Code::NO_DOMAIN,
                Origin::DOMAIN,
                format!("there is no guest '{word}' (`lockstep list --all` shows all)"),
            ))),
            other => other,
        }
    }

    /// The domains that `flags` (`virConnectListAllDomainsFlags`) select, active ones first by id, then by name.
    ///
    /// # Errors
    /// What the host says, or a broken connection.
    pub fn domains(&mut self, flags: u32) -> Result<Vec<DomainRef>> {
        let need_results = 1;
        let mut doms = self.call(&ConnectListAllDomains { need_results, flags })?.items.0;
        doms.sort_by(|a, b| {
            let place = |dom: &DomainRef| (dom.id == NO_ID, dom.id);
            place(a).cmp(&place(b)).then_with(|| a.name.cmp(&b.name))
        });
        Ok(doms)
    }

    /// A domain's state with its reason.
    ///
    /// # Errors
    /// What the host says, or a broken connection.
    pub fn state(&mut self, dom: &DomainRef) -> Result<DomainState> {
        self.call(&DomainGetState {
            dom: dom.clone(),
            flags: 0,
        })
    }

    /// Everything about a domain that is short.
    ///
    /// # Errors
    /// What the host says, or a broken connection.
    pub fn facts(&mut self, dom: DomainRef) -> Result<Facts> {
        Ok(Facts {
            state: self.state(&dom)?,
            info: self.call(&DomainGetInfo { dom: dom.clone() })?,
            persistent: self.call(&DomainIsPersistent { dom: dom.clone() })? != 0,
            autostart: self.call(&DomainGetAutostart { dom: dom.clone() })? != 0,
            dom,
        })
    }
}

/// Whether an error says that the object is not there (any more).
#[must_use]
pub fn is_missing(error: &Error) -> bool {
    let missing = [Code::NO_DOMAIN, Code::NO_NWFILTER, Code::NO_NWFILTER_BINDING];
    matches!(error, Error::Remote(remote) if missing.contains(&remote.code()))
}
