//! `Need`: which filter a port's rules come of now, with which values, and what is to be learned for it. Pure.

use super::internal;
use super::lesson::{Lesson, Mode};
use crate::binding::store::Record;
use crate::compile::{Missing, compile, missing};
use crate::def::vars::Parameters;
use crate::filters::Filters;
use driver_api::error::{Code, Error, Origin, Result};
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

/// The variable with the guest's IPv4 addresses.
const IP: &str = "IP";
/// The variable with the guest's IPv6 addresses.
const IPV6: &str = "IPV6";
/// The variable that says what is learned from.
const LEARNING: &str = "CTRL_IP_LEARNING";
/// The variables with the only servers whose leases count.
const SERVERS: [&str; 2] = ["DHCPSERVER", "DHCPSERVERV6"];

/// Whose rules a port has.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Source {
    /// A filter's.
    Filter(String),
    /// Those of a filter of our own.
    Internal(String),
}

/// What a port's rules come of.
#[derive(Clone, Debug)]
pub struct Need {
    /// Whose rules.
    pub source: Source,
    /// With these values.
    pub values: Parameters,
    /// What is to be learned; also while what was learned is in force.
    pub lesson: Option<Lesson>,
}

/// What is missing depends on how many values each variable has, not on which.
type Key = (String, Vec<(String, usize)>);

/// Answers for one table of filters, with what it found out already.
#[derive(Debug)]
pub struct Needs<'a> {
    filters: &'a Filters,
    missing: HashMap<Key, Arc<Vec<Missing>>>,
    uses: HashMap<String, Arc<BTreeSet<String>>>,
}

impl<'a> Needs<'a> {
    /// Knows nothing yet.
    #[must_use]
    pub fn new(filters: &'a Filters) -> Self {
        Self {
            filters,
            missing: HashMap::new(),
            uses: HashMap::new(),
        }
    }

    fn missing(&mut self, top: &str, values: &Parameters) -> Result<Arc<Vec<Missing>>> {
        let counts = values.iter().map(|(name, values)| (name.clone(), values.len()));
        let key = (top.to_owned(), counts.collect());
        if let Some(known) = self.missing.get(&key) {
            return Ok(Arc::clone(known));
        }
        let found = Arc::new(missing(self.filters, top, values)?);
        self.missing.insert(key, Arc::clone(&found));
        Ok(found)
    }

    /// Every filter that `top` needs, itself and those that do not exist included.
    pub fn uses(&mut self, top: &str) -> Arc<BTreeSet<String>> {
        if let Some(known) = self.uses.get(top) {
            return Arc::clone(known);
        }
        let (mut found, mut next) = (BTreeSet::new(), vec![top.to_owned()]);
        while let Some(name) = next.pop() {
            if let Some(filter) = self.filters.by_name(&name) {
                let new = filter.def.references().filter(|name| !found.contains(*name));
                next.extend(new.map(str::to_owned));
            }
            found.insert(name);
        }
        let found = Arc::new(found);
        self.uses.insert(top.to_owned(), Arc::clone(&found));
        found
    }

    /// What a port needs.
    ///
    /// # Errors
    /// 62 when there is no such filter, 1 when a filter is missing that it refers to or when variables have no values and
    /// can not be learned, 32 when it is not known from what to learn.
    pub fn of(&mut self, record: &Record, generation: u64) -> Result<Need> {
        let def = &record.def;
        let (top, own) = (def.filter.as_str(), &def.parameters);
        let source = Source::Filter(top.to_owned());
        let missing = self.missing(top, own)?;
        let mode = mode(record)?;
        if missing.is_empty() {
            return Ok(Need {
                source,
                values: own.clone(),
                lesson: None,
            });
        }
        let wanted = |name: &str| missing.iter().any(|missing| missing.access.name == name);
        let (v4, v6) = (
            wanted(IP) && !own.contains_key(IP),
            wanted(IPV6) && !own.contains_key(IPV6),
        );
        let learnable = |missing: &Missing| match missing.access.name.as_str() {
            IP => v4,
            IPV6 => v6,
            _ => false,
        };
        let Some(mode) = mode.filter(|_| missing.iter().all(learnable)) else {
            // Names them all.
            compile(self.filters, top, own)?;
            return Err(no_values(top));
        };
        let lesson = Lesson {
            port: def.port.clone(),
            mac: def.mac,
            owner: def.owner.uuid,
            mode,
            v4,
            v6,
            servers: servers(record)?,
            generation,
            known: record.learned.clone(),
        };
        let values = with_learned(own, &record.learned, v4, v6);
        let rest = self.missing(top, &values)?;
        if rest.is_empty() {
            let lesson = Some(lesson);
            return Ok(Need { source, values, lesson });
        }
        Ok(Need {
            source: Source::Internal(internal::learning(&lesson)),
            values: own.clone(),
            lesson: Some(lesson),
        })
    }
}

fn with_learned(own: &Parameters, learned: &[IpAddr], v4: bool, v6: bool) -> Parameters {
    let mut values = own.clone();
    for address in learned {
        let (name, wanted) = match address {
            IpAddr::V4(_) => (IP, v4),
            IpAddr::V6(_) => (IPV6, v6),
        };
        if wanted {
            values.entry(name.to_owned()).or_default().push(address.to_string());
        }
    }
    values
}

/// `None` means that nothing may be learned.
fn mode(record: &Record) -> Result<Option<Mode>> {
    let Some(given) = record.def.parameters.get(LEARNING).and_then(|values| values.first()) else {
        return Ok(Some(Mode::Any));
    };
    match given.to_ascii_lowercase().as_str() {
        "any" => Ok(Some(Mode::Any)),
        "dhcp" => Ok(Some(Mode::Dhcp)),
        "none" => Ok(None),
        _ => {
            let port = &record.def.port;
            let message = format!("port '{port}': {LEARNING} is '{given}', not 'any', 'dhcp' or 'none'");
            Err(Error::new(Code::PARSE_FAILED, Origin::NWFILTER, message))
        }
    }
}

fn servers(record: &Record) -> Result<Vec<IpAddr>> {
    let (def, mut servers) = (&record.def, Vec::new());
    for (name, is_v4) in SERVERS.into_iter().zip([true, false]) {
        for text in def.parameters.get(name).into_iter().flatten() {
            match text.parse::<IpAddr>() {
                Ok(server) if server.is_ipv4() == is_v4 => servers.push(server),
                _ => {
                    let family = if is_v4 { "IPv4" } else { "IPv6" };
                    let message = format!("port '{}': {name} is '{text}', not an {family} address", def.port);
                    return Err(Error::new(Code::INTERNAL, Origin::NWFILTER, message));
                }
            }
        }
    }
    Ok(servers)
}

fn no_values(top: &str) -> Error {
    let message = format!("variables of filter '{top}' have no values");
    Error::new(Code::INTERNAL, Origin::NWFILTER, message)
}
