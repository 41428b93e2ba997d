//! Tests of definitions: what comes out of what goes in, which rule refuses what, and that printing loses nothing.

use super::*;
use driver_api::error::{Code, Error};

mod random;
mod rules;
mod unsupported;

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
