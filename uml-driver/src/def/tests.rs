//! Tests of definitions: what comes out of what goes in, which rule refuses what, and that printing loses nothing.

use super::*;
use driver_api::error::{Code, Error};

mod random;

const HEAD: &str = "<name>vm</name><uuid>c7a5fdbd-edaf-9455-926a-d65c16db1809</uuid><memory>65536</memory>";

fn with(inside: &str) -> String {
    format!("<domain type='uml'>{HEAD}<os><type arch='x86_64'>uml</type></os>{inside}</domain>")
}

fn devices(inside: &str) -> String {
    with(&format!("<devices>{inside}</devices>"))
}

fn read(document: &str) -> DomainDef {
    DomainDef::from_xml(document.as_bytes()).unwrap_or_else(|error| panic!("{document}: {error}"))
}

fn refusal(document: &str) -> Error {
    match DomainDef::from_xml(document.as_bytes()) {
        Ok(def) => panic!("{document} was accepted: {def:?}"),
        Err(error) => error,
    }
}

#[test]
fn a_bare_document_gets_libvirts_defaults() {
    let def = read("<domain type='uml'><name>vm</name><memory>65536</memory><os><type>uml</type></os></domain>");
    assert_eq!(def.os.arch, std::env::consts::ARCH);
    let expected = format!(
        "<domain type='uml'>
  <name>vm</name>
  <uuid>{}</uuid>
  <memory unit='KiB'>65536</memory>
  <currentMemory unit='KiB'>65536</currentMemory>
  <vcpu placement='static'>1</vcpu>
  <os>
    <type arch='{}'>uml</type>
  </os>
  <clock offset='utc'/>
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>restart</on_reboot>
  <on_crash>destroy</on_crash>
  <devices/>
</domain>
",
        def.uuid,
        std::env::consts::ARCH
    );
    assert_eq!(def.to_xml(None), expected);
}

#[test]
fn each_rule_refuses_with_its_code() {
    let disk = |inside: &str| devices(&format!("<disk type='file'>{inside}</disk>"));
    let named = |name: &str| with("").replace("<name>vm</name>", &format!("<name>{name}</name>"));
    let cases = [
        ("<x/>".to_owned(), Code::XML_ERROR, "a <domain> is wanted"),
        (
            with("").replace("type='uml'", "type='kvm'"),
            Code::INVALID_ARG,
            "domain type 'kvm'",
        ),
        (
            with("").replace("type='uml'", ""),
            Code::XML_ERROR,
            "no attribute 'type'",
        ),
        (with("").replace(">uml<", ">hvm<"), Code::INVALID_ARG, "os type 'hvm'"),
        (with("").replace("c7a5", "xx"), Code::XML_ERROR, "not a UUID"),
        (
            with("").replace("<name>vm</name>", ""),
            Code::XML_ERROR,
            "has no <name>",
        ),
        (named(" "), Code::XML_ERROR, "<name> is empty"),
        (named("a/b"), Code::XML_ERROR, "cannot contain '/'"),
        (named(".."), Code::XML_ERROR, "cannot contain '/' or be '.'"),
        (
            named("a\nb"),
            Code::XML_ERROR,
            "name 'a\\nb' cannot contain control characters",
        ),
        (named(&"é".repeat(32)), Code::XML_ERROR, "has 64 bytes, at most 63"),
        (with("<title>a\nb</title>"), Code::XML_ERROR, "more than one line"),
        (with("").replace("65536", "0"), Code::XML_ERROR, "has no memory"),
        (
            with("").replace("65536", "-1"),
            Code::XML_ERROR,
            "<memory> '-1' is not a whole number",
        ),
        (
            with("").replace("<memory>", "<memory unit='x'>"),
            Code::INVALID_ARG,
            "unit 'x'",
        ),
        (
            with("<vcpu>0</vcpu>"),
            Code::XML_ERROR,
            "<vcpu> '0' is not a positive number",
        ),
        (
            with("<vcpu current='3'>2</vcpu>"),
            Code::CONFIG_UNSUPPORTED,
            "allows 2 processors",
        ),
        (
            with("<vcpu cpuset='0,^0'>1</vcpu>"),
            Code::XML_ERROR,
            "cpuset '0,^0' of <vcpu>",
        ),
        (
            with("<cputune><shares>1</shares></cputune>"),
            Code::CONFIG_UNSUPPORTED,
            "<shares> 1 is out of bounds, 2 to 262144",
        ),
        (
            with("<cputune><quota>-x</quota></cputune>"),
            Code::XML_ERROR,
            "<quota> '-x' is not a whole number",
        ),
        (
            with("<cputune><global_period>5</global_period></cputune>"),
            Code::CONFIG_UNSUPPORTED,
            "<global_period> 5 is out of bounds",
        ),
        (
            with("<cputune><vcpupin cpuset='1'/></cputune>"),
            Code::XML_ERROR,
            "<vcpupin> wants a number 'vcpu'",
        ),
        (
            with("<cputune><vcpupin vcpu='0' cpuset='1'/><vcpupin vcpu='0' cpuset='2'/></cputune>"),
            Code::XML_ERROR,
            "<vcpupin> for vcpu 0 is there twice",
        ),
        (
            with("<cputune><emulatorpin/></cputune>"),
            Code::XML_ERROR,
            "<emulatorpin> has no attribute 'cpuset'",
        ),
        (
            with("<memtune><hard_limit>9007199254740992</hard_limit></memtune>"),
            Code::XML_ERROR,
            "<hard_limit> '9007199254740992' is too large",
        ),
        (
            with("<memtune><soft_limit unit='x'>5</soft_limit></memtune>"),
            Code::INVALID_ARG,
            "unit 'x' of <soft_limit>",
        ),
        (
            with("<blkiotune><weight>5</weight></blkiotune>"),
            Code::CONFIG_UNSUPPORTED,
            "<weight> 5 is out of bounds, 10 to 1000",
        ),
        (
            with("<blkiotune><device><weight>500</weight></device></blkiotune>"),
            Code::CONFIG_UNSUPPORTED,
            "has the <path> ''",
        ),
        (
            with("<blkiotune><device><path>/a</path></device><device><path>/a</path></device></blkiotune>"),
            Code::CONFIG_UNSUPPORTED,
            "two <device> with the path '/a'",
        ),
        (
            with("<blkiotune><device><path>/a</path><read_bytes_sec>x</read_bytes_sec></device></blkiotune>"),
            Code::CONFIG_UNSUPPORTED,
            "<read_bytes_sec> 'x' of <blkiotune>",
        ),
        (
            with("<on_reboot>bogus</on_reboot>"),
            Code::CONFIG_UNSUPPORTED,
            "action 'bogus' of <on_reboot>",
        ),
        (
            with("<on_reboot>coredump-restart</on_reboot>"),
            Code::CONFIG_UNSUPPORTED,
            "of <on_reboot>",
        ),
        (
            disk("<target dev='ubda'/>"),
            Code::NO_SOURCE,
            "disk 'ubda' has no source",
        ),
        (
            disk("<source file=''/><target dev='ubda'/>"),
            Code::NO_SOURCE,
            "disk 'ubda' has no source",
        ),
        (disk("<source file='/a'/>"), Code::XML_ERROR, "no <target dev"),
        (
            disk("<source file='/a'/><target dev='ubdaa'/>"),
            Code::XML_ERROR,
            "'ubdaa' is not a UML",
        ),
        (
            disk("<source file='/a'/><target dev='ubd01'/>"),
            Code::XML_ERROR,
            "'ubd01' is not a UML",
        ),
        (
            disk("<source file='/a'/><target dev='ubd16'/>"),
            Code::XML_ERROR,
            "'ubd16' is beyond",
        ),
        (
            disk("<source file='/a'/><target dev='ubdq'/>"),
            Code::XML_ERROR,
            "'ubdq' is beyond",
        ),
        (
            disk("<source file='/a:b'/><target dev='ubda'/>"),
            Code::CONFIG_UNSUPPORTED,
            "cannot be told '/a:b'",
        ),
        (
            disk("<source file='/a&quot;b'/><target dev='ubda'/>"),
            Code::CONFIG_UNSUPPORTED,
            "cannot be told '/a\\\"b'",
        ),
        (
            disk("<source file='/a'/><target dev='ubda'/><serial>x,y</serial>"),
            Code::CONFIG_UNSUPPORTED,
            "told 'x,y'",
        ),
        (
            disk("<source file='/a'/><target dev='ubda'/><backingStore><source file='/a'/></backingStore>"),
            Code::XML_ERROR,
            "is its own <backingStore>",
        ),
        (
            devices(
                "<disk><source file='/a'/><target dev='ubda'/><backingStore><source file='/b'/></backingStore></disk>
                 <disk><source file='/b'/><target dev='ubdb'/></disk>",
            ),
            Code::XML_ERROR,
            "the <backingStore> of disk 'ubda' is another disk",
        ),
        (
            devices(
                "<disk><source file='/a'/><target dev='ubd1'/></disk><disk><source file='/b'/><target dev='ubdb'/></disk>",
            ),
            Code::XML_ERROR,
            "target 'ubdb' is given to two disks, '/a' and '/b'",
        ),
        (
            devices("<disk type='fiel'/>"),
            Code::XML_ERROR,
            "unknown value 'fiel', did you mean 'file'?",
        ),
        (
            devices("<disk device='bogus'/>"),
            Code::XML_ERROR,
            "unknown value 'bogus'",
        ),
        (
            devices("<interface type='bogus'/>"),
            Code::XML_ERROR,
            "unknown value 'bogus'",
        ),
        (
            devices("<interface type='bridge'/>"),
            Code::XML_ERROR,
            "wants a <source bridge='...'>",
        ),
        (
            devices("<interface><mac address='zz'/></interface>"),
            Code::XML_ERROR,
            "'zz' is not a MAC address",
        ),
        (
            devices("<interface><mac address='01:0:0:0:0:1'/></interface>"),
            Code::XML_ERROR,
            "a group of stations",
        ),
        (
            devices("<interface><filterref/></interface>"),
            Code::XML_ERROR,
            "<filterref> names no filter",
        ),
        (
            devices("<interface><link state='x'/></interface>"),
            Code::XML_ERROR,
            "<link state='x'>",
        ),
        (
            devices("<interface><mtu size='0'/></interface>"),
            Code::XML_ERROR,
            "<mtu size='0'>",
        ),
        (
            devices("<console type='bogus'/>"),
            Code::CONFIG_UNSUPPORTED,
            "type 'bogus' of <console>",
        ),
        (
            devices("<console type='file'/>"),
            Code::XML_ERROR,
            "<console type='file'> wants a <source path",
        ),
        (
            devices("<console><log/></console>"),
            Code::XML_ERROR,
            "<log> of <console> names no file",
        ),
        (
            devices(&"<console/>".repeat(17)),
            Code::XML_ERROR,
            "has 17 consoles, UML has 16",
        ),
        (
            devices("<serial><target port='64'/></serial>"),
            Code::XML_ERROR,
            "serial port 64 is beyond 63",
        ),
        (
            devices("<serial><target port='x'/></serial>"),
            Code::XML_ERROR,
            "port 'x' of <serial>",
        ),
        (
            devices("<serial/><serial><target port='0'/></serial>"),
            Code::XML_ERROR,
            "serial port 0 is given twice",
        ),
        (
            devices("<serial><alias name='ua-a'/></serial><console><alias name='ua-a'/></console>"),
            Code::XML_ERROR,
            "alias 'ua-a' is given twice",
        ),
    ];
    for (document, code, message) in cases {
        let error = refusal(&document);
        assert_eq!(error.code(), code, "{document}: {error}");
        assert!(error.to_string().contains(message), "{document}: {error}");
    }
}

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
         <interface><mac address='52:54:0:0:0:1'/><model type='e1000'/><coalesce/></interface>
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
            "interface '52:54:00:00:00:01': <coalesce> has no effect on a UML guest",
            "filesystem 't' is read-only: only accessmode='mapped' lets the guest write",
            "<graphics> has no effect: a UML guest has no screen",
            "<rng> has no effect: a UML kernel always has /dev/hwrng, from the host's random source",
        ]
    );
}

#[test]
fn of_what_may_be_there_once_the_first_counts() {
    let twice = [
        with("<title/><title>x</title>"),
        with("<metadata/><metadata><a xmlns='u'/></metadata>"),
        with("<currentMemory>0</currentMemory><currentMemory>40000</currentMemory>"),
        devices("<interface><target dev='lab0'/><target dev='lab1' managed='no'/></interface>"),
        devices("<interface><mtu size='9'/><mtu size='8'/><model/><model type='virtio'/></interface>"),
        devices("<console><alias name='c'/><alias name='ua-c'/><source path='/p'/><source path='/q'/></console>"),
        devices(
            "<disk><source file='/a'/><target dev='ubda'/><backingStore/><backingStore><source file='/b'/></backingStore></disk>",
        ),
        devices("<emulator/><emulator>/e</emulator>"),
        with("").replace("<memory>65536", "<memory><x/>65536"),
    ];
    for document in twice {
        check_round_trip(document.as_bytes());
    }
    let def = read(&devices("<emulator>/e</emulator></devices><devices><console/>"));
    assert_eq!((def.emulator.as_deref(), def.consoles.len()), (Some("/e"), 1));
}

#[test]
fn values_that_libvirt_corrects_are_corrected() {
    let current = |text: &str| {
        read(&with(&format!("<currentMemory>{text}</currentMemory>")))
            .memory
            .current_kib
    };
    assert_eq!(
        (current("99999"), current("0"), current("40000")),
        (65536, 65536, 40000)
    );
    let target = |name: &str| {
        let def = read(&devices(&format!("<interface><target dev='{name}'/></interface>")));
        def.interfaces[0].target.clone()
    };
    assert_eq!(target("lab0").as_deref(), Some("lab0"));
    assert_eq!((target("vnet7"), target("lab%d"), target("")), (None, None, None));
    let made_up = read(&devices("<interface/><interface/>"));
    let macs: Vec<String> = made_up
        .interfaces
        .iter()
        .map(|interface| interface.mac.to_string())
        .collect();
    assert!(
        macs[0] != macs[1] && macs.iter().all(|mac| mac.starts_with("52:54:00:")),
        "{macs:?}"
    );
}

#[test]
fn a_backing_file_may_be_read_by_another_disk() {
    read(&devices(
        "<disk><source file='/a'/><target dev='ubda'/><backingStore><source file='/b'/></backingStore></disk>
         <disk><source file='/b'/><target dev='ubdb'/><readonly/></disk>",
    ));
}

#[test]
fn live_documents_show_id_ptys_and_aliases() {
    let def = read(&devices(
        "<interface><mac address='52:54:00:00:00:01'/></interface><console/><console type='null'/>\
         <serial><alias name='ua-s'/></serial>",
    ));
    let live = Live {
        id: 7,
        ptys: [
            ("console0".to_owned(), "/dev/pts/3".to_owned()),
            ("ua-s".to_owned(), "/dev/pts/4".to_owned()),
        ]
        .into(),
        devices: vec!["vnet3".to_owned()],
        memory_kib: None,
    };
    let document = def.to_xml(Some(&live));
    assert!(document.starts_with("<domain type='uml' id='7'>\n"));
    let expected = "    <interface type='user'>
      <mac address='52:54:00:00:00:01'/>
      <target dev='vnet3'/>
      <alias name='net0'/>
    </interface>
    <serial type='pty'>
      <source path='/dev/pts/4'/>
      <target port='0'/>
      <alias name='ua-s'/>
    </serial>
    <console type='pty' tty='/dev/pts/3'>
      <source path='/dev/pts/3'/>
      <target type='uml' port='0'/>
      <alias name='console0'/>
    </console>
    <console type='null'>
      <target type='uml' port='1'/>
      <alias name='console1'/>
    </console>
";
    assert!(document.contains(expected), "{document}");
    // What belongs to one run does not come back into the definition.
    assert_eq!(read(&document), def);
    assert!(!def.to_xml(None).contains("console0"));
}
