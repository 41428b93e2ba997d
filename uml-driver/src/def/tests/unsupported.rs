//! What cannot be done is accepted, kept, and named; what has no effect is noted.

use super::{devices, read, with};

#[test]
fn what_cannot_be_done_is_accepted_and_named() {
    let cases = [
        ("<vcpu>2</vcpu>", "2 processors (a UML kernel has one)"),
        ("<vcpu current='1'>2</vcpu>", ""),
        ("<memtune/><blkiotune/><cputune/><memoryBacking/>", "<memoryBacking>"),
        (
            "<memtune><hard_limit>98303</hard_limit></memtune>",
            "<hard_limit> 98303 KiB, which is sure to be the guest's end: its memory and what UML needs take 98304 KiB",
        ),
        (
            "<cputune><iothread_quota>5</iothread_quota><vcpusched vcpus='0' scheduler='fifo'/></cputune>",
            "<vcpusched> in <cputune>",
        ),
        ("<seclabel type='none'/>", ""),
        (
            "<seclabel type='dynamic' model='apparmor'/>",
            "<seclabel> (model 'apparmor', there is 'dac')",
        ),
        ("<seclabel type='dynamic' model='dac' relabel='yes'/>", ""),
        (
            "<seclabel type='static' model='dac'><label>ada:users</label></seclabel>",
            "",
        ),
        (
            "<seclabel type='static' model='dac'><label>ada</label></seclabel>",
            "<seclabel> (label 'ada', 'user:group' is wanted)",
        ),
        (
            "<seclabel type='static' model='dac' relabel='yes'><label>a:b</label></seclabel>",
            "<seclabel> (relabel='yes', files keep their owners: the guest sees those that the document names)",
        ),
        ("<cpu mode='host-model'/><features><acpi/></features><foo/>", ""),
        ("<on_poweroff>preserve</on_poweroff>", "<on_poweroff> 'preserve'"),
    ];
    names(&cases, with);
    let foreign = read(&with("").replace("x86_64", "riscv64")).unsupported().join("|");
    assert!(
        foreign.starts_with("architecture 'riscv64' (this machine's is '"),
        "{foreign}"
    );
}

fn names(cases: &[(&str, &str)], document: fn(&str) -> String) {
    for (inside, expected) in cases {
        assert_eq!(read(&document(inside)).unsupported().join("|"), *expected, "{inside}");
    }
}

#[test]
fn devices_that_cannot_be_are_named_and_those_that_clients_add_unasked_are_not() {
    let cases = [
        ("<hostdev/><sound model='ich6'/>", "<sound>|<hostdev>"),
        (
            "<input type='tablet' bus='usb'/><graphics type='vnc'/><panic model='isa'/>",
            "",
        ),
        (
            "<channel type='spicevmc'><target type='virtio'/></channel><redirdev bus='usb' type='spicevmc'/>",
            "",
        ),
        (
            "<channel type='unix'/>",
            "<channel> (a UML guest has no such ports: use <serial>)",
        ),
        ("<redirdev bus='usb' type='tcp'/>", "<redirdev>"),
        (
            "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>",
            "",
        ),
        (
            "<rng><rate bytes='5'/><backend model='random'/></rng>",
            "<rate> in <rng>",
        ),
        ("<rng><backend model='egd'/></rng>", "<rng> with the backend 'egd'"),
        (
            "<watchdog model='i6300esb'/>",
            "<watchdog> (UML's wants a program of the host, which no guest may run)",
        ),
    ];
    names(&cases, devices);
}

#[test]
fn folders_that_cannot_be_are_named() {
    let cases = [
        ("<filesystem><source dir='/a'/><target dir='t'/></filesystem>", ""),
        (
            "<filesystem accessmode='squash'><source dir='/a'/><target dir='t'/></filesystem>",
            "filesystem 't' (accessmode 'squash', there are 'passthrough', which is read-only, and 'mapped')",
        ),
        (
            "<filesystem type='file'><source file='/a'/><target dir='t'/></filesystem>",
            "filesystem 't' (type 'file', there is 'mount')",
        ),
        (
            "<filesystem><driver type='virtiofs'/><source dir='/a'/><target dir='t'/></filesystem>",
            "filesystem 't' (driver 'virtiofs', UML has its own way to folders of the host)",
        ),
        (
            "<filesystem><source dir='/a'/><target dir='t'/><space_hard_limit>5</space_hard_limit></filesystem>",
            "filesystem 't' (<space_hard_limit>)",
        ),
    ];
    names(&cases, devices);
}

#[test]
fn interfaces_that_cannot_be_are_named() {
    let cases = [
        ("<interface type='user'><mac address='52:54:0:0:0:1'/></interface>", ""),
        (
            "<interface type='direct'><source dev='eth0'/><mac address='52:54:0:0:0:1'/></interface>",
            "interface '52:54:00:00:00:01' (type 'direct', there are 'bridge', 'ethernet', 'network', 'user', 'mcast', 'udp')",
        ),
        (
            "<interface type='user'><mac address='52:54:0:0:0:1'/><link state='down'/></interface>",
            "interface '52:54:00:00:00:01' (<link state='down'> on type 'user', which has no cable)",
        ),
        (
            "<interface type='user'><mac address='52:54:0:0:0:1'/><bandwidth><inbound average='5'/></bandwidth></interface>",
            "interface '52:54:00:00:00:01' (<bandwidth> on type 'user', which has no device to be limited)",
        ),
        (
            "<interface type='user'><source dev='eth0'/><mac address='52:54:0:0:0:1'/></interface>",
            "interface '52:54:00:00:00:01' ('dev' in <source>)",
        ),
        (
            "<interface type='user'><backend type='passt'/><mac address='52:54:0:0:0:1'/></interface>",
            "interface '52:54:00:00:00:01' (<backend>)",
        ),
        (
            "<interface type='bridge'><source bridge='b'/><target dev='t' managed='no'/><mac address='52:54:0:0:0:1'/></interface>",
            "interface '52:54:00:00:00:01' (<target managed='no'> on type 'bridge', type 'ethernet' can have it)",
        ),
        (
            "<interface type='ethernet'><target dev='t' managed='no'/><mac address='52:54:0:0:0:1'/><link state='down'/></interface>",
            "interface '52:54:00:00:00:01' (<link state='down'> on a device that somebody else made)",
        ),
        (
            "<interface type='bridge'><source bridge='b'/><mac address='52:54:0:0:0:1'/><bandwidth><inbound average='5' floor='1'/></bandwidth></interface>",
            "interface '52:54:00:00:00:01' ('floor' of <bandwidth>, which no other guest gives way to)",
        ),
        (
            "<interface type='network'><source network='n' portgroup='p'/><mac address='52:54:0:0:0:1'/></interface>",
            "interface '52:54:00:00:00:01' ('portgroup' in <source>)",
        ),
    ];
    names(&cases, devices);
}

#[test]
fn disks_that_cannot_be_are_named() {
    let cases = [
        ("<disk><source file='/a'/><target dev='vda'/></disk>", ""),
        ("<disk><source file='/a'/><target dev='hdc' bus='ide'/></disk>", ""),
        ("<disk device='cdrom'><target dev='ubda'/></disk>", ""),
        (
            "<disk><source file='/a'/><target dev='hdc' bus='ide'/></disk><disk><source file='/b'/><target dev='sdc'/></disk>",
            "disk 'sdc' (it would be the same device in the guest as disk 'hdc')",
        ),
        (
            "<disk device='floppy'><source file='/a'/><target dev='fda'/></disk>",
            "disk 'fda' (bus 'fdc', there are 'uml' and 'virtio')",
        ),
        (
            "<disk><source file='/a'/><target dev='hdab'/></disk>",
            "disk 'hdab' (bus 'ide', there are 'uml' and 'virtio')",
        ),
        (
            "<disk><source file='/a'/><target dev='xxx' bus='virtio'/></disk>",
            "disk 'xxx' (a target on bus 'virtio' is called 'vda' to 'vdzz')",
        ),
        (
            "<disk><source file='/a'/><target dev='vda'/><serial>S</serial></disk>",
            "disk 'vda' (<serial> on bus 'virtio', bus 'uml' has it)",
        ),
        (
            "<disk device='cdrom'><source file='/a'/><target dev='vda'/></disk>",
            "disk 'vda' (device 'cdrom' on bus 'virtio')",
        ),
        (
            "<disk><driver type='ploop'/><source file='/a'/><target dev='vda'/></disk>",
            "disk 'vda' (format 'ploop', there are 'raw', 'qcow2', 'qcow', 'qed', 'vmdk', 'vdi', 'vpc')",
        ),
        (
            "<disk><driver type='raw'/><source file='/a'/><target dev='vda'/><backingStore><source file='/b'/></backingStore></disk>",
            "disk 'vda' (a <backingStore> below format 'raw', which can not lie over another file)",
        ),
        (
            "<disk><driver type='qcow2'/><source file='/a'/><target dev='ubda'/></disk>",
            "disk 'ubda' (format 'qcow2', UML reads 'raw': bus 'virtio' has it, with a target such as 'vda')",
        ),
        (
            "<disk><source file='/a'/><target dev='ubda'/><backingStore><source file='/b'/><backingStore><source file='/c'/></backingStore></backingStore></disk>",
            "disk 'ubda' (more than one <backingStore>: bus 'virtio' has it, with a target such as 'vda')",
        ),
        (
            "<disk><source file='/a'/><target dev='ubda'/><backingStore type='network'><source name='/b'/></backingStore></disk>",
            "disk 'ubda' (a <backingStore> of type 'network')",
        ),
        (
            "<disk><driver type='cow'/><source file='/a'/><target dev='ubda'/></disk>",
            "disk 'ubda' (format 'cow' without a <backingStore>)",
        ),
        (
            "<disk><source file='/a'/><target dev='ubda'/><iotune/></disk>",
            "disk 'ubda' (<iotune>)",
        ),
    ];
    names(&cases, devices);
}

#[test]
fn lines_that_cannot_be_are_named() {
    let cases = [
        ("<console type='unix'><source mode='bind' path='/x'/></console>", ""),
        (
            "<console type='tcp'><source mode='bind' host='::1' service='4'/></console>",
            "",
        ),
        (
            "<serial type='udp'><source mode='connect' host='h' service='4'/></serial>",
            "",
        ),
        (
            "<serial type='dev'><source path='/dev/ttyS0'/></serial><serial type='pipe'><source path='/p'/></serial>",
            "",
        ),
        (
            "<console type='file'><source path='/x'/><log file='/y'/></console>",
            "console 0 (type 'file' with a <log> beside it, one file is enough)",
        ),
        ("<serial type='vc'/>", "serial 0 (type 'vc')"),
        (
            "<serial type='tcp'><source mode='bind' host='h' service='4'/><protocol type='tls'/></serial>",
            "serial 0 (type 'tcp' with the protocol 'tls')",
        ),
        (
            "<serial type='tcp'><source mode='bind' host='h' service='4' tls='yes'/></serial>",
            "serial 0 (type 'tcp' with tls)",
        ),
    ];
    names(&cases, devices);
}

#[test]
fn what_has_no_effect_is_noted() {
    let def = read(&devices(
        "<disk device='cdrom'><target dev='ubdb'/></disk><disk><source file='/a'/><target dev='sda'/></disk>
         <disk><source file='/b'/><target dev='vda'/></disk>
         <interface><mac address='52:54:0:0:0:1'/><model type='e1000'/><coalesce/>
          <bandwidth><outbound average='5' peak='6'/></bandwidth></interface>
         <filesystem><source dir='/a'/><target dir='t'/></filesystem>
         <filesystem><source dir='/a'/><target dir='u'/><readonly/></filesystem>
         <filesystem accessmode='mapped'><source dir='/a'/><target dir='v'/></filesystem>
         <graphics/><graphics/><rng><backend model='random'/></rng><memballoon model='none'/>",
    ));
    assert_eq!(
        def.notes(),
        [
            "disk 'ubdb' is an empty drive: the guest has no such device until there is a medium",
            "disk 'sda' is 'ubda' in the guest: UML has no bus 'scsi'",
            "disk 'vda' is there when the guest has loaded its module virtio_blk",
            "interface '52:54:00:00:00:01': model 'e1000' has no effect, a UML guest has a model of its own",
            "interface '52:54:00:00:00:01': 'peak' of <outbound> has no effect, what comes beyond 'average' and 'burst' is dropped",
            "interface '52:54:00:00:00:01': <coalesce> has no effect on a UML guest",
            "filesystem 't' is read-only: only accessmode='mapped' lets the guest write",
            "<graphics> has no effect: a UML guest has no screen",
            "<rng> has no effect: a UML kernel always has /dev/hwrng, from the host's random source",
        ]
    );
}
