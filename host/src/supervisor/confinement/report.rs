//! `Security`: what a running guest is kept in, read back from the kernel where it tells, as `lockstep domsecurity` shows it.

use crate::supervisor::guests::Guests;
use crate::supervisor::order::{Order, Running};
use crate::supervisor::table::State;
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::types::param::Value;
use driver_api::types::uuid::Uuid;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Namespaces by their names in /proc, with what is inside.
const NAMESPACES: [(&str, &str); 7] = [
    ("pid", "processes"),
    ("mnt", "files"),
    ("ipc", "shared memory and message queues"),
    ("uts", "host name"),
    ("net", "network"),
    ("cgroup", "cgroups"),
    ("user", "users"),
];

/// One layer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Layer {
    /// What it is called.
    pub layer: String,
    /// Whether it is in force.
    pub on: bool,
    /// In words, what it is or why it is not there.
    pub state: String,
}

/// Something of the host that the guest sees.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Seen {
    /// Where the guest finds it.
    pub path: String,
    /// `read` or `read and write`.
    pub rights: String,
}

/// All of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Security {
    /// The guest's first process as the host counts it.
    pub pid: u32,
    /// From the user to Landlock.
    pub layers: Vec<Layer>,
    /// What it sees, from its own table of mounts.
    pub files: Vec<Seen>,
    /// Limits as `Host::limits` names them.
    pub limits: Vec<(String, String)>,
    /// What the kernel did not let the supervisor isolate.
    pub not_isolated: Vec<String>,
}

impl Guests {
    /// What the running guest of a domain is kept in.
    ///
    /// # Errors
    /// 55 when the domain has no running guest, 38 when the kernel does not tell.
    pub fn security(&self, domain: &Uuid) -> Result<Security> {
        let wanted = domain.to_string();
        let found = {
            let table = self.shared.table.lock();
            let mut entries = table.entries.values();
            let alive =
                entries.find(|entry| entry.order.domain == wanted && matches!(entry.state, State::Alive { .. }));
            alive.and_then(|entry| Some((entry.order.clone(), entry.running.clone()?)))
        };
        let (order, running) = found.ok_or_else(|| {
            let text = format!("domain '{wanted}' does not run, so there is nothing to show: start it first");
            Error::new(Code::OPERATION_INVALID, Origin::DOMAIN, text)
        })?;
        let pid = running.guest.pid;
        let read = |file: &str| {
            std::fs::read_to_string(format!("/proc/{pid}/{file}")).map_err(|e| {
                let text = format!("cannot read what the kernel tells of domain '{}'", order.name);
                Error::new(Code::SYSTEM_ERROR, Origin::DOMAIN, text).because(e)
            })
        };
        let status = Status(read("status")?);
        let mut layers = status.layers(&order, &running);
        layers.extend(NAMESPACES.iter().map(|(name, what)| namespace(pid, name, what)));
        layers.push(groups(&order, &running));
        let limits = running.groups().limits();
        Ok(Security {
            pid,
            layers,
            files: seen(&read("mountinfo")?),
            limits: limits
                .into_iter()
                .map(|limit| (limit.name, in_words(&limit.value)))
                .collect(),
            not_isolated: running.not_isolated,
        })
    }
}

fn in_words(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Bool(on) => on.to_string(),
        Value::Double(number) => number.to_string(),
        number => number
            .as_i64()
            .map(|n| n.to_string())
            .or_else(|| number.as_u64().map(|n| n.to_string()))
            .unwrap_or_default(),
    }
}

fn layer(name: &str, on: bool, state: impl Into<String>) -> Layer {
    Layer {
        layer: name.to_owned(),
        on,
        state: state.into(),
    }
}

/// A process's status file.
struct Status(String);

impl Status {
    fn field(&self, name: &str) -> &str {
        let line = self
            .0
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap_or_default().trim()
    }

    fn layers(&self, order: &Order, running: &Running) -> Vec<Layer> {
        let ids = |name| {
            self.field(name)
                .split_ascii_whitespace()
                .next()
                .unwrap_or("?")
                .to_owned()
        };
        let (uid, gid) = (ids("Uid"), ids("Gid"));
        let own = rustix::process::geteuid().as_raw().to_string();
        let others = self.field("Groups");
        let also = if others.is_empty() {
            String::new()
        } else {
            format!(", also in {others}")
        };
        let sets = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];
        let left: Vec<String> = sets
            .iter()
            .filter(|set| self.field(set).chars().any(|digit| digit != '0'))
            .map(|set| format!("{set} {}", self.field(set)))
            .collect();
        let privileges = self.field("NoNewPrivs") == "1";
        let filters = self.field("Seccomp_filters");
        let calls = running.in_force.calls;
        let seccomp = match (self.field("Seccomp"), calls) {
            ("2", 1..) => format!("{filters} filters, one of which leaves {calls} system calls"),
            ("2", 0) if !order.layers.seccomp => format!("{filters} filters; the list of system calls is turned off"),
            ("2", 0) => format!("{filters} filters, none of which lists what is allowed"),
            _ => "no filter".to_owned(),
        };
        let landlock = match running.in_force.landlock {
            0 if !order.layers.landlock => "turned off".to_owned(),
            0 => "not in force".to_owned(),
            version => format!("version {version} of its interface"),
        };
        vec![
            layer("user", uid != own, format!("user {uid}, group {gid}{also}")),
            layer(
                "capabilities",
                left.is_empty(),
                if left.is_empty() {
                    "none, for good".to_owned()
                } else {
                    left.join(", ")
                },
            ),
            layer(
                "no new privileges",
                privileges,
                if privileges { "set" } else { "not set" },
            ),
            layer("system calls", self.field("Seccomp") == "2" && calls > 0, seccomp),
            layer("Landlock", running.in_force.landlock > 0, landlock),
        ]
    }
}

fn namespace(pid: u32, name: &str, what: &str) -> Layer {
    let link = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/{name}")).ok();
    let (guest, own) = (link(&pid.to_string()), link("self"));
    let title = format!("{name} namespace");
    match (guest, own) {
        (Some(guest), Some(own)) if guest != own => layer(&title, true, format!("own {what}: {}", guest.display())),
        (Some(_), Some(_)) => layer(&title, false, format!("{what} of the host")),
        _ => layer(&title, false, "the kernel has none, or does not tell"),
    }
}

fn groups(order: &Order, running: &Running) -> Layer {
    let groups = running.groups();
    let paths: Vec<String> = groups
        .paths()
        .filter(|path| path.exists())
        .map(|path| path.display().to_string())
        .collect();
    if !paths.is_empty() {
        return layer("cgroups", true, paths.join(", "));
    }
    let why = if order.layers.cgroups {
        "none of its own"
    } else {
        "turned off"
    };
    layer("cgroups", false, why)
}

/// Mounts of a process as files that it sees; its own root and what was made for it alone are left out.
fn seen(mounts: &str) -> Vec<Seen> {
    let mount = |line: &str| {
        let (place, kind) = line.split_once(" - ")?;
        let mut fields = place.split(' ').skip(4);
        let (point, options) = (fields.next()?, fields.next()?);
        let source = kind.split(' ').nth(1)?;
        let own = matches!(source, "lockstep" | "lockstep-memory") || Path::new(point) == Path::new("/proc");
        (!own).then(|| {
            let writable = options.split(',').any(|option| option == "rw");
            Seen {
                path: unescaped(point),
                rights: if writable { "read and write" } else { "read" }.to_owned(),
            }
        })
    };
    let mut seen: Vec<Seen> = mounts.lines().filter_map(mount).collect();
    seen.sort_by(|a, b| a.path.cmp(&b.path));
    seen.dedup();
    seen
}

/// A path of a table of mounts, in which blanks and the like are written in octal.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        let digits = more
            .get(..3)
            .filter(|_| *first == b'\\')
            .and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = more.get(3..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = more;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_guest_sees_is_read_from_its_mounts() {
        let mounts = "61 60 0:50 / / ro,nosuid,nodev - tmpfs lockstep rw,size=1024k\n\
                      62 61 0:5 /null /dev/null rw,nosuid - devtmpfs udev rw\n\
                      63 61 254:0 /disks/a\\040b.img /disks/a\\040b.img ro,nosuid,nodev - ext4 /dev/vda rw\n\
                      64 61 0:51 / /run/memory rw,nosuid,nodev - tmpfs lockstep-memory rw\n\
                      65 61 0:52 / /proc rw - proc proc rw\n";
        let seen = seen(mounts);
        let pairs: Vec<_> = seen
            .iter()
            .map(|seen| (seen.path.as_str(), seen.rights.as_str()))
            .collect();
        assert_eq!(pairs, [("/dev/null", "read and write"), ("/disks/a b.img", "read")]);
    }
}
