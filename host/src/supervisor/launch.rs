//! Starting a supervisor: the order in its run folder, the process, its answer.

use super::cgroup::{self, Groups};
use super::child::ARGUMENT;
use super::extras::Extras;
use super::order::{ConsoleOrder, FileOrder, ORDER, Order, Report, Running, SUPERVISOR_LOG};
use super::record::{self, Durable};
use super::table::Shared;
use super::{address, companion, parcel, plug};
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::types::guest::GuestSpec;
use driver_api::types::launch::{Launch, Link};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::collections::HashSet;
use std::fs::{DirBuilder, File};
use std::io::{self, Read};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Consoles of one guest; each costs descriptors and up to 64 KiB in the supervisor.
const CONSOLES: usize = 32;
/// Descriptors that one guest may be born with.
const DESCRIPTORS: usize = 32;

/// A supervisor whose guest runs.
#[derive(Debug)]
pub(super) struct Launched {
    pub(super) child: Child,
    pub(super) supervisor: OwnedFd,
    pub(super) running: Running,
}

fn system(message: impl Into<String>) -> Error {
    Error::new(Code::SYSTEM_ERROR, Origin::DOMAIN, message)
}

/// Makes a folder (and those above it) that only its owner can enter.
pub(super) fn private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// What a driver asked for as an order to the supervisor of guest `id`.
pub(super) fn order(shared: &Shared, id: u64, driver: &str, launch: &Launch, descriptors: usize) -> Result<Order> {
    let spec = &launch.spec;
    let wrong = |what: String| {
        Error::new(
            Code::INVALID_ARG,
            Origin::DOMAIN,
            format!("cannot launch its guest: {what}"),
        )
    };
    if !spec.argv.first().is_some_and(|program| program.starts_with('/')) {
        return Err(wrong("its program is not an absolute path".to_owned()));
    }
    if let Some(file) = spec.files.iter().find(|file| !file.path.is_absolute()) {
        return Err(wrong(format!(
            "the file '{}' is not an absolute path",
            file.path.display()
        )));
    }
    let consoles = spec.consoles.len().saturating_add(launch.spare_consoles as usize);
    if consoles > CONSOLES {
        return Err(wrong(format!(
            "it has {consoles} consoles with those to be plugged in, {CONSOLES} is the limit"
        )));
    }
    if launch.backends.len() > spec.consoles.len() {
        return Err(wrong(format!(
            "it has {} consoles, and {} things for them to lead to",
            spec.consoles.len(),
            launch.backends.len()
        )));
    }
    if descriptors > DESCRIPTORS {
        return Err(wrong(format!(
            "it is to be born with {descriptors} descriptors, {DESCRIPTORS} is the limit"
        )));
    }
    links(&launch.links, descriptors).map_err(wrong)?;
    let mut extras = Extras::from(launch);
    extras.user = extras.user.or(shared.options.user);
    for backend in &mut extras.backends {
        *backend = address::resolve(std::mem::take(backend)).map_err(|e| e.within("cannot launch its guest"))?;
    }
    companion::check(&extras.companions).map_err(wrong)?;
    cgroup::check(&extras.limits).map_err(|refusal| wrong(refusal.to_string()))?;
    let options = &shared.options;
    let run_dir = shared.run.join(id.to_string());
    let run_dir = std::path::absolute(&run_dir).unwrap_or(run_dir);
    let log = spec
        .log
        .clone()
        .unwrap_or_else(|| shared.log.join(driver).join(log_name(spec)));
    let consoles = spec.consoles.iter().enumerate().map(|(index, console)| ConsoleOrder {
        alias: console.alias.clone(),
        pty: console.pty,
        logs: (index == 0)
            .then(|| absolute(&log))
            .into_iter()
            .chain(console.log.as_deref().map(absolute))
            .collect(),
    });
    Ok(Order {
        id,
        driver: driver.to_owned(),
        domain: spec.domain.to_string(),
        name: spec.name.clone(),
        run_dir,
        argv: spec.argv.clone(),
        env: spec.env.clone(),
        consoles: consoles.collect(),
        files: spec.files.iter().map(FileOrder::from).collect(),
        descriptors,
        memory_bytes: if spec.memory_bytes == 0 {
            options.memory_bytes
        } else {
            spec.memory_bytes
        },
        uid: uid(shared, id),
        log_bytes: options.log_bytes,
        log_files: options.log_files,
        boot_id: shared.boot_id.clone(),
        layers: options.layers,
        extras,
    })
}

/// Whether a guest can have these links, with so many descriptors for its taps.
fn links(links: &[Link], descriptors: usize) -> std::result::Result<(), String> {
    let mut names = HashSet::new();
    for link in links {
        plug::link(link)?;
        if !names.insert(link.name()) {
            return Err(format!("it has two links of the name '{}'", link.name()));
        }
    }
    let taps = links.iter().filter(|link| matches!(link, Link::Tap { .. })).count();
    if taps > descriptors {
        return Err(format!("it has {taps} taps and only {descriptors} descriptors"));
    }
    Ok(())
}

pub(super) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// A user for this guest alone: the root's place in the file system keeps guests of different roots apart.
fn uid(shared: &Shared, id: u64) -> u32 {
    let root = std::fs::metadata(&shared.run).map_or(0, |meta| meta.ino());
    let place = root.wrapping_mul(65_536).wrapping_add(id) % u64::from(shared.options.uids.max(1));
    shared.options.first_uid + u32::try_from(place).unwrap_or(0)
}

/// A file name for the log of any domain name.
fn log_name(spec: &GuestSpec) -> String {
    let plain = |c: char| !matches!(c, '/' | '\0'..='\x1f' | '\x7f');
    let name = &spec.name;
    if name.is_empty() || name.starts_with('.') || name.len() > 200 || !name.chars().all(plain) {
        format!("{}.log", spec.domain)
    } else {
        format!("{name}.log")
    }
}

/// Starts the supervisor and waits until the guest's program has been executed.
pub(super) fn launch(shared: &Shared, order: &Order, descriptors: &[BorrowedFd<'_>]) -> Result<Launched> {
    let dir = &order.run_dir;
    let result = try_launch(shared, order, descriptors, dir);
    if result.is_err() {
        // Left where the supervisor was killed because it took too long.
        if let Err(e) = Groups::left(&order.group_name()).remove() {
            tracing::warn!(guest = order.id, error = %e, "a cgroup of a failed start stays");
        }
        if let Err(e) = std::fs::remove_dir_all(dir) {
            tracing::warn!(path = %dir.display(), error = %e, "the run folder of a failed start stays");
        }
    }
    result.map_err(|e| e.within("cannot launch its guest"))
}

fn try_launch(shared: &Shared, order: &Order, descriptors: &[BorrowedFd<'_>], dir: &Path) -> Result<Launched> {
    let make = |e| system(format!("cannot make the run folder '{}'", dir.display())).because(e);
    private_folder(dir).map_err(make)?;
    record::write(dir, ORDER, order, Durable::No).map_err(make)?;
    let log = File::create(dir.join(SUPERVISOR_LOG)).map_err(make)?;
    let (ours, theirs) = UnixStream::pair().map_err(|e| system("cannot make a socket pair").because(e))?;
    let program = &shared.options.program;
    let mut child = Command::new(program)
        .arg0("lockstep")
        .arg(ARGUMENT)
        // Not read by the supervisor; it tells a person with ps whose it is.
        .arg(&order.name)
        .env_clear()
        .current_dir(dir)
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .stderr(Stdio::from(log))
        .spawn()
        .map_err(|e| system(format!("cannot run the supervisor '{}'", program.display())).because(e))?;
    let launched = hand_over(&ours, order, descriptors, shared.options.start_deadline).and_then(|running| {
        let pid = i32::try_from(child.id())
            .ok()
            .and_then(Pid::from_raw)
            .ok_or_else(|| system("the supervisor has no pid"))?;
        let supervisor = pidfd_open(pid, PidfdFlags::empty())
            .map_err(|e| system("cannot watch the supervisor").because(io::Error::from(e)))?;
        Ok((running, supervisor))
    });
    match launched {
        Ok((running, supervisor)) => Ok(Launched {
            child,
            supervisor,
            running,
        }),
        Err(e) => {
            // With it goes what it may have started.
            let _ = child.kill();
            let _ = child.wait();
            Err(e)
        }
    }
}

fn hand_over(
    stream: &UnixStream,
    order: &Order,
    descriptors: &[BorrowedFd<'_>],
    deadline: Duration,
) -> Result<Running> {
    let text = converse(stream, order, descriptors, deadline).map_err(|e| match e.kind() {
        io::ErrorKind::WouldBlock => system(format!("the supervisor did not answer within {} s", deadline.as_secs())),
        _ => system("cannot speak to the supervisor").because(e),
    })?;
    match serde_json::from_slice(&text) {
        Ok(Report::Started(running)) => Ok(running),
        Ok(Report::Failed(failure)) if failure.unsupported => Err(Error::new(
            Code::CONFIG_UNSUPPORTED,
            Origin::DOMAIN,
            format!("cannot {failure}"),
        )),
        Ok(Report::Failed(failure)) => Err(system(format!("cannot {failure}"))),
        Err(_) => Err(system("the supervisor died before it had started anything")),
    }
}

fn converse(
    mut stream: &UnixStream,
    order: &Order,
    descriptors: &[BorrowedFd<'_>],
    deadline: Duration,
) -> io::Result<Vec<u8>> {
    stream.set_read_timeout(Some(deadline))?;
    stream.set_write_timeout(Some(deadline))?;
    parcel::send(stream, &serde_json::to_vec(order)?, descriptors)?;
    stream.shutdown(std::net::Shutdown::Write)?;
    let mut text = Vec::new();
    stream.read_to_end(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_domain_name_has_a_log_file_inside_of_the_folder() {
        let name = |name: &str| {
            log_name(&GuestSpec {
                name: name.to_owned(),
                ..GuestSpec::default()
            })
        };
        assert_eq!(name("vm one"), "vm one.log");
        let by_uuid = "00000000-0000-0000-0000-000000000000.log";
        for odd in ["", "..", ".hidden", "a/b", "a\nb", &"x".repeat(300)] {
            assert_eq!(name(odd), by_uuid, "{odd:?}");
        }
    }
}
