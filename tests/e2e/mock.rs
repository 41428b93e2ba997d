//! `mock:///`: thousands of guests that live in memory, for clients that want many and for nobody who wants one.

use conformance::case::Case;
use conformance::host::{Host, build_dir};
use conformance::need::Need::Virsh;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::process::{Output, Stdio};
use tempfile::TempDir;

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "mock_two_thousand_guests_are_defined_listed_and_found_again",
        needs: &[Virsh],
        run: two_thousand_guests,
    },
    Case {
        name: "mock_guest_has_a_filtered_port_in_memory",
        needs: &[Virsh],
        run: filtered_port,
    },
];

const COUNT: usize = 2000;
const RUNNING: usize = 200;

/// A folder of plug-ins with the reference driver in it, which is not found in the build's own.
fn plugins() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let _size = fs::copy(build_dir().join("libmock.so"), folder.path().join("libmock_driver.so"))
        .expect("the mock driver is built and can be copied");
    folder
}

fn start(plugins: &TempDir) -> Host {
    Host::start_with(&["--plugin-dir", &plugins.path().to_string_lossy()])
}

/// Gives one virsh many commands, as a person who types does.
fn virsh(host: &Host, commands: &str) -> String {
    let mut command = host.command("virsh");
    command
        .arg("-q")
        .arg("-c")
        .arg(host.uri().replace("uml+", "mock+"))
        .env("LC_ALL", "C");
    let mut virsh = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("virsh runs");
    let mut input = virsh.stdin.take().expect("its input is a pipe");
    let commands = commands.to_owned();
    // What it answers must be read meanwhile, or both would wait.
    let typist = std::thread::spawn(move || input.write_all(commands.as_bytes()));
    let Output { status, stdout, stderr } = virsh.wait_with_output().expect("virsh ends");
    typist
        .join()
        .expect("nothing to panic about")
        .expect("virsh reads its commands");
    let (out, err) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(
        status.success() && err.trim().is_empty(),
        "virsh failed ({status}): {err}"
    );
    out.into_owned()
}

fn names(host: &Host, which: &str) -> usize {
    let listed = virsh(host, &format!("list --name {which}\n"));
    listed.lines().filter(|line| line.starts_with("mock-")).count()
}

fn two_thousand_guests() {
    let plugins = plugins();
    let mut host = start(&plugins);
    let documents = host.root().join("documents");
    fs::create_dir(&documents).expect("a folder");
    let (mut define, mut begin) = (String::new(), String::new());
    for number in 0..COUNT {
        let path = documents.join(number.to_string());
        let xml = format!(
            "<domain type='mock'><name>mock-{number}</name><memory>1024</memory><os><type>hvm</type></os></domain>"
        );
        fs::write(&path, xml).expect("a document");
        writeln!(define, "define {}", path.display()).expect("a string takes it");
        if number < RUNNING {
            writeln!(begin, "start mock-{number}").expect("a string takes it");
        }
    }
    let _said = virsh(&host, &define);
    let _said = virsh(&host, &begin);
    assert_eq!(
        (names(&host, "--all"), names(&host, "--state-running")),
        (COUNT, RUNNING)
    );
    host.kill();
    host.serve();
    assert_eq!(
        (names(&host, "--all"), names(&host, "--state-running")),
        (COUNT, RUNNING)
    );
    let stats = virsh(&host, "domstats --list-running --state\n");
    assert_eq!(stats.matches("state.state=1").count(), RUNNING);
    host.stop();
}

fn filtered_port() {
    let plugins = plugins();
    let host = start(&plugins);
    let filter = host.document("<filter name='quiet'><rule action='drop' direction='in'><all/></rule></filter>");
    let guest = host.document(
        "<domain type='mock'><name>filtered</name><os><type>hvm</type></os><devices><interface type='ethernet'>\
         <target dev='mock0'/><filterref filter='quiet'/></interface></devices></domain>",
    );
    let (filter, guest) = (filter.display(), guest.display());
    let _said = virsh(
        &host,
        &format!("nwfilter-define {filter}\ndefine {guest}\nstart filtered\n"),
    );
    assert!(virsh(&host, "nwfilter-binding-list\n").contains("mock0"));
    assert!(virsh(&host, "nwfilter-binding-dumpxml mock0\n").contains("quiet"));
    let _said = virsh(&host, "destroy filtered\n");
    assert!(!virsh(&host, "nwfilter-binding-list\n").contains("mock0"));
    let _said = virsh(&host, "nwfilter-undefine quiet\n");
}
