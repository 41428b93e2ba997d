//! Programs beside a guest against the real kernel: their sandbox, their life, and two that guests really need.
#![allow(clippy::unwrap_used, reason = "helpers of tests, which end by panic")]

mod supervisor_kit;

use driver_api::error::Code;
use driver_api::types::guest::{GuestId, GuestSpec, VisibleFile};
use driver_api::types::launch::{Companion, Launch};
use std::path::{Path, PathBuf};
use std::process::Command;
use supervisor_kit::{Host, PERL, SHELL, exists, need, shell, tree};

const WHY_NO_PERL: &str = "perl or busybox-static is not installed, or the kernel gives this user no namespaces";
const STACK: &str = "/usr/bin/slirp4netns";
const DISK_SERVER: &str = "/usr/bin/qemu-storage-daemon";
const MODULES: &str = "/usr/lib/uml/modules";

fn can_run() -> bool {
    supervisor_kit::can_run() && Path::new(PERL).exists()
}

/// Makes the socket that it is asked for, when it is asked for one, and then does what `rest` says.
fn perl(name: &str, rest: &str) -> Companion {
    let script = format!(
        "$| = 1; use Socket; socket(S, AF_UNIX, SOCK_STREAM, 0); \
         bind(S, pack_sockaddr_un('/run/guest/{name}.sock')) or die \"bind: $!\"; listen(S, 1); {rest}"
    );
    Companion {
        name: name.to_owned(),
        argv: [PERL, "-e", &script].map(str::to_owned).to_vec(),
        ready: format!("@RUN@/{name}.sock"),
        ..Companion::default()
    }
}

fn sh(name: &str, script: &str) -> Companion {
    Companion {
        name: name.to_owned(),
        argv: [SHELL, "sh", "-c", script].map(str::to_owned).to_vec(),
        ..Companion::default()
    }
}

fn beside(spec: GuestSpec, companions: Vec<Companion>) -> Launch {
    Launch {
        spec,
        companions,
        ..Launch::default()
    }
}

/// What the supervisor has said.
fn log_of(host: &Host, guest: GuestId) -> String {
    let file = host.root.path().join(format!("run/guests/{}/supervisor.log", guest.0));
    std::fs::read_to_string(file).unwrap()
}

/// The processes below the supervisor of a guest.
fn family(started: &driver_api::types::guest::Started) -> Vec<u32> {
    tree(supervisor_kit::parent(started.pid))
}

#[test]
fn a_companion_is_there_before_its_guest_and_as_confined_as_it() {
    need!(can_run(), WHY_NO_PERL);
    let host = Host::new();
    let look = "open(F, '/proc/self/status'); print grep(/CapEff|NoNewPrivs/, <F>); print 'uid=', $<, \"\\n\"; \
                print 'etc=', join(' ', glob('/etc/*')), \"\\n\"; print 'pid=', $$, \"\\n\"; \
                print 'interfaces=', join(' ', map { (split /\\//)[-1] } glob('/proc/self/net/dev_snmp6/*')), \"\\n\"; \
                open(F, '/proc/self/cgroup'); print <F>; print \"done\\n\"; sleep 1000";
    let script = "ls /run/guest; id -u; cat /proc/self/cgroup; echo up; sleep 1000";
    let launch = beside(shell(script), vec![perl("first", look)]);
    let started = host.guests().launch("d", &launch, &[]).unwrap();
    let guest = GuestId(started.guest);
    host.await_text(guest, "up");
    let said = host.guests().console_tail(guest, 4096).unwrap();
    assert!(said.contains("first.sock"), "{said}");
    let log = log_of(&host, guest);
    let line = |text: &str| log.lines().any(|line| line == format!("first: {text}"));
    for text in ["CapEff:\t0000000000000000", "NoNewPrivs:\t1", "pid=1", "interfaces="] {
        assert!(line(&text.replace('\t', "?")) || line(text), "no '{text}' in {log}");
    }
    let uid = said.lines().find_map(|line| line.trim().parse::<u32>().ok()).unwrap();
    assert!(
        line(&format!("uid={uid}")),
        "the guest's user {uid} and no other: {log}"
    );
    assert!(
        line("etc=/etc/ld.so.cache"),
        "only what was named, and libraries: {log}"
    );
    let processes = family(&started);
    assert!(processes.len() >= 3, "{processes:?}");
    host.guests().kill(guest).unwrap();
    assert!(processes.iter().all(|pid| !exists(*pid)), "{processes:?}");
    assert_eq!(supervisor_kit::groups_of(host.root.path()), Vec::<PathBuf>::new());
}

#[test]
fn a_companion_that_ends_is_started_again_only_when_that_was_asked_for() {
    need!(can_run(), WHY_NO_PERL);
    let host = Host::new();
    let again = Companion {
        restart: true,
        ..sh("again", "echo x >> /run/guest/count; exit 7")
    };
    // A shell has no sockets: ready at once.
    let once = sh("once", "echo y >> /run/guest/once; echo gone; exit 5");
    let script = "while [ $(wc -l < /run/guest/count) -lt 3 ]; do sleep 0.05; done; cat /run/guest/once; echo enough; sleep 1000";
    let launch = beside(shell(script), vec![once, again]);
    let started = host.guests().launch("d", &launch, &[]).unwrap();
    let guest = GuestId(started.guest);
    host.await_text(guest, "enough");
    let said = host.guests().console_tail(guest, 4096).unwrap();
    assert_eq!(said.matches('y').count(), 1, "{said}");
    let log = log_of(&host, guest);
    assert!(
        log.contains("companion 'once' ended with exit status 5: gone\n"),
        "{log}"
    );
    assert!(
        log.matches("companion 'again' ended with exit status 7\n").count() >= 2,
        "{log}"
    );
    host.guests().kill(guest).unwrap();
}

#[test]
fn a_companion_that_does_not_come_up_fails_the_start_with_its_last_words() {
    need!(can_run(), WHY_NO_PERL);
    let host = Host::new();
    let broken = Companion {
        ready: "@RUN@/never.sock".to_owned(),
        restart: true,
        ..sh("broken", "echo no such interface >&2; exit 3")
    };
    let missing = Companion {
        argv: vec!["/nonexistent/program".to_owned()],
        ..sh("missing", "")
    };
    for (companion, expected) in [
        (
            broken,
            "cannot start the companion 'broken': it ended with exit status 3: no such interface",
        ),
        (
            missing,
            "cannot start the companion 'missing': cannot find '/nonexistent/program'",
        ),
    ] {
        let launch = beside(shell("sleep 1000"), vec![perl("good", "sleep 1000"), companion]);
        let error = host.guests().launch("d", &launch, &[]).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
    let relative = Companion {
        ready: "@RUN@/../control".to_owned(),
        ..sh("r", "")
    };
    let error = host
        .guests()
        .launch("d", &beside(shell(""), vec![relative]), &[])
        .unwrap_err();
    assert_eq!(error.code(), Code::INVALID_ARG, "{error}");
    assert_eq!(supervisor_kit::groups_of(host.root.path()), Vec::<PathBuf>::new());
}

#[test]
fn companions_come_and_go_beside_a_running_guest_and_die_with_its_supervisor() {
    need!(can_run(), WHY_NO_PERL);
    let mut host = Host::new();
    let started = host.guests().spawn("d", &shell("echo up; sleep 1000")).unwrap();
    let guest = GuestId(started.guest);
    host.await_text(guest, "up");
    host.open();
    host.guests()
        .start_companion(guest, &perl("disk", "sleep 1000"))
        .unwrap();
    assert!(started.run_dir.join("disk.sock").exists());
    let error = host.guests().start_companion(guest, &perl("disk", "")).unwrap_err();
    assert_eq!(error.code(), Code::OPERATION_FAILED, "{error}");
    let mut dead = sh("dead", "echo oh no; exit 1");
    dead.ready = "@RUN@/dead.sock".to_owned();
    let error = host.guests().start_companion(guest, &dead).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("companion 'dead' of guest process '1': it ended with exit status 1: oh no"),
        "{error}"
    );
    let before = family(&started);
    host.guests().stop_companion(guest, "disk").unwrap();
    assert!(!started.run_dir.join("disk.sock").exists());
    assert!(family(&started).len() < before.len());
    let error = host.guests().stop_companion(guest, "disk").unwrap_err();
    assert_eq!(error.code(), Code::DEVICE_MISSING, "{error}");
    host.guests()
        .start_companion(guest, &perl("disk", "sleep 1000"))
        .unwrap();
    let processes = family(&started);
    let supervisor = supervisor_kit::open(processes[0]);
    let others: Vec<_> = processes[1..].iter().map(|pid| supervisor_kit::open(*pid)).collect();
    supervisor_kit::kill(processes[0]);
    supervisor_kit::await_end(&supervisor);
    others.iter().for_each(supervisor_kit::await_end);
    host.guests().watch(guest).unwrap();
    assert!(host.exit_of(guest).supervisor_lost);
    assert_eq!(supervisor_kit::groups_of(host.root.path()), Vec::<PathBuf>::new());
}

#[test]
fn a_guest_reaches_a_network_through_a_companion_without_any_right() {
    need!(
        supervisor_kit::can_boot() && Path::new(STACK).exists(),
        "slirp4netns or user-mode-linux is not installed"
    );
    let host = Host::new();
    let stack = Companion {
        name: "net0".to_owned(),
        argv: [
            STACK,
            "--target-type=bess",
            "--disable-host-loopback",
            "@RUN@/net0.link",
        ]
        .map(str::to_owned)
        .to_vec(),
        files: vec![file(Path::new("/etc/resolv.conf"), false)],
        ready: "@RUN@/net0.link".to_owned(),
        network: true,
        restart: true,
    };
    let script =
        "ip addr add 10.0.2.100/24 dev vec0; ip link set vec0 up; ping -c 2 10.0.2.2 && echo reached; poweroff -f";
    let mut spec = supervisor_kit::uml(host.root.path(), script);
    spec.argv
        .push("vec0:transport=bess,dst=/run/guest/net0.link,depth=64,gro=1".to_owned());
    let started = host.guests().launch("d", &beside(spec, vec![stack]), &[]).unwrap();
    let guest = GuestId(started.guest);
    host.guests().watch(guest).unwrap();
    let log = log_of(&host, guest);
    let exit = host.exit_of(guest);
    assert!(exit.console_tail.contains("\nreached"), "{}\n{log}", exit.console_tail);
}

#[test]
fn a_guest_uses_a_disk_of_another_format_through_a_companion() {
    let there = [DISK_SERVER, MODULES, "/usr/bin/qemu-img"]
        .iter()
        .all(|path| Path::new(path).exists());
    need!(
        supervisor_kit::can_boot() && there,
        "qemu-utils, qemu-system-common or user-mode-linux is not installed"
    );
    let host = Host::new();
    let disk = host.root.path().join("disk.qcow2");
    let made = Command::new("qemu-img")
        .args(["create", "-q", "-f", "qcow2"])
        .arg(&disk)
        .arg("8M")
        .status()
        .unwrap();
    assert!(made.success());
    let server = Companion {
        name: "disk0".to_owned(),
        argv: [
            DISK_SERVER.to_owned(),
            "--blockdev".to_owned(),
            format!(
                "driver=qcow2,node-name=d,file.driver=file,file.filename={}",
                disk.display()
            ),
            "--export".to_owned(),
            "type=vhost-user-blk,id=e,node-name=d,addr.type=unix,addr.path=@RUN@/disk0.sock,writable=on".to_owned(),
        ]
        .to_vec(),
        files: vec![file(&disk, true)],
        ready: "@RUN@/disk0.sock".to_owned(),
        ..Companion::default()
    };
    let script = format!(
        "mount -t hostfs none /mnt -o {MODULES}; insmod /mnt/*/kernel/drivers/block/virtio_blk.ko; mount -t devtmpfs d /dev; \
         echo written-by-the-guest | dd of=/dev/vda conv=fsync; echo 3 > /proc/sys/vm/drop_caches; head -c 20 /dev/vda; \
         poweroff -f"
    );
    let mut spec = supervisor_kit::uml(host.root.path(), &script);
    spec.argv.push("virtio_uml.device=/run/guest/disk0.sock:2".to_owned());
    spec.files.push(file(Path::new(MODULES), false));
    let started = host.guests().launch("d", &beside(spec, vec![server]), &[]).unwrap();
    let guest = GuestId(started.guest);
    host.guests().watch(guest).unwrap();
    let log = log_of(&host, guest);
    let exit = host.exit_of(guest);
    assert!(
        exit.console_tail.contains("\nwritten-by-the-guest"),
        "{}\n{log}",
        exit.console_tail
    );
    let bytes = std::fs::read(&disk).unwrap();
    let written = bytes.windows(20).any(|window| window == b"written-by-the-guest");
    assert!(written, "the file on the host has what the guest wrote");
}

fn file(path: &Path, writable: bool) -> VisibleFile {
    VisibleFile {
        path: path.to_owned(),
        writable,
    }
}

#[test]
fn companions_of_an_ordinary_user() {
    need!(can_run() && supervisor_kit::is_root(), "only root can become another");
    supervisor_kit::repeat_as_ordinary_user();
}
