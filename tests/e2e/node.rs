//! The machine: its figures as stock clients show them beside what the kernel says, and what can be changed of it.

use conformance::case::Case;
use conformance::guest::Document;
use conformance::host::Host;
use conformance::need::Need::{PythonLibvirt, Root, Uml, Virsh};
use std::fs;
use std::path::Path;

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "machine_shown_by_virsh_is_what_the_kernel_says",
        needs: &[Virsh],
        run: figures,
    },
    Case {
        name: "machine_topology_in_capabilities_is_what_the_kernel_says",
        needs: &[Virsh],
        run: topology,
    },
    Case {
        name: "machine_asked_for_what_it_has_not_says_so",
        needs: &[PythonLibvirt],
        run: refusals,
    },
    Case {
        name: "machine_changed_by_root_is_read_back_and_by_a_user_refused",
        needs: &[Root, Virsh],
        run: changes,
    },
    Case {
        name: "machine_with_a_running_guest_does_not_sleep",
        needs: &[Root, Uml, Virsh],
        run: sleepless,
    },
    Case {
        name: "machine_shown_by_lockstep_looks_as_virsh_shows_it",
        needs: &[Virsh],
        run: same_looks,
    },
];

/// A value of `/proc/meminfo` in KiB.
fn meminfo(field: &str) -> String {
    let text = fs::read_to_string("/proc/meminfo").expect("the kernel tells");
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{field}:")));
    line.expect("every kernel has it")
        .trim()
        .trim_end_matches(" kB")
        .to_owned()
}

fn word(path: &str) -> String {
    fs::read_to_string(path).expect(path).trim().to_owned()
}

/// The value behind a name at the beginning of a line.
fn value<'a>(text: &'a str, name: &str) -> &'a str {
    let rest = text.lines().find_map(|line| line.trim().strip_prefix(name));
    let rest = rest.unwrap_or_else(|| panic!("no '{name}' in {text}"));
    rest.trim_start_matches([' ', ':']).trim_end_matches(" KiB").trim()
}

fn number(text: &str) -> u64 {
    text.parse().unwrap_or_else(|_| panic!("'{text}' is no number"))
}

fn figures() {
    let host = Host::start();
    let show = |verb: &[&str]| host.virsh(verb).ok();
    let memory = show(&["nodememstats"]);
    assert_eq!(value(&memory, "total"), meminfo("MemTotal"));
    for field in ["free", "buffers", "cached"] {
        assert!(
            number(value(&memory, field)) <= number(value(&memory, "total")),
            "{memory}"
        );
    }
    let map = show(&["nodecpumap", "--pretty"]);
    assert_eq!(value(&map, "CPU map"), word("/sys/devices/system/cpu/online"));
    // What the processors spent never shrinks, so that a look before and one after are a floor and a ceiling.
    let idle = || {
        let stat = fs::read_to_string("/proc/stat").expect("the kernel tells");
        let ticks = stat.split_whitespace().nth(4).map(number).expect("a cpu line");
        ticks * (1_000_000_000 / rustix::param::clock_ticks_per_second())
    };
    let (before, stats, after) = (idle(), show(&["nodecpustats"]), idle());
    let told = number(value(&stats, "idle"));
    assert!(before <= told && told <= after, "{before} {told} {after}");
    let total = value(&show(&["freecell"]), "Total").to_owned();
    assert!(
        number(&total) > 0 && number(&total) <= number(&meminfo("MemTotal")),
        "{total}"
    );
    let pages = show(&["freepages", "--all"]);
    let base = format!("{}KiB", rustix::param::page_size() / 1024);
    assert!(number(value(&pages, &base)) > 0, "{pages}");
    let percent = show(&["nodecpustats", "--percent"]);
    assert!(percent.contains("usage:"), "{percent}");
}

fn topology() {
    let host = Host::start();
    let capabilities = host.virsh(&["capabilities"]).ok();
    let cells = fs::read_dir("/sys/devices/system/node").map_or(0, |entries| {
        let name = |entry: fs::DirEntry| entry.file_name().into_string().expect("a plain name");
        let digits = |name: &str| {
            name.strip_prefix("node")
                .is_some_and(|rest| rest.parse::<u32>().is_ok())
        };
        entries
            .flatten()
            .filter(|_| true)
            .map(name)
            .filter(|name| digits(name))
            .count()
    });
    let wanted = format!("<cells num='{}'>", cells.max(1));
    assert!(capabilities.contains(&wanted), "no {wanted} in {capabilities}");
    let socket = word("/sys/devices/system/cpu/cpu0/topology/physical_package_id");
    let core = word("/sys/devices/system/cpu/cpu0/topology/core_id");
    let siblings = word("/sys/devices/system/cpu/cpu0/topology/thread_siblings_list");
    let wanted = [
        format!("<cpu id='0' socket_id='{socket}' "),
        format!(" core_id='{core}' siblings='{siblings}'/>"),
        format!("<pages unit='KiB' size='{}'/>", rustix::param::page_size() / 1024),
        "<power_management".to_owned(),
    ];
    for wanted in wanted {
        assert!(capabilities.contains(&wanted), "no {wanted} in {capabilities}");
    }
}

/// Errors as (code, a word of the text), in the order of the script's calls.
const REFUSED: &str = r#"
import libvirt, os
libvirt.registerErrorHandler(lambda *_: None, None)
conn = libvirt.open(os.environ["URI"])
def refused(code, word, call, *args):
    try:
        call(*args)
    except libvirt.libvirtError as error:
        assert error.get_error_code() == code and word in str(error), (code, word, error.get_error_code(), str(error))
    else:
        raise AssertionError(f"{call} {args} was done")
refused(8, "no processor 99999", conn.getCPUStats, 99999)
refused(8, "NUMA cell 9999", conn.getMemoryStats, 9999)
refused(8, "from 9999 on", conn.getCellsFreeMemory, 9999, 1)
refused(8, "from 9999 on", conn.getFreePages, [4], 9999, 1)
refused(9, "no pages of 3 KiB", conn.getFreePages, [3], 0, 1)
refused(8, "flags 0x1", conn.getCPUMap, 1)
refused(8, "flags 0x40", conn.getCPUStats, -1, 0x40)
refused(8, "flags 0x1", conn.getMemoryStats, -1, 1)
refused(8, "flags 0x2", conn.allocPages, {2048: 0}, -1, 1, 2)
refused(84, "ordinary memory", conn.allocPages, {os.sysconf("SC_PAGE_SIZE") // 1024: 1}, -1, 1, 1)
if os.path.exists("/sys/kernel/mm/ksm"):
    refused(8, "counter", conn.setMemoryParameters, {"shm_full_scans": 1})
refused(8, "suspend target 7", conn.suspendForDuration, 7, 60)
refused(8, "for 10 seconds", conn.suspendForDuration, 0, 10)
refused(8, "flags 0x1", conn.suspendForDuration, 0, 10, 1)
online = conn.getCPUMap()
assert online[0] == len(online[1]) and online[2] == sum(online[1]), online
assert set(conn.getCPUStats(-1)) == {"kernel", "user", "idle", "iowait"}
assert set(conn.getMemoryStats(-1)) == {"total", "free", "buffers", "cached"}
print(conn.getFreeMemory())
"#;

fn refusals() {
    let host = Host::start();
    let free = host.python(REFUSED).ok();
    assert!(number(free.trim()) > 0, "{free}");
}

fn changes() {
    let host = Host::start();
    let ksm = "/sys/kernel/mm/ksm/sleep_millisecs";
    if Path::new(ksm).exists() {
        // The machine is shared with others: what is set is what it was.
        let now = word(ksm);
        let _done = host.virsh(&["node-memory-tune", "--shm-sleep-millisecs", &now]).ok();
        assert_eq!(
            value(&host.virsh(&["node-memory-tune"]).ok(), "shm_sleep_millisecs"),
            now
        );
    } else {
        let said = host.virsh(&["node-memory-tune"]).fails();
        assert!(said.contains("CONFIG_KSM"), "{said}");
    }
    let pool = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages";
    if Path::new(pool).exists() {
        let now = word(pool);
        let _done = host.virsh(&["allocpages", "2048", &now]).ok();
        let _done = host.virsh(&["allocpages", "2048", "0", "--add"]).ok();
        assert_eq!(word(pool), now);
    } else {
        let said = host.virsh(&["allocpages", "2048", "1"]).fails();
        assert!(said.contains("no pages of 2048 KiB"), "{said}");
    }
    let own = Host::start_as_user();
    if Path::new(ksm).exists() {
        let said = own.virsh(&["node-memory-tune", "--shm-sleep-millisecs", "20"]).fails();
        assert!(said.contains("only a host that runs as root"), "{said}");
    }
    if Path::new(pool).exists() {
        let said = own.virsh(&["allocpages", "2048", "1"]).fails();
        assert!(said.contains("only a host that runs as root"), "{said}");
    }
}

/// The time is one that is refused too, so that no failure of this case puts the machine to sleep.
fn sleepless() {
    let host = Host::start();
    host.define(&Document::new("awake").xml());
    let _out = host.virsh(&["start", "awake"]).ok();
    let said = host.virsh(&["nodesuspend", "mem", "10"]).fails();
    assert!(said.contains("1 do ('awake')"), "{said}");
    let _out = host.virsh(&["destroy", "awake"]).ok();
    let said = host.virsh(&["nodesuspend", "mem", "10"]).fails();
    assert!(said.contains("at least 60 are needed"), "{said}");
}

fn same_looks() {
    let host = Host::start();
    // Quiet, as other cases have it, virsh leaves lines out.
    let virsh = |verb: &[&str]| {
        let mut virsh = host.command("virsh");
        let output = virsh.args(["-c", &host.uri()]).args(verb).env("LC_ALL", "C").output();
        let output = output.expect("virsh runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.success(), text)
    };
    for verb in [&["nodecpumap"][..], &["nodecpumap", "--pretty"]] {
        assert_eq!((true, host.lockstep(verb).ok()), virsh(verb), "{verb:?}");
    }
    // Values change from look to look; what stands around them does not.
    for verb in [
        &["nodecpustats"][..],
        &["nodecpustats", "--percent"],
        &["nodememstats"],
        &["nodememstats", "--cell", "0"],
        &["freecell"],
        &["freecell", "0"],
        &["freecell", "--all"],
        &["freepages", "--all"],
        &["freepages", "0", "4"],
        &["node-memory-tune"],
    ] {
        let (ours, (done, theirs)) = (host.lockstep(verb), virsh(verb));
        assert_eq!(ours.code == 0, done, "{verb:?}: {ours:?} {theirs:?}");
        let form = |text: &str| {
            let kept = text.chars().filter(|c| !c.is_ascii_digit() && !['.', ' '].contains(c));
            kept.collect::<String>()
        };
        assert_eq!(form(&ours.out), form(&theirs), "{verb:?}");
    }
}
