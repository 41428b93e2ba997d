//! Figures of domains that run and that do not, and addresses from the host's side.

use crate::testing::Lab;
use driver_api::driver::{Stats, VirtDriver};
use driver_api::error::Code;
use driver_api::types::device::{AddressSource, stats};
use driver_api::types::guest::GuestId;
use driver_api::types::param::{Param, Value, find};
use driver_api::types::uuid::Uuid;

const A: &str = "11111111-1111-1111-1111-111111111111";
const MAC: &str = "52:54:00:00:00:01";

fn uuid() -> Uuid {
    A.parse().unwrap()
}

/// A domain with two disks and an interface.
fn lab_with_a_domain(options: &[(&str, &str)]) -> Lab {
    let lab = Lab::with_options(options);
    let root = lab.root.path();
    std::fs::write(root.join("image"), vec![1; 8192]).unwrap();
    std::fs::File::create(root.join("base"))
        .unwrap()
        .set_len(1 << 20)
        .unwrap();
    let devices = format!(
        "<devices><disk type='file'><source file='{0}/image'/><target dev='ubda'/></disk>\
         <disk type='file'><driver type='cow'/><source file='{0}/cow'/><backingStore type='file'><format type='raw'/>\
         <source file='{0}/base'/></backingStore><target dev='ubdb'/></disk>\
         <interface type='bridge'><mac address='{MAC}'/><source bridge='br0'/></interface>",
        root.display()
    );
    let xml = lab.xml("vm", A, "").replace("<devices>", &devices);
    lab.cx(|cx| lab.uml.define(cx, &xml, 0)).unwrap();
    lab
}

fn start(lab: &Lab) {
    lab.cx(|cx| lab.uml.start(cx, uuid(), 0)).unwrap();
}

fn figures(lab: &Lab, groups: u32) -> Vec<Param> {
    lab.uml.stats(uuid(), groups).unwrap()
}

fn shown(figures: &[Param]) -> Vec<String> {
    let value = |value: &Value| match value {
        Value::Int(n) => format!("i{n}"),
        Value::Uint(n) => format!("u{n}"),
        Value::Ulong(n) => format!("{n}"),
        other => format!("{other:?}"),
    };
    figures
        .iter()
        .map(|param| format!("{}={}", param.name, value(&param.value)))
        .collect()
}

#[test]
fn domain_at_rest_has_the_figures_of_its_definition_and_files() {
    let lab = lab_with_a_domain(&[]);
    assert_eq!(
        shown(&figures(&lab, stats::STATE)),
        ["state.state=i5", "state.reason=i0"]
    );
    let balloon = shown(&figures(&lab, stats::BALLOON));
    assert_eq!(balloon, ["balloon.current=65536", "balloon.maximum=65536"]);
    assert_eq!(
        shown(&figures(&lab, stats::VCPU)),
        ["vcpu.current=u1", "vcpu.maximum=u1"]
    );
    assert!(figures(&lab, stats::CPU_TOTAL | stats::INTERFACE | stats::VM).is_empty());
    let block = figures(&lab, stats::BLOCK);
    assert_eq!(find(&block, "block.count"), Some(&Value::Uint(2)));
    assert_eq!(find(&block, "block.0.name"), Some(&Value::Text("ubda".to_owned())));
    assert_eq!(find(&block, "block.0.capacity"), Some(&Value::Ulong(8192)));
    assert_eq!(find(&block, "block.0.allocation"), Some(&Value::Ulong(8192)));
    assert_eq!(find(&block, "block.1.capacity"), None, "it is made at the first start");
    let unknown = lab.uml.stats(Uuid::default(), 0).unwrap_err();
    assert_eq!(unknown.code(), Code::NO_DOMAIN);
}

#[test]
fn disks_of_other_buses_and_formats_are_found() {
    let lab = Lab::new();
    let root = lab.root.path();
    std::fs::write(root.join("image"), vec![1; 4096]).unwrap();
    let mut header = b"QFI\xfb\0\0\0\x03".to_vec();
    header.resize(24, 0);
    header.extend((1_u64 << 30).to_be_bytes());
    std::fs::write(root.join("qcow2"), header).unwrap();
    let devices = format!(
        "<devices><disk type='file'><source file='{0}/image'/><target dev='hdb' bus='ide'/></disk>\
         <disk type='file'><driver type='qcow2'/><source file='{0}/qcow2'/><target dev='vda' bus='virtio'/></disk>\
         <disk type='file'><driver type='vmdk'/><source file='{0}/image'/><target dev='vdb' bus='virtio'/></disk>",
        root.display()
    );
    let xml = lab.xml("vm", A, "").replace("<devices>", &devices);
    lab.cx(|cx| lab.uml.define(cx, &xml, 0)).unwrap();
    let block = figures(&lab, stats::BLOCK);
    let capacity = |index| find(&block, &format!("block.{index}.capacity")).and_then(Value::as_u64);
    assert_eq!(
        [capacity(0), capacity(1), capacity(2)],
        [Some(4096), Some(1 << 30), None]
    );
    assert_eq!(find(&block, "block.2.physical"), Some(&Value::Ulong(4096)));
}

#[test]
fn interface_without_a_device_has_the_counters_of_its_link() {
    let lab = Lab::new();
    let link = format!(
        "<devices><interface type='mcast'><mac address='{MAC}'/><source address='239.0.0.1' port='5558'/></interface>"
    );
    let xml = lab.xml("vm", A, "").replace("<devices>", &link);
    lab.cx(|cx| lab.uml.define(cx, &xml, 0)).unwrap();
    *lab.host.usage.lock() = vec![
        Param::new("link.net0.rx_bytes", 5_u64),
        Param::new("link.net0.tx_packets", 6_u64),
    ];
    start(&lab);
    let net = shown(&figures(&lab, stats::INTERFACE));
    assert_eq!(
        net,
        [
            "net.count=u1",
            "net.0.name=Text(\"net0\")",
            "net.0.rx.bytes=5",
            "net.0.tx.pkts=6"
        ]
    );
}

#[test]
fn running_domain_adds_what_the_host_counts() {
    let lab = lab_with_a_domain(&[]);
    *lab.host.usage.lock() = vec![
        Param::new("cpu.time", 7_u64),
        Param::new("cpu.user", 4_u64),
        Param::new("memory.rss", 999_u64),
    ];
    start(&lab);
    assert_eq!(
        shown(&figures(&lab, stats::STATE)),
        ["state.state=i1", "state.reason=i1"]
    );
    assert_eq!(shown(&figures(&lab, stats::CPU_TOTAL)), ["cpu.time=7", "cpu.user=4"]);
    let balloon = shown(&figures(&lab, stats::BALLOON));
    assert_eq!(balloon[2..], ["balloon.rss=999"]);
    let vcpu = shown(&figures(&lab, stats::VCPU));
    assert_eq!(vcpu[2..], ["vcpu.0.state=i1", "vcpu.0.time=7"]);
    // What the host sends, the guest receives.
    let net = shown(&figures(&lab, stats::INTERFACE));
    assert_eq!(
        net,
        [
            "net.count=u1",
            "net.0.name=Text(\"vnet0\")",
            "net.0.rx.bytes=200",
            "net.0.rx.pkts=201",
            "net.0.rx.errs=202",
            "net.0.rx.drop=203",
            "net.0.tx.bytes=100",
            "net.0.tx.pkts=101",
            "net.0.tx.errs=102",
            "net.0.tx.drop=103",
        ]
    );
    let block = figures(&lab, stats::BLOCK);
    assert_eq!(find(&block, "block.1.capacity"), Some(&Value::Ulong(1 << 20)));
    let vm = figures(&lab, stats::VM);
    assert_eq!(find(&vm, "vm.kernel.release"), Some(&Value::Text("6.1.9".to_owned())));
    let all = figures(&lab, 0);
    assert!(find(&all, "state.state").is_some() && find(&all, "block.1.physical").is_some());
    lab.host.usage.lock().clear();
    assert_eq!(
        shown(&figures(&lab, stats::CPU_TOTAL)),
        ["cpu.time=42"],
        "an older host"
    );
}

#[test]
fn an_interface_without_a_device_shows_what_its_link_counts() {
    let lab = Lab::new();
    let devices = "<devices><interface type='mcast'><mac address='52:54:00:00:00:07'/>\
                   <source address='230.0.0.1' port='5'/><alias name='ua-lab'/></interface>";
    let xml = lab.xml("vm", A, "").replace("<devices>", devices);
    lab.cx(|cx| lab.uml.define(cx, &xml, 0)).unwrap();
    start(&lab);
    *lab.host.usage.lock() = vec![
        Param::new("link.net0.rx_bytes", 5_u64),
        Param::new("link.net0.rx_packets", 1_u64),
        Param::new("link.net0.tx_bytes", 7_u64),
    ];
    assert_eq!(
        shown(&figures(&lab, stats::INTERFACE)),
        [
            "net.count=u1",
            "net.0.name=Text(\"ua-lab\")",
            "net.0.rx.bytes=5",
            "net.0.rx.pkts=1",
            "net.0.tx.bytes=7"
        ]
    );
}

#[test]
fn what_the_kernel_last_said_is_shown_and_nobody_is_asked_meanwhile() {
    let lab = lab_with_a_domain(&[]);
    start(&lab);
    lab.host.heard.lock().clear();
    lab.core().pulse.book.note(GuestId(1), |vitals| {
        vitals.memory = Some(crate::pulse::sample::memory(
            "MemTotal: 100 kB\nMemFree: 60 kB\nMemAvailable: 70 kB\n",
        ));
        vitals.disks = crate::pulse::sample::disks("98 0 ubda 10 0 80 5 20 0 160 7 0 8 9 0 0 0 0 3 4\n").into();
    });
    let balloon = figures(&lab, stats::BALLOON);
    for (name, value) in [("available", 100_u64), ("unused", 60), ("usable", 70)] {
        assert_eq!(find(&balloon, &format!("balloon.{name}")), Some(&Value::Ulong(value)));
    }
    let block = figures(&lab, stats::BLOCK);
    for (name, value) in [
        ("rd.reqs", 10_u64),
        ("rd.bytes", 40_960),
        ("rd.times", 5_000_000),
        ("wr.reqs", 20),
        ("fl.reqs", 3),
    ] {
        assert_eq!(
            find(&block, &format!("block.0.{name}")),
            Some(&Value::Ulong(value)),
            "{name}"
        );
    }
    assert_eq!(find(&block, "block.1.rd.reqs"), None, "the guest did not tell of it");
    assert!(lab.host.heard.lock().is_empty());
}

#[test]
fn addresses_are_those_of_the_neighbours_and_of_the_leases() {
    let leases = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(
        leases.path(),
        format!("0 {MAC} 10.0.0.7 box *\n0 52:54:00:00:00:09 10.0.0.9 * *\n"),
    )
    .unwrap();
    let lab = lab_with_a_domain(&[("lease_files", leases.path().to_str().unwrap())]);
    let ask = |source| lab.uml.addresses(uuid(), source);
    assert_eq!(ask(AddressSource::Arp).unwrap_err().code().0, 55);
    start(&lab);
    assert_eq!(ask(AddressSource::Arp).unwrap(), []);
    lab.network.neighbour(MAC, "fe80::5");
    lab.network.neighbour(MAC, "10.0.0.5");
    lab.network.neighbour(MAC, "10.0.0.5");
    lab.network.neighbour("52:54:00:00:00:09", "10.0.0.6");
    for (source, wanted) in [
        (AddressSource::Arp, &["10.0.0.5", "fe80::5"][..]),
        (AddressSource::Lease, &["10.0.0.7"]),
    ] {
        let [one] = &ask(source).unwrap()[..] else {
            panic!("{source:?}");
        };
        assert_eq!((one.name.as_str(), one.mac.as_deref()), ("vnet0", Some(MAC)));
        let addresses: Vec<String> = one.addresses.iter().map(|a| a.address.to_string()).collect();
        assert_eq!(addresses, wanted);
    }
    let lab = lab_with_a_domain(&[]);
    start(&lab);
    let error = lab.uml.addresses(uuid(), AddressSource::Lease).unwrap_err();
    assert!(error.to_string().contains("'lease_files'"), "{error}");
}
