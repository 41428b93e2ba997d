//! What a start orders of its host, and what it looks at before.

use super::*;
use crate::plan::Image;
use driver_api::types::launch::{Backend, Launch, Link};
use driver_api::types::param::Param;
use std::os::unix::fs::symlink;
use std::path::Path;

impl Lab {
    /// Defines and starts a domain with these devices.
    fn start_with(&self, uuid: &str, more: &str, devices: &str) -> Result<DomainBrief> {
        let xml = self.xml(&format!("vm-{uuid}"), uuid, more);
        let xml = xml.replace("</devices>", &format!("{devices}</devices>"));
        self.cx(|cx| self.uml.define(cx, &xml, 0)).unwrap();
        self.start(uuid)
    }

    fn ordered(&self) -> Launch {
        self.host.launches.lock().last().unwrap().clone()
    }

    /// The kernel was built with these options too.
    fn kernel_has(&self, options: &[&str]) {
        let kernel = self.root.path().join("kernel");
        let more: String = options
            .iter()
            .map(|option| format!("; echo CONFIG_{option}=y"))
            .collect();
        let script = std::fs::read_to_string(&kernel)
            .unwrap()
            .replace(";; esac", &format!("{more};; esac"));
        std::fs::write(&kernel, script).unwrap();
    }
}

fn disk(path: &Path, target: &str, more: &str) -> String {
    format!(
        "<disk><source file='{}'/><target dev='{target}'/>{more}</disk>",
        path.display()
    )
}

#[test]
fn an_order_has_links_lines_limits_and_spare_consoles() {
    let lab = Lab::with_options(&[("spare_consoles", "2")]);
    let devices = "<interface type='ethernet'><mac address='52:54:00:00:00:01'/></interface>\
                   <interface type='mcast'><mac address='52:54:00:00:00:02'/><source address='230.0.0.1' port='5'/></interface>\
                   <serial type='tcp'><source mode='bind' host='::1' service='4'/></serial>";
    let more = "<cputune><shares>512</shares></cputune><memtune><hard_limit unit='MiB'>128</hard_limit></memtune>\
                <seclabel type='static' model='dac'><label>+2001:+2002</label></seclabel>";
    lab.start_with(A, more, devices).unwrap();
    let launch = lab.ordered();
    assert_eq!(launch.user, Some((2001, 2002)));
    assert_eq!(launch.spare_consoles, 2);
    assert_eq!(
        launch.limits,
        [
            Param::new("cpu_shares", 512_u64),
            Param::new("hard_limit", 128_u64 << 10)
        ]
    );
    assert_eq!(
        launch.links,
        [
            Link::Tap {
                name: "vnet0".to_owned()
            },
            Link::Multicast {
                name: "net1".to_owned(),
                group: "230.0.0.1:5".to_owned()
            }
        ]
    );
    assert!(
        matches!(
            &launch.backends[..],
            [
                Backend::None,
                Backend::Tcp {
                    listen: true,
                    telnet: false,
                    ..
                }
            ]
        ),
        "{:?}",
        launch.backends
    );
    let argv = launch.spec.argv.join(" ");
    assert!(
        argv.contains("vec0:transport=tap,ifname=vnet0,") && argv.contains("vec1:transport=bess,"),
        "{argv}"
    );
    // An interface without a device shows none.
    let shown = lab.uml.dump_xml(uuid(A), 0).unwrap();
    assert_eq!(shown.matches("<target dev=").count(), 1, "{shown}");
    let mut lab = lab;
    lab.reopen();
    lab.cx(|cx| lab.uml.bring_up(cx)).unwrap();
    assert_eq!(lab.uml.dump_xml(uuid(A), 0).unwrap(), shown);
    lab.destroy(A).unwrap();
}

#[test]
fn a_log_begins_anew_at_a_start_and_not_at_a_reboot() {
    let lab = Lab::new();
    let (cut, kept, strange) = (lab.file("cut"), lab.file("kept"), lab.root.path().join("strange"));
    symlink(&kept, &strange).unwrap();
    let line = |path: &Path, append: &str| {
        format!(
            "<serial type='file'><source path='{}' append='{append}'/></serial>",
            path.display()
        )
    };
    let devices = line(&cut, "off") + &line(&kept, "on") + &line(&strange, "off");
    lab.start_with(A, "<on_reboot>restart</on_reboot>", &devices).unwrap();
    let size = |path: &Path| std::fs::metadata(path).unwrap().len();
    assert_eq!(
        (size(&cut), size(&kept)),
        (0, 4096),
        "a link leads to what somebody else chose"
    );
    std::fs::write(&cut, "said").unwrap();
    let exit = Exit {
        code: Some(0),
        console_tail: "reboot: Restarting system\n".to_owned(),
        ..Exit::default()
    };
    lab.host.end(1, exit);
    lab.until(|record| record.run.as_ref().is_some_and(|run| run.guest.0 == 2));
    assert_eq!(size(&cut), 4);
    lab.destroy(A).unwrap();
}

#[test]
fn an_image_is_written_by_one_domain() {
    let lab = Lab::new();
    let image = lab.file("image");
    let other = lab.root.path().join("other");
    std::fs::hard_link(&image, &other).unwrap();
    lab.start_with(A, "", &disk(&image, "ubda", "")).unwrap();
    for more in ["", "<readonly/>", "<shareable/>"] {
        let error = lab.start_with(B, "", &disk(&other, "ubdb", more)).unwrap_err();
        assert_eq!(error.code(), Code::RESOURCE_BUSY);
        let words = format!("disk 'ubdb' is written by domain 'vm-{A}' as disk 'ubda'");
        assert!(error.to_string().contains(&words), "{error}");
    }
    lab.destroy(A).unwrap();
    lab.start_with(A, "", &disk(&image, "ubda", "<readonly/>")).unwrap();
    lab.start_with(B, "", &disk(&image, "ubda", "<readonly/>")).unwrap();
    lab.destroy(B).unwrap();
    let over = format!("<backingStore><source file='{}'/></backingStore>", image.display());
    lab.start_with(B, "", &disk(&lab.root.path().join("top"), "ubda", &over))
        .unwrap();
    lab.destroy(A).unwrap();
    let error = lab.start_with(A, "", &disk(&image, "ubda", "")).unwrap_err();
    assert!(error.to_string().contains("is used by domain"), "{error}");
    lab.destroy(B).unwrap();
    lab.start_with(A, "", &disk(&image, "ubda", "<shareable/>")).unwrap();
    lab.start_with(B, "", &disk(&image, "ubda", "<shareable/>")).unwrap();
}

#[test]
fn of_two_starts_on_one_image_the_first_goes_on() {
    let lab = Lab::new();
    let image = lab.file("image");
    *lab.host.boots.lock() = Boots::Never;
    let xml = lab
        .xml("vm", A, "")
        .replace("</devices>", &format!("{}</devices>", disk(&image, "ubda", "")));
    lab.cx(|cx| lab.uml.define(cx, &xml, 0)).unwrap();
    lab.define("other", B).unwrap();
    let (uml, host) = (lab.uml.clone(), std::sync::Arc::clone(&lab.host));
    let start = std::thread::spawn(move || host.locks.session(|cx| uml.start(cx, uuid(A), 0).map(drop)));
    lab.until(|record| record.phase == Phase::Starting);
    let core = lab.core();
    let first = core.table.entry(uuid(A)).unwrap().record().unwrap();
    let image = Image::of(&first.current.disks[0]).unwrap().unwrap();
    let other = core.table.entry(uuid(B)).unwrap();
    let free = |before| core.images_are_free(&other, &[(image.clone(), Vec::new())], before);
    assert_eq!(code(free(None)), Code::RESOURCE_BUSY.0, "a start that begins sees it");
    assert_eq!(
        code(free(Some(first.id + 1))),
        Code::RESOURCE_BUSY.0,
        "and so does one that began later"
    );
    free(Some(first.id - 1)).unwrap();
    core.cancel_boot(uuid(A));
    start.join().unwrap().unwrap_err();
}

#[test]
fn what_the_kernel_or_the_host_has_not_is_refused_by_name() {
    let lab = Lab::new();
    let image = lab.file("image");
    let folder = format!(
        "<filesystem><source dir='{}'/><target dir='t'/></filesystem>",
        lab.root.path().display()
    );
    let virtio = disk(&image, "vda", "");
    for (devices, words) in [
        (&virtio, "can not have disk 'vda' of domain"),
        (&folder, "can not have filesystem 't' of domain"),
    ] {
        let error = lab.start_with(A, "", devices).unwrap_err();
        assert_eq!(error.code(), Code::CONFIG_UNSUPPORTED);
        assert!(error.to_string().contains(words), "{error}");
    }
    lab.kernel_has(&["HOSTFS", "VIRTIO_UML"]);
    lab.start_with(A, "", &folder).unwrap();
    let files = lab.ordered().spec.files;
    assert!(
        files.iter().any(|file| file.path == lab.root.path() && !file.writable),
        "{files:?}"
    );
    lab.destroy(A).unwrap();
    let file = folder.replace(&*lab.root.path().to_string_lossy(), &image.to_string_lossy());
    let error = lab.start_with(A, "", &file).unwrap_err();
    assert!(error.to_string().contains("is no folder, one is needed"), "{error}");
    let label = "<seclabel type='static' model='dac'><label>nobody-of-that-name:+1</label></seclabel>";
    let error = lab.start_with(A, label, "").unwrap_err();
    assert!(
        error.to_string().contains("'nobody-of-that-name' of <seclabel>"),
        "{error}"
    );
    assert!(lab.host.alive().is_empty());
}

#[test]
fn a_tap_of_somebody_else_is_used_and_left() {
    let lab = Lab::new();
    let tap =
        "<interface type='ethernet'><mac address='52:54:00:00:00:01'/><target dev='vnet7' managed='no'/></interface>";
    let error = lab.start_with(A, "", tap).unwrap_err();
    assert!(error.to_string().contains("there is no such tap"), "{error}");
    lab.network.stranger("vnet7");
    lab.start_with(A, "", tap).unwrap();
    assert!(
        lab.uml
            .dump_xml(uuid(A), 0)
            .unwrap()
            .contains("<target dev='vnet7' managed='no'/>")
    );
    lab.destroy(A).unwrap();
    lab.start_with(B, "", &tap.replace("0:01", "0:02")).unwrap();
    let happened: Vec<String> = lab
        .host
        .log
        .lock()
        .drain(..)
        .filter(|what| what.contains("vnet7"))
        .collect();
    assert_eq!(happened, ["adopt vnet7", "adopt vnet7"], "nothing else is done to it");
}
