//! Storage: folder pools by stock clients, and what virt-install makes of a path.

use conformance::case::Case;
use conformance::guest::{KERNEL, base64, image};
use conformance::host::Host;
use conformance::need::Need::{Fuse, PythonLibvirt, Root, Uml, Virsh, VirtInstall};
use conformance::virsh::Answer;
use conformance::wait;
use rustix::mount::{MountFlags, UnmountFlags};
use std::ffi::CString;
use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::process::Stdio;

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "storage_pool_of_a_folder_and_its_volumes_by_virsh",
        needs: &[Virsh],
        run: by_virsh,
    },
    Case {
        name: "storage_pools_outlive_a_host_that_was_killed",
        needs: &[Virsh],
        run: killed,
    },
    Case {
        name: "storage_is_not_changed_by_a_read_only_client",
        needs: &[Virsh],
        run: read_only,
    },
    Case {
        name: "storage_by_the_python_binding",
        needs: &[PythonLibvirt],
        run: by_python,
    },
    Case {
        name: "storage_folder_that_does_not_answer_delays_nothing_else",
        needs: &[Root, Virsh, Fuse],
        run: hung,
    },
    Case {
        name: "virt_install_imports_a_disk_by_its_path",
        needs: &[Root, Uml, Virsh, VirtInstall],
        run: import,
    },
];

/// A folder in the host's root.
fn folder(host: &Host, name: &str) -> String {
    let path = host.root().join(name);
    fs::create_dir(&path).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The table that virsh printed, blanks squeezed.
fn rows(out: &str) -> Vec<String> {
    let row = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    out.lines().map(row).filter(|row| !row.is_empty()).collect()
}

fn by_virsh() {
    let host = Host::start();
    let ok = |words: &[&str]| host.virsh(words).ok();
    let path = folder(&host, "images");
    assert_eq!(rows(&ok(&["pool-list", "--all"])), [""; 0]);
    let _out = ok(&["pool-define-as", "images", "dir", "--target", &path]);
    assert_eq!(rows(&ok(&["pool-list", "--all"])), ["images inactive no"]);
    let message = host.virsh(&["vol-list", "images"]).fails();
    assert!(message.contains("pool 'images' is not active"), "{message}");
    let _out = ok(&["pool-start", "images"]);
    let _out = ok(&["pool-autostart", "images"]);
    assert_eq!(rows(&ok(&["pool-list"])), ["images active yes"]);
    assert_eq!(rows(&ok(&["pool-list", "--type", "logical"])), [""; 0]);
    assert_eq!(rows(&ok(&["pool-list", "--transient"])), [""; 0]);
    let info = ok(&["pool-info", "images"]);
    for word in ["running", "yes", "Available:"] {
        assert!(info.contains(word), "{info}");
    }
    let document = ok(&["pool-dumpxml", "images"]);
    assert!(
        document.contains("<pool type='dir'>") && document.contains(&format!("<path>{path}</path>")),
        "{document}"
    );
    // What appears in the folder is there without a refresh.
    fs::write(format!("{path}/by-hand.img"), vec![0; 4096]).unwrap();
    let _out = ok(&["vol-create-as", "images", "sparse", "1M", "--allocation", "0"]);
    let _out = ok(&["vol-create-as", "images", "full", "64k", "--format", "raw"]);
    let listed = rows(&ok(&["vol-list", "images"]));
    let want: Vec<_> = ["by-hand.img", "full", "sparse"]
        .map(|name| format!("{name} {path}/{name}"))
        .into();
    assert_eq!(listed, want);
    assert_eq!(fs::metadata(format!("{path}/sparse")).unwrap().len(), 1 << 20);
    let info = ok(&["vol-info", "--bytes", "sparse", "--pool", "images"]);
    assert!(info.contains("1048576 bytes") && info.contains("0 bytes"), "{info}");
    let document = ok(&["vol-dumpxml", &format!("{path}/full")]);
    assert!(
        document.contains("<capacity unit='bytes'>65536</capacity>") && document.contains("<format type='raw'/>"),
        "{document}"
    );
    assert_eq!(
        ok(&["vol-path", "full", "--pool", "images"]).trim(),
        format!("{path}/full")
    );
    assert_eq!(ok(&["vol-pool", &format!("{path}/full")]).trim(), "images");
    let _out = ok(&["vol-delete", "full", "--pool", "images"]);
    assert!(!host.root().join("images/full").exists());
    let _out = ok(&["pool-refresh", "images"]);
    for (words, text) in [
        (
            &["vol-info", "full", "--pool", "images"][..],
            "there is no storage volume with the path 'full'",
        ),
        (
            &["vol-create-as", "images", "q", "1M", "--format", "qcow2"],
            "only raw ones are made here",
        ),
        (
            &["pool-define-as", "lvm", "logical", "--source-name", "vg"],
            "pools of type 'logical'",
        ),
        (&["pool-delete", "images"], "is active"),
        (&["pool-undefine", "images"], "is active"),
        (
            &["vol-resize", "sparse", "2M", "--pool", "images"],
            "virStorageVolResize",
        ),
    ] {
        let message = host.virsh(words).fails();
        assert!(message.contains(text), "{words:?}: {message}");
    }
    let _out = ok(&["pool-destroy", "images"]);
    let _out = ok(&["pool-undefine", "images"]);
    assert_eq!(rows(&ok(&["pool-list", "--all"])), [""; 0]);
    assert!(host.root().join("images/by-hand.img").exists());
    // Built, started and, when it is empty again, deleted.
    let new = host.root().join("new");
    let text = new.to_str().unwrap();
    let _out = ok(&["pool-create-as", "new", "dir", "--target", text, "--build"]);
    assert!(new.is_dir());
    assert_eq!(rows(&ok(&["pool-list", "--transient"])), ["new active no"]);
    let _out = ok(&["pool-destroy", "new"]);
    let _out = ok(&["pool-define-as", "new", "dir", "--target", text]);
    let _out = ok(&["pool-delete", "new"]);
    assert!(!new.exists());
}

fn killed() {
    let mut host = Host::start();
    for (name, words) in [
        ("auto", &["pool-autostart", "auto"][..]),
        ("on", &["pool-start", "on"]),
        ("off", &[]),
    ] {
        let path = folder(&host, name);
        let _out = host.virsh(&["pool-define-as", name, "dir", "--target", &path]).ok();
        if !words.is_empty() {
            let _out = host.virsh(words).ok();
        }
    }
    let path = folder(&host, "passing");
    let _out = host
        .virsh(&["pool-create-as", "passing", "dir", "--target", &path])
        .ok();
    let uuid = host.virsh(&["pool-uuid", "auto"]).ok();
    host.kill();
    host.serve();
    let mut listed = rows(&host.virsh(&["pool-list", "--all"]).ok());
    listed.sort_unstable();
    let want = [
        "auto active yes",
        "off inactive no",
        "on active no",
        "passing active no",
    ];
    assert_eq!(listed, want);
    assert_eq!(host.virsh(&["pool-uuid", "auto"]).ok(), uuid);
    assert_eq!(
        rows(&host.virsh(&["pool-list", "--transient"]).ok()),
        ["passing active no"]
    );
}

fn read_only() {
    let host = Host::start();
    let path = folder(&host, "images");
    let _out = host.virsh(&["pool-create-as", "images", "dir", "--target", &path]).ok();
    let _out = host.virsh(&["vol-create-as", "images", "v", "64k"]).ok();
    let reader = |words: &[&str]| {
        let output = host.virsh_command().arg("--readonly").args(words).output();
        Answer::of(&output.expect("virsh runs"))
    };
    assert_eq!(rows(&reader(&["vol-list", "images"]).ok()), [format!("v {path}/v")]);
    for words in [
        &["vol-delete", "v", "--pool", "images"][..],
        &["vol-create-as", "images", "w", "64k"],
        &["pool-destroy", "images"],
        &["pool-define-as", "other", "dir", "--target", "/srv"],
    ] {
        let message = reader(words).fails();
        assert!(message.contains("read only access"), "{words:?}: {message}");
    }
    assert!(host.root().join("images/v").exists());
}

const SCRIPT: &str = r#"
import libvirt, os
libvirt.registerErrorHandler(lambda _c, _e: None, None)
conn = libvirt.open(os.environ["URI"])
root = os.environ["ROOT"]
def code(look, *words):
    try:
        raise AssertionError(look(*words))
    except libvirt.libvirtError as error:
        assert error.get_error_domain() == libvirt.VIR_FROM_STORAGE, error.get_error_domain()
        return error.get_error_code()
folder = root + "/pics"
os.mkdir(folder)
xml = "<pool type='dir'><name>pics</name><target><path>%s</path></target></pool>"
pool = conn.storagePoolDefineXML(xml % folder, 0)
assert (pool.isActive(), pool.isPersistent(), pool.autostart()) == (0, 1, 0)
assert pool.info() == [0, 0, 0, 0], pool.info()
assert (conn.numOfStoragePools(), conn.numOfDefinedStoragePools()) == (0, 1)
assert conn.listDefinedStoragePools() == ["pics"]
assert code(conn.storagePoolLookupByTargetPath, folder) == libvirt.VIR_ERR_NO_STORAGE_POOL
pool.create(0)
assert conn.listStoragePools() == ["pics"] and conn.listDefinedStoragePools() == []
assert code(pool.create, 0) == libvirt.VIR_ERR_OPERATION_INVALID
assert pool.info()[0] == libvirt.VIR_STORAGE_POOL_RUNNING and pool.info()[1] >= pool.info()[3] > 0
assert conn.storagePoolLookupByTargetPath(folder + "/").UUIDString() == pool.UUIDString()
with open(folder + "/disk.qcow2", "wb") as file:
    file.write(b"QFI\xfb\0\0\0\x03" + bytes(16) + (7 << 20).to_bytes(8, "big") + bytes(480))
os.symlink("disk.qcow2", folder + "/link")
os.mkfifo(folder + "/pipe")
vol = pool.storageVolLookupByName("disk.qcow2")
assert vol.info()[:2] == [libvirt.VIR_STORAGE_VOL_FILE, 7 << 20], vol.info()
assert vol.infoFlags(libvirt.VIR_STORAGE_VOL_GET_PHYSICAL)[2] == 512
assert "<format type='qcow2'/>" in vol.XMLDesc(0)
assert vol.key() == vol.path() == folder + "/disk.qcow2"
assert conn.storageVolLookupByKey(vol.key()).storagePoolLookupByVolume().name() == "pics"
assert sorted(v.name() for v in pool.listAllVolumes()) == ["disk.qcow2", "link"] == pool.listVolumes()
assert pool.numOfVolumes() == 2
assert code(pool.storageVolLookupByName, "pipe") == libvirt.VIR_ERR_NO_STORAGE_VOL
assert code(conn.storageVolLookupByPath, root + "/host.log") == libvirt.VIR_ERR_NO_STORAGE_VOL
assert code(pool.storageVolLookupByName("link").delete, 0) == libvirt.VIR_ERR_OPERATION_FAILED
assert code(conn.storagePoolDefineXML, xml % "relative", 0) == libvirt.VIR_ERR_XML_ERROR
assert code(pool.createXML, "<volume><name>../x</name><capacity>1</capacity></volume>", 0) == libvirt.VIR_ERR_XML_ERROR
assert len(conn.listAllStoragePools(libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_AUTOSTART)) == 0
pool.setAutostart(1)
assert len(conn.listAllStoragePools(libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_AUTOSTART)) == 1
# Its folder is gone: what is kept of it can be read all the same.
os.rename(folder, root + "/elsewhere")
assert code(pool.refresh, 0) == libvirt.VIR_ERR_OPERATION_FAILED
assert folder in pool.XMLDesc(libvirt.VIR_STORAGE_XML_INACTIVE)
pool.destroy(); pool.undefine()
assert conn.listAllStoragePools() == []
conn.close()
print("good")
"#;

fn by_python() {
    let host = Host::start();
    let script = format!("import os\nos.environ['ROOT'] = {:?}\n{SCRIPT}", host.root());
    assert_eq!(host.python(&script).ok().trim(), "good");
}

/// A file system over a folder that answers nothing, until it is dropped.
struct Hung {
    server: Option<File>,
    path: String,
}

impl Hung {
    fn over(path: &str) -> Self {
        let server = File::options().read(true).write(true).open("/dev/fuse").unwrap();
        let options = format!("fd={},rootmode=40000,user_id=0,group_id=0", server.as_raw_fd());
        let options = CString::new(options).unwrap();
        let flags = MountFlags::NOSUID | MountFlags::NODEV;
        rustix::mount::mount("hung", path, "fuse", flags, Some(options.as_c_str()))
            .expect("the folder is mounted over");
        Self {
            server: Some(server),
            path: path.to_owned(),
        }
    }
}

impl Drop for Hung {
    fn drop(&mut self) {
        // Whoever waits for an answer gets an error when nobody is left to give one.
        drop(self.server.take());
        rustix::mount::unmount(self.path.as_str(), UnmountFlags::DETACH).expect("the folder is what it was");
    }
}

fn hung() {
    let mut host = Host::start();
    let path = folder(&host, "slow");
    for words in [
        &["pool-define-as", "slow", "dir", "--target", &path][..],
        &["pool-autostart", "slow"],
        &["pool-start", "slow"],
    ] {
        let _out = host.virsh(words).ok();
    }
    let hung = Hung::over(&path);
    // More than there are threads for calls.
    let lists: Vec<_> = (0..40)
        .map(|_| {
            let mut command = host.virsh_command();
            let command = command
                .args(["vol-list", "slow"])
                .stdout(Stdio::null())
                .stderr(Stdio::piped());
            command.spawn().expect("virsh runs")
        })
        .collect();
    // They do not take what serves others.
    assert_eq!(rows(&host.virsh(&["list", "--all"]).ok()), [""; 0]);
    for list in lists {
        let answer = Answer::of(&list.wait_with_output().unwrap());
        let message = answer.fails();
        assert!(
            message.contains("has not answered for") || message.contains("still waits"),
            "{message}"
        );
    }
    // Nobody waits for it a second time, and what is known without it is told.
    let message = host.virsh(&["vol-list", "slow"]).fails();
    assert!(message.contains("an earlier look at it still waits"), "{message}");
    assert_eq!(rows(&host.virsh(&["pool-list", "--all"]).ok()), ["slow active yes"]);
    assert!(host.virsh(&["pool-dumpxml", "--inactive", "slow"]).ok().contains(&path));
    assert_eq!(rows(&host.virsh(&["list", "--all"]).ok()), [""; 0]);
    // The next host comes up without an answer, and the pool is what it was: its volumes are there when its folder answers.
    host.kill();
    host.serve();
    assert_eq!(rows(&host.virsh(&["pool-list", "--all"]).ok()), ["slow active yes"]);
    drop(hung);
    let answer = wait::until("the folder answers", || {
        Some(host.virsh(&["vol-list", "slow"])).filter(|answer| answer.code == 0)
    });
    assert_eq!(rows(&answer.out), [""; 0]);
}

fn import() {
    let host = Host::start();
    let path = folder(&host, "images");
    let disk = format!("{path}/disk.img");
    let mut content = vec![0; 1 << 20];
    content[..4].copy_from_slice(b"mine");
    fs::write(&disk, content).unwrap();
    let script = "mknod /dev/ubda b 98 0; echo read:$(head -c 4 /dev/ubda)
        printf more | dd of=/dev/ubda bs=1 seek=4 conv=notrunc 2>/dev/null; sync; echo all-said; sleep 1000";
    let arguments = format!("quiet guest.run={}", base64(script.as_bytes()));
    let boot = format!("kernel={KERNEL},initrd={},kernel_args={arguments}", image().display());
    let output = host
        .command("virt-install")
        .args([
            "--connect",
            &host.uri(),
            "--name",
            "vi",
            "--memory",
            "64",
            "--virt-type",
            "uml",
        ])
        .args([
            "--os-variant",
            "generic",
            "--import",
            "--network",
            "none",
            "--noautoconsole",
        ])
        .args(["--disk", &disk, "--boot", &boot])
        .output()
        .expect("virt-install runs");
    let answer = Answer::of(&output);
    assert_eq!(answer.code, 0, "{}{}", answer.out, answer.err);
    wait::until("the guest has written to its disk", || {
        host.console_log("vi").contains("all-said").then_some(())
    });
    assert!(
        host.console_log("vi").contains("read:mine"),
        "{}",
        host.console_log("vi")
    );
    assert_eq!(fs::read(&disk).unwrap()[..8], *b"minemore");
    assert_eq!(rows(&host.virsh(&["pool-list"]).ok()), ["images active yes"]);
    assert_eq!(
        rows(&host.virsh(&["vol-list", "images"]).ok()),
        [format!("disk.img {disk}")]
    );
    let message = host.virsh(&["vol-delete", &disk]).fails();
    assert!(message.contains("is used by domain 'vi', which runs"), "{message}");
    let _out = host.virsh(&["destroy", "vi"]).ok();
    let _out = host.virsh(&["undefine", "vi"]).ok();
    let _out = host.virsh(&["vol-delete", &disk]).ok();
    assert!(!host.root().join("images/disk.img").exists());
}
