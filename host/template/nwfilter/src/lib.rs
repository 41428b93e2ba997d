//! {{project-name}}: a driver of network filters for the Lockstep host. It keeps filters; what they do to a port is yours to add.
//!
//! Every change goes the same way: parse (nothing is held), take Filter, look at the table, take Update so that no guest
//! is just having its ports made, persist, publish the next table. Reads look at the table and lock nothing.

use driver_api::driver::{Config, Driver, DriverInfo, FilterDriver};
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::host::Host;
use driver_api::kit::xml::{Element, Limits, Node, parse};
use driver_api::lock::guard::Guard;
use driver_api::lock::level::{Level, Unlocked, Update, W};
use driver_api::lock::token::Cx;
use driver_api::types::domain::flags::DEFINE_VALIDATE;
use driver_api::types::filter::{FilterBrief, PortRequest};
use driver_api::types::uuid::Uuid;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The driver as the host knows it.
#[derive(Debug)]
pub struct Plugin {
    host: Host,
    folder: PathBuf,
    closed: AtomicBool,
    // A leaf: held for a look or an exchange, never while the host or the disk is asked for something.
    table: Mutex<Arc<Table>>,
}

// What is not named here is not offered: `BindingDriver` is the trait that puts filters on ports.
driver_api::export_driver!(Plugin: FilterDriver);

/// Every filter by name. It is never changed: whoever changes a filter publishes another table.
type Table = BTreeMap<String, Arc<Filter>>;

/// One definition, read once.
#[derive(Debug)]
struct Filter {
    uuid: Uuid,
    name: String,
    /// The filters that it refers to, which need not exist yet.
    refers_to: BTreeSet<String>,
    /// The whole document: what is not understood is printed again.
    element: Element,
}

fn fault(code: Code, message: impl Into<String>) -> Error {
    Error::new(code, Origin::NWFILTER, message)
}

impl Filter {
    fn read(xml: &[u8]) -> Result<Self> {
        let mut element = parse(xml, Origin::NWFILTER, &Limits::default())?;
        let bad = |place: &Element, what: String| Err(place.error(Origin::NWFILTER, what));
        if element.name != "filter" {
            return bad(
                &element,
                format!("expected <filter>, found <{}>", element.name),
            );
        }
        let name = element.attr("name").unwrap_or_default().to_owned();
        let plain = |c: char| !c.is_control() && c != '/';
        if name.trim().is_empty() || name.len() > 200 || !name.chars().all(plain) {
            let what = "it needs 1 to 200 bytes, without '/' and control characters";
            return bad(&element, format!("the filter's name is {name:?}: {what}"));
        }
        let given = element.take_children("uuid");
        let uuid = match given.as_slice() {
            [] => Uuid::random()
                .map_err(|e| fault(Code::INTERNAL, "no UUID can be made").because(e))?,
            [one] => match one.text().parse() {
                Ok(uuid) if uuid != Uuid::default() => uuid,
                Ok(_) => return bad(one, "this <uuid> names nobody: leave it out".to_owned()),
                Err(error) => return bad(one, format!("{error}")),
            },
            [_, second, ..] => return bad(second, "a second <uuid>".to_owned()),
        };
        number(&element, "priority")?;
        let mut refers_to = BTreeSet::new();
        for child in element.elements() {
            match child.name.as_str() {
                "rule" => {
                    one_of(
                        child,
                        "action",
                        &["accept", "drop", "reject", "return", "continue"],
                    )?;
                    one_of(child, "direction", &["in", "out", "inout"])?;
                    number(child, "priority")?;
                }
                "filterref" => match child.attr("filter") {
                    Some(other) if !other.is_empty() => drop(refers_to.insert(other.to_owned())),
                    _ => return bad(child, "<filterref> names no filter".to_owned()),
                },
                other => return bad(child, format!("unknown element <{other}> in <filter>")),
            }
        }
        // In one place and one spelling, however its author wrote it.
        element
            .children
            .insert(0, Node::Element(Element::new("uuid").with_text(uuid)));
        Ok(Self {
            uuid,
            name,
            refers_to,
            element,
        })
    }

    fn brief(&self) -> FilterBrief {
        FilterBrief {
            uuid: self.uuid,
            name: self.name.clone(),
        }
    }
}

fn one_of(element: &Element, attribute: &str, known: &[&str]) -> Result<()> {
    match element.attr(attribute) {
        Some(value) if known.contains(&value) => Ok(()),
        other => {
            let (other, known) = (other.unwrap_or_default(), known.join(", "));
            let what = format!(
                "{attribute} {other:?} of <{}> is none of {known}",
                element.name
            );
            Err(element.error(Origin::NWFILTER, what))
        }
    }
}

fn number(element: &Element, attribute: &str) -> Result<()> {
    let Some(text) = element.attr(attribute) else {
        return Ok(());
    };
    match text.trim().parse::<i32>() {
        Ok(-1000..=1000) => Ok(()),
        _ => {
            let what = format!("{attribute} {text:?} of <{}>: -1000 to 1000", element.name);
            Err(element.error(Origin::NWFILTER, what))
        }
    }
}

/// The table with this filter in it.
fn with(table: &Table, filter: Arc<Filter>) -> Result<Table> {
    let (name, uuid) = (&filter.name, filter.uuid);
    for known in table.values() {
        if (known.name == *name) != (known.uuid == uuid) {
            let (other, theirs) = (&known.name, known.uuid);
            let message = format!(
                "filter '{name}' can not have UUID '{uuid}': there is '{other}' with '{theirs}'"
            );
            return Err(fault(Code::OPERATION_FAILED, message));
        }
    }
    // Who refers to this one must not be referred to by it, through however many others.
    let users = users(table, name);
    if let Some(other) = filter.refers_to.iter().find(|other| users.contains(*other)) {
        let message = format!("filter '{name}' can not refer to '{other}', which refers to it");
        return Err(fault(Code::OPERATION_FAILED, message));
    }
    let mut next = table.clone();
    next.insert(name.clone(), filter);
    Ok(next)
}

/// A filter, and all that refer to it, themselves or through others.
fn users(table: &Table, name: &str) -> BTreeSet<String> {
    let (mut found, mut next) = (BTreeSet::new(), vec![name.to_owned()]);
    while let Some(name) = next.pop() {
        if found.insert(name.clone()) {
            let refer = table
                .values()
                .filter(|filter| filter.refers_to.contains(&name));
            next.extend(refer.map(|filter| filter.name.clone()));
        }
    }
    found
}

impl Driver for Plugin {
    const INFO: DriverInfo = DriverInfo {
        name: "{{driver}}",
        title: "{{driver | capitalize}}",
        version: env!("CARGO_PKG_VERSION"),
        needs: &[],
    };

    fn open(host: Host, config: Config) -> Result<Self> {
        Ok(Self {
            host,
            folder: config.conf_dir,
            closed: AtomicBool::new(false),
            table: Mutex::default(),
        })
    }

    fn bring_up(&self, _cx: &mut Cx<'_, Unlocked>) -> Result<()> {
        let unreadable = |error: io::Error| {
            let message = format!("cannot read the folder '{}'", self.folder.display());
            fault(Code::SYSTEM_ERROR, message).because(error)
        };
        let mut table = Table::new();
        for entry in fs::read_dir(&self.folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            match path.extension().and_then(|extension| extension.to_str()) {
                // Half a file of a host that was killed; the whole one, if there was one, is there.
                Some("new") if self.is_half(&path) => drop(fs::remove_file(&path)),
                Some("xml") => match self.load(&table, &path) {
                    Ok(next) => table = next,
                    // One bad file must not keep the others from their ports.
                    Err(error) => {
                        tracing::warn!(path = %path.display(), %error, "a filter is left alone");
                    }
                },
                _ => {}
            }
        }
        self.publish(table);
        Ok(())
    }

    fn autostart(&self, _cx: &mut Cx<'_, Unlocked>) -> Result<()> {
        // Filters do not start: guests do.
        Ok(())
    }

    fn close(&self, _within: Duration) -> Result<()> {
        self.closed.store(true, Ordering::SeqCst);
        Ok(())
    }
}

impl FilterDriver for Plugin {
    fn filters(&self) -> Vec<FilterBrief> {
        self.table().values().map(|filter| filter.brief()).collect()
    }

    fn filter_xml(&self, uuid: Uuid, flags: u32) -> Result<String> {
        known_flags(flags, 0)?;
        Ok(self.get(uuid)?.element.to_string())
    }

    fn define_filter(
        &self,
        cx: &mut Cx<'_, Unlocked>,
        xml: &str,
        flags: u32,
    ) -> Result<FilterBrief> {
        known_flags(flags, DEFINE_VALIDATE)?;
        let filter = Arc::new(Filter::read(xml.as_bytes())?);
        let mut filters = cx.filters()?;
        self.in_service(&mut filters)?;
        let next = with(&self.table(), Arc::clone(&filter))?;
        let mut update = filters.update_write()?;
        self.in_service(&mut update)?;
        for port in self.ports(&mut update, &users(&next, &filter.name))? {
            // With `BindingDriver`: rebuild it by `next` here, all ports or none, before anything is stored.
            tracing::debug!(
                port = port.port,
                filter = port.filter,
                "a port is not rebuilt"
            );
        }
        write(&self.path(filter.uuid), &filter.element.to_string()).map_err(|error| {
            let message = format!("cannot store filter '{}'", filter.name);
            fault(Code::SYSTEM_ERROR, message).because(error)
        })?;
        self.publish(next);
        tracing::info!(filter = %filter.name, "filter defined");
        Ok(filter.brief())
    }

    fn undefine_filter(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid) -> Result<()> {
        let mut filters = cx.filters()?;
        self.in_service(&mut filters)?;
        let filter = self.get(uuid)?;
        let name = &filter.name;
        let mut update = filters.update_write()?;
        self.in_service(&mut update)?;
        let mut next = Table::clone(&self.table());
        if let Some(used) = self.ports(&mut update, &users(&next, name))?.first() {
            let message = format!("filter '{name}' is in use on port '{}'", used.port);
            return Err(fault(Code::OPERATION_INVALID, message));
        }
        let gone = fs::remove_file(self.path(uuid)).and_then(|()| sync(&self.folder));
        if let Err(error) = gone
            && error.kind() != io::ErrorKind::NotFound
        {
            let message = format!("cannot remove filter '{name}'");
            return Err(fault(Code::SYSTEM_ERROR, message).because(error));
        }
        next.remove(name);
        self.publish(next);
        tracing::info!(filter = %name, "filter removed");
        Ok(())
    }
}

impl Plugin {
    fn table(&self) -> Arc<Table> {
        Arc::clone(&self.table.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn publish(&self, next: Table) {
        *self.table.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
    }

    fn get(&self, uuid: Uuid) -> Result<Arc<Filter>> {
        let table = self.table();
        let found = table.values().find(|filter| filter.uuid == uuid);
        let none = || {
            fault(
                Code::NO_NWFILTER,
                format!("there is no filter with UUID '{uuid}'"),
            )
        };
        found.cloned().ok_or_else(none)
    }

    /// Whether changes are still made; and what a lock's last holder left half done is nothing here.
    fn in_service<L: Level>(&self, guard: &mut Guard<'_, L, W>) -> Result<()> {
        if guard.is_poisoned() {
            guard.clear_poison()?;
        }
        if self.closed.load(Ordering::SeqCst) {
            let message = "the driver is closed: the host stops";
            return Err(fault(Code::OPERATION_INVALID, message));
        }
        Ok(())
    }

    /// The ports of running guests that use one of these filters.
    fn ports(
        &self,
        cx: &mut Cx<'_, Update>,
        filters: &BTreeSet<String>,
    ) -> Result<Vec<PortRequest>> {
        let filters: Vec<String> = filters.iter().cloned().collect();
        match self.host.filtered_ports(cx, &filters) {
            // A host without that service has no guests.
            Err(error) if error.code() == Code::NO_SUPPORT => Ok(Vec::new()),
            other => other,
        }
    }

    /// By UUID: no name that somebody chose becomes a part of a path.
    fn path(&self, uuid: Uuid) -> PathBuf {
        self.folder.join(format!("{uuid}.xml"))
    }

    /// Whether `write` makes a file of this name. What somebody else put here is not removed.
    fn is_half(&self, path: &Path) -> bool {
        let uuid = path
            .file_stem()
            .and_then(|stem| stem.to_str()?.parse().ok());
        uuid.is_some_and(|uuid| path == self.path(uuid).with_extension("new"))
    }

    fn load(&self, table: &Table, path: &Path) -> Result<Table> {
        let text = fs::read(path);
        let text = text.map_err(|e| fault(Code::SYSTEM_ERROR, "cannot read it").because(e))?;
        let filter = Filter::read(&text)?;
        if path != self.path(filter.uuid) {
            let message = format!("its filter has the UUID '{}'", filter.uuid);
            return Err(fault(Code::XML_ERROR, message));
        }
        with(table, Arc::new(filter))
    }
}

fn known_flags(given: u32, known: u32) -> Result<()> {
    match given & !known {
        0 => Ok(()),
        rest => Err(fault(Code::INVALID_ARG, format!("unknown flags {rest:#x}"))),
    }
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Writes a file that is the old one or the new one, whenever the machine stops.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let beside = path.with_extension("new");
    let written = File::create(&beside).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    if let Err(error) = written.and_then(|()| fs::rename(&beside, path)) {
        // The first error is the one to tell; what is left over is removed at the next start.
        drop(fs::remove_file(&beside));
        return Err(error);
    }
    path.parent().map_or(Ok(()), sync)
}
