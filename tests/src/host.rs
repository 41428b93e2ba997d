//! A running host under a private root: started, killed, started again, and gone at the end with all that it made.

use crate::process;
use crate::wait;
use rustix::process::Signal;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// The folder of the build that this test binary belongs to: the host and the drivers lie there.
///
/// # Panics
/// When the test binary does not lie in a build folder.
#[must_use]
pub fn build_dir() -> PathBuf {
    let me = std::env::current_exe().expect("the test knows its own path");
    me.ancestors().nth(2).expect("target/PROFILE/deps/TEST").to_owned()
}

/// The host's binary.
#[must_use]
pub fn binary() -> PathBuf {
    build_dir().join("lockstep")
}

/// The ordinary user that a host may be run as: `nobody`, which every system knows.
pub const USER: u32 = 65534;

/// A private root and the host that serves it.
#[derive(Debug)]
pub struct Host {
    root: TempDir,
    child: Option<Child>,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    /// The user that the host and its clients run as; the test's own without.
    user: Option<u32>,
    program: PathBuf,
    /// The driver that clients speak to.
    driver: String,
}

impl Host {
    /// Starts a host with the drivers of this build and waits until it answers.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a host with further arguments for `lockstep serve`.
    ///
    /// # Panics
    /// When it does not come up; its log is shown.
    #[must_use]
    pub fn start_with(arguments: &[&str]) -> Self {
        let mut host = Self::new("ls");
        host.arguments = arguments.iter().map(|&a| a.to_owned()).collect();
        host.serve();
        host
    }

    /// Starts a host with further arguments and variables in its environment.
    #[must_use]
    pub fn start_in_environment(environment: &[(&str, &str)], arguments: &[&str]) -> Self {
        let mut host = Self::new("ls");
        host.arguments = arguments.iter().map(|&a| a.to_owned()).collect();
        host.environment = environment
            .iter()
            .map(|&(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        host.serve();
        host
    }

    /// Starts another build's host, with the drivers of a folder before those beside it.
    #[must_use]
    pub fn start_other(program: &Path, drivers: &Path) -> Self {
        let mut host = Self::new("ls");
        program.clone_into(&mut host.program);
        host.arguments = vec!["--plugin-dir".to_owned(), drivers.to_string_lossy().into_owned()];
        host.serve();
        host
    }

    /// Starts a host whose clients speak to another driver than `uml`, which lies in `folder`.
    #[must_use]
    pub fn start_driver(driver: &str, folder: &Path) -> Self {
        let mut host = Self::new("ls");
        driver.clone_into(&mut host.driver);
        host.arguments = vec!["--plugin-dir".to_owned(), folder.to_string_lossy().into_owned()];
        host.serve();
        host
    }

    /// Starts a host in a root whose name begins with `prefix`.
    #[must_use]
    pub fn start_in(prefix: &str) -> Self {
        let mut host = Self::new(prefix);
        host.serve();
        host
    }

    /// Starts a host as the ordinary user [`USER`], who owns its root; its clients are that user too.
    ///
    /// # Panics
    /// When the test does not run as root.
    #[must_use]
    pub fn start_as_user() -> Self {
        let mut host = Self::new("ls");
        host.user = Some(USER);
        // The user may not be able to enter the build folder, which may lie in root's home.
        let programs = host.root().join("bin");
        fs::create_dir(&programs).expect("a folder");
        for file in ["lockstep", "libuml_driver.so", "libnwfilter_driver.so"] {
            let _size = fs::copy(build_dir().join(file), programs.join(file)).expect("the build can be copied");
        }
        host.program = programs.join("lockstep");
        std::os::unix::fs::chown(host.root(), Some(USER), Some(USER)).expect("root gives files away");
        host.serve();
        host
    }

    fn new(prefix: &str) -> Self {
        // A short path: guests' sockets live below it and a socket's path may have 107 bytes.
        let root = tempfile::Builder::new()
            .prefix(prefix)
            .tempdir_in("/tmp")
            .expect("a temporary folder");
        Self {
            root,
            child: None,
            arguments: Vec::new(),
            environment: Vec::new(),
            user: None,
            program: binary(),
            driver: "uml".to_owned(),
        }
    }

    /// A program that runs as this host's user, at home in its root.
    #[must_use]
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env("HOME", self.root());
        if let Some(user) = self.user {
            // Leaves the supplementary groups too.
            command.uid(user).gid(user).env("XDG_RUNTIME_DIR", self.root());
            command.current_dir(self.root());
        }
        command
    }

    /// The host's binary.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Starts the host again on the same root.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn serve(&mut self) {
        assert!(self.child.is_none(), "the host runs already");
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log_path())
            .expect("the log opens");
        let mut command = self.command(self.program());
        command
            .arg("serve")
            .arg("--root")
            .arg(self.root())
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a descriptor"))
            .stderr(log);
        // A group of its own, as a service manager gives it: a signal for the test's group is not for the host.
        command.process_group(0);
        let mut child = command.spawn().expect("the host starts");
        wait::until("the host answers", || {
            if let Some(status) = child.try_wait().expect("the host can be waited for") {
                panic!("the host ended at once ({status}):\n{}", self.log());
            }
            std::os::unix::net::UnixStream::connect(self.socket()).ok()
        });
        self.child = Some(child);
    }

    /// The root folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// The read-write socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.root().join("run/lockstep/libvirt-sock")
    }

    /// The read-only socket.
    #[must_use]
    pub fn read_only_socket(&self) -> PathBuf {
        self.root().join("run/lockstep/libvirt-sock-ro")
    }

    /// The URI that stock clients open.
    #[must_use]
    pub fn uri(&self) -> String {
        let path = if self.user.is_some() { "session" } else { "system" };
        format!("{}+unix:///{path}?socket={}", self.driver, encoded(&self.socket()))
    }

    /// The last lines of each guest's console, and what its processes wait for.
    fn guests(&self) -> String {
        let mut told = String::new();
        for entry in fs::read_dir(self.root().join("var/log/lockstep/uml"))
            .into_iter()
            .flatten()
            .flatten()
        {
            let text = fs::read(entry.path()).unwrap_or_default();
            let text = String::from_utf8_lossy(&text).into_owned();
            let lines: Vec<&str> = text
                .lines()
                .filter(|line| !line.starts_with("setup_one_line"))
                .collect();
            let last = lines
                .iter()
                .skip(lines.len().saturating_sub(12))
                .map(|line| format!("  {line}\n"));
            told.push_str(&format!("{}\n{}", entry.path().display(), last.collect::<String>()));
        }
        for supervisor in self.supervisors() {
            for process in process::descendants(supervisor.pid) {
                let of = |file: &str| fs::read_to_string(format!("/proc/{}/{file}", process.pid)).unwrap_or_default();
                let (pid, state) = (process.pid, process.state);
                told.push_str(&format!("{pid} {state} {} {}\n", of("wchan"), of("syscall").trim()));
            }
        }
        told
    }

    fn log_path(&self) -> PathBuf {
        self.root().join("host.log")
    }

    /// What the host has logged.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// The host's pid.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.as_ref().expect("the host runs").id()).expect("a pid fits")
    }

    /// Kills the host as a crash would (SIGKILL) and waits until it is gone.
    ///
    /// # Panics
    /// When it does not run.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("the host runs");
        child.kill().expect("the host can be killed");
        child.wait().expect("the host can be waited for");
    }

    /// Asks the host to stop (SIGTERM) and waits; guests go on.
    ///
    /// # Panics
    /// When it does not run or ends with a failure.
    pub fn stop(&mut self) {
        process::signal(self.pid(), Signal::TERM);
        let status = self
            .child
            .take()
            .expect("the host runs")
            .wait()
            .expect("the host can be waited for");
        assert!(status.success(), "the host ended with {status}:\n{}", self.log());
    }

    /// The console log of a guest, rotated parts first.
    #[must_use]
    pub fn console_log(&self, name: &str) -> String {
        let dir = self.root().join("var/log/lockstep").join(&self.driver);
        let mut text = Vec::new();
        for suffix in [".log.2", ".log.1", ".log"] {
            text.extend(fs::read(dir.join(format!("{name}{suffix}"))).unwrap_or_default());
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    /// The supervisors of this root that live.
    #[must_use]
    pub fn supervisors(&self) -> Vec<process::Process> {
        let me = i32::try_from(std::process::id()).expect("a pid fits");
        process::descendants(me)
            .into_iter()
            .filter(|p| p.command.contains("__supervise"))
            .collect()
    }
}

/// A path as a URI's query wants it.
fn encoded(path: &Path) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.".contains(&byte);
    let bytes = path.as_os_str().as_bytes().iter();
    bytes
        .map(|&byte| match plain(byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}

impl Drop for Host {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- host log\n{}", self.log());
            eprintln!("--- guests\n{}", self.guests());
        }
        if let Some(mut child) = self.child.take() {
            process::signal(i32::try_from(child.id()).unwrap_or(0), Signal::TERM);
            let _status = child.wait();
        }
    }
}
