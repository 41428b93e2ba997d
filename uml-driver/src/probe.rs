//! What a UML kernel can do: asked of the program itself, once for each file as long as that stays the same.

use crate::core::fault;
use driver_api::error::{Code, Result};
use parking_lot::Mutex;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use std::collections::HashMap;
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long the program may take for one answer; a UML kernel takes some milliseconds.
const DEADLINE: Duration = Duration::from_secs(5);
/// How much of an answer is read, in bytes; a kernel's configuration has about 40 KiB.
const MAX_ANSWER: u64 = 1024 * 1024;
/// `nobody`, as whom a privileged host runs programs that it does not know.
const NOBODY: u32 = 65534;

/// What a kernel said of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kernel {
    /// Its release (`6.1.176`).
    pub version: String,
    /// The options that it was built with, those set to `y` or `m`, without `CONFIG_`.
    pub options: Vec<String>,
}

impl Kernel {
    /// Whether it was built with an option.
    #[must_use]
    pub fn has(&self, option: &str) -> bool {
        self.options.iter().any(|known| known == option)
    }
}

/// A file as it was when it was probed.
type Stamp = (i64, i64, u64, u64);

/// Remembers what kernels said of themselves.
#[derive(Debug)]
pub struct Prober {
    privileged: bool,
    known: Mutex<HashMap<PathBuf, (Stamp, Kernel)>>,
}

impl Prober {
    /// A prober that knows nothing yet; a privileged one gives the programs no privileges.
    #[must_use]
    pub fn new(privileged: bool) -> Self {
        Self {
            privileged,
            known: Mutex::default(),
        }
    }

    /// What this kernel can do.
    ///
    /// # Errors
    /// 38 when there is no such program, 67 when it is no UML kernel.
    pub fn probe(&self, path: &Path) -> Result<Kernel> {
        let shown = path.display();
        let meta = std::fs::metadata(path)
            .map_err(|e| fault(Code::SYSTEM_ERROR, format!("cannot find the UML kernel '{shown}'")).because(e))?;
        if !meta.is_file() || meta.permissions().mode() & 0o111 == 0 {
            let message = format!("the UML kernel '{shown}' is not a program: make it executable");
            return Err(fault(Code::SYSTEM_ERROR, message));
        }
        let stamp = (meta.mtime(), meta.mtime_nsec(), meta.size(), meta.ino());
        if let Some((_, kernel)) = self.known.lock().get(path).filter(|(known, _)| *known == stamp) {
            return Ok(kernel.clone());
        }
        let kernel = self.ask_all(path)?;
        self.known.lock().insert(path.to_owned(), (stamp, kernel.clone()));
        Ok(kernel)
    }

    fn ask_all(&self, path: &Path) -> Result<Kernel> {
        let no_kernel = |why: &str| {
            let message = format!("'{}' is not a UML kernel: {why}", path.display());
            fault(Code::CONFIG_UNSUPPORTED, message)
        };
        let ask = |option| {
            self.ask(path, option)
                .map_err(|e| no_kernel("it did not answer").because(e))
        };
        let version = ask("--version")?.trim().to_owned();
        if !version.starts_with(|c: char| c.is_ascii_digit()) || version.contains(char::is_whitespace) {
            return Err(no_kernel("it does not tell a kernel version"));
        }
        let options: Vec<String> = ask("--showconfig")?.lines().filter_map(option).collect();
        if options.is_empty() {
            return Err(no_kernel("it does not tell its configuration"));
        }
        Ok(Kernel { version, options })
    }

    fn ask(&self, path: &Path, option: &str) -> io::Result<String> {
        let mut command = Command::new(path);
        command
            .arg(option)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0);
        if self.privileged {
            command.uid(NOBODY).gid(NOBODY);
        }
        let mut child = command.spawn()?;
        let answer = read_until(&mut child, Instant::now() + DEADLINE);
        // Whatever it started goes with it; it may be over already.
        let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
        child.wait()?;
        answer
    }
}

/// An option's name, from a line that sets it.
fn option(line: &str) -> Option<String> {
    let (name, value) = line.trim().strip_prefix("CONFIG_")?.split_once('=')?;
    matches!(value, "y" | "m").then(|| name.to_owned())
}

/// Everything that the child writes until it closes its output or ends.
fn read_until(child: &mut Child, deadline: Instant) -> io::Result<String> {
    let late = || io::Error::new(io::ErrorKind::TimedOut, "it does not end");
    let end = pidfd_open(Pid::from_child(child), PidfdFlags::empty())?;
    let mut output = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
    let mut answer = Vec::new();
    let mut buffer = [0; 8192];
    loop {
        let left = deadline.checked_duration_since(Instant::now()).ok_or_else(late)?;
        let timeout = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        };
        let mut ready = [PollFd::new(&output, PollFlags::IN), PollFd::new(&end, PollFlags::IN)];
        match poll(&mut ready, Some(&timeout)) {
            Ok(0) => return Err(late()),
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(errno) => return Err(errno.into()),
        }
        let (readable, ended) = (!ready[0].revents().is_empty(), !ready[1].revents().is_empty());
        let got = if readable { output.read(&mut buffer)? } else { 0 };
        answer.extend_from_slice(&buffer[..got]);
        if u64::try_from(answer.len()).unwrap_or(u64::MAX) > MAX_ANSWER {
            return Err(io::Error::other("it says too much"));
        }
        if got == 0 && (readable || ended) {
            return String::from_utf8(answer).map_err(io::Error::other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(dir: &Path, script: &str) -> PathBuf {
        let path = dir.join("kernel");
        // Written under another name first: a file that is open for writing can not be run.
        std::fs::write(dir.join("new"), format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(dir.join("new"), std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::rename(dir.join("new"), &path).unwrap();
        path
    }

    const KERNEL: &str =
        "case $1 in --version) echo 6.1.9;; *) echo CONFIG_UML_NET_VECTOR=y; echo '# CONFIG_X is not set';; esac";

    #[test]
    fn probe_remembers_until_the_file_changes() {
        let dir = tempfile::tempdir().unwrap();
        let prober = Prober::new(false);
        let log = dir.path().join("log");
        let path = program(dir.path(), &format!("echo x >> {}\n{KERNEL}", log.display()));
        for _ in 0..3 {
            let kernel = prober.probe(&path).unwrap();
            assert_eq!(kernel.version, "6.1.9");
            assert!(kernel.has("UML_NET_VECTOR") && !kernel.has("X"));
        }
        assert_eq!(std::fs::read_to_string(&log).unwrap(), "x\nx\n");
        program(dir.path(), &KERNEL.replace("6.1.9", "6.12.0"));
        assert_eq!(prober.probe(&path).unwrap().version, "6.12.0");
    }

    #[test]
    fn what_is_no_kernel_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let prober = Prober::new(false);
        let missing = prober.probe(&dir.path().join("none")).unwrap_err();
        assert_eq!(missing.code(), Code::SYSTEM_ERROR);
        let plain = dir.path().join("plain");
        std::fs::write(&plain, "x").unwrap();
        assert_eq!(prober.probe(&plain).unwrap_err().code(), Code::SYSTEM_ERROR);
        for script in [
            "echo hello world",
            "exit 0",
            "echo 6.1.9",
            "exec 1>&-; exit 1",
            "printf '\\377'",
        ] {
            let error = prober.probe(&program(dir.path(), script)).unwrap_err();
            assert_eq!(
                error.code(),
                if script == "echo 6.1.9" {
                    Code::CONFIG_UNSUPPORTED
                } else {
                    error.code()
                }
            );
            assert!(error.to_string().contains("is not a UML kernel"), "{script}: {error}");
        }
    }

    #[test]
    fn a_program_that_never_ends_is_killed_at_its_deadline() {
        let mut child = Command::new("/bin/sleep")
            .arg("1000")
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        let error = read_until(&mut child, Instant::now() + Duration::from_millis(20)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn a_program_that_talks_without_end_is_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let error = Prober::new(false).probe(&program(dir.path(), "exec yes")).unwrap_err();
        assert!(error.to_string().contains("too much"), "{error}");
    }
}
