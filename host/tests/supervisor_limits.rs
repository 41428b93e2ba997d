//! Limits and figures of guests against the real kernel: what is set is kept, what is used is counted, nothing stays behind.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests, which end by panic")]

mod supervisor_kit;

use driver_api::error::Code;
use driver_api::types::guest::{GuestId, GuestSpec};
use driver_api::types::launch::Launch;
use driver_api::types::param::{Param, Value, find};
use std::io::Write;
use std::path::{Path, PathBuf};
use supervisor_kit::{Host, need, shell};

const NO_CONTROLLERS: &str = "this user may not make cgroups with controllers";

/// Whether guests can be limited here: a controller of version 1, or of version 2 with something to lend.
fn can_limit() -> bool {
    let unified = std::fs::read_to_string("/sys/fs/cgroup/cgroup.controllers").unwrap_or_default();
    let has = Path::new("/sys/fs/cgroup/memory").exists() || unified.contains("memory");
    supervisor_kit::can_run() && supervisor_kit::is_root() && has
}

/// Whether processors can be chosen: no kernel without several of them can do it.
fn can_choose_processors() -> bool {
    let unified = std::fs::read_to_string("/sys/fs/cgroup/cgroup.controllers").unwrap_or_default();
    Path::new("/sys/fs/cgroup/cpuset").exists() || unified.contains("cpuset")
}

fn launch(script: &str, limits: Vec<Param>) -> Launch {
    Launch {
        spec: shell(script),
        limits,
        ..Launch::default()
    }
}

fn value(params: &[Param], name: &str) -> Value {
    find(params, name)
        .unwrap_or_else(|| panic!("no '{name}' in {params:?}"))
        .clone()
}

fn number(params: &[Param], name: &str) -> u64 {
    value(params, name).as_u64().unwrap()
}

/// Types a line on console 0.
fn type_in(host: &Host, guest: GuestId, line: &str) {
    let mode = lockstep::supervisor::ConsoleMode {
        write: true,
        ..Default::default()
    };
    let mut console = host.guests().open_console(guest, 0, mode).unwrap();
    console.write_all(line.as_bytes()).unwrap();
}

/// A guest that runs each line that is typed.
const OBEY: &str = "exec <&10; echo up; while read line; do eval \"$line\"; done";

#[test]
fn limits_are_kept_from_the_start_changed_live_and_read_back() {
    need!(can_limit(), NO_CONTROLLERS);
    let mut host = Host::new();
    let choose = can_choose_processors();
    let mut limits = vec![
        Param::new("cpu_shares", 512_u64),
        Param::new("vcpu_quota", 50_000_i64),
        Param::new("hard_limit", 131_072_u64),
        Param::new("soft_limit", 65_536_u64),
        Param::new("swap_hard_limit", 262_144_u64),
        Param::new("pids", 60_u64),
    ];
    if choose {
        limits.push(Param::new("cpuset", "0"));
    }
    let started = host.guests().launch("d", &launch(OBEY, limits), &[]).unwrap();
    let guest = GuestId(started.guest);
    host.await_text(guest, "up");
    let found = host.guests().limits(guest).unwrap();
    for (name, expected) in [
        ("cpu_shares", Value::Ulong(512)),
        ("vcpu_quota", Value::Long(50_000)),
        ("global_quota", Value::Long(50_000)),
        ("emulator_period", Value::Ulong(100_000)),
        ("hard_limit", Value::Ulong(131_072)),
        ("soft_limit", Value::Ulong(65_536)),
        ("swap_hard_limit", Value::Ulong(262_144)),
        ("pids", Value::Ulong(60)),
    ] {
        assert_eq!(value(&found, name), expected, "{name}");
    }
    if choose {
        assert_eq!(value(&found, "cpuset"), Value::from("0"));
    }
    type_in(&host, guest, "grep Cpus_allowed_list /proc/self/status\n");
    host.await_text(guest, "Cpus_allowed_list:\t0");
    // A child that was there before the limit is under it too, and a host that comes later finds the groups.
    type_in(&host, guest, "sleep 1000 & echo child\n");
    host.await_text(guest, "child");
    host.open();
    let all = std::fs::read_to_string("/sys/devices/system/cpu/online").unwrap();
    let mut live = vec![
        Param::new("vcpu_quota", -1_i64),
        Param::new("hard_limit", 9_007_199_254_740_991_u64),
        Param::new("swap_hard_limit", 9_007_199_254_740_991_u64),
    ];
    if choose {
        live.push(Param::new("cpuset", all.trim()));
    }
    host.guests().limit(guest, &live).unwrap();
    let found = host.guests().limits(guest).unwrap();
    if choose {
        assert_eq!(value(&found, "cpuset"), Value::from(all.trim()));
    }
    assert_eq!(value(&found, "vcpu_quota"), Value::Long(-1));
    assert_eq!(number(&found, "hard_limit"), 9_007_199_254_740_991);
    assert_eq!(number(&found, "cpu_shares"), 512, "what was not named stays");
    for pid in supervisor_kit::tree(started.pid) {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        assert!(status.contains(&format!("Cpus_allowed_list:\t{all}")), "{status}");
    }
    host.guests().kill(guest).unwrap();
    assert_eq!(supervisor_kit::groups_of(host.root.path()), Vec::<PathBuf>::new());
}

#[test]
fn a_limit_that_comes_late_reaches_every_process() {
    need!(can_limit(), NO_CONTROLLERS);
    let host = Host::new();
    let script = "for i in 1 2 3 4; do (while :; do sleep 0.01; done) & done; echo up; wait";
    let started = host.guests().launch("d", &launch(script, Vec::new()), &[]).unwrap();
    let guest = GuestId(started.guest);
    host.await_text(guest, "up");
    if can_choose_processors() {
        host.guests().limit(guest, &[Param::new("cpuset", "0")]).unwrap();
    }
    let limit = [Param::new("cpu_shares", 100_u64)];
    host.guests().limit(guest, &limit).unwrap();
    for pid in supervisor_kit::tree(started.pid) {
        // Some end while this looks.
        if can_choose_processors()
            && let Ok(status) = std::fs::read_to_string(format!("/proc/{pid}/status"))
            && status.contains("Cpus_allowed_list")
        {
            assert!(status.contains("Cpus_allowed_list:\t0\n"), "{status}");
        }
    }
    // The supervisor dies without a word: who clears up finds all groups.
    supervisor_kit::kill(supervisor_kit::parent(started.pid));
    host.guests().watch(guest).unwrap();
    assert!(host.exit_of(guest).supervisor_lost);
    assert_eq!(supervisor_kit::groups_of(host.root.path()), Vec::<PathBuf>::new());
}

#[test]
fn a_guest_that_uses_more_memory_than_it_may_is_told_apart_from_others_that_end() {
    need!(can_limit(), NO_CONTROLLERS);
    let host = Host::new();
    let limits = vec![
        Param::new("hard_limit", 32_768_u64),
        Param::new("swap_hard_limit", 32_768_u64),
    ];
    let script = "dd if=/dev/zero of=$TMPDIR/x bs=1M count=100; echo survived";
    for (limits, expected) in [(limits, true), (Vec::new(), false)] {
        let started = host.guests().launch("d", &launch(script, limits), &[]).unwrap();
        let guest = GuestId(started.guest);
        host.guests().watch(guest).unwrap();
        let exit = host.exit_of(guest);
        assert_eq!(exit.out_of_memory, expected, "{exit:?}");
    }
}

#[test]
fn processes_beyond_the_limit_are_refused() {
    need!(can_limit(), NO_CONTROLLERS);
    let host = Host::new();
    let script = "for i in 1 2 3 4 5 6 7 8 9; do sleep 1000 & done; echo all; wait";
    let mut launch = launch(script, vec![Param::new("pids", 5_u64)]);
    launch
        .spec
        .consoles
        .push(driver_api::types::guest::ConsoleSpec::default());
    let guest = GuestId(host.guests().launch("d", &launch, &[]).unwrap().guest);
    host.guests().watch(guest).unwrap();
    let exit = host.exit_of(guest);
    assert!(exit.console_tail.contains("can't fork"), "{exit:?}");
}

#[test]
fn limits_that_can_not_be_kept_are_refused_by_name_and_change_nothing() {
    need!(can_limit(), NO_CONTROLLERS);
    let host = Host::new();
    let started = host.guests().spawn("d", &shell("echo up; sleep 1000")).unwrap();
    let guest = GuestId(started.guest);
    let refused = |limits: &[Param]| {
        let error = host.guests().limit(guest, limits).unwrap_err();
        (error.code(), error.to_string())
    };
    for (limit, code, expected) in [
        (
            Param::new("frobs", 1_u64),
            Code::INVALID_ARG,
            "cannot limit guest process '1': there is no limit 'frobs'",
        ),
        (Param::new("cpu_shares", 1_u64), Code::INVALID_ARG, "not 1"),
        (
            Param::new("device_read_bytes_sec", "/dev/null,1"),
            Code::INVALID_ARG,
            "'/dev/null' is no block device",
        ),
        (
            Param::new("swap_hard_limit", 4_u64),
            Code::INVALID_ARG,
            "can not be less than 'hard_limit' (no limit)",
        ),
    ] {
        let (found, text) = refused(&[limit]);
        assert!(found == code && text.contains(expected), "{found:?} {text}");
    }
    let before = host.guests().limits(guest).unwrap();
    // The second is refused by the kernel, so the first is taken back.
    let both = [Param::new("cpu_shares", 77_u64), Param::new("cpuset", "7000")];
    let (code, text) = refused(&both);
    let choose = can_choose_processors();
    let expected = if choose {
        Code::SYSTEM_ERROR
    } else {
        Code::CONFIG_UNSUPPORTED
    };
    assert_eq!(code, expected, "{text}");
    assert!(
        !choose || text.contains("the kernel does not take '7000' for 'cpuset'"),
        "{text}"
    );
    assert_eq!(host.guests().limits(guest).unwrap(), before);
    host.guests().kill(guest).unwrap();
    assert_eq!(host.guests().limits(guest).unwrap_err().code(), Code::OPERATION_INVALID);
    let wrong = launch("", vec![Param::new("frobs", 1_u64)]);
    let error = host.guests().launch("d", &wrong, &[]).unwrap_err();
    assert_eq!(error.code(), Code::INVALID_ARG);
    assert!(
        error.to_string().contains("cannot launch its guest: there is no limit"),
        "{error}"
    );
    let refused = launch("", vec![Param::new("cpuset", "7000")]);
    let error = host.guests().launch("d", &refused, &[]).unwrap_err();
    assert!(error.to_string().contains("'cpuset'"), "{error}");
    host.guests().forget(guest).unwrap();
    assert_eq!(supervisor_kit::groups_of(host.root.path()), Vec::<PathBuf>::new());
}

#[test]
fn a_limit_without_its_controller_is_refused_by_name() {
    need!(supervisor_kit::can_run(), supervisor_kit::WHY_NOT);
    // Of those who run these tests, only the ordinary user below has none.
    if can_limit() {
        return;
    }
    let host = Host::new();
    let limits = vec![Param::new("cpu_shares", 100_u64)];
    let error = host.guests().launch("d", &launch("", limits.clone()), &[]).unwrap_err();
    assert_eq!(error.code(), Code::CONFIG_UNSUPPORTED, "{error}");
    assert!(
        error
            .to_string()
            .contains("'cpu_shares' needs the cgroup controller 'cpu', which"),
        "{error}"
    );
    let guest = GuestId(host.guests().spawn("d", &shell("sleep 1000")).unwrap().guest);
    let error = host.guests().limit(guest, &limits).unwrap_err();
    assert_eq!(error.code(), Code::CONFIG_UNSUPPORTED, "{error}");
    assert_eq!(host.guests().limits(guest).unwrap(), []);
    host.guests().kill(guest).unwrap();
}

#[test]
fn what_a_guest_uses_is_counted_over_all_of_its_processes() {
    need!(supervisor_kit::can_run(), supervisor_kit::WHY_NOT);
    let host = Host::new();
    let spec = GuestSpec {
        memory_bytes: 64 << 20,
        ..shell(OBEY)
    };
    let guest = GuestId(host.guests().spawn("d", &spec).unwrap().guest);
    host.await_text(guest, "up");
    let before = host.guests().usage(guest).unwrap();
    assert_eq!(number(&before, "processes"), 1, "{before:?}");
    assert!(number(&before, "memory.file") < 1024, "{before:?}");
    type_in(
        &host,
        guest,
        "dd if=/dev/zero of=$TMPDIR/x bs=1M count=20; (i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done); \
         sleep 1000 & echo done\n",
    );
    host.await_text(guest, "done\n");
    let after = host.guests().usage(guest).unwrap();
    assert_eq!(number(&after, "processes"), 2, "{after:?}");
    assert!((20_480..21_504).contains(&number(&after, "memory.file")), "{after:?}");
    // The work was done by a child that is gone.
    let grown = |name| number(&after, name) - number(&before, name);
    assert!(grown("cpu.time") > 10_000_000 && grown("cpu.user") > 0, "{after:?}");
    assert!(number(&after, "memory.rss") > 0, "{after:?}");
    assert!(host.guests().cpu_time(guest).unwrap() >= number(&after, "cpu.time"));
    if supervisor_kit::is_root() {
        assert!(
            grown("memory.peak") > 20_000 && grown("memory.rss") > 20_000,
            "{after:?}"
        );
    }
    host.guests().kill(guest).unwrap();
}

#[test]
fn limits_for_an_ordinary_user() {
    need!(
        supervisor_kit::can_run() && supervisor_kit::is_root(),
        "only root can become another"
    );
    supervisor_kit::repeat_as_ordinary_user();
}

/// This machine may have the controllers in version 1; the kernel of a guest has them all free for version 2.
#[test]
fn limits_where_version_two_has_the_controllers() {
    need!(supervisor_kit::can_boot(), supervisor_kit::WHY_NO_BOOT);
    // Who looks at the limits in there is always root.
    if !supervisor_kit::is_root() {
        return;
    }
    let host = Host::new();
    let (test, program) = (std::env::current_exe().unwrap(), supervisor_kit::program());
    // Beside the root of all, once as what a service manager starts: in a group that can lend nothing.
    let run = "cd /tmp; LOCKSTEP_TEST_PROGRAM=/t/lockstep /t/test --skip version_two --test-threads=1 --color=never";
    let inner = format!(
        "#!/bin/busybox sh\nexport PATH=/bin\nmount -t proc p /proc; mount -t sysfs s /sys; mount -t tmpfs t /tmp; \
         mount -t tmpfs r /run; mount -t devtmpfs d /dev; mkdir -p /dev/pts; \
         mount -t devpts p /dev/pts -o ptmxmode=666; mount -t cgroup2 c /sys/fs/cgroup; \
         mount -t hostfs none /usr -o /usr; ln -s usr/lib /lib; ln -s usr/lib64 /lib64; mount -t hostfs none /mnt -o /; \
         ln -s /mnt{} /t/test; ln -s /mnt{} /t/lockstep; {run}; echo first=$?; mkdir /sys/fs/cgroup/service; \
         echo '+cpu +io +memory +pids' > /sys/fs/cgroup/cgroup.subtree_control; \
         echo $$ > /sys/fs/cgroup/service/cgroup.procs; {run}; echo second=$?; ls /sys/fs/cgroup; poweroff -f\n",
        test.display(),
        program.display(),
    );
    // No process can change its root away from a kernel's very first one.
    let script = format!(
        "mount -t tmpfs n /mnt; cd /mnt; cp -a /bin .; mkdir proc sys tmp run dev usr t mnt\n\
         cat > init <<'END'\n{inner}END\nchmod +x init; exec switch_root /mnt /init"
    );
    let mut spec = supervisor_kit::uml(host.root.path(), &script);
    spec.argv.retain(|arg| !arg.starts_with("mem="));
    spec.argv.push("mem=700M".to_owned());
    spec.memory_bytes = 800 << 20;
    for path in [Path::new("/usr"), &test, &program] {
        spec.files.push(driver_api::types::guest::VisibleFile {
            path: path.to_owned(),
            writable: false,
        });
    }
    let guest = GuestId(host.guests().spawn("d", &spec).unwrap().guest);
    host.guests().watch(guest).unwrap();
    let exit = host.exit_of(guest);
    let log = std::fs::read_to_string(host.root.path().join("log/d/vm.log")).unwrap();
    assert!(
        log.contains("\nfirst=0") && log.contains("\nsecond=0"),
        "{exit:?}\n{log}"
    );
    let (_, groups) = log.split_once("second=0").unwrap();
    assert!(groups.contains("service") && !groups.contains("lockstep"), "{groups}");
}
