//! The wire half of the suite, against our own host and against the daemon whose protocol it speaks.

use conformance::case::Case;
use conformance::guest::{image, repository};
use conformance::host::{Host, build_dir};
use conformance::need::Need;
use conformance::{process, wait};
use std::collections::BTreeSet;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "conformance_of_our_own_host_over_its_socket",
        needs: &[Need::Root, Need::Uml],
        run: our_own_host,
    },
    Case {
        name: "conformance_of_stock_libvirtd_is_as_expected",
        needs: &[Need::Root, Need::Libvirtd],
        run: stock_libvirtd,
    },
];

/// What failed and what passed when the suite was run at a URI.
fn tried(uri: &str, config: Option<&Path>) -> (BTreeSet<String>, usize) {
    let config = config.map(|config| ["--config".as_ref(), config.as_os_str()]);
    let output = Command::new(build_dir().join("conformance"))
        .args(["run", "--format", "json", "--uri", uri])
        .args(config.into_iter().flatten())
        .output()
        .expect("the suite runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    let report: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}{said}"));
    let checks = report["checks"].as_array().expect("checks");
    let with = |verdict: &'static str| checks.iter().filter(move |check| check["verdict"] == verdict);
    for check in with("failed") {
        eprintln!("{} {}", check["id"], check["text"]);
    }
    let failed = with("failed").map(|check| check["id"].as_str().expect("an id").to_owned());
    (failed.collect(), with("passed").count())
}

fn our_own_host() {
    let host = Host::start();
    let fixtures = std::fs::read_to_string(repository().join("tests/fixtures/uml.toml")).expect("fixtures");
    let beside = image().parent().expect("a folder").to_string_lossy();
    let config = host.root().join("fixtures.toml");
    std::fs::write(&config, fixtures.replace("@BESIDE@", &beside)).expect("a file");
    let (failed, passed) = tried(&host.uri(), Some(&config));
    assert_eq!(failed, BTreeSet::new());
    assert!(passed >= 30, "only {passed} checks were tried");
}

/// A libvirtd in namespaces of its own, with nothing of the machine's in reach but its programs.
#[derive(Debug)]
struct Libvirtd {
    root: tempfile::TempDir,
    child: Child,
}

const SETUP: &str = r#"
root=$1
mount --make-rprivate /
ip link set lo up
mount -t tmpfs tmpfs /run
for folder in /etc/libvirt /var/lib/libvirt /var/log/libvirt /var/cache/libvirt; do
    if [ -d "$folder" ]; then mount -t tmpfs tmpfs "$folder"; fi
done
mkdir "$root/sockets" "$root/drivers"
ln -s /usr/lib/*/libvirt/connection-driver/libvirt_driver_nwfilter.so "$root/drivers/"
cat >"$root/libvirtd.conf" <<END
unix_sock_dir = "$root/sockets"
auth_unix_rw = "none"
auth_unix_ro = "none"
log_outputs = "3:file:$root/libvirtd.log"
END
export LIBVIRT_DRIVER_DIR="$root/drivers"
exec libvirtd -f "$root/libvirtd.conf" -p "$root/pid"
"#;

impl Libvirtd {
    fn start() -> Self {
        let root = tempfile::Builder::new()
            .prefix("lv")
            .tempdir_in("/tmp")
            .expect("a folder");
        let child = Command::new("unshare")
            .args(["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"])
            .args(["sh", "-euc", SETUP, "sh"])
            .arg(root.path())
            .stdin(Stdio::null())
            .spawn()
            .expect("unshare runs");
        let mut daemon = Self { root, child };
        let socket = daemon.socket();
        wait::until("libvirtd answers", || {
            if let Some(status) = daemon.child.try_wait().expect("it can be waited for") {
                panic!("libvirtd ended at once ({status}): {}", daemon.log());
            }
            UnixStream::connect(&socket).ok()
        });
        daemon
    }

    fn socket(&self) -> PathBuf {
        self.root.path().join("sockets/libvirt-sock")
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.root.path().join("libvirtd.log")).unwrap_or_default()
    }

    fn uri(&self, driver: &str, path: &str) -> String {
        format!("{driver}+unix:///{path}?socket={}", self.socket().display())
    }
}

impl Drop for Libvirtd {
    fn drop(&mut self) {
        // Its namespace's first process goes with it, and libvirtd with that one.
        let _ended = self.child.kill();
        let _status = self.child.wait();
        let _left = process::end_descendants();
    }
}

fn stock_libvirtd() {
    let daemon = Libvirtd::start();
    let expected = std::fs::read_to_string(repository().join("tests/libvirt-expected.txt")).expect("the list");
    let expected = |driver: &str| -> BTreeSet<String> {
        let lines = expected
            .lines()
            .filter_map(|line| line.strip_prefix(driver)?.strip_prefix(' '));
        lines.map(str::to_owned).collect()
    };
    let config = repository().join("tests/fixtures/libvirt-test.toml");
    let (failed, passed) = tried(&daemon.uri("test", "default"), Some(&config));
    assert_eq!(failed, expected("test"), "libvirt's test driver");
    assert!(passed >= 15, "only {passed} checks passed");
    let (failed, passed) = tried(&daemon.uri("nwfilter", "system"), None);
    assert_eq!(failed, expected("nwfilter"), "libvirt's filters");
    assert!(passed >= 8, "only {passed} checks passed");
}
