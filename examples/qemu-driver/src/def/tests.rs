//! Documents there and back, and what is refused.

use super::*;
use driver_api::error::Code;

const FULL: &str = "<domain type='kvm'>
  <name>full</name>
  <uuid>c7a5fdbd-edaf-9455-926a-d65c16db1809</uuid>
  <memory unit='KiB'>262144</memory>
  <currentMemory unit='KiB'>262144</currentMemory>
  <vcpu placement='static'>2</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>/boot/vmlinuz</kernel>
    <initrd>/boot/initrd</initrd>
    <cmdline>console=ttyS0 a=b&amp;c</cmdline>
  </os>
  <devices>
    <emulator>/opt/qemu</emulator>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/>
      <source file='/disks/a.qcow2'/>
      <target dev='vda' bus='virtio'/>
      <readonly/>
    </disk>
    <interface type='bridge'>
      <mac address='52:54:00:00:00:01'/>
      <source bridge='br0'/>
      <target dev='lab0'/>
      <model type='virtio'/>
      <filterref filter='clean-traffic'>
        <parameter name='IP' value='10.0.0.2'/>
        <parameter name='IP' value='10.0.0.3'/>
      </filterref>
    </interface>
    <interface type='ethernet'>
      <mac address='52:54:00:00:00:02'/>
      <model type='virtio'/>
    </interface>
    <serial type='pty'>
      <target type='isa-serial' port='0'/>
    </serial>
    <serial type='pty'>
      <target type='isa-serial' port='1'/>
    </serial>
    <console type='pty'>
      <target type='serial' port='0'/>
    </console>
  </devices>
</domain>
";

fn with(from: &str, to: &str) -> String {
    assert!(FULL.contains(from), "{from}");
    FULL.replacen(from, to, 1)
}

fn refused(from: &str, to: &str) -> (Code, String) {
    let error = DomainDef::from_xml(&with(from, to)).unwrap_err();
    (error.code(), error.to_string())
}

#[test]
fn a_full_document_comes_back_as_it_was() {
    assert_eq!(DomainDef::from_xml(FULL).unwrap().to_xml(None), FULL);
}

#[test]
fn a_small_document_gets_what_it_does_not_say() {
    let small = "<domain type='qemu'><name>small</name><memory unit='MiB'>64</memory><os><type>hvm</type></os>\
                 <on_crash>destroy</on_crash><devices><interface><source bridge='br0'/></interface><console/></devices></domain>";
    let def = DomainDef::from_xml(small).unwrap();
    assert_eq!((def.memory_kib, def.vcpus, def.machine.as_str(), def.serials), (65_536, 1, "pc", 1));
    assert_eq!(def.interfaces[0].mac.0[..3], [0x52, 0x54, 0]);
    assert_eq!(DomainDef::from_xml(&def.to_xml(None)).unwrap(), def, "what was chosen stays");
}

#[test]
fn what_runs_shows_what_it_has_and_reads_back_as_the_definition() {
    let def = DomainDef::from_xml(FULL).unwrap();
    let (devices, ptys) = (["lab0", "qtap3"].map(str::to_owned), ["/dev/pts/7", "/dev/pts/8"].map(str::to_owned));
    let live = def.to_xml(Some(Live { id: 5, devices: &devices, ptys: &ptys }));
    for shown in [
        "<domain type='kvm' id='5'>",
        "<target dev='qtap3'/>",
        "<console type='pty' tty='/dev/pts/7'>",
        "<source path='/dev/pts/8'/>",
        "<alias name='serial1'/>",
    ] {
        assert!(live.contains(shown), "no {shown} in {live}");
    }
    assert_eq!(DomainDef::from_xml(&live).unwrap(), def);
}

#[test]
fn a_port_is_asked_for_with_all_values_of_its_filter() {
    let def = DomainDef::from_xml(FULL).unwrap();
    let request = def.port(&def.interfaces[0], "lab0").unwrap();
    assert_eq!((request.port.as_str(), request.mac.as_str()), ("lab0", "52:54:00:00:00:01"));
    assert_eq!(request.parameters.len(), 2);
    assert!(def.port(&def.interfaces[1], "qtap3").is_none());
}

#[test]
fn what_is_not_known_is_refused_by_name_and_place() {
    let (code, text) = refused("<vcpu", "<vcpus/><vcpu");
    assert_eq!(
        (code, text.as_str()),
        (Code::XML_ERROR, "line 6, column 3: unknown element <vcpus> in <domain>, did you mean 'vcpu'?")
    );
    for (from, to, words) in [
        ("type='kvm'", "type='xen'", "'type' of <domain> can only be 'qemu' or 'kvm' here, not 'xen'"),
        ("<readonly/>", "<shareable/>", "unknown element <shareable> in <disk>"),
        ("bus='virtio'", "bus='ide'", "'bus' of <target> can only be 'virtio' here, not 'ide'"),
        ("type='qcow2'", "type='vmdk'", "can only be 'raw' or 'qcow2' here, not 'vmdk'"),
        ("device='disk'", "device='cdrom'", "'device' of <disk> can only be 'disk' here"),
        ("type='ethernet'", "type='user'", "can only be 'bridge' or 'ethernet' here, not 'user'"),
        ("<source bridge='br0'/>", "", "<interface> needs a <source>"),
        ("serial type='pty'", "serial type='tcp'", "'type' of <serial> can only be 'pty' here"),
        ("port='1'", "port='2'", "port '2' is out of order"),
        ("machine='q35'", "mood='good'", "unknown attribute 'mood' of <type>"),
        (">hvm<", ">xen<", "<type> can only be 'hvm', not 'xen'"),
        ("<name>full</name>", "<name>a<b/></name>", "unknown element <b> in <name>"),
        ("currentMemory unit='KiB'>262144", "currentMemory>1024", "no balloon here"),
        ("<os>", "<on_crash>preserve</on_crash><os>", "<on_crash> can only be 'destroy', not 'preserve'"),
        (">2</vcpu>", ">two</vcpu>", "<vcpu> is no number"),
        ("<memory unit='KiB'>262144", "<memory unit='G'>99999999999999", "<memory> is more than any machine has"),
    ] {
        let (code, text) = refused(from, to);
        assert_eq!(code, Code::XML_ERROR, "{text}");
        assert!(text.contains(words), "'{text}' does not say '{words}'");
    }
}

#[test]
fn what_makes_no_sense_is_refused_before_a_start() {
    for (from, to, words) in [
        (">full<", ">a/b<", "'a/b' is no name for a domain"),
        (">full<", ">a&#13;b<", "'a\\rb' is no name for a domain"),
        ("c7a5fdbd-edaf-9455-926a-d65c16db1809", "00000000-0000-0000-0000-000000000000", "is no domain's UUID"),
        (">2</vcpu>", ">0</vcpu>", "0 processors are not between 1 and 255"),
        ("/disks/a.qcow2", "a.qcow2", "'a.qcow2' must be an absolute path"),
        ("dev='vda'", "dev='hda'", "'hda' is no target of a virtio disk"),
        ("00:00:00:02", "00:00:00:01", "two interfaces have the MAC address '52:54:00:00:00:01'"),
        ("52:54:00:00:00:01", "53:54:00:00:00:01", "is a multicast address"),
        ("lab0", "a-name-that-is-too-long", "is no name for a network device"),
        ("<kernel>/boot/vmlinuz</kernel>", "", "are for a <kernel>, which is missing"),
    ] {
        let (_, text) = refused(from, to);
        assert!(text.contains(words), "'{text}' does not say '{words}'");
    }
}
