//! Filters and what goes wrong: a flushed table, a full disk, a host that is killed; a port is never open meanwhile.

use conformance::case::Case;
use conformance::host::Host;
use conformance::need::Need::{Root, Virsh};
use conformance::net::{Net, Tap, frame, udp};
use conformance::random::Random;
use conformance::wait;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "filter_tables_flushed_by_another_tool_are_repaired",
        needs: &[Root, Virsh],
        run: flushed,
    },
    Case {
        name: "filter_that_can_not_be_stored_changes_nothing",
        needs: &[Root, Virsh],
        run: full,
    },
    Case {
        name: "filter_host_killed_a_hundred_times_leaves_old_or_new_rules_and_no_open_port",
        needs: &[Root, Virsh],
        run: killed,
    },
];

const GUEST: [u8; 6] = [0x52, 0x54, 0, 1, 2, 3];
const OTHER: [u8; 6] = [0x52, 0x54, 0, 9, 9, 9];
/// No version of the filter lets this port through.
const FORBIDDEN: u16 = 9;

/// A host in a network of its own: `guest` is filtered, `far` is the rest of the network.
struct World {
    net: Net,
    host: Host,
    guest: Tap,
    far: Tap,
}

fn packet(port: u16, data: &[u8]) -> Vec<u8> {
    let payload = udp(([10, 0, 0, 1], 4000), ([10, 0, 0, 2], port), data);
    frame(OTHER, GUEST, 0x0800, &payload)
}

/// Version `k` of the filter drops the forbidden port and 1000 + k, at both layers, and enough others to have some weight.
fn version(k: u16) -> String {
    let mut rules = String::new();
    for port in [FORBIDDEN, 1000 + k].into_iter().chain(20_000..20_050) {
        let _ok = write!(
            rules,
            "<rule action='drop' direction='out'><ip protocol='udp' dstportstart='{port}'/></rule>\
             <rule action='drop' direction='out'><udp dstportstart='{port}'/></rule>"
        );
    }
    format!("<filter name='fault'><uuid>1f0c9d1e-54f1-4d3b-8a53-0d6a3cf5a001</uuid>{rules}</filter>")
}

impl World {
    fn new() -> Self {
        let net = Net::unshare();
        net.bridge("br0");
        let guest = net.tap("guest0", Some("br0"));
        let far = net.tap("far0", Some("br0"));
        let host = Host::start();
        let world = Self { net, host, guest, far };
        wait::until("the bridge forwards", || {
            world.guest.send(&packet(FORBIDDEN, b"open"));
            world.far.got(&packet(FORBIDDEN, b"open")).then_some(())
        });
        world.define(&version(0));
        let binding = "<filterbinding><owner><name>g</name><uuid>1f0c9d1e-54f1-4d3b-8a53-0d6a3cf5a002</uuid></owner>\
                       <portdev name='guest0'/><mac address='52:54:00:01:02:03'/><filterref filter='fault'/></filterbinding>";
        let path = world.host.document(binding);
        let _out = world
            .host
            .virsh(&["nwfilter-binding-create", &path.to_string_lossy()])
            .ok();
        world
    }

    fn define(&self, xml: &str) {
        let path = self.host.document(xml);
        let _out = self.host.virsh(&["nwfilter-define", &path.to_string_lossy()]).ok();
    }

    /// Whether a packet to this port comes through.
    fn passes(&self, port: u16) -> bool {
        self.guest.send(&packet(port, b"look"));
        self.far.got(&packet(port, b"look"))
    }

    /// Which of two versions is in force; that it is one of them and wholly.
    #[track_caller]
    fn in_force(&self, versions: [u16; 2]) -> u16 {
        assert!(!self.passes(FORBIDDEN), "the port is open");
        let dropped: Vec<u16> = versions.into_iter().filter(|k| !self.passes(1000 + k)).collect();
        assert_eq!(dropped.len(), 1, "of {versions:?} these are in force: {dropped:?}");
        dropped[0]
    }
}

fn flushed() {
    let world = World::new();
    assert!(!world.passes(FORBIDDEN));
    let damages = [
        "flush ruleset",
        "delete table bridge lockstep_nwfilter",
        "flush table bridge lockstep_nwfilter",
        "flush chain bridge lockstep_nwfilter prerouting",
    ];
    for (done, damage) in damages.into_iter().enumerate() {
        world.net.nft(damage);
        wait::until("the repair is told, with who made it necessary", || {
            let log = world.host.log();
            let told = log
                .lines()
                .filter(|line| line.contains("made anew") && line.contains("nft ("));
            (told.count() > done).then_some(())
        });
        assert!(!world.passes(FORBIDDEN), "open after '{damage}'");
    }
    assert!(world.passes(10), "only what is forbidden is dropped");
}

fn full() {
    let world = World::new();
    let folder = wait::until("the filter's file", || find(world.host.root().to_owned(), "fault.xml"));
    let before = fs::read(&folder).unwrap();
    let folder = folder.parent().unwrap().to_owned();
    let covered = Covered::fill(&folder);
    let path = world.host.document(&version(1));
    let refused = world.host.virsh(&["nwfilter-define", &path.to_string_lossy()]);
    let refused = refused.fails();
    assert!(refused.contains("fault") && refused.contains("space"), "{refused}");
    assert_eq!(world.in_force([0, 1]), 0);
    assert!(world.host.virsh(&["nwfilter-dumpxml", "fault"]).ok().contains("'1000'"));
    let fresh = version(0).replace("fault", "fresh").replace("a001", "a003");
    let path = world.host.document(&fresh);
    let refused = world.host.virsh(&["nwfilter-define", &path.to_string_lossy()]).fails();
    assert!(refused.contains("fresh"), "{refused}");
    assert!(!world.host.virsh(&["nwfilter-list"]).ok().contains("fresh"));
    assert_eq!(fs::read(folder.join("fault.xml")).unwrap(), before);
    fs::remove_file(folder.join(".fill")).unwrap();
    world.define(&version(1));
    assert_eq!(world.in_force([0, 1]), 1);
    drop(covered);
}

/// A folder under a small file system that is full, with what the folder has; uncovered in the end, whatever happens.
struct Covered<'a>(&'a Path);

impl<'a> Covered<'a> {
    fn fill(folder: &'a Path) -> Self {
        let script = r#"mkdir "$1.copy" && cp -a "$1/." "$1.copy" && mount -t tmpfs -o size=256k,nr_inodes=200 tmpfs "$1" &&
            cp -a "$1.copy/." "$1" && rm -r "$1.copy" && ! cat /dev/zero > "$1/.fill" 2>/dev/null"#;
        let done = Command::new("sh").args(["-c", script, "sh"]).arg(folder).status();
        let covered = Self(folder);
        assert!(done.unwrap().success());
        covered
    }
}

impl Drop for Covered<'_> {
    fn drop(&mut self) {
        // Lazily: the host may have a file open.
        let _status = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

fn find(folder: PathBuf, name: &str) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?.flatten();
    entries.into_iter().find_map(|entry| {
        let path = entry.path();
        if entry.file_name() == name {
            return Some(path);
        }
        let folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        folder.then(|| find(path, name)).flatten()
    })
}

fn killed() {
    let mut random = Random::from_environment();
    let mut world = World::new();
    let (stop, sent) = (AtomicBool::new(false), AtomicUsize::new(0));
    let flood = world.guest.share();
    std::thread::scope(|scope| {
        // Goes on through every change, death and start of the host; in_force looks at what comes out.
        let _load = scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                flood.send(&packet(FORBIDDEN, b"look"));
                sent.fetch_add(1, Ordering::Relaxed);
            }
        });
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| rounds(&mut world, &mut random)));
        stop.store(true, Ordering::Relaxed);
        if let Err(panic) = ended {
            std::panic::resume_unwind(panic);
        }
    });
    assert!(sent.load(Ordering::Relaxed) > 10_000, "there was hardly any load");
}

fn rounds(world: &mut World, random: &mut Random) {
    // How long a definition takes here and now; deaths are spread over that and a half.
    let began = Instant::now();
    (1..=3).for_each(|k| world.define(&version(k)));
    let usual = u64::try_from(began.elapsed().as_micros() / 3).expect("not for ever");
    let mut now = 3;
    for round in 0..100 {
        let next = now + 1;
        let path = world.host.document(&version(next));
        let mut define = world.host.virsh_command();
        let mut define = define
            .arg("nwfilter-define")
            .arg(&path)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("virsh runs");
        // The moment of death is what is being varied, from before the request arrives to after it has been answered.
        let moment = Instant::now() + Duration::from_micros(random.below(usual * 3 / 2));
        while let Some(left) = moment.checked_duration_since(Instant::now()) {
            std::thread::park_timeout(left);
        }
        world.host.kill();
        let acknowledged = define.wait().expect("virsh ends").success();
        let in_kernel = world.in_force([now, next]);
        assert!(
            !acknowledged || in_kernel == next,
            "round {round}: acknowledged and not in force"
        );
        world.host.serve();
        let xml = world.host.virsh(&["nwfilter-dumpxml", "fault"]).ok();
        let filed = if xml.contains(&format!("'{}'", 1000 + next)) {
            next
        } else {
            now
        };
        assert_eq!(
            world.in_force([now, next]),
            filed,
            "round {round}: the file says otherwise"
        );
        assert!(!acknowledged || filed == next, "round {round}: acknowledged and lost");
        now = filed;
        fs::remove_file(path).unwrap();
    }
    assert!(
        (3..=97).contains(&(now - 3)),
        "of 100 definitions {} got through",
        now - 3
    );
}
