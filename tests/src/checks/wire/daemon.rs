//! `Daemon`: who is spoken to: the one that was named, or a real host that serves the plug-in alone.

use super::target;
use crate::check::{Ctx, Failure, Outcome};
use crate::harness::HOST;
use driver_api::error::Code;
use driver_api::types::uuid::Uuid;
use lockstep::client::{Connection, Error};
use lockstep::paths::Paths;
use lockstep::rpc::codec::domain::{DomainDefineXml, DomainDestroy, DomainRef, DomainUndefine};
use lockstep::rpc::codec::nwfilter::{NwfilterRef, NwfilterUndefine};
use rustix::process::{Pid, Signal, kill_process};
use std::fmt::Display;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How many domains and filters of its own a check may make.
const MOST: usize = 12;

/// The daemon of one check. What the check made there is gone when this is dropped.
#[derive(Debug)]
pub(crate) struct Daemon<'a> {
    ctx: &'a Ctx,
    uri: String,
    own: Option<Child>,
}

impl<'a> Daemon<'a> {
    /// The daemon that was named, or a host of this check's own.
    ///
    /// # Errors
    /// There is no host to start, or it does not come up.
    pub(crate) fn of(ctx: &'a Ctx) -> Outcome<Self> {
        if let Some(uri) = &ctx.order.uri {
            let (uri, own) = (uri.clone(), None);
            return Ok(Self { ctx, uri, own });
        }
        let root = ctx.folder("w")?;
        let child = serve(ctx, &root)?;
        let socket = Paths::find(Some(&root))
            .map(|paths| paths.socket())
            .map_err(|error| Failure::new(format!("the host's folders: {error}")))?;
        let path = if rustix::process::geteuid().is_root() {
            "system"
        } else {
            "session"
        };
        let scheme = if ctx.offers_domains() {
            ctx.order.driver.as_str()
        } else {
            "nwfilter"
        };
        let mut daemon = Self {
            ctx,
            uri: format!("{scheme}+unix:///{path}?socket={}", socket.display()),
            own: Some(child),
        };
        daemon.comes_up(&socket, &root)?;
        Ok(daemon)
    }

    fn comes_up(&mut self, socket: &Path, root: &Path) -> Outcome {
        let until = Instant::now() + Duration::from_secs(60);
        let failed = |what: String| {
            let log = end_of(&root.join("log"));
            let said: Vec<&str> = log.lines().rev().take(8).collect();
            let said: Vec<&str> = said.into_iter().rev().collect();
            Failure::new(format!(
                "the host with the plug-in {what}; it said: {}",
                said.join("\n")
            ))
        };
        while UnixStream::connect(socket).is_err() {
            if let Some(child) = &mut self.own
                && let Ok(Some(status)) = child.try_wait()
            {
                return Err(failed(format!("ended at once ({status})")));
            }
            if Instant::now() > until {
                return Err(failed(String::from("does not come up within 60 s")));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// A new connection.
    ///
    /// # Errors
    /// It is refused.
    pub(crate) fn connect(&self) -> Outcome<Connection> {
        let target = target(&self.uri, false).works("the URI")?;
        Connection::open(&target).works("opening a connection")
    }

    /// A new connection that may only look.
    ///
    /// # Errors
    /// It is refused.
    pub(crate) fn connect_to_look(&self) -> Outcome<Connection> {
        let mut target = target(&self.uri, false).works("the URI")?;
        target.readonly = true;
        Connection::open(&target).works("opening a connection that only reads")
    }

    /// The socket alone, on which nothing was said yet.
    ///
    /// # Errors
    /// Nobody listens.
    pub(crate) fn socket(&self) -> Outcome<UnixStream> {
        let target = target(&self.uri, false).works("the URI")?;
        let socket = UnixStream::connect(&target.socket)
            .and_then(|socket| socket.set_read_timeout(Some(Duration::from_secs(20))).map(|()| socket));
        socket.map_err(|error| Failure::new(format!("connecting to '{}': {error}", target.socket.display())))
    }

    /// The URI that connections open, without the way there.
    ///
    /// # Errors
    /// It is none.
    pub(crate) fn name(&self) -> Outcome<Option<String>> {
        Ok(target(&self.uri, false).works("the URI")?.name)
    }

    /// The name of this check's `n`th domain or filter: nobody else's on the daemon.
    pub(crate) fn called(&self, n: usize) -> String {
        format!("wire-{:08x}-{n}", self.ctx.seed() & 0xffff_ffff)
    }

    /// Its UUID.
    pub(crate) fn uuid(&self, n: usize) -> Uuid {
        self.ctx.uuid(n)
    }

    /// A valid document of the `n`th domain.
    pub(crate) fn document(&self, n: usize) -> String {
        let template = &self.ctx.fixtures().domain.valid;
        self.ctx.domain_as(template, &self.called(n), self.uuid(n))
    }

    /// Another one of the same domain.
    pub(crate) fn changed(&self, n: usize) -> String {
        let template = &self.ctx.fixtures().domain.second;
        self.ctx.domain_as(template, &self.called(n), self.uuid(n))
    }

    /// The `n`th domain as calls name it.
    pub(crate) fn reference(&self, n: usize) -> DomainRef {
        DomainRef::new(&self.called(n), self.uuid(n), None)
    }

    /// Defines the `n`th domain.
    ///
    /// # Errors
    /// It is refused.
    pub(crate) fn define(&self, connection: &mut Connection, n: usize) -> Outcome<DomainRef> {
        let xml = self.document(n);
        connection.call(&DomainDefineXml { xml }).works("defining a domain")
    }
}

impl Ctx {
    fn offers_domains(&self) -> bool {
        let candidate = self.builder().candidate();
        candidate.is_ok_and(|candidate| candidate.interfaces().contains(&"virt.lifecycle/1"))
    }
}

/// Starts the host in a folder where no other plug-in lies.
fn serve(ctx: &Ctx, root: &Path) -> Outcome<Child> {
    let failed =
        |what: &str, error: &dyn Display| Failure::new(format!("the host can not be started: {what}: {error}"));
    let bin = ctx.folder("bin")?;
    let alone = |from: &Path| -> Outcome<PathBuf> {
        let to = bin.join(from.file_name().unwrap_or_default());
        if std::fs::hard_link(from, &to).is_err() {
            std::fs::copy(from, &to).map_err(|error| failed(&from.display().to_string(), &error))?;
        }
        Ok(to)
    };
    // A copy: another link would be somebody else's to change. Hosts find plug-ins by such a name.
    let plugin = bin.join(format!("lib{}_driver.so", ctx.order.driver));
    std::fs::copy(ctx.plugin(), &plugin).map_err(|error| failed("the plug-in", &error))?;
    let own = std::env::current_exe().map_err(|error| failed("this program", &error))?;
    let (program, first) = match &ctx.order.lockstep {
        Some(program) => (program, None),
        None => (&own, Some(HOST)),
    };
    let program = alone(program)?;
    let config = root.join("suite.toml");
    let mut settings = format!("[driver.{}]\n", ctx.order.driver);
    for (name, value) in &ctx.fixtures().options {
        let value = value.replace("@ROOT@", &ctx.root().to_string_lossy());
        settings.push_str(&format!("{name:?} = {value:?}\n"));
    }
    std::fs::write(&config, settings).map_err(|error| failed("its settings", &error))?;
    let log = File::create(root.join("log")).map_err(|error| failed("its log", &error))?;
    let both = log.try_clone().map_err(|error| failed("its log", &error))?;
    let started = Command::new(program)
        .args(first)
        .arg("serve")
        .arg("--root")
        .arg(root)
        .arg("--config")
        .arg(config)
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(both)
        .spawn();
    started.map_err(|error| failed("its process", &error))
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        if let Some(mut child) = self.own.take() {
            let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
            let asked = pid.is_some_and(|pid| kill_process(pid, Signal::TERM).is_ok());
            let until = Instant::now() + Duration::from_secs(10);
            while asked && Instant::now() < until && matches!(child.try_wait(), Ok(None)) {
                std::thread::sleep(Duration::from_millis(20));
            }
            let _ended = child.kill();
            let _status = child.wait();
            return;
        }
        // Somebody else's daemon goes on: nothing of ours may stay there.
        let Ok(mut connection) = self.connect() else { return };
        for n in 0..MOST {
            let dom = self.reference(n);
            let _ended = connection.call(&DomainDestroy { dom: dom.clone() });
            let _gone = connection.call(&DomainUndefine { dom });
        }
        for n in (0..MOST).rev() {
            let filter = NwfilterRef {
                name: self.called(n),
                uuid: self.uuid(n),
            };
            let _gone = connection.call(&NwfilterUndefine { filter });
        }
    }
}

/// Turns what a daemon answers into an outcome.
pub(crate) trait Told<T> {
    /// The call must succeed.
    ///
    /// # Errors
    /// It failed; `what` says which call that was.
    fn works(self, what: impl Display) -> Outcome<T>;

    /// The call must fail with one of these codes.
    ///
    /// # Errors
    /// It succeeded, failed with another code, or the connection was lost.
    fn fails_with(self, codes: &[Code], what: impl Display) -> Outcome;
}

impl<T> Told<T> for lockstep::client::Result<T> {
    fn works(self, what: impl Display) -> Outcome<T> {
        self.map_err(|error| match error {
            Error::Remote(error) => {
                let code = error.code().0;
                Failure::new(format!("{what}: expected success, found error {code}: {error}"))
            }
            other => Failure::new(format!("{what}: expected success, found: {other}")),
        })
    }

    fn fails_with(self, codes: &[Code], what: impl Display) -> Outcome {
        let wanted: Vec<String> = codes.iter().map(|code| code.0.to_string()).collect();
        let wanted = wanted.join(" or ");
        match self {
            Ok(_) => Err(Failure::new(format!("{what}: expected error {wanted}, found success"))),
            Err(Error::Remote(error)) if codes.is_empty() || codes.contains(&error.code()) => Ok(()),
            Err(Error::Remote(error)) => {
                let found = error.code().0;
                Err(Failure::new(format!(
                    "{what}: expected error {wanted}, found error {found}: {error}"
                )))
            }
            Err(other) => Err(Failure::new(format!("{what}: expected error {wanted}, found: {other}"))),
        }
    }
}

/// The end of a log that a plug-in may have filled with anything.
fn end_of(log: &Path) -> String {
    const KEPT: u64 = 16 * 1024;
    let read = |mut file: File| {
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(KEPT)))?;
        let mut end = Vec::new();
        file.take(KEPT).read_to_end(&mut end)?;
        std::io::Result::Ok(String::from_utf8_lossy(&end).into_owned())
    };
    File::open(log).and_then(read).unwrap_or_default()
}
