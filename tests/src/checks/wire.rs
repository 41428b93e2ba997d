//! The wire: what clients of libvirt's protocol see of a driver, or of any daemon that speaks it.

pub(crate) mod daemon;
pub(crate) mod domain;
pub(crate) mod event;
pub(crate) mod filter;
pub(crate) mod look;
pub(crate) mod protocol;

use crate::bench::Facts;
use lockstep::client::{self, Connection, Target, Wish};
use lockstep::rpc::codec::binding::ConnectListAllNwfilterBindings;
use lockstep::rpc::codec::connect::{ConnectGetLibVersion, ConnectGetType};
use lockstep::rpc::codec::domain::ConnectListAllDomains;
use lockstep::rpc::codec::nwfilter::ConnectListAllNwfilters;

/// What checks of domains need.
pub(crate) const DOMAINS: &[&str] = &["virt.lifecycle/1"];
/// What checks of filters need.
pub(crate) const FILTERS: &[&str] = &["nwfilter.define/1"];

/// Where a URI leads.
pub(crate) fn target(uri: &str, readonly: bool) -> client::Result<Target> {
    let wish = Wish {
        uri: Some(uri.to_owned()),
        readonly,
        ..Wish::default()
    };
    Ok(Target::choose(&wish)?)
}

/// Who answers at a URI, and which of the interfaces it has something for.
///
/// # Errors
/// Nobody answers.
pub(crate) fn facts(uri: &str) -> client::Result<Facts> {
    let mut connection = Connection::open(&target(uri, false)?)?;
    let number = connection.call(&ConnectGetLibVersion {})?;
    let (need_results, flags) = (0, 0);
    let mut interfaces = vec![String::from("driver.core/1")];
    let mut offers = |answered: bool, interface: &str| {
        if answered {
            interfaces.push(interface.to_owned());
        }
    };
    let domains = connection.call(&ConnectListAllDomains { need_results, flags });
    offers(domains.is_ok(), DOMAINS[0]);
    let filters = connection.call(&ConnectListAllNwfilters { need_results, flags });
    offers(filters.is_ok(), FILTERS[0]);
    let bindings = connection.call(&ConnectListAllNwfilterBindings { need_results, flags });
    offers(bindings.is_ok(), "nwfilter.binding/1");
    let title = connection.call(&ConnectGetType {}).unwrap_or_default();
    let scheme = uri.split([':', '+']).next().unwrap_or_default();
    Ok(Facts {
        // Documents of domains name the scheme.
        name: if scheme.is_empty() {
            title.to_lowercase()
        } else {
            scheme.to_owned()
        },
        version: format!("{}.{}.{}", number / 1_000_000, number / 1_000 % 1_000, number % 1_000),
        api: String::new(),
        needs: Vec::new(),
        interfaces,
    })
}
