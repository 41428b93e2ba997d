//! Finding network filters by what a person calls them.

use super::connection::Connection;
use super::domain::is_missing;
use super::error::Result;
use crate::rpc::codec::binding::{BindingRef, ConnectListAllNwfilterBindings};
use crate::rpc::codec::nwfilter::{ConnectListAllNwfilters, NwfilterLookupByName, NwfilterLookupByUuid, NwfilterRef};
use driver_api::types::uuid::Uuid;

impl Connection {
    /// The filter called `word`: a UUID or a name, tried in this order.
    ///
    /// # Errors
    /// 62 when there is none.
    pub fn find_filter(&mut self, word: &str) -> Result<NwfilterRef> {
        if let Ok(uuid) = word.parse::<Uuid>() {
            match self.call(&NwfilterLookupByUuid { uuid }) {
                Err(error) if is_missing(&error) => {}
                other => return other,
            }
        }
        let name = word.to_owned();
        self.call(&NwfilterLookupByName { name })
    }

    /// Every filter, by name.
    ///
    /// # Errors
    /// What the host says, or a broken connection.
    pub fn filters(&mut self) -> Result<Vec<NwfilterRef>> {
        let all = ConnectListAllNwfilters {
            need_results: 1,
            flags: 0,
        };
        let mut filters = self.call(&all)?.items.0;
        filters.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(filters)
    }

    /// Every binding, by port.
    ///
    /// # Errors
    /// What the host says, or a broken connection.
    pub fn bindings(&mut self) -> Result<Vec<BindingRef>> {
        let all = ConnectListAllNwfilterBindings {
            need_results: 1,
            flags: 0,
        };
        let mut bindings = self.call(&all)?.items.0;
        bindings.sort_by(|a, b| a.port.cmp(&b.port));
        Ok(bindings)
    }
}
