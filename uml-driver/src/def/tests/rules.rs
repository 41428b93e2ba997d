//! Limits and devices that say what can not be, or too little, are refused where they stand.

use super::{Code, devices, refusal, with};

#[test]
fn each_limit_out_of_bounds_is_refused_with_its_code() {
    let cases = [
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
    ];
    for (document, code, words) in cases {
        let error = refusal(&document);
        assert_eq!(error.code(), code, "{document}: {error}");
        assert!(error.to_string().contains(words), "no '{words}' in {error}");
    }
}

#[test]
fn each_device_that_says_too_little_is_refused_with_its_code() {
    let interface = |kind: &str, inside: &str| devices(&format!("<interface type='{kind}'>{inside}</interface>"));
    let rate = |inside: &str| interface("ethernet", &format!("<bandwidth>{inside}</bandwidth>"));
    let cases = [
        (
            devices("<filesystem><target dir='t'/></filesystem>"),
            Code::NO_SOURCE,
            "<filesystem> for 't' has no source",
        ),
        (
            devices("<filesystem><source dir='/a'/></filesystem>"),
            Code(20),
            "<filesystem> '/a' has no <target dir='...'>",
        ),
        (
            devices("<filesystem accessmode='open'><source dir='/a'/><target dir='t'/></filesystem>"),
            Code::XML_ERROR,
            "'accessmode' of <filesystem> has the unknown value 'open'",
        ),
        (
            interface("mcast", ""),
            Code::XML_ERROR,
            "<interface type='mcast'> wants a <source>",
        ),
        (
            interface("mcast", "<source address='230.0.0.1'/>"),
            Code::XML_ERROR,
            "port '' of <source> is not a number up to 65535",
        ),
        (
            interface("mcast", "<source port='1'/>"),
            Code::XML_ERROR,
            "<source> has no attribute 'address'",
        ),
        (
            interface("udp", "<source address='::1' port='1'/>"),
            Code::XML_ERROR,
            "of type 'udp' wants a <local>",
        ),
        (
            interface(
                "udp",
                "<source address='::1' port='1'><local address='::1' port='65536'/></source>",
            ),
            Code::XML_ERROR,
            "port '65536' of <local>",
        ),
        (
            rate("<inbound peak='5'/>"),
            Code::XML_ERROR,
            "<inbound> says neither 'average' nor 'floor'",
        ),
        (
            rate("<outbound average='x'/>"),
            Code::CONFIG_UNSUPPORTED,
            "'x' for 'average' of <outbound> is not a whole number",
        ),
        (
            rate("<outbound average='1' floor='1'/>"),
            Code::CONFIG_UNSUPPORTED,
            "'floor' of <outbound> is not possible",
        ),
        (
            devices("<console type='tcp'><source mode='bind' service='4'/></console>"),
            Code::XML_ERROR,
            "<console type='tcp'> wants a <source> with 'host'",
        ),
        (
            devices("<serial type='udp'/>"),
            Code::XML_ERROR,
            "<serial type='udp'> wants a <source> with 'service'",
        ),
        (
            devices("<serial type='unix'><source mode='x' path='/x'/></serial>"),
            Code::XML_ERROR,
            "mode 'x' of <source> is neither 'bind' nor 'connect'",
        ),
    ];
    for (document, code, words) in cases {
        let error = refusal(&document);
        assert_eq!(error.code(), code, "{document}: {error}");
        assert!(error.to_string().contains(words), "no '{words}' in {error}");
    }
}
