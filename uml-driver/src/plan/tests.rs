//! Tests of plans: what UML is told, and what is refused before it is told anything.

use super::*;
use proptest::prelude::*;

fn def(cmdline: &str, devices: &str) -> DomainDef {
    let document = format!(
        "<domain type='uml'><name>vm</name><memory unit='MiB'>64</memory>
         <os><type>uml</type><kernel>/k</kernel>{cmdline}</os><devices>{devices}</devices></domain>"
    );
    DomainDef::from_xml(document.as_bytes()).unwrap_or_else(|error| panic!("{document}: {error}"))
}

fn argv(cmdline: &str, devices: &str) -> String {
    whole(&launch(&def(cmdline, devices)).unwrap()).join(" ")
}

/// The whole command line, for a host that serves links.
fn whole(plan: &LaunchPlan) -> Vec<String> {
    let found = Found {
        devices: (0..plan.nics.len()).map(|k| format!("tap{k}")).collect(),
        ..Found::default()
    };
    plan.order(&found, true).unwrap().spec.argv
}

fn disk(inside: &str) -> String {
    let whole = argv("", &format!("<disk><target dev='ubdc'/>{inside}</disk>"));
    let (_, after) = whole.split_once(" ubd").unwrap();
    let (argument, _) = after.split_once(" con0=").unwrap();
    format!("ubd{argument}")
}

#[test]
fn each_disk_setting_has_its_flag() {
    let cases = [
        ("<source file='/a'/>", "ubdcd=/a"),
        ("<source file='/a'/><readonly/>", "ubdcrcd=/a"),
        ("<source file='/a'/><shareable/>", "ubdccd=/a"),
        ("<source file='/a'/><driver cache='writethrough'/>", "ubdcsd=/a"),
        ("<source file='/a'/><driver discard='ignore'/>", "ubdcdt=/a"),
        ("<source file='/a'/><serial>S1</serial>", "ubdcd=/a,,S1"),
        (
            "<source file='/a'/><backingStore><source file='/b'/></backingStore>",
            "ubdc=/a,/b",
        ),
        (
            "<source file='/a'/><serial>S1</serial><backingStore><source file='/b'/></backingStore>",
            "ubdc=/a,/b,S1",
        ),
        ("<source file='/a b'/>", "ubdcd=\"/a b\""),
        ("<source file='/voilà'/>", "ubdcd=\"/voilà\""),
        ("<source file='/é'/>", "ubdcd=/é"),
    ];
    for (inside, expected) in cases {
        assert_eq!(disk(inside), expected, "{inside}");
    }
}

#[test]
fn the_guest_sees_only_its_files() {
    let plan = launch(&def(
        "<initrd>/i</initrd>",
        "<disk><source file='/a'/><target dev='ubda'/><backingStore><source file='/b'/></backingStore></disk>
         <disk device='cdrom'><source file='/c'/><target dev='ubdb'/></disk>
         <disk><source file='/d'/><target dev='ubdc'/><readonly/></disk><disk><source file='/d'/><target dev='ubdd'/><shareable/></disk>",
    ))
    .unwrap();
    let files: Vec<_> = plan
        .files
        .iter()
        .map(|file| (file.path.to_str().unwrap(), file.writable))
        .collect();
    assert_eq!(
        files,
        [
            ("/k", false),
            ("/i", false),
            ("/a", true),
            ("/b", false),
            ("/c", false),
            ("/d", true)
        ]
    );
    assert_eq!(plan.cows.len(), 1);
    assert_eq!(
        (plan.cows[0].file.as_path(), plan.cows[0].backing.as_path()),
        (Path::new("/a"), Path::new("/b"))
    );
    assert_eq!(plan.memory_bytes, 80 << 20);
}

#[test]
fn lines_are_numbered_by_port_and_by_descriptor() {
    let plan = launch(&def(
        "",
        "<console/><console type='null'/><console type='file'><source path='/l'/></console>
         <serial><target port='5'/><alias name='ua-s'/><log file='/m'/></serial>",
    ))
    .unwrap();
    let whole = plan.argv.join(" ");
    assert!(
        whole.ends_with("con0=fd:10 con1=null con2=fd:11 ssl5=fd:12 con=none ssl=none"),
        "{whole}"
    );
    let lines: Vec<_> = plan
        .consoles
        .iter()
        .map(|line| {
            (
                line.alias.as_str(),
                line.pty,
                line.log.as_deref().and_then(Path::to_str),
            )
        })
        .collect();
    assert_eq!(
        lines,
        [
            ("console0", true, None),
            ("console2", false, Some("/l")),
            ("ua-s", true, Some("/m"))
        ]
    );
}

#[test]
fn a_guest_without_lines_still_has_its_log() {
    let plan = launch(&def("", "")).unwrap();
    assert!(plan.argv.join(" ").ends_with(" con0=fd:10 con=none ssl=none"));
    assert_eq!(plan.consoles.len(), 1);
    assert_eq!(plan.consoles[0].alias, LOG_ALIAS);
}

#[test]
fn words_of_the_user_come_last_and_keep_their_quotes() {
    let whole = argv(
        "<cmdline> a=b  quoted=\"x y\"\n console=ttyS0 ssl-non-raw à=1 </cmdline>",
        "",
    );
    assert!(
        whole.ends_with(" ssl=none a=b quoted=\"x y\" console=ttyS0 ssl-non-raw à=1"),
        "{whole}"
    );
    let plan = launch(&def("<cmdline>a=\"x y\" b</cmdline>", "")).unwrap();
    assert_eq!(plan.words, ["a=\"x y\"", "b"]);
}

#[test]
fn words_of_the_host_are_refused_by_name() {
    for word in [
        "umid=x",
        "uml_dir=/",
        "mconsole=notify:/x",
        "mem=1G",
        "iomem=a,/b",
        "initrd=/x",
        "con0=null",
        "con=pts",
        "con0x1=null",
        "ssl3=pts",
        "xterm=a,b,c",
        "ubd0=/etc/shadow",
        "ubda=/etc/shadow",
        "eth0=tuntap",
        "vec0:transport=tap",
        "virtio_uml.device=/s:1",
        "virtio-uml.device=/s:1",
        "hostfs=/",
        "--help",
        "\"con0=null\"",
        "x\u{e0}con0=null",
        "-- con0=null",
    ] {
        let escaped = word.replace('"', "&quot;");
        let error = launch(&def(&format!("<cmdline>a {escaped} b</cmdline>"), "")).unwrap_err();
        assert_eq!(
            (error.code(), error.origin()),
            (Code::CONFIG_UNSUPPORTED, Origin::UML),
            "{word}"
        );
        assert!(
            error.to_string().contains("of <cmdline> is not the user's to say"),
            "{word}: {error}"
        );
    }
}

#[test]
fn what_uml_cannot_be_told_is_refused_by_name() {
    let cases = [
        ("<initrd>/a b</initrd>", "", "initrd '/a b' has a blank"),
        ("<initrd>i</initrd>", "", "initrd 'i' is not an absolute path"),
        (
            "<initrd>/a/../b</initrd>",
            "",
            "initrd '/a/../b' is not an absolute path",
        ),
        ("<initrd>/@RUN@</initrd>", "", "initrd '/@RUN@' contains '@RUN@'"),
        (
            "<root>/dev/ubda con0=null</root>",
            "",
            "root '/dev/ubda con0=null' has a blank",
        ),
        ("<cmdline>a=@RUN@</cmdline>", "", "<cmdline> contains '@RUN@'"),
        (
            "<cmdline>a\u{85}b</cmdline>",
            "",
            "<cmdline> contains the control character '\\u{85}'",
        ),
        (
            "",
            "<disk><source file='a'/><target dev='ubda'/></disk>",
            "disk 'ubda' 'a' is not an absolute path",
        ),
        (
            "",
            "<console><log file='l'/></console>",
            "log file of console0 'l' is not an absolute path",
        ),
        (
            "",
            "<sound model='ich6'/><hostdev/>",
            "domain 'vm' asks for what cannot be done: <sound>, <hostdev>",
        ),
        (
            "",
            "<filesystem><source dir='/'/><target dir='t'/></filesystem>",
            "filesystem 't' is all of the host",
        ),
        (
            "<root>/dev/ubda</root>",
            "<filesystem><source dir='/a'/><target dir='/'/></filesystem>",
            "has <root> '/dev/ubda' in its <os> and a filesystem for '/'",
        ),
        (
            "",
            "<filesystem><source dir='/a b'/><target dir='/'/></filesystem>",
            "filesystem '/' '/a b' has a blank",
        ),
        (
            "",
            "<disk><source file='/a,b'/><target dev='hda'/></disk>",
            "disk 'hda': '/a,b' can not be told to UML",
        ),
        (
            "",
            "<disk><driver type='qcow2'/><source file='/a'/><target dev='vda'/><backingStore><format type='qcow2'/><source file='/b'/><backingStore><source file='/b'/></backingStore></backingStore></disk>",
            "the <backingStore> of disk 'vda' comes back to '/b'",
        ),
    ];
    for (os, devices, expected) in cases {
        let error = launch(&def(os, devices)).unwrap_err();
        assert_eq!(error.code(), Code::CONFIG_UNSUPPORTED);
        assert!(error.to_string().contains(expected), "{os}{devices}: {error}");
    }
    let mut small = def("", "");
    small.memory.current_kib = 32 * 1024 - 1;
    assert!(
        launch(&small)
            .unwrap_err()
            .to_string()
            .contains("UML boots with 32768 or more")
    );
    small.memory.current_kib += 1;
    launch(&small).unwrap();
    small.os.kernel = None;
    assert!(launch(&small).unwrap_err().to_string().contains("has no <kernel>"));
    small.emulator = Some("/e".to_owned());
    assert_eq!(launch(&small).unwrap().argv[0], "/e");
    small.os.cmdline = Some("x".repeat(4000));
    assert!(
        launch(&small)
            .unwrap_err()
            .to_string()
            .contains("a UML kernel takes 4032")
    );
}

fn ethernet(inside: &str) -> String {
    format!("<interface type='ethernet'><mac address='52:54:0:0:0:1'/>{inside}</interface>")
}

#[test]
fn a_host_without_links_hands_taps_over_as_descriptors() {
    let devices = format!(
        "{}<interface type='mcast'><mac address='52:54:0:0:0:2'/><source address='230.0.0.1' port='5'/></interface>{}",
        ethernet(""),
        ethernet("<mtu size='1400'/>").replace("0:1'", "0:3'")
    );
    let plan = launch(&def("", &devices)).unwrap();
    let found = Found {
        devices: ["tap0", "", "tap2"].map(ToOwned::to_owned).to_vec(),
        spare_consoles: 4,
        ..Found::default()
    };
    let vec = |links| {
        let launch = plan.order(&found, links).unwrap();
        let argv = launch.spec.argv.into_iter();
        let vec: Vec<String> = argv.filter(|word| word.starts_with("vec")).collect();
        let links: Vec<String> = launch.links.iter().map(|link| link.name().to_owned()).collect();
        (vec.join(" "), links.join(" "), launch.spare_consoles)
    };
    assert_eq!(
        vec(true),
        (
            "vec0:transport=tap,ifname=tap0,depth=64,gro=1,mac=52:54:00:00:00:01 \
             vec1:transport=bess,dst=@RUN@/net1.link,mac=52:54:00:00:00:02 \
             vec2:transport=tap,ifname=tap2,depth=64,gro=1,mac=52:54:00:00:00:03,mtu=1400"
                .to_owned(),
            "tap0 net1 tap2".to_owned(),
            4
        )
    );
    // The host itself refuses the link that it does not know.
    assert_eq!(
        vec(false),
        (
            "vec0:transport=fd,fd=64,vec=0,mac=52:54:00:00:00:01 \
             vec1:transport=bess,dst=@RUN@/net1.link,mac=52:54:00:00:00:02 \
             vec2:transport=fd,fd=65,vec=0,mac=52:54:00:00:00:03,mtu=1400"
                .to_owned(),
            "net1".to_owned(),
            0
        )
    );
}

#[test]
fn a_plain_guest_asks_nothing_new_of_its_host() {
    let plan = launch(&def("", "<console/><serial type='file'><source path='/l'/></serial>")).unwrap();
    let launch = plan.order(&Found::default(), false).unwrap();
    let plain = driver_api::types::launch::Launch {
        spec: launch.spec.clone(),
        ..Default::default()
    };
    assert_eq!(launch, plain);
}

#[test]
fn interfaces_that_could_not_be_as_promised_are_refused_by_name() {
    let two = |inside: &str| format!("{}{}", ethernet(inside), ethernet(inside).replace("0:1'", "0:2'"));
    let cases = [
        (
            ethernet("<vlan><tag id='4'/></vlan>"),
            "interface '52:54:00:00:00:01' (<vlan>)",
        ),
        (ethernet("<script path='/bin/x'/>"), "(<script>)"),
        (ethernet("<port isolated='yes'/>"), "(<port>)"),
        (
            ethernet("<source><ip address='192.0.2.1'/></source>"),
            "(<ip> in <source>)",
        ),
        (
            ethernet("<target managed='no'/>"),
            "interface '52:54:00:00:00:01' has <target managed='no'> without 'dev'",
        ),
        (
            "<interface type='mcast'><mac address='52:54:0:0:0:1'/><source address='192.0.2.1' port='5'/></interface>".to_owned(),
            "of type 'mcast' names '192.0.2.1', which is no multicast group",
        ),
        (
            "<interface type='mcast'><mac address='52:54:0:0:0:1'/><source address='host' port='5'/></interface>".to_owned(),
            "of type 'mcast' has the address 'host' and port '5': a numeric address",
        ),
        (
            "<interface type='mcast'><mac address='52:54:0:0:0:1'/><source address='230.0.0.1' port='0'/></interface>".to_owned(),
            "has the address '230.0.0.1' and port '0'",
        ),
        (
            "<interface type='mcast'><mac address='52:54:0:0:0:1'/><source address='230.0.0.1' port='5'/><mtu size='9001'/></interface>"
                .to_owned(),
            "has an MTU of 9001, UML takes 576 to 9000 on type 'mcast'",
        ),
        (
            "<interface type='user'><mac address='52:54:0:0:0:1'/><ip address='10.1.2.3' prefix='24'/></interface>".to_owned(),
            "of type 'user': <ip> must be there once and name an IPv4 network",
        ),
        (ethernet("<target dev='a,b'/>"), "'a,b', the device of interface"),
        (
            "<interface type='mcast'><source address='230.0.0.1' port='5'/><filterref filter='f'/></interface>".to_owned(),
            "filter 'f' on type 'mcast', which no filter can reach",
        ),
        (
            ethernet("").replace("52:54", "fe:54"),
            "the address of interface 'fe:54:00:00:00:01' begins with 'fe'",
        ),
        (ethernet("<target dev='a b'/>"), "'a b', the device of interface"),
        (
            ethernet("<mtu size='575'/>"),
            "has an MTU of 575, UML takes 576 to 65521",
        ),
        (
            two("<target dev='lab0'/>"),
            "interfaces '52:54:00:00:00:01' and '52:54:00:00:00:02' want the same device 'lab0'",
        ),
        (
            ethernet("").repeat(33),
            "domain 'vm' has 33 interfaces, 32 are possible",
        ),
    ];
    for (interfaces, expected) in cases {
        let error = launch(&def("", &interfaces)).unwrap_err();
        assert_eq!(error.code(), Code::CONFIG_UNSUPPORTED);
        assert!(error.to_string().contains(expected), "{interfaces}: {error}");
    }
    // What only says how, or nothing, is no promise.
    for harmless in [
        "<port isolated='no'/>",
        "<driver name='qemu'/>",
        "<target dev='lab0' managed='yes'/>",
    ] {
        launch(&def("", &ethernet(harmless))).unwrap();
    }
    launch(&def("", &two(""))).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is accepted, the kernel finds no word in it that the host decides.
    #[test]
    fn no_accepted_line_hides_a_word_of_the_host(line in "([ab\"\t à=]|con0=|ubd0=|mem=|x ){0,10}") {
        if let Ok(words) = word::checked(&line) {
            let glued = words.join(" ");
            let mut quoted = false;
            for word in glued.as_bytes().split(|byte| { quoted ^= *byte == b'"'; matches!(byte, 9..=13 | 32 | 0xa0) && !quoted }) {
                let bare: Vec<u8> = word.iter().copied().filter(|byte| *byte != b'"').collect();
                for owned in ["con0=", "ubd0=", "mem="] {
                    prop_assert!(!bare.starts_with(owned.as_bytes()), "{line:?} became {glued:?}");
                }
            }
        }
    }
}
