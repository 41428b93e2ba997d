//! What is put into a running guest and taken out again: files and links.

#![allow(clippy::unwrap_used, reason = "test code: a panic is a verdict")]

mod supervisor_kit;

use driver_api::error::Code;
use driver_api::types::guest::{ConsoleSpec, GuestId, VisibleFile};
use driver_api::types::launch::{Backend, Launch, Link, Plug, Unplug};
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use supervisor_kit::{Host, Shell, can_net, enter_network, is_root, need, perl, read_until, shell, tap};

fn file(path: &Path, writable: bool) -> VisibleFile {
    VisibleFile {
        path: path.to_owned(),
        writable,
    }
}

fn plug_file(host: &Host, guest: GuestId, path: &Path, writable: bool) {
    let plug = Plug::File(file(path, writable));
    host.guests().plug(guest, &plug, None).unwrap();
}

fn unplug_file(host: &Host, guest: GuestId, path: &Path) {
    host.guests().unplug(guest, &Unplug::File(path.to_owned())).unwrap();
}

/// A folder of this test with a file that only its owner may use.
fn private_file(host: &Host, name: &str, text: &str) -> PathBuf {
    let path = host.root.path().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path
}

#[test]
fn a_file_comes_and_goes_under_its_own_path() {
    need!(supervisor_kit::can_run(), supervisor_kit::WHY_NOT);
    let mut host = Host::new();
    let mut shell = Shell::start(&host, &[], |_| ());
    let path = private_file(&host, "a folder/it's \"a\" disk\\ [1]", "content\n");
    let quoted = format!("'{}'", path.display().to_string().replace('\'', r"'\''"));
    assert!(shell.run(&format!("cat {quoted}")).contains("No such file"));
    plug_file(&host, shell.guest, &path, false);
    assert_eq!(shell.run(&format!("cat {quoted}")), "content\n");
    assert!(
        shell
            .run(&format!("echo x >>{quoted}"))
            .contains("Read-only file system")
    );
    assert!(shell.run("touch /x").contains("Read-only file system"));
    // Writable now; a host that comes later knows of it as little as the one before.
    host.open();
    host.guests().watch(shell.guest).unwrap();
    plug_file(&host, shell.guest, &path, true);
    assert_eq!(shell.run(&format!("echo more >>{quoted}")), "");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "content\nmore\n");
    // It only may become so.
    plug_file(&host, shell.guest, &path, false);
    assert_eq!(shell.run(&format!("exec 5<>{quoted}; echo x >>{quoted}")), "");
    let before = std::fs::metadata(&path).unwrap();
    unplug_file(&host, shell.guest, &path);
    assert!(shell.run(&format!("cat {quoted}")).contains("No such file"));
    assert_eq!(
        shell.run("read -r first <&5; echo $first"),
        "content\n",
        "what is open stays open"
    );
    assert_eq!(std::fs::metadata(&path).unwrap().permissions(), before.permissions());
    let error = host
        .guests()
        .unplug(shell.guest, &Unplug::File(path.clone()))
        .unwrap_err();
    assert_eq!(error.code(), Code::DEVICE_MISSING);
    assert!(error.to_string().contains("it's \"a\" disk"), "{error}");
}

#[test]
fn folders_come_with_their_contents_and_what_was_shown_from_the_start_can_go() {
    need!(supervisor_kit::can_run(), supervisor_kit::WHY_NOT);
    let host = Host::new();
    let (born, folder) = (private_file(&host, "born", "born\n"), host.root.path().join("share"));
    private_file(&host, "share/inside", "inside\n");
    let mut shell = Shell::start(&host, &[file(&born, false)], |_| ());
    plug_file(&host, shell.guest, &folder, true);
    assert_eq!(shell.run(&format!("cat {}/inside", folder.display())), "inside\n");
    assert_eq!(
        shell.run(&format!("echo new >{}/new; cat {0}/new", folder.display())),
        "new\n"
    );
    assert_eq!(std::fs::read_to_string(folder.join("new")).unwrap(), "new\n");
    // A file of a folder that is shown needs no place, and one that is not there gets none.
    let inner = folder.join("inner");
    std::fs::write(&inner, "inner\n").unwrap();
    plug_file(&host, shell.guest, &inner, false);
    assert!(shell.run(&format!("echo x >{}", inner.display())).contains("Read-only"));
    let error = host
        .guests()
        .unplug(shell.guest, &Unplug::File(folder.clone()))
        .unwrap_err();
    assert!(
        error.to_string().contains("while '") && error.to_string().contains("inner' in it is shown"),
        "{error}"
    );
    unplug_file(&host, shell.guest, &inner);
    assert_eq!(shell.run(&format!("echo x >{}", inner.display())), "");
    unplug_file(&host, shell.guest, &folder);
    unplug_file(&host, shell.guest, &born);
    assert!(shell.run(&format!("cat {}", born.display())).contains("No such file"));
    assert!(born.exists() && inner.exists(), "the host's files are where they were");
}

#[test]
fn a_device_is_a_node_of_the_guests_own_from_the_start_or_later() {
    need!(
        supervisor_kit::can_run() && is_root(),
        "only root can make nodes of devices"
    );
    let host = Host::new();
    // There is no such device: who may open the node hears that, and who may not hears that.
    let make = |name: &str| {
        let path = host.root.path().join(name);
        let (kind, mode) = (
            rustix::fs::FileType::BlockDevice,
            rustix::fs::Mode::from_raw_mode(0o600),
        );
        rustix::fs::mknodat(rustix::fs::CWD, &path, kind, mode, rustix::fs::makedev(240, 7)).unwrap();
        path
    };
    let (born, late) = (make("born"), make("late"));
    let mut shell = Shell::start(&host, &[file(&born, false)], |_| ());
    plug_file(&host, shell.guest, &late, true);
    let absent = "No such device or address";
    for path in [&born, &late] {
        let said = shell.run(&format!("cat {}", path.display()));
        assert!(said.contains(absent), "{said}");
    }
    let said = shell.run(&format!("chmod 666 {}", late.display()));
    assert!(said.contains("Read-only"), "{said}");
    let modes = format!(
        "stat -c '%a %U %t:%T' {} {} | sed s/UNKNOWN/own/",
        born.display(),
        late.display()
    );
    assert_eq!(shell.run(&modes), "400 own f0:7\n600 own f0:7\n");
    assert!(
        shell
            .run(&format!("echo x >{}", born.display()))
            .contains("Permission denied")
    );
    plug_file(&host, shell.guest, &born, true);
    assert!(shell.run(&format!("echo x >{}", born.display())).contains(absent));
    unplug_file(&host, shell.guest, &born);
    unplug_file(&host, shell.guest, &late);
    assert!(shell.run(&format!("cat {}", late.display())).contains("No such file"));
    assert_eq!(std::fs::metadata(&late).unwrap().permissions().mode() & 0o777, 0o600);
    let left = host.root.path().join("run/guests/1/root");
    assert_eq!(std::fs::read_dir(left).unwrap().count(), 0);
}

#[test]
fn of_the_character_devices_a_guest_can_open_kvm_alone() {
    need!(
        supervisor_kit::can_run() && is_root(),
        "only root can make nodes of devices"
    );
    let host = Host::new();
    let make = |name: &str, major, minor| {
        let path = host.root.path().join(name);
        let (kind, mode) = (
            rustix::fs::FileType::CharacterDevice,
            rustix::fs::Mode::from_raw_mode(0o600),
        );
        let number = rustix::fs::makedev(major, minor);
        rustix::fs::mknodat(rustix::fs::CWD, &path, kind, mode, number).unwrap();
        path
    };
    // A machine without KVM says that there is no such device; who may not open the node hears that on any.
    let (kvm, full) = (make("kvm", 10, 232), make("full", 1, 7));
    let mut shell = Shell::start(&host, &[file(&kvm, true), file(&full, true)], |_| ());
    let mut open = |path: &Path| shell.run(&format!("(: <>{}) 2>&1", path.display()));
    assert!(!open(&kvm).contains("Permission denied"));
    assert!(open(&full).contains("Permission denied"));
}

#[test]
fn many_files_one_after_the_other_fill_nothing() {
    need!(supervisor_kit::can_run(), supervisor_kit::WHY_NOT);
    let host = Host::new();
    let mut shell = Shell::start(&host, &[], |_| ());
    let used = |shell: &mut Shell| shell.run("stat -f -c %d /").trim().parse::<u64>().unwrap();
    let before = used(&mut shell);
    for number in 0..60 {
        let path = private_file(&host, &format!("d{number}/e/file"), "x\n");
        plug_file(&host, shell.guest, &path, number % 2 == 0);
        assert_eq!(shell.run(&format!("cat {}", path.display())), "x\n");
        unplug_file(&host, shell.guest, &path);
    }
    assert_eq!(used(&mut shell), before);
    assert!(!shell.run("cat /proc/self/mountinfo").contains("/e/file"));
}

#[test]
fn plugging_leads_to_no_other_file_of_the_host() {
    need!(supervisor_kit::can_run(), supervisor_kit::WHY_NOT);
    let host = Host::new();
    let secret = private_file(&host, "secret", "secret\n");
    let share = host.root.path().join("share");
    std::fs::create_dir(&share).unwrap();
    std::fs::set_permissions(&share, std::fs::Permissions::from_mode(0o777)).unwrap();
    let started = {
        let mut spec = shell("read wait <&1");
        spec.files = vec![file(&share, true)];
        host.guests().spawn("d", &spec).unwrap()
    };
    let guest = GuestId(started.guest);
    // As the guest could have made them.
    symlink(&secret, share.join("disk")).unwrap();
    symlink(host.root.path(), share.join("folder")).unwrap();
    symlink(&secret, started.run_dir.join("disk")).unwrap();
    for (path, why) in [
        (share.join("disk"), "are not followed"),
        (share.join("folder/secret"), "are not followed"),
        (started.run_dir.join("disk"), "in the run folder"),
        (started.run_dir.join("../../../../secret"), "'..'"),
        (PathBuf::from("secret"), "not absolute"),
        (PathBuf::from("/"), "whole file system"),
        (host.root.path().join("absent"), "No such file"),
        (share.join("absent"), "No such file"),
    ] {
        let error = host
            .guests()
            .plug(guest, &Plug::File(file(&path, true)), None)
            .unwrap_err();
        assert!(error.to_string().contains(why), "{}: {error}", path.display());
        assert!(
            error
                .to_string()
                .starts_with(&format!("cannot plug file '{}'", path.display())),
            "{error}"
        );
    }
    host.guests().kill(guest).unwrap();
    // What a guest has left in its folder leads nowhere when it starts again.
    let mut spec = shell("true");
    spec.files = vec![file(&share, true), file(&share.join("disk"), true)];
    let error = host.guests().spawn("d", &spec).unwrap_err();
    assert!(error.to_string().contains("are not followed"), "{error}");
    let error = host
        .guests()
        .plug(guest, &Plug::File(file(&secret, true)), None)
        .unwrap_err();
    assert_eq!(error.code(), Code::OPERATION_INVALID);
}

/// Perl that takes a tap when a line says its name.
const TAKE: &str = r#"$| = 1; my @kept; open(STDIN, '<&', 1) or die;
    while (my $name = <STDIN>) { chomp $name; open(my $tun, '+<', '/dev/net/tun') or die;
        push @kept, $tun; my $want = pack('a16sx22', $name, 0x5002);
        print "$name: ", (ioctl($tun, 0x400454ca, $want) ? 'ok' : $!), "\n"; }"#;

#[test]
fn taps_come_and_go_while_the_guest_runs() {
    need!(can_net(), supervisor_kit::WHY_NO_NET);
    enter_network();
    let mut host = Host::new();
    let guest = GuestId(host.guests().spawn("d", &perl(TAKE)).unwrap().guest);
    host.guests().watch(guest).unwrap();
    let mut console = Shell::attach(&host, guest).console;
    let mut ask = |name: &str| {
        console.write_all(format!("{name}\n").as_bytes()).unwrap();
        read_until(&mut console, "\n")
    };
    let own = tap("own");
    let link = Link::Tap { name: "own".to_owned() };
    assert_eq!(ask("own"), "own: No such device\n");
    let plugged = host
        .guests()
        .plug(guest, &Plug::Link(link.clone()), Some(own.as_fd()))
        .unwrap();
    assert_eq!(plugged, driver_api::types::launch::Plugged::default());
    assert_eq!(ask("own"), "own: ok\n");
    let error = host
        .guests()
        .plug(guest, &Plug::Link(link.clone()), Some(own.as_fd()))
        .unwrap_err();
    assert_eq!(error.code(), Code::OPERATION_FAILED);
    assert!(error.to_string().contains("a link 'own' already"), "{error}");
    host.open();
    host.guests().watch(guest).unwrap();
    assert_eq!(ask("own"), "own: ok\n", "it outlives the host");
    host.guests().unplug(guest, &Unplug::Link("own".to_owned())).unwrap();
    assert_eq!(ask("own"), "own: No such device\n");
    let error = host
        .guests()
        .unplug(guest, &Unplug::Link("own".to_owned()))
        .unwrap_err();
    assert_eq!(error.code(), Code::DEVICE_MISSING);
    let error = host.guests().plug(guest, &Plug::Link(link), None).unwrap_err();
    assert!(error.to_string().contains("no descriptor came with it"), "{error}");
    let wrong = Link::Tap {
        name: "other".to_owned(),
    };
    let error = host
        .guests()
        .plug(guest, &Plug::Link(wrong), Some(own.as_fd()))
        .unwrap_err();
    assert!(error.to_string().contains("it is that of 'own'"), "{error}");
}

#[test]
fn whatever_comes_and_goes_a_hundred_times_leaves_nothing() {
    need!(supervisor_kit::can_run(), supervisor_kit::WHY_NOT);
    if is_root() {
        enter_network();
    }
    let host = Host::new();
    let mut shell = Shell::start(&host, &[], |launch| launch.spare_consoles = 1);
    let (guest, path) = (shell.guest, private_file(&host, "disk", "x\n"));
    let own = can_net().then(|| tap("own"));
    let kinds = [
        (Plug::File(file(&path, true)), Unplug::File(path.clone())),
        (
            Plug::Console(
                ConsoleSpec {
                    alias: "serial1".to_owned(),
                    pty: true,
                    log: Some(host.root.path().join("log.txt")),
                },
                Backend::Unix {
                    path: host.root.path().join("socket"),
                    listen: true,
                },
            ),
            Unplug::Console("serial1".to_owned()),
        ),
        (
            Plug::Link(Link::Udp {
                name: "wire".to_owned(),
                local: "127.0.0.1:0".to_owned(),
                remote: "127.0.0.1:9".to_owned(),
            }),
            Unplug::Link("wire".to_owned()),
        ),
        (
            Plug::Link(Link::Tap { name: "own".to_owned() }),
            Unplug::Link("own".to_owned()),
        ),
    ];
    let count = |folder: &Path| std::fs::read_dir(folder).unwrap().count();
    let run = host.root.path().join("run/guests/1");
    let supervisor = supervisor_kit::supervisor_of(&run);
    let mut look = || {
        let mounts = shell.run("cat /proc/self/mountinfo");
        let open = count(Path::new(&format!("/proc/{supervisor}/fd")));
        let children = supervisor_kit::tree(supervisor).len();
        // The shell may just be about to end what it has started.
        (
            mounts.lines().count(),
            open,
            children.min(2),
            count(&run),
            count(&run.join("guest")),
        )
    };
    let before = look();
    for _ in 0..100 {
        for (plug, unplug) in &kinds {
            if let (Plug::Link(Link::Tap { .. }), None) = (plug, &own) {
                continue;
            }
            host.guests().plug(guest, plug, own.as_ref().map(AsFd::as_fd)).unwrap();
            host.guests().unplug(guest, unplug).unwrap();
        }
    }
    assert_eq!(look(), before);
}

#[test]
fn what_a_guest_was_launched_with_can_be_taken_out() {
    need!(can_net(), supervisor_kit::WHY_NO_NET);
    enter_network();
    let host = Host::new();
    let own = tap("own");
    let launch = Launch {
        spec: shell("read wait <&1"),
        links: vec![Link::Tap { name: "own".to_owned() }],
        ..Launch::default()
    };
    let guest = GuestId(host.guests().launch("d", &launch, &[own.as_fd()]).unwrap().guest);
    drop(own);
    host.guests().unplug(guest, &Unplug::Link("own".to_owned())).unwrap();
    // The last descriptor is closed, so the device goes; one that a test beside this one copied when it started something
    // is closed as soon as that runs.
    while std::process::Command::new("ip")
        .args(["link", "show", "own"])
        .output()
        .unwrap()
        .status
        .success()
    {}
}

#[test]
fn all_of_this_holds_for_an_ordinary_user_too() {
    need!(is_root(), "only root can become another user");
    supervisor_kit::repeat_as_ordinary_user();
}
