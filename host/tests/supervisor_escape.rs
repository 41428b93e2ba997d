//! A hostile guest tries to get out: whatever it tries is refused, and each layer is what refuses something.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests, which end by panic")]

mod supervisor_kit;

use driver_api::error::Code;
use driver_api::types::guest::{GuestId, GuestSpec, Started};
use driver_api::types::param::Param;
use lockstep::supervisor::{Layers, Options};
use std::collections::HashMap;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use supervisor_kit::{Host, need, shell};

const WHY_NOT: &str = "no C compiler with a static C library, or the kernel gives this user no namespaces";

/// Built by the first run, which may be root's for an ordinary user.
const ATTACKER: &str = "LOCKSTEP_TEST_ATTACKER";

/// The program that tries, in a folder of its own.
fn attacker(folder: &Path) -> Option<PathBuf> {
    if let Some(built) = std::env::var_os(ATTACKER) {
        return Some(PathBuf::from(built));
    }
    let program = folder.join("attacker");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/escape/attacker.c");
    let mut compiler = Command::new("cc");
    compiler.args(["-static", "-O1", "-o"]).arg(&program).arg(source);
    compiler
        .status()
        .is_ok_and(|status| status.success())
        .then_some(program)
}

/// What the host has that a guest must not reach.
struct Target {
    host: Host,
    attacker: PathBuf,
    secret: PathBuf,
    neighbour: Started,
    abstract_name: String,
    port: u16,
    _listeners: (UnixListener, TcpListener),
}

impl Target {
    fn new(options: impl FnOnce(&mut Options)) -> Option<Self> {
        let mut host = Host::new();
        options(&mut host.options);
        host.open();
        let attacker = attacker(host.root.path())?;
        let secret = host.root.path().join("secret");
        std::fs::write(&secret, "secret").unwrap();
        // Whoever gets at it may read it: only the walls count.
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o644)).unwrap();
        std::fs::set_permissions(host.root.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let neighbour = host.guests().spawn("d", &shell("echo up; sleep 1000")).unwrap();
        host.await_text(GuestId(neighbour.guest), "up");
        let abstract_name = format!("lockstep-escape-{}", std::process::id());
        let name = SocketAddr::from_abstract_name(format!("{abstract_name}-{}", neighbour.run_dir.display())).unwrap();
        let abstract_name = format!("{abstract_name}-{}", neighbour.run_dir.display());
        let listeners = (
            UnixListener::bind_addr(&name).unwrap(),
            TcpListener::bind("127.0.0.1:0").unwrap(),
        );
        Some(Self {
            host,
            attacker,
            secret,
            neighbour,
            abstract_name,
            port: listeners.1.local_addr().unwrap().port(),
            _listeners: listeners,
        })
    }

    /// Lets it try, against process `victim`; returns the answers by the names of the tries, and the guest, which goes on.
    fn attack(&self, victim: u32) -> (HashMap<String, String>, Started) {
        let run = self.host.root.path().join("run/guests");
        let neighbour = run.join(self.neighbour.guest.to_string());
        let sockets = ["control", "console0.sock", "guest/notify"].map(|name| neighbour.join(name));
        let mut argv = vec![
            self.attacker.display().to_string(),
            self.secret.display().to_string(),
            victim.to_string(),
            self.abstract_name.clone(),
            self.port.to_string(),
        ];
        argv.extend(sockets.iter().map(|socket| socket.display().to_string()));
        // Its own supervisor's, which is as near as can be.
        argv.push("/run/guest/../control".to_owned());
        let spec = GuestSpec {
            argv,
            domain: driver_api::types::uuid::Uuid::from_bytes([9; 16]),
            ..shell("")
        };
        let started = self.host.guests().spawn("d", &spec).unwrap();
        let guest = GuestId(started.guest);
        self.host.await_text(guest, "tried\n");
        let said = self.host.guests().console_tail(guest, 16 * 1024).unwrap();
        let answer = |line: &str| {
            line.split_once(' ')
                .map(|(name, rest)| (name.to_owned(), rest.to_owned()))
        };
        (said.lines().filter_map(answer).collect(), started)
    }
}

#[test]
fn a_hostile_guest_gets_nowhere() {
    need!(supervisor_kit::can_run(), supervisor_kit::WHY_NOT);
    let target = Target::new(|_| {});
    need!(target.is_some(), WHY_NOT);
    let target = target.unwrap();
    let neighbour_supervisor = supervisor_kit::parent(target.neighbour.pid);
    for victim in [std::process::id(), target.neighbour.pid, neighbour_supervisor] {
        let (answers, started) = target.attack(victim);
        // What is in its own world, and changes nothing outside of it.
        let harmless = [
            "descriptors",
            "less-likely-killed",
            "setuid-root",
            "setgid-root",
            "priority",
        ];
        for (name, answer) in &answers {
            assert!(
                harmless.contains(&name.as_str()) || answer != "0",
                "'{name}' succeeded against {victim}: {answers:?}"
            );
        }
        assert!(answers.len() > 60, "{answers:?}");
        assert_eq!(answers["descriptors"], "0 1 2 10");
        if supervisor_kit::is_root() {
            assert_ne!(answers["setuid-root"], "0");
        }
        // Which wall it met: other numbers would mean that another one stands for it.
        for (name, errno) in [
            ("file", libc::ENOENT),
            ("kill", libc::ESRCH),
            ("ptrace", libc::ESRCH),
            ("unshare-user", libc::EPERM),
            ("clone-user", libc::EPERM),
            ("clone3", libc::ENOSYS),
            ("keys", libc::EPERM),
            ("outlive", libc::EPERM),
            ("packet", libc::EAFNOSUPPORT),
            ("32-bit", libc::ENOSYS),
            ("second-table", libc::ENOSYS),
            ("make-in-root", libc::EROFS),
        ] {
            assert_eq!(answers[name], errno.to_string(), "{name}");
        }
        // Everything that it tried against is as it was.
        for pid in [
            std::process::id(),
            target.neighbour.pid,
            neighbour_supervisor,
            started.pid,
        ] {
            assert!(supervisor_kit::exists(pid));
        }
        let security = target.host.guests().security(&started.domain).unwrap();
        assert_eq!(security.pid, started.pid);
        let expected_off: &[&str] = if supervisor_kit::is_root() {
            // Root's guests need no user namespace: they are nobody outside as well.
            &["user namespace"]
        } else {
            &["user", "cgroups"]
        };
        for layer in &security.layers {
            assert_eq!(layer.on, !expected_off.contains(&layer.layer.as_str()), "{layer:?}");
        }
        let files: Vec<&str> = security.files.iter().map(|seen| seen.path.as_str()).collect();
        let program = target.attacker.display().to_string();
        assert!(files.contains(&program.as_str()), "{files:?}");
        assert!(
            !files.iter().any(|file| file.contains("secret") || *file == "/etc"),
            "{files:?}"
        );
        target.host.guests().kill(GuestId(started.guest)).unwrap();
        let error = target.host.guests().security(&started.domain).unwrap_err();
        assert_eq!(error.code(), Code::OPERATION_INVALID, "{error}");
    }
}

/// With one layer off, what that one alone refuses succeeds: the test above would notice if it were not there.
#[test]
fn each_layer_refuses_something_that_no_other_does() {
    need!(supervisor_kit::can_run(), supervisor_kit::WHY_NOT);
    let pid = std::process::id();
    let all = Layers::default();
    let open = Layers {
        network_namespace: false,
        ..all
    };
    // Layers, and the tries that they refuse ("on") and let through ("off").
    let cases: [(Layers, Layers, &[&str]); 3] = [
        (
            all,
            Layers { seccomp: false, ..all },
            &["unshare-user", "unshare-user-net", "clone-user", "keys"],
        ),
        (
            open,
            Layers {
                landlock: false,
                ..open
            },
            &["abstract", "tcp", "listen"],
        ),
        (
            Layers { landlock: false, ..all },
            Layers {
                landlock: false,
                ..open
            },
            &["abstract", "tcp"],
        ),
    ];
    for (on, off, tries) in cases {
        for (layers, refused) in [(on, true), (off, false)] {
            let target = Target::new(|options| options.layers = layers);
            need!(target.is_some(), WHY_NOT);
            let target = target.unwrap();
            let (answers, started) = target.attack(pid);
            // Whatever is turned off, no guest outlives its supervisor.
            assert_ne!(answers["outlive"], "0", "{layers:?}");
            for name in tries {
                assert_eq!(answers[*name] != "0", refused, "{name} with {layers:?}: {answers:?}");
            }
            let off = [
                (layers.seccomp, "system calls"),
                (layers.landlock, "Landlock"),
                (layers.network_namespace, "net namespace"),
            ];
            let security = target.host.guests().security(&started.domain).unwrap();
            for (on, name) in off {
                let layer = security.layers.iter().find(|layer| layer.layer == name).unwrap();
                assert_eq!(layer.on, on, "{layer:?}");
                let key = "is turned off in lockstep.toml";
                let notes = started.not_isolated.iter().filter(|note| note.contains(key)).count();
                assert_eq!(
                    notes,
                    off.iter().filter(|(on, _)| !on).count(),
                    "{:?}",
                    started.not_isolated
                );
            }
            target.host.guests().kill(GuestId(started.guest)).unwrap();
        }
    }
}

#[test]
fn a_guest_without_cgroups_or_with_the_hosts_user_says_so() {
    need!(
        supervisor_kit::can_run() && supervisor_kit::is_root(),
        "only root has these layers"
    );
    let target = Target::new(|options| {
        options.layers.cgroups = false;
        options.user = Some((0, 0));
    });
    need!(target.is_some(), WHY_NOT);
    let target = target.unwrap();
    let (answers, started) = target.attack(std::process::id());
    // Root without a capability is behind all the other walls.
    let succeeded: Vec<_> = answers.iter().filter(|(_, answer)| *answer == "0").collect();
    assert_eq!(succeeded.len(), 1, "{succeeded:?}");
    let guest = GuestId(started.guest);
    assert_eq!(
        supervisor_kit::groups_of(target.host.root.path()),
        Vec::<PathBuf>::new()
    );
    let security = target.host.guests().security(&started.domain).unwrap();
    for name in ["user", "cgroups"] {
        let layer = security.layers.iter().find(|layer| layer.layer == name).unwrap();
        assert!(!layer.on, "{layer:?}");
    }
    let error = target
        .host
        .guests()
        .limit(guest, &[Param::new("pids", 100_u64)])
        .unwrap_err();
    assert_eq!(error.code(), Code::CONFIG_UNSUPPORTED);
    assert!(
        error.to_string().contains("'cgroups' turned off in lockstep.toml"),
        "{error}"
    );
    target.host.guests().kill(guest).unwrap();
}

#[test]
fn all_of_this_holds_for_an_ordinary_user_too() {
    need!(
        supervisor_kit::can_run() && supervisor_kit::is_root(),
        "only root can become another"
    );
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let built = attacker(folder.path());
    need!(built.is_some(), WHY_NOT);
    let built = built.unwrap();
    supervisor_kit::repeat_as_ordinary_user_with(&[(ATTACKER, built.display().to_string())]);
}
