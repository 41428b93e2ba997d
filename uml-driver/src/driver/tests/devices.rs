//! Devices that come and go: live, in the definition, in both, and what is told of it.

use super::*;
use driver_api::driver::{Devices, Driver};
use driver_api::types::domain::flags::{AFFECT_CONFIG, AFFECT_LIVE};
use driver_api::types::notice::Notice;
use std::path::PathBuf;

pub(super) const BOTH: u32 = AFFECT_LIVE | AFFECT_CONFIG;

impl Lab {
    pub(super) fn attach(&self, xml: &str, given: u32) -> Result<()> {
        self.cx(|cx| self.uml.attach_device(cx, uuid(A), xml, given))
    }

    pub(super) fn detach(&self, xml: &str, given: u32) -> Result<()> {
        self.cx(|cx| self.uml.detach_device(cx, uuid(A), xml, given))
    }

    pub(super) fn detach_alias(&self, alias: &str, given: u32) -> Result<()> {
        self.cx(|cx| self.uml.detach_alias(cx, uuid(A), alias, given))
    }

    pub(super) fn update(&self, xml: &str, given: u32) -> Result<()> {
        self.cx(|cx| self.uml.update_device(cx, uuid(A), xml, given))
    }

    /// A file of the host.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        let path = self.root.path().join(name);
        std::fs::write(&path, [0; 4096]).unwrap();
        path
    }

    pub(super) fn disk(&self, target: &str, file: &str, more: &str) -> String {
        let path = self.file(file);
        format!(
            "<disk><source file='{}'/><target dev='{target}'/>{more}</disk>",
            path.display()
        )
    }

    pub(super) fn live(&self) -> String {
        self.uml.dump_xml(uuid(A), 0).unwrap()
    }

    pub(super) fn next(&self) -> String {
        self.uml.dump_xml(uuid(A), flags::XML_INACTIVE).unwrap()
    }

    /// What the guest's kernel has, but for the console that it was born with.
    pub(super) fn guest_has(&self) -> Vec<String> {
        let guest = *self.host.alive().first().unwrap();
        let mut shown = self.host.kernel(guest).lock().shown();
        shown.retain(|device| {
            device != "con=none" && device != "ssl=none" && device != "con0=fd:10" && !device.starts_with("console")
        });
        shown
    }

    pub(super) fn notices(&self) -> Vec<String> {
        let told = self.host.notices.lock().drain(..).collect::<Vec<_>>();
        told.into_iter()
            .map(|notice| {
                assert_eq!(
                    (notice.uuid, notice.name.as_str(), notice.id.is_some()),
                    (uuid(A), "vm", true)
                );
                match notice.notice {
                    Notice::DeviceAdded { alias } => format!("added {alias}"),
                    Notice::DeviceRemoved { alias } => format!("removed {alias}"),
                    Notice::DeviceRemovalFailed { alias } => format!("kept {alias}"),
                    other => format!("{other:?}"),
                }
            })
            .collect()
    }

    /// A lab with one domain that runs and has these devices too.
    pub(super) fn with_devices(devices: impl FnOnce(&Self) -> String) -> Self {
        let lab = Self::new();
        let xml = lab.xml("vm", A, "");
        let xml = xml.replace("</devices>", &format!("{}</devices>", devices(&lab)));
        lab.cx(|cx| lab.uml.define(cx, &xml, 0)).unwrap();
        lab.start(A).unwrap();
        lab.events();
        lab.host.log.lock().clear();
        lab
    }

    pub(super) fn log(&self) -> Vec<String> {
        let root = self.root.path().display().to_string();
        let log = self.host.log.lock().drain(..).collect::<Vec<_>>();
        log.into_iter().map(|line| line.replace(&root, "")).collect()
    }
}

const NIC: &str = "<interface type='bridge'><mac address='52:54:00:00:00:07'/><source bridge='br0'/>\
                   <filterref filter='clean'/></interface>";

#[test]
fn disk_comes_and_goes_with_its_files() {
    let lab = Lab::running("");
    lab.attach(&lab.disk("ubdc", "c.img", "<readonly/><serial>S1</serial>"), 0)
        .unwrap();
    assert_eq!(lab.log(), ["plug 1 file /c.img"]);
    let file = lab.root.path().join("c.img");
    assert_eq!(lab.guest_has(), [format!("ubdc={}", file.display())]);
    assert_eq!(
        lab.host.kernel(1).lock().told,
        [format!("config ubdcrcd={},,S1", file.display())]
    );
    assert!(lab.live().contains("<alias name='ubdc'/>"), "{}", lab.live());
    assert!(!lab.next().contains("ubdc"));
    assert!(lab.brief().updated);
    lab.detach("<disk><target dev='ubd2' bus='uml'/><source file='/x'/></disk>", 0)
        .unwrap();
    assert_eq!(lab.log(), ["unplug 1 file /c.img"]);
    assert_eq!(lab.guest_has(), [""; 0]);
    assert!(!lab.live().contains("ubdc") && !lab.brief().updated);
    assert_eq!(lab.notices(), ["added ubdc", "removed ubdc"]);
    assert!(lab.events().is_empty() && lab.host.locks.is_idle());
}

#[test]
fn backing_file_that_another_disk_uses_stays_in_sight() {
    let lab = Lab::running("");
    let base = lab.file("base.img");
    let over = |target: &str, file: &str| {
        let backing = format!("<backingStore><source file='{}'/></backingStore>", base.display());
        let path = lab.root.path().join(file);
        format!(
            "<disk><source file='{}'/><target dev='{target}'/>{backing}</disk>",
            path.display()
        )
    };
    lab.attach(&over("ubdb", "b.cow"), 0).unwrap();
    lab.attach(&over("ubdc", "c.cow"), 0).unwrap();
    assert!(lab.root.path().join("b.cow").exists(), "it is made as at a start");
    lab.log();
    lab.detach_alias("ubdb", 0).unwrap();
    assert_eq!(lab.log(), ["unplug 1 file /b.cow"]);
    lab.detach_alias("ubdc", 0).unwrap();
    assert_eq!(lab.log(), ["unplug 1 file /c.cow", "unplug 1 file /base.img"]);
}

#[test]
fn interface_is_filtered_before_it_is_attached_and_removed_before_its_filter_goes() {
    let lab = Lab::with_devices(|_| "<interface type='bridge'><source bridge='br9'/></interface>".to_owned());
    lab.attach(NIC, BOTH).unwrap();
    let wanted = [
        "make vnet1",
        "filter vnet1 clean",
        "connect vnet1 br0",
        "plug 1 link vnet1",
    ];
    assert_eq!(lab.log(), wanted);
    let told = lab.host.kernel(1).lock().told.clone();
    assert_eq!(
        told[..],
        ["config vec1:transport=tap,ifname=vnet1,depth=64,gro=1,mac=52:54:00:00:00:07"]
    );
    assert!(
        lab.live().contains("<target dev='vnet1'/>") && lab.live().contains("<alias name='net1'/>"),
        "{}",
        lab.live()
    );
    assert!(lab.next().contains("52:54:00:00:00:07") && !lab.next().contains("vnet1"));
    assert!(!lab.brief().updated);
    let requests = |lab: &Lab| {
        lab.cx(|cx| {
            lab.uml
                .filtered_ports(&mut cx.update_read().unwrap(), &["clean".to_owned()])
                .unwrap()
        })
    };
    assert_eq!(requests(&lab)[0].port, "vnet1");
    assert_eq!(lab.network.taps(), ["vnet0", "vnet1"]);
    lab.detach(NIC, BOTH).unwrap();
    assert_eq!(lab.log(), ["unplug 1 link vnet1", "remove vnet1", "unfilter vnet1"]);
    assert_eq!((lab.network.taps(), requests(&lab)), (vec!["vnet0".to_owned()], vec![]));
    assert!(!lab.next().contains("52:54:00:00:00:07"));
    assert!(lab.core().names.take("vnet1", Duration::ZERO), "its name is free");
    assert_eq!(lab.notices(), ["added net1", "removed net1"]);
}

#[test]
fn lines_come_and_go_on_spare_descriptors() {
    let lab = Lab::running("");
    lab.attach("<console type='pty'/>", 0).unwrap();
    lab.attach(
        "<serial type='stdio'><target port='5'/><alias name='ua-s'/></serial>",
        0,
    )
    .unwrap();
    lab.attach("<console type='null'/>", 0).unwrap();
    assert_eq!(lab.guest_has(), ["con1=fd:11", "con2=null", "ssl5=fd:12"]);
    let console = |alias| lab.uml.console(uuid(A), Some(alias)).map(|console| console.index);
    assert_eq!(
        (
            console("console1").unwrap(),
            console("ua-s").unwrap(),
            console("console0").unwrap()
        ),
        (1, 2, 0)
    );
    assert_eq!(code(console("console2")), 8);
    let live = lab.live();
    assert!(
        live.contains("/dev/pts/8") && live.contains("<alias name='console1'/>"),
        "{live}"
    );
    // The one in the middle goes, the others are called as before.
    lab.detach("<console type='pty'><target type='uml' port='1'/></console>", 0)
        .unwrap();
    assert_eq!(code(console("console1")), 8);
    assert_eq!(console("ua-s").unwrap(), 2);
    assert!(lab.live().contains("<alias name='console2'/>"), "{}", lab.live());
    assert!(!lab.live().contains("/dev/pts/8"));
    lab.attach("<serial type='pty'/>", 0).unwrap();
    assert_eq!(lab.guest_has(), ["con2=null", "ssl0=fd:11", "ssl5=fd:12"]);
    lab.detach_alias("ua-s", 0).unwrap();
    lab.detach_alias("console2", 0).unwrap();
    lab.detach_alias("serial0", 0).unwrap();
    assert_eq!(lab.guest_has(), [""; 0]);
    assert_eq!(lab.host.served(1), ["console0"]);
    for _ in 0..4 {
        lab.attach("<serial type='pty'/>", 0).unwrap();
    }
    let error = lab.attach("<serial type='pty'/>", 0).unwrap_err();
    assert!(error.to_string().contains("no console is spare"), "{error}");
}

#[test]
fn guest_without_lines_keeps_its_log_on_the_first() {
    let lab = Lab::new();
    let xml = lab.xml("vm", A, "").replace("<console type='pty'/>", "");
    lab.cx(|cx| lab.uml.define(cx, &xml, 0)).unwrap();
    lab.start(A).unwrap();
    lab.attach("<console type='pty'/>", 0).unwrap();
    assert!(lab.guest_has().contains(&"con1=fd:11".to_owned()));
    assert_eq!(lab.uml.console(uuid(A), None).unwrap().index, 1);
}

#[test]
fn definition_alone_is_changed_without_the_guest() {
    let lab = Lab::running("");
    lab.attach(&lab.disk("ubdb", "b.img", ""), AFFECT_CONFIG).unwrap();
    assert!(lab.next().contains("ubdb") && !lab.live().contains("ubdb") && lab.brief().updated);
    assert_eq!(code(lab.attach(&lab.disk("ubdb", "c.img", ""), AFFECT_CONFIG)), 9);
    lab.destroy(A).unwrap();
    assert!(lab.live().contains("ubdb"));
    lab.attach(NIC, 0).unwrap();
    lab.attach("<console type='null'/>", 0).unwrap();
    lab.attach("<input type='tablet'/>", 0).unwrap();
    lab.start(A).unwrap();
    assert!(lab.guest_has().iter().any(|device| device.starts_with("vec0:")));
    // What is plugged in while the definition has another disk there already.
    assert_eq!(code(lab.attach(&lab.disk("ubdb", "d.img", ""), BOTH)), 9);
    lab.detach_alias("ubdb", AFFECT_CONFIG).unwrap();
    lab.detach("<input type='tablet'/>", AFFECT_CONFIG).unwrap();
    assert_eq!(code(lab.detach("<input type='tablet'/>", AFFECT_CONFIG)), 99);
    assert!(!lab.next().contains("ubdb") && !lab.next().contains("tablet") && lab.live().contains("ubdb"));
    assert!(lab.notices().is_empty(), "nothing was plugged in or out");
    let file = std::fs::read_to_string(lab.conf().join("vm.xml")).unwrap();
    assert_eq!(file, lab.next());
}

#[test]
fn aliases_of_others_stay_and_a_reboot_changes_nothing() {
    let nic = |last: u32| {
        format!(
            "<interface type='bridge'><mac address='52:54:00:00:00:0{last}'/><source bridge='br{last}'/></interface>"
        )
    };
    let lab = Lab::with_devices(|_| (0..3).map(nic).collect());
    lab.detach(&nic(0), BOTH).unwrap();
    lab.attach("<console type='null'/>", 0).unwrap();
    lab.attach("<console type='pty'/>", 0).unwrap();
    lab.detach_alias("console1", 0).unwrap();
    let aliases = |lab: &Lab| -> Vec<String> {
        let live = lab.live();
        live.match_indices("<alias name='")
            .map(|(at, found)| live[at + found.len()..].split('\'').next().unwrap().to_owned())
            .collect()
    };
    let wanted = ["net1", "net2", "console0", "console2"];
    assert_eq!(aliases(&lab), wanted);
    let exit = Exit {
        code: Some(0),
        console_tail: "reboot: Restarting system\n".to_owned(),
        ..Exit::default()
    };
    lab.host.end(1, exit);
    lab.until(|r| r.runs_on(GuestId(2)));
    lab.settled();
    assert_eq!(aliases(&lab), wanted);
    let has = lab.guest_has();
    for device in ["vec1:", "vec2:", "con2="] {
        assert!(has.iter().any(|of| of.starts_with(device)), "{has:?}");
    }
    assert!(!has.iter().any(|of| of.starts_with("vec0")), "{has:?}");
    lab.detach_alias("net2", BOTH).unwrap();
    assert!(
        !lab.next().contains("br2") && lab.next().contains("br1"),
        "{}",
        lab.next()
    );
    // At the next start numbers follow the document again.
    lab.destroy(A).unwrap();
    lab.start(A).unwrap();
    assert_eq!(aliases(&lab), ["net0", "console0"]);
}

#[test]
fn everything_is_there_for_the_next_host() {
    let mut lab = Lab::with_devices(|_| "<interface type='bridge'><source bridge='br9'/></interface>".to_owned());
    lab.attach(&lab.disk("ubdb", "b.img", ""), 0).unwrap();
    lab.attach(NIC, 0).unwrap();
    lab.attach("<console type='pty'/>", 0).unwrap();
    lab.attach("<serial type='pty'/>", 0).unwrap();
    lab.detach_alias("net0", 0).unwrap();
    lab.detach_alias("console1", 0).unwrap();
    let (live, has) = (lab.live(), lab.guest_has());
    lab.reopen();
    lab.cx(|cx| lab.uml.bring_up(cx)).unwrap();
    lab.settled();
    assert_eq!((lab.live(), lab.guest_has()), (live, has));
    assert_eq!(lab.uml.console(uuid(A), Some("serial0")).unwrap().index, 2);
    lab.notices();
    lab.log();
    lab.detach_alias("net1", 0).unwrap();
    lab.detach_alias("serial0", 0).unwrap();
    lab.detach_alias("ubdb", 0).unwrap();
    assert_eq!(lab.notices(), ["removed net1", "removed serial0", "removed ubdb"]);
    assert_eq!(
        lab.log(),
        [
            "unplug 1 link vnet1",
            "remove vnet1",
            "unfilter vnet1",
            "unplug 1 console serial0",
            "unplug 1 file /b.img"
        ]
    );
    assert_eq!((lab.guest_has(), lab.network.taps()), (vec![], vec![]));
}

#[test]
fn devices_without_end_leave_nothing() {
    let lab = Lab::running("");
    for _ in 0..30 {
        for device in [
            lab.disk("ubdb", "b.img", ""),
            NIC.to_owned(),
            "<console type='pty'/>".to_owned(),
            "<serial type='pty'/>".to_owned(),
        ] {
            lab.attach(&device, BOTH).unwrap();
        }
        for alias in ["ubdb", "net0", "console1", "serial0"] {
            lab.detach_alias(alias, BOTH).unwrap();
        }
    }
    assert_eq!((lab.guest_has(), lab.network.taps()), (vec![], vec![]));
    assert_eq!(lab.host.served(1), ["console0"]);
    assert!(lab.host.filtered.lock().is_empty() && !lab.brief().updated);
    let files = lab.host.kernel(1).lock().files.clone();
    assert!(!files.contains(&lab.root.path().join("b.img")), "{files:?}");
}
