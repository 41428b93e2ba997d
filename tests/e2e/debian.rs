//! A Debian guest with systemd: its whole day on a network, from the first lease to a clean end.

use crate::console::VirshConsole;
use conformance::case::Case;
use conformance::cow;
use conformance::guest::{KERNEL, repository};
use conformance::host::{Host, build_dir};
use conformance::need::Need::{Debian, Root, Uml, Virsh};
use conformance::net::Net;
use conformance::wait;
use rustix::thread::UnshareFlags;
use serde_json::Value;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

pub(crate) const CASES: &[Case] = &[Case {
    name: "debian_boots_leases_logs_in_fetches_and_shuts_down",
    needs: &[Root, Uml, Virsh, Debian],
    run: day,
}];

/// The host's address on the bridge: the guest's gateway and DHCP server.
const GATEWAY: &str = "10.9.0.1";
/// The web server, which lives in another namespace, behind the gateway.
const SERVER: &str = "10.8.0.2";
/// The only address that there is to lease.
const LEASED: &str = "10.9.0.77";
const SPOOFED: &str = "10.9.0.66";
const PAGE: &str = "a page from another namespace";

/// systemd has a hundred things to start, each in a process that UML makes slowly, beside whatever the machine does.
const PATIENCE: Duration = Duration::from_secs(600);

/// A program that is ended with the case.
struct Server(Child);

impl Server {
    fn start(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::null()).spawn().expect("the server starts"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _status = self.0.wait();
    }
}

/// The bridge with its DHCP server, and a web server that is reached through the gateway.
struct Lab {
    net: Net,
    host: Host,
    _dhcp: Server,
    _web: Server,
}

impl Lab {
    fn new() -> Self {
        let net = Net::unshare();
        net.bridge("br0");
        net.ip(&format!("addr add {GATEWAY}/24 dev br0"));
        fs::write("/proc/sys/net/ipv4/ip_forward", "1").expect("the gateway forwards");
        let host = Host::start();
        let web = web_server(&net, host.root());
        let dhcp = dhcp_server(&host.root().join("dhcp.log"), &host.root().join("leases"));
        Self {
            net,
            host,
            _dhcp: dhcp,
            _web: web,
        }
    }
}

fn dhcp_server(log: &Path, leases: &Path) -> Server {
    let log_file = fs::File::create(log).expect("a log");
    let server = Server::start(
        Command::new("dnsmasq")
            .args([
                "--keep-in-foreground",
                "--conf-file=/dev/null",
                "--pid-file=",
                "--port=0",
                "--user=root",
            ])
            .args([
                "--log-facility=-",
                "--interface=br0",
                "--bind-interfaces",
                "--dhcp-authoritative",
            ])
            .arg(format!("--dhcp-range={LEASED},{LEASED},1h"))
            .arg(format!("--dhcp-leasefile={}", leases.display()))
            .stderr(log_file),
    );
    wait::until("the DHCP server listens", || {
        fs::read_to_string(log)
            .ok()?
            .contains("DHCP, sockets bound")
            .then_some(())
    });
    server
}

/// A web server in a namespace of its own, at the other end of a cable from the gateway.
fn web_server(net: &Net, root: &Path) -> Server {
    let folder = root.join("web");
    fs::create_dir(&folder).expect("a folder");
    fs::write(folder.join("page"), PAGE).expect("a page");
    let mut python = Command::new("/usr/bin/python3");
    python.args(["-m", "http.server", "80"]).current_dir(&folder);
    python.stdout(Stdio::null()).stderr(Stdio::null());
    // SAFETY: between fork and exec, in a process with one thread; only a system call is made.
    unsafe {
        python.pre_exec(|| Ok(rustix::thread::unshare_unsafe(UnshareFlags::NEWNET)?));
    }
    let server = Server::start(&mut python);
    let pid = server.0.id();
    let within = |words: &str| {
        let status = Command::new("nsenter")
            .args(["--net", "--target", &pid.to_string(), "ip"])
            .args(words.split(' '))
            .status();
        assert!(status.expect("nsenter runs").success(), "ip {words}");
    };
    net.ip(&format!("link add web0 type veth peer name eth0 netns {pid}"));
    net.ip("addr add 10.8.0.1/24 dev web0");
    net.ip("link set web0 up");
    within(&format!("addr add {SERVER}/24 dev eth0"));
    within("link set eth0 up");
    within("route add default via 10.8.0.1");
    let address: SocketAddr = format!("{SERVER}:80").parse().expect("an address");
    wait::until("the web server listens", || TcpStream::connect(address).ok());
    server
}

/// The image that the guest's disk lies over, made once for each version of its tool.
fn image() -> PathBuf {
    let target = build_dir();
    let image = target.parent().expect("a target folder").join("debian/guest.img");
    let tool = repository().join("tools/debian-image");
    let made = Command::new(tool)
        .arg(&image)
        .status()
        .expect("tools/debian-image runs");
    assert!(made.success(), "tools/debian-image failed");
    image
}

/// systemd gives up on a unit after 90 s and on a device too, which an overloaded machine may need.
const PATIENT: &str = "systemd.default_timeout_start_sec=600 systemd.default_device_timeout_sec=600";

/// The example that everybody is shown, on the disks of this case.
fn document(base: &Path, cow: &Path) -> String {
    let example = repository().join("examples/guests/debian.xml");
    let mut xml = fs::read_to_string(example).expect("the example can be read");
    for (there, here) in [
        (">/usr/bin/linux.uml<", format!(">{KERNEL}<")),
        ("'/tmp/debian.cow'", format!("'{}'", cow.display())),
        ("'/tmp/debian.img'", format!("'{}'", base.display())),
        ("console=ttyS0<", format!("console=ttyS0 {PATIENT}<")),
    ] {
        assert!(xml.contains(there), "the example has no {there}");
        xml = xml.replace(there, &here);
    }
    xml
}

/// A root shell on the guest's console.
struct Shell {
    console: VirshConsole,
    commands: usize,
}

impl Shell {
    /// Logs in as a person would.
    fn log_in(host: &Host) -> Self {
        wait::within(PATIENCE, "the guest asks who logs in", || {
            host.console_log("debian").contains("debian login:").then_some(())
        });
        let mut console = VirshConsole::open_at(host, "debian", "debian login:");
        for (answer, next) in [("root", "Password:"), ("guest", "root@debian:~#")] {
            console.type_(&format!("{answer}\n"));
            wait::within(PATIENCE, &format!("the guest says '{next}'"), || {
                console.text().contains(next).then_some(())
            });
        }
        let mut shell = Self { console, commands: 0 };
        // What is typed from here on is not said back, so that only answers are seen.
        let _words = shell.run("stty -echo; exec sh");
        shell
    }

    /// Runs a command and gives what the console said meanwhile.
    fn run(&mut self, command: &str) -> String {
        let before = self.console.text().len();
        self.commands += 1;
        let end = format!("command {} has ended", self.commands);
        self.console
            .type_(&format!("{command}\necho command {} has e''nded\n", self.commands));
        wait::within(PATIENCE, &format!("'{command}' has ended"), || {
            let text = self.console.text();
            let said = text.get(before..)?;
            said.contains(&end).then(|| said.to_owned())
        })
    }
}

/// What the host's own command line says as JSON.
fn json(host: &Host, arguments: &[&str]) -> Value {
    let text = host.lockstep(&[&["--output", "json"], arguments].concat()).ok();
    serde_json::from_str(&text).expect("JSON")
}

/// Packets that rules of this filter have dropped on the guest's port.
fn dropped_by(host: &Host, filter: &str) -> u64 {
    let counters = json(host, &["nwfilter-counters", "vnet0"]);
    let rules = counters["rules"].as_array().expect("rules").iter();
    rules
        .filter(|rule| rule["verdict"] == "drop" && rule["place"]["filter"] == filter)
        .filter_map(|rule| rule["packets"].as_u64())
        .sum()
}

fn day() {
    let base = image();
    let lab = Lab::new();
    let host = &lab.host;
    let cow = host.root().join("disk.cow");
    host.define(&document(&base, &cow));
    let _out = host.virsh(&["start", "debian"]).ok();

    let mut shell = Shell::log_in(host);
    let said = shell.run("systemctl is-system-running --wait");
    assert!(
        said.contains("running"),
        "{said}\n{}",
        shell.run("systemctl --failed --no-pager")
    );
    // The only address is that of a lease, and the host has learned it from nothing else.
    let said = shell.run("/lib/systemd/systemd-networkd-wait-online --timeout=0; ip -4 -o addr show vec0");
    assert!(
        said.contains(&format!("inet {LEASED}/24")) && said.contains("dynamic"),
        "{said}"
    );
    let view = wait::within(PATIENCE, "the host knows the address", || {
        let view = json(host, &["nwfilter-show", "vnet0"]);
        view["learned"]
            .as_array()
            .is_some_and(|all| !all.is_empty())
            .then_some(view)
    });
    assert_eq!(view["parameters"]["CTRL_IP_LEARNING"], "dhcp", "{view:#}");
    assert_eq!(view["learned"], serde_json::json!([LEASED]), "{view:#}");

    let said = shell.run(&format!(
        "busybox wget -O /root/page http://{SERVER}/page && cat /root/page"
    ));
    assert!(said.contains(PAGE), "{said}");

    let before = dropped_by(host, "no-ip-spoofing");
    let said = shell.run(&format!(
        "ip addr add {SPOOFED}/24 dev vec0; ping -q -c 1 -W 60 -I {LEASED} {GATEWAY}; ping -q -c 1 -W 2 -I {SPOOFED} {GATEWAY}"
    ));
    let answered: Vec<bool> = said
        .lines()
        .filter(|line| line.contains("packets transmitted"))
        .map(|line| line.contains("1 received"))
        .collect();
    assert_eq!(answered, [true, false], "{said}");
    assert!(dropped_by(host, "no-ip-spoofing") > before);

    // A stock systemd makes a reboot of ctrl-alt-del; what was asked for counts.
    let _out = host.virsh(&["shutdown", "debian"]).ok();
    wait::within(PATIENCE, "the guest is off", || {
        host.state("debian").starts_with("shut off").then_some(())
    });
    assert_eq!(
        host.state("debian"),
        "shut off (shutdown)",
        "{}",
        host.console_log("debian")
    );
    let _text = shell.console.ended();
    ended_cleanly(host, &base, &cow);

    assert!(host.supervisors().is_empty());
    assert_eq!(host.virsh(&["nwfilter-binding-list"]).ok().trim(), "");
    assert!(!Path::new("/proc/sys/net/ipv4/conf/vnet0").exists());
    assert!(!lab.net.ruleset().contains("vnet0"), "{}", lab.net.ruleset());
}

/// The guest's own init went down in order, and its file system is whole and has what the guest wrote.
fn ended_cleanly(host: &Host, base: &Path, cow: &Path) {
    let log = host.console_log("debian");
    assert!(log.contains("reboot: Restarting system"), "{log}");
    let disk = host.root().join("disk.img");
    cow::merge(cow, base, &disk);
    let tool = |words: &[&str]| {
        let output = Command::new(words[0]).args(&words[1..]).arg(&disk).output();
        let output = output.unwrap_or_else(|error| panic!("{}: {error}", words[0]));
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{words:?}: {said}");
        said
    };
    let head = tool(&["dumpe2fs", "-h"]);
    assert!(!head.contains("needs_recovery"), "{head}");
    let state = head.lines().find_map(|line| line.strip_prefix("Filesystem state:"));
    assert_eq!(state.map(str::trim), Some("clean"), "{head}");
    let _said = tool(&["e2fsck", "-f", "-n"]);
    assert_eq!(tool(&["debugfs", "-R", "cat /root/page"]), PAGE);
}
