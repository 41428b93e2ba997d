//! What is started for a definition: QEMU's arguments, the files that it sees and its descriptors. Pure.

use crate::def::{Disk, DomainDef, serial_alias};
use driver_api::types::guest::{CONSOLE_FD, ConsoleSpec, DESCRIPTOR_FD, GuestSpec, VisibleFile};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Where QEMU finds firmware; which of these there are differs from system to system.
pub(crate) const FIRMWARE: [&str; 2] = ["/usr/share/qemu", "/usr/share/seabios"];
/// What KVM guests need beside it.
pub(crate) const KVM: &str = "/dev/kvm";

/// The order for the host. The guest's descriptors are the socket at which its monitor listens, then one tap for each
/// interface.
pub(crate) fn order(def: &DomainDef, firmware: &[&str], paused: bool) -> GuestSpec {
    let readable = |path: &Path| VisibleFile { path: path.to_owned(), writable: false };
    let mut files: Vec<VisibleFile> = firmware.iter().map(|folder| readable(Path::new(folder))).collect();
    let booted = [&def.kernel, &def.initrd].into_iter().flatten();
    files.extend(booted.map(|path: &PathBuf| readable(path)));
    files.extend(def.disks.iter().map(|disk| VisibleFile { path: disk.path.clone(), writable: !disk.readonly }));
    files.extend(def.kvm.then(|| VisibleFile { path: KVM.into(), writable: true }));
    let consoles = (0..def.serials).map(|index| ConsoleSpec { alias: serial_alias(index), pty: true, log: None });
    GuestSpec {
        domain: def.uuid,
        name: def.name.clone(),
        argv: command(def, paused),
        consoles: consoles.collect(),
        files,
        ..GuestSpec::default()
    }
}

fn command(def: &DomainDef, paused: bool) -> Vec<String> {
    // Text goes into options with its commas doubled; the rest of what a user writes is an argument of its own, or JSON.
    let name = def.name.replace(',', ",,");
    let accelerator = if def.kvm { "kvm" } else { "tcg" };
    let mut argv = vec![def.emulator.display().to_string()];
    let mut add = |words: &[&str]| argv.extend(words.iter().map(|word| (*word).to_owned()));
    add(&["-name", &format!("guest={name}"), "-uuid", &def.uuid.to_string()]);
    // Nothing but what is said here: no window, no default card or drive, no file of the machine's.
    add(&["-nodefaults", "-no-user-config", "-display", "none"]);
    add(&["-machine", &format!("{},accel={accelerator}", def.machine), "-cpu", "max"]);
    add(&["-m", &format!("{}k", def.memory_kib), "-smp", &def.vcpus.to_string()]);
    let monitor = format!("socket,id=monitor,fd={DESCRIPTOR_FD},server=on,wait=off");
    add(&["-chardev", &monitor, "-mon", "chardev=monitor,mode=control"]);
    for (index, fd) in (0..def.serials).zip(CONSOLE_FD..) {
        let alias = serial_alias(index);
        add(&["-chardev", &format!("socket,id={alias},fd={fd}")]);
        add(&["-device", &format!("isa-serial,chardev={alias},index={index}")]);
    }
    let booted = [("-kernel", &def.kernel), ("-initrd", &def.initrd)];
    for (option, path) in booted {
        if let Some(path) = path {
            add(&[option, &path.display().to_string()]);
        }
    }
    if let Some(line) = &def.cmdline {
        add(&["-append", line]);
    }
    for disk in &def.disks {
        add(&["-blockdev", &drive(disk)]);
        add(&["-device", &format!("virtio-blk-pci,drive={},rerror=report,werror=report", disk.target)]);
    }
    for (index, (interface, fd)) in def.interfaces.iter().zip(DESCRIPTOR_FD + 1..).enumerate() {
        add(&["-netdev", &format!("tap,id=net{index},fd={fd}")]);
        // Without a ROM: whoever boots from the network needs another package.
        add(&["-device", &format!("virtio-net-pci,netdev=net{index},mac={},romfile=", interface.mac)]);
    }
    if paused {
        add(&["-S"]);
    }
    argv
}

/// Errors of a disk are the guest's to hear (`report`, above): nothing here would notice that QEMU has stopped for one.
fn drive(disk: &Disk) -> String {
    let file = json!({"driver": "file", "filename": disk.path});
    json!({"driver": disk.format, "node-name": disk.target, "read-only": disk.readonly, "file": file}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argv(devices: &str) -> String {
        let xml = format!(
            "<domain type='qemu'><name>a,b</name><uuid>c7a5fdbd-edaf-9455-926a-d65c16db1809</uuid><memory>4096</memory>\
             <vcpu>2</vcpu><os><type>hvm</type><kernel>/k</kernel><cmdline>console=ttyS0 x</cmdline></os>\
             <devices>{devices}</devices></domain>"
        );
        order(&DomainDef::from_xml(&xml).unwrap(), &[], false).argv.join(" ")
    }

    #[test]
    fn a_plain_guest_is_one_line() {
        let expected = "/usr/bin/qemu-system-x86_64 -name guest=a,,b -uuid c7a5fdbd-edaf-9455-926a-d65c16db1809 -nodefaults \
                        -no-user-config -display none -machine pc,accel=tcg -cpu max -m 4096k -smp 2 \
                        -chardev socket,id=monitor,fd=64,server=on,wait=off -mon chardev=monitor,mode=control \
                        -chardev socket,id=serial0,fd=10 -device isa-serial,chardev=serial0,index=0 \
                        -kernel /k -append console=ttyS0 x";
        assert_eq!(argv("<console type='pty'/>"), expected);
    }

    #[test]
    fn taps_come_after_the_monitor_and_a_disks_path_is_no_option() {
        let line = argv(
            "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/a,b=c'/><target dev='vda'/></disk>\
             <interface type='ethernet'><mac address='52:54:00:00:00:01'/></interface>\
             <interface type='ethernet'><mac address='52:54:00:00:00:02'/></interface>",
        );
        assert!(line.contains("tap,id=net0,fd=65"), "{line}");
        assert!(line.contains("tap,id=net1,fd=66 -device virtio-net-pci,netdev=net1,mac=52:54:00:00:00:02,"), "{line}");
        assert!(line.contains(r#""filename":"/a,b=c""#), "{line}");
    }

    #[test]
    fn a_guest_sees_what_it_needs_and_writes_what_it_may() {
        let xml = "<domain type='kvm'><name>vm</name><memory>4096</memory><os><type>hvm</type></os><devices>\
                   <disk><source file='/rw'/><target dev='vda'/></disk>\
                   <disk><source file='/ro'/><target dev='vdb'/><readonly/></disk></devices></domain>";
        let order = order(&DomainDef::from_xml(xml).unwrap(), &["/fw"], true);
        let files: Vec<_> = order.files.iter().map(|file| (file.path.to_str().unwrap(), file.writable)).collect();
        assert_eq!(files, [("/fw", false), ("/rw", true), ("/ro", false), ("/dev/kvm", true)]);
        assert!(order.argv.iter().any(|word| word == "pc,accel=kvm"));
        assert_eq!(order.argv.last().unwrap(), "-S");
    }
}
