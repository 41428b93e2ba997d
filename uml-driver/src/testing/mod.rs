//! A scripted host for tests: locks that only check, guests that are threads with a console socket.

pub(crate) mod guests;
pub(crate) mod kernel;
mod link;
pub(crate) mod locks;
pub(crate) mod network;

use crate::core::Core;
use crate::driver::Uml;
use driver_api::driver::Config;
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;
use driver_api::types::domain::{DomainEvent, DomainEventKind, Lifecycle};
use guests::FakeHost;
use network::FakeNetwork;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;

/// A driver over a scripted host in a folder of its own.
pub(crate) struct Lab {
    pub(crate) root: TempDir,
    pub(crate) host: Arc<FakeHost>,
    pub(crate) uml: Uml,
    pub(crate) network: FakeNetwork,
    options: Vec<(String, String)>,
}

impl Lab {
    pub(crate) fn new() -> Self {
        Self::with_options(&[])
    }

    pub(crate) fn with_options(options: &[(&str, &str)]) -> Self {
        let options = options
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let options: Vec<(String, String)> = options.collect();
        let root = tempfile::tempdir().unwrap();
        let kernel = root.path().join("kernel");
        let script = "#!/bin/sh\ncase $1 in --version) echo 6.1.9;; *) echo CONFIG_UML_NET_VECTOR=y;; esac\n";
        std::fs::write(&kernel, script).unwrap();
        std::fs::set_permissions(&kernel, std::fs::Permissions::from_mode(0o755)).unwrap();
        let host = FakeHost::new(root.path());
        let network = FakeNetwork::new(&host.log);
        let uml = open(&root, &host, &network, &options);
        Self {
            root,
            host,
            uml,
            network,
            options,
        }
    }

    /// The same root and guests under a new driver, as after the death of the host.
    pub(crate) fn reopen(&mut self) {
        self.host.deafen();
        self.uml = open(&self.root, &self.host, &self.network, &self.options);
    }

    pub(crate) fn conf(&self) -> PathBuf {
        self.root.path().join("conf")
    }

    /// A document; `more` goes in before `<devices>`.
    pub(crate) fn xml(&self, name: &str, uuid: &str, more: &str) -> String {
        let kernel = self.root.path().join("kernel");
        format!(
            "<domain type='uml'><name>{name}</name><uuid>{uuid}</uuid><memory>65536</memory>\
             <os><type>uml</type><kernel>{}</kernel></os>{more}<devices><console type='pty'/></devices></domain>",
            kernel.display()
        )
    }

    pub(crate) fn cx<T>(&self, work: impl FnOnce(&mut Cx<'_, Unlocked>) -> T) -> T {
        self.host.locks.session(work)
    }

    /// The events so far, as short words, and none of them a second time.
    pub(crate) fn events(&self) -> Vec<String> {
        self.host.events.lock().drain(..).map(|event| short(&event)).collect()
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.uml.0
    }
}

fn open(root: &TempDir, host: &Arc<FakeHost>, network: &FakeNetwork, options: &[(String, String)]) -> Uml {
    let config = Config {
        conf_dir: root.path().join("conf"),
        state_dir: root.path().join("state"),
        run_dir: root.path().join("run"),
        log_dir: root.path().join("log"),
        privileged: false,
        options: options.to_vec(),
    };
    let uml = Uml(Arc::new(
        Core::new(Box::new(Arc::clone(host)), Box::new(network.clone()), &config).unwrap(),
    ));
    host.serve(&uml);
    uml
}

fn short(event: &DomainEvent) -> String {
    let kind = match event.kind {
        DomainEventKind::Reboot => "reboot".to_owned(),
        DomainEventKind::Lifecycle(kind, detail) => {
            let kind = match kind {
                Lifecycle::Defined => "defined",
                Lifecycle::Undefined => "undefined",
                Lifecycle::Started => "started",
                Lifecycle::Suspended => "suspended",
                Lifecycle::Resumed => "resumed",
                Lifecycle::Stopped => "stopped",
                Lifecycle::Shutdown => "shutdown",
                Lifecycle::PmSuspended => "pmsuspended",
                Lifecycle::Crashed => "crashed",
            };
            format!("{kind}/{detail}")
        }
    };
    format!("{kind} id={}", event.id.unwrap_or(-1))
}
