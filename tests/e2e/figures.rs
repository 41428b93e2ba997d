//! Figures and addresses of guests as stock virsh shows them.

use conformance::case::Case;
use conformance::guest::Document;
use conformance::host::Host;
use conformance::need::Need::{Root, Uml, Virsh};
use conformance::net::Net;
use conformance::wait;
use std::collections::BTreeMap;
use std::fs::File;

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "figures_of_a_running_guest_are_its_kernels_and_the_hosts",
        needs: &[Root, Uml, Virsh],
        run: running,
    },
    Case {
        name: "figures_of_a_domain_at_rest_need_no_guest",
        needs: &[Virsh],
        run: at_rest,
    },
    Case {
        name: "addresses_are_found_by_neighbours_and_leases",
        needs: &[Root, Uml, Virsh],
        run: addresses,
    },
];

const MAC: &str = "52:54:00:00:00:01";
const GUEST: &str = "10.9.0.2";

/// `name=value` lines of virsh, with blanks or `=` between.
fn figures(text: &str) -> BTreeMap<String, String> {
    let line = |line: &str| {
        let (name, value) = line.trim().split_once('=')?;
        Some((name.to_owned(), value.to_owned()))
    };
    text.lines().filter_map(line).collect()
}

fn number(figures: &BTreeMap<String, String>, name: &str) -> u64 {
    let value = figures.get(name).unwrap_or_else(|| panic!("no {name} in {figures:?}"));
    value.parse().unwrap_or_else(|_| panic!("{name} is {value}"))
}

/// A guest with an address on a bridge, and a disk of which it has read a mebibyte.
fn guest(host: &Host) -> Document {
    let image = host.root().join("image");
    File::create(&image).unwrap().set_len(8 << 20).unwrap();
    let script = format!(
        "ip link set vec0 up; ip addr add {GUEST}/24 dev vec0; dd if=/dev/ubda of=/dev/null bs=64k count=16 2>/dev/null; \
         ping -c 1 10.9.0.1 >/dev/null; echo guest done"
    );
    Document::new("vm1").running(&script).device(&format!(
        "<disk type='file'><source file='{}'/><target dev='ubda'/></disk>\
         <interface type='bridge'><mac address='{MAC}'/><source bridge='br0'/></interface>",
        image.display()
    ))
}

fn network() -> Net {
    let net = Net::unshare();
    net.bridge("br0");
    net.ip("addr add 10.9.0.1/24 dev br0");
    net
}

fn start(host: &Host, document: &Document) {
    host.define(&document.xml());
    let _out = host.virsh(&["start", "vm1"]).ok();
    wait::until("the guest has done its work", || {
        host.console_log("vm1").contains("guest done").then_some(())
    });
}

fn running() {
    let _net = network();
    let host = Host::start();
    start(&host, &guest(&host));
    // Whoever looks has the guest's kernel asked, and sees what it said when he looks again.
    let known = wait::until("the guest's kernel has told of its disk", || {
        let known = figures(&host.virsh(&["domstats", "vm1"]).ok());
        let read = known.get("block.0.rd.bytes").and_then(|bytes| bytes.parse().ok());
        let told = known.contains_key("balloon.usable");
        (told && read.is_some_and(|read: u64| read >= 1 << 20)).then_some(known)
    });
    assert_eq!(number(&known, "state.state"), 1);
    assert!(number(&known, "cpu.time") > 0);
    assert!(number(&known, "cpu.user") > 0);
    assert_eq!(number(&known, "vcpu.current"), 1);
    assert!(number(&known, "vcpu.0.time") > 0);
    assert_eq!(number(&known, "balloon.current"), 65536);
    assert!(number(&known, "balloon.rss") > 1024);
    let (usable, available) = (number(&known, "balloon.usable"), number(&known, "balloon.available"));
    assert!(usable < available && available < 65536, "{usable} {available}");
    assert_eq!(known["net.0.name"], "vnet0");
    // The guest has sent and received an echo, and asked whose the address is.
    assert!(number(&known, "net.0.tx.pkts") >= 2 && number(&known, "net.0.rx.pkts") >= 2);
    assert_eq!(known["block.0.name"], "ubda");
    assert_eq!(number(&known, "block.0.capacity"), 8 << 20);
    assert_eq!(number(&known, "block.0.physical"), 8 << 20);
    assert_eq!(number(&known, "block.0.wr.reqs"), 0);

    let memory = host.virsh(&["dommemstat", "vm1"]).ok();
    for name in ["actual 65536", "rss ", "available ", "usable "] {
        assert!(memory.contains(name), "no {name}: {memory}");
    }
    assert!(host.virsh(&["domblkinfo", "vm1", "ubda"]).ok().contains("8388608"));
    assert!(host.virsh(&["domblkstat", "vm1", "ubda"]).ok().contains("rd_bytes"));
    assert!(host.virsh(&["domifstat", "vm1", "vnet0"]).ok().contains("rx_bytes"));
    assert!(host.virsh(&["vcpuinfo", "vm1"]).ok().contains("running"));
    let _out = host.virsh(&["destroy", "vm1"]).ok();
}

fn at_rest() {
    let host = Host::start();
    host.define(&guest(&host).xml());
    let known = figures(&host.virsh(&["domstats", "vm1"]).ok());
    assert_eq!(number(&known, "state.state"), 5);
    assert_eq!(number(&known, "balloon.maximum"), 65536);
    assert_eq!(number(&known, "block.0.capacity"), 8 << 20);
    assert!(!known.contains_key("cpu.time") && !known.contains_key("net.count"));
}

fn addresses() {
    let _net = network();
    let folder = tempfile::tempdir().unwrap();
    let (config, leases) = (folder.path().join("lockstep.toml"), folder.path().join("leases"));
    let text = format!("[driver.uml]\nlease_files = [\"{}\"]\n", leases.display());
    std::fs::write(&config, text).unwrap();
    let host = Host::start_with(&["--config", &config.to_string_lossy()]);
    start(&host, &guest(&host));
    let shown = host.virsh(&["domifaddr", "vm1", "--source", "arp"]).ok();
    assert!(
        shown.contains("vnet0") && shown.contains(MAC) && shown.contains(GUEST),
        "{shown}"
    );
    let none = host.virsh(&["domifaddr", "vm1", "--source", "lease"]).ok();
    assert!(!none.contains(MAC), "{none}");
    std::fs::write(&leases, format!("0 {MAC} 10.9.0.7 box *\n")).unwrap();
    let leased = host.virsh(&["domifaddr", "vm1", "--source", "lease"]).ok();
    assert!(leased.contains("10.9.0.7"), "{leased}");
    let missing = host.virsh(&["domifaddr", "vm1", "--source", "agent"]).fails();
    assert!(missing.contains("agent"), "{missing}");
    let _out = host.virsh(&["destroy", "vm1"]).ok();
    assert!(host.virsh(&["domifaddr", "vm1"]).fails().contains("not running"));
}
