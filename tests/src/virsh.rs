//! Stock clients against a host under test: virsh, the Python binding, our own command line.

use crate::host::Host;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

/// What a client printed and how it ended.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Exit code.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Answer {
    /// What a client's output says.
    #[must_use]
    pub fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The output of a command that must have succeeded.
    ///
    /// # Panics
    /// When it failed.
    #[track_caller]
    #[must_use]
    pub fn ok(self) -> String {
        assert_eq!(self.code, 0, "failed: {}{}", self.out, self.err);
        self.out
    }

    /// The message of a command that must have failed.
    ///
    /// # Panics
    /// When it succeeded.
    #[track_caller]
    #[must_use]
    pub fn fails(self) -> String {
        assert_ne!(self.code, 0, "succeeded: {}", self.out);
        self.err
    }
}

impl Host {
    /// Runs stock virsh against this host.
    ///
    /// # Panics
    /// When virsh can not be run.
    #[must_use]
    pub fn virsh(&self, arguments: &[&str]) -> Answer {
        Answer::of(&self.virsh_command().args(arguments).output().expect("virsh runs"))
    }

    /// A virsh command to be finished by the caller.
    #[must_use]
    pub fn virsh_command(&self) -> Command {
        let mut command = self.command("virsh");
        command.arg("-q").arg("-c").arg(self.uri()).env("LC_ALL", "C");
        command
    }

    /// Runs our own command line against this host.
    ///
    /// # Panics
    /// When it can not be run.
    #[must_use]
    pub fn lockstep(&self, arguments: &[&str]) -> Answer {
        let mut command = self.command(self.program());
        command.arg("-c").arg(self.uri()).args(arguments);
        Answer::of(&command.output().expect("lockstep runs"))
    }

    /// Runs a Python script with the stock binding; `URI` is in its environment.
    ///
    /// # Panics
    /// When it can not be run.
    #[must_use]
    pub fn python(&self, script: &str) -> Answer {
        let mut command = self.command("/usr/bin/python3");
        command.arg("-c").arg(script).env("URI", self.uri());
        Answer::of(&command.output().expect("python3 runs"))
    }

    /// Writes a document below the root and gives its path.
    ///
    /// # Panics
    /// When it can not be written.
    #[must_use]
    pub fn document(&self, xml: &str) -> PathBuf {
        let number = fs::read_dir(self.root()).map_or(0, Iterator::count);
        let path = self.root().join(format!("document-{number}.xml"));
        fs::write(&path, xml).expect("the document can be written");
        path
    }

    /// Defines a document with virsh.
    ///
    /// # Panics
    /// When virsh refuses.
    #[track_caller]
    pub fn define(&self, xml: &str) {
        let path = self.document(xml);
        let _out = self.virsh(&["define", &path.to_string_lossy()]).ok();
    }

    /// The state of a domain with its reason, as virsh prints it.
    #[track_caller]
    #[must_use]
    pub fn state(&self, name: &str) -> String {
        self.virsh(&["domstate", "--reason", name]).ok().trim().to_owned()
    }
}
