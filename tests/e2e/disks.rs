//! Disks: what is looked at before a start, who may write what, and formats that a program beside the guest reads.

use conformance::case::Case;
use conformance::guest::{Document, image_with, module};
use conformance::host::Host;
use conformance::need::Need::{Root, Storage, Uml, Virsh};
use conformance::wait;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "disk_that_can_not_be_one_fails_the_start_by_name",
        needs: &[Virsh, Uml],
        run: refused,
    },
    Case {
        name: "disk_of_two_guests_is_written_by_one",
        needs: &[Root, Uml, Virsh],
        run: shared,
    },
    Case {
        name: "disk_over_a_file_that_was_touched_fails_with_the_remedy",
        needs: &[Root, Uml, Virsh],
        run: touched,
    },
    Case {
        name: "disk_of_a_clients_default_bus_is_the_ubd_with_its_letter",
        needs: &[Root, Uml, Virsh],
        run: other_bus,
    },
    Case {
        name: "disk_may_be_a_block_device",
        needs: &[Root, Uml, Virsh],
        run: block_device,
    },
    Case {
        name: "disk_chain_of_qcow2_is_read_beside_the_guest",
        needs: &[Root, Uml, Virsh, Storage],
        run: chain,
    },
    Case {
        name: "disk_on_virtio_is_locked_against_others",
        needs: &[Root, Uml, Virsh, Storage],
        run: locked,
    },
];

fn image(host: &Host, name: &str, byte: u8) -> PathBuf {
    let path = host.root().join(name);
    std::fs::write(&path, vec![byte; 1 << 20]).unwrap();
    path
}

fn disk(path: &Path, target: &str, more: &str) -> String {
    format!(
        "<disk type='file'><source file='{}'/><target dev='{target}'/>{more}</disk>",
        path.display()
    )
}

fn says(host: &Host, name: &str, words: &str) {
    wait::until(&format!("'{name}' says '{words}'"), || {
        host.console_log(name).contains(words).then_some(())
    });
}

fn refused() {
    let host = Host::start();
    let empty = host.root().join("empty");
    std::fs::write(&empty, "").unwrap();
    let odd = host.root().join("odd");
    std::fs::write(&odd, vec![0; 1000]).unwrap();
    let mine = image(&host, "mine", b'm');
    let over = format!(
        "<backingStore type='file'><source file='{}'/></backingStore>",
        mine.display()
    );
    for (device, words) in [
        (disk(&host.root().join("none"), "ubda", ""), "can not be found"),
        (disk(host.root(), "ubda", ""), "is a folder"),
        (
            disk(Path::new("/dev/null"), "ubda", ""),
            "is neither a file nor a block device",
        ),
        (disk(&empty, "ubda", ""), "is empty"),
        (disk(&odd, "ubda", ""), "has 1000 bytes, which is no multiple of 512"),
        (disk(&odd, "ubda", &over), "is no copy-on-write file"),
        (disk(&mine, "vda", "<driver type='qcow2'/>"), "is no qcow2 image"),
        (
            disk(&mine, "ubda", "") + &disk(&mine, "sda", ""),
            "it would be the same device in the guest as disk 'ubda'",
        ),
    ] {
        host.define(&Document::new("vm1").device(&device).xml());
        let message = host.virsh(&["start", "vm1"]).fails();
        assert!(message.contains(words), "no '{words}' in {message}");
        let _out = host.virsh(&["undefine", "vm1"]).ok();
    }
}

fn shared() {
    let host = Host::start();
    let image = image(&host, "data.img", b'd');
    // Another name of the same file is the same file.
    let other = host.root().join("link.img");
    std::fs::hard_link(&image, &other).unwrap();
    let start = |name: &str, device: &str| {
        host.define(&Document::new(name).device(device).xml());
        host.virsh(&["start", name])
    };
    let _out = start("writer", &disk(&image, "ubda", "")).ok();
    for more in ["", "<readonly/>", "<shareable/>"] {
        let message = start("vm2", &disk(&other, "ubda", more)).fails();
        let _out = host.virsh(&["undefine", "vm2"]).ok();
        assert!(
            message.contains("of disk 'ubda' is written by domain 'writer' as disk 'ubda'"),
            "{more}: {message}"
        );
    }
    let _out = host.virsh(&["destroy", "writer"]).ok();
    // Readers do not disturb each other, and all can read.
    let script = "mknod /dev/ubda b 98 0; head -c 3 /dev/ubda; echo; sleep 1000";
    for name in ["r1", "r2"] {
        host.define(
            &Document::new(name)
                .running(script)
                .device(&disk(&image, "ubda", "<readonly/>"))
                .xml(),
        );
        let _out = host.virsh(&["start", name]).ok();
        says(&host, name, "ddd");
    }
    let message = start("vm2", &disk(&image, "ubda", "")).fails();
    assert!(message.contains("is used by domain 'r"), "{message}");
    for name in ["r1", "r2"] {
        let _out = host.virsh(&["destroy", name]).ok();
    }
    for name in ["s1", "s2"] {
        let _out = start(name, &disk(&image, "ubda", "<shareable/>")).ok();
    }
    for name in ["s1", "s2"] {
        let _out = host.virsh(&["destroy", name]).ok();
    }
}

fn touched() {
    let host = Host::start();
    let base = image(&host, "base.img", b'b');
    let top = host.root().join("top.cow");
    let over = format!(
        "<backingStore type='file'><source file='{}'/></backingStore>",
        base.display()
    );
    host.define(&Document::new("vm1").device(&disk(&top, "ubda", &over)).xml());
    let _out = host.virsh(&["start", "vm1"]).ok();
    let _out = host.virsh(&["destroy", "vm1"]).ok();
    let file = std::fs::File::options().write(true).open(&base).unwrap();
    let before = file.metadata().unwrap().modified().unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000))
        .unwrap();
    let message = host.virsh(&["start", "vm1"]).fails();
    assert!(
        message.contains("which was touched since") && message.contains("touch -d @"),
        "{message}"
    );
    file.set_modified(before).unwrap();
    let _out = host.virsh(&["start", "vm1"]).ok();
    let _out = host.virsh(&["destroy", "vm1"]).ok();
}

fn other_bus() {
    let host = Host::start();
    let image = image(&host, "data.img", b'd');
    let script = "mknod /dev/ubdc b 98 32; head -c 3 /dev/ubdc; echo; sleep 1000";
    host.define(
        &Document::new("vm1")
            .running(script)
            .device(&disk(&image, "hdc", ""))
            .xml(),
    );
    let _out = host.virsh(&["start", "vm1"]).ok();
    says(&host, "vm1", "ddd");
    let shown = host.virsh(&["dumpxml", "vm1"]).ok();
    assert!(shown.contains("<target dev='hdc' bus='ide'/>"), "{shown}");
    let _out = host.virsh(&["destroy", "vm1"]).ok();
}

/// A block device over a file, until it is dropped.
struct Loop(String);

impl Loop {
    fn over(path: &Path) -> Self {
        let output = Command::new("losetup")
            .args(["--find", "--show"])
            .arg(path)
            .output()
            .expect("losetup runs");
        assert!(output.status.success(), "{output:?}");
        Self(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _status = Command::new("losetup").args(["--detach", &self.0]).status();
    }
}

fn block_device() {
    let host = Host::start();
    let device = Loop::over(&image(&host, "data.img", b'd'));
    let script =
        "mknod /dev/ubda b 98 0; head -c 3 /dev/ubda; echo; printf new | dd of=/dev/ubda conv=notrunc 2>/dev/null; sync
        echo all-said; sleep 1000";
    let disk = |target: &str| {
        format!(
            "<disk type='block'><source dev='{}'/><target dev='{target}'/></disk>",
            device.0
        )
    };
    host.define(&Document::new("vm1").running(script).device(&disk("ubda")).xml());
    let _out = host.virsh(&["start", "vm1"]).ok();
    says(&host, "vm1", "all-said");
    assert!(host.console_log("vm1").contains("ddd"));
    host.define(&Document::new("vm2").device(&disk("ubdb")).xml());
    let message = host.virsh(&["start", "vm2"]).fails();
    assert!(message.contains("is written by domain 'vm1'"), "{message}");
    let _out = host.virsh(&["destroy", "vm1"]).ok();
    assert_eq!(std::fs::read(host.root().join("data.img")).unwrap()[..4], *b"newd");
}

fn qemu_img(words: &[&str]) {
    let output = Command::new("qemu-img").args(words).output().expect("qemu-img runs");
    assert!(output.status.success(), "{output:?}");
}

/// A guest that has the driver of virtio disks.
fn virtio(host: &Host, name: &str, script: &str) -> Document {
    let driver = module("drivers/block/virtio_blk.ko");
    let initrd = image_with(host.root(), &[("virtio_blk.ko", &driver)]);
    Document::new(name)
        .booting(&initrd)
        .running(&format!("insmod /virtio_blk.ko; {script}"))
}

fn chain() {
    let host = Host::start();
    let raw = image(&host, "base.img", b'b');
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let (middle, top) = (host.root().join("middle.qcow2"), host.root().join("top, \"1\".qcow2"));
    qemu_img(&[
        "create",
        "-q",
        "-f",
        "qcow2",
        "-b",
        &text(&raw),
        "-F",
        "raw",
        &text(&middle),
    ]);
    qemu_img(&[
        "create",
        "-q",
        "-f",
        "qcow2",
        "-b",
        "middle.qcow2",
        "-F",
        "qcow2",
        &text(&top),
    ]);
    let second = image(&host, "second.img", b's');
    let script = "while ! [ -b /dev/vdb ]; do :; done
        echo top:$(head -c 4 /dev/vda):ro=$(cat /sys/block/vda/ro):$(cat /sys/block/vda/size)
        echo second:$(head -c 3 /dev/vdb):ro=$(cat /sys/block/vdb/ro)
        printf new | dd of=/dev/vda bs=1 conv=notrunc 2>/dev/null; sync; echo all-said; sleep 1000";
    let devices =
        disk(&top, "vda", "<driver type='qcow2' cache='writethrough'/>") + &disk(&second, "vdb", "<readonly/>");
    host.define(&virtio(&host, "vm1", script).device(&devices).xml());
    let _out = host.virsh(&["start", "vm1"]).ok();
    says(&host, "vm1", "all-said");
    let log = host.console_log("vm1");
    assert!(
        log.contains("top:bbbb:ro=0:2048") && log.contains("second:sss:ro=1"),
        "{log}"
    );
    // The server of a disk ends with its guest and comes again with it.
    let _out = host.virsh(&["reset", "vm1"]).ok();
    says(&host, "vm1", "top:newb");
    let _out = host.virsh(&["destroy", "vm1"]).ok();
    assert!(std::fs::read(&raw).unwrap().iter().all(|byte| *byte == b'b'));
    let flat = host.root().join("flat.img");
    qemu_img(&["convert", "-O", "raw", &text(&top), &text(&flat)]);
    assert_eq!(
        std::fs::read(&flat).unwrap()[..4],
        *b"newb",
        "what the guest wrote is in the top file"
    );
    // A file below that the image does not tell of can not be read, whatever is written into the image.
    let odd = host.root().join("odd.qcow2");
    qemu_img(&[
        "create",
        "-q",
        "-u",
        "-f",
        "qcow2",
        "-b",
        "json:{}",
        "-F",
        "raw",
        &text(&odd),
        "1M",
    ]);
    host.define(
        &virtio(&host, "vm2", "")
            .device(&disk(&odd, "vda", "<driver type='qcow2'/>"))
            .xml(),
    );
    let message = host.virsh(&["start", "vm2"]).fails();
    assert!(message.contains("which is no file of this host"), "{message}");
}

fn locked() {
    let host = Host::start();
    let image = image(&host, "data.img", b'd');
    host.define(
        &virtio(&host, "vm1", "sleep 1000")
            .device(&disk(&image, "vda", ""))
            .xml(),
    );
    let _out = host.virsh(&["start", "vm1"]).ok();
    let mut others = Host::start();
    let start = |name: &str, target: &str, more: &str| {
        others.define(&Document::new(name).device(&disk(&image, target, more)).xml());
        let message = others.virsh(&["start", name]).fails();
        let _out = others.virsh(&["undefine", name]).ok();
        message
    };
    for (target, more) in [("ubda", ""), ("ubda", "<readonly/>"), ("vda", "")] {
        let message = start("vm2", target, more);
        assert!(
            message.contains(&format!("of disk '{target}' is locked by")),
            "{message}"
        );
    }
    others.stop();
    let _out = host.virsh(&["destroy", "vm1"]).ok();
}
