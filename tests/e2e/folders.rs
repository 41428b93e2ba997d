//! Folders of the host inside a guest: what it sees, may write, and can boot from.

use conformance::case::Case;
use conformance::guest::Document;
use conformance::host::Host;
use conformance::need::Need::{Root, Uml, Virsh};
use conformance::wait;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "folder_is_read_only_unless_it_is_mapped",
        needs: &[Root, Uml, Virsh],
        run: shared,
    },
    Case {
        name: "folder_is_what_a_guest_boots_from",
        needs: &[Root, Uml, Virsh],
        run: root,
    },
];

fn folder(path: &Path, target: &str, access: &str) -> String {
    format!(
        "<filesystem type='mount' accessmode='{access}'><source dir='{}'/><target dir='{target}'/></filesystem>",
        path.display()
    )
}

fn said(host: &Host, name: &str) -> String {
    wait::until("the guest has said all", || {
        let log = host.console_log(name);
        log.contains("all-said").then_some(log)
    })
}

fn shared() {
    let host = Host::start();
    let (read, work, secret) = (
        host.root().join("read"),
        host.root().join("work"),
        host.root().join("secret"),
    );
    for path in [&read, &work, &secret] {
        std::fs::create_dir(path).unwrap();
        std::fs::write(path.join("file"), "inside\n").unwrap();
        // Only the host's own user may look into them.
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).unwrap();
    }
    symlink(&secret, read.join("way-out")).unwrap();
    let script = format!(
        "mkdir /r /w /s
        mount -t hostfs none /r -o {r} && echo read:$(cat /r/file)
        touch /r/new 2>/dev/null && echo read-written || echo read-refused
        mount -t hostfs none /w -o {w} && echo work:$(cat /w/file)
        echo from the guest >/w/new && echo work-written
        mount -t hostfs none /s -o {s} 2>/dev/null && cat /s/file && echo secret-seen || echo secret-hidden
        cat {r}/way-out/file /r/way-out/file 2>/dev/null && echo way-out || echo no-way-out
        echo all-said; sleep 1000",
        r = read.display(),
        w = work.display(),
        s = secret.display()
    );
    let devices = folder(&read, "read", "passthrough") + &folder(&work, "work", "mapped");
    host.define(&Document::new("vm1").running(&script).device(&devices).xml());
    let _out = host.virsh(&["start", "vm1"]).ok();
    let log = said(&host, "vm1");
    for words in [
        "read:inside",
        "read-refused",
        "work:inside",
        "work-written",
        "secret-hidden",
        "no-way-out",
    ] {
        assert!(log.contains(words), "no '{words}' in {log}");
    }
    let _out = host.virsh(&["destroy", "vm1"]).ok();
    assert!(!read.join("new").exists());
    assert_eq!(std::fs::read_to_string(work.join("new")).unwrap(), "from the guest\n");
    assert_eq!(
        std::fs::metadata(work.join("new")).unwrap().uid(),
        0,
        "the guest's files are the folder's owner's"
    );
    let notes = host.virsh(&["dumpxml", "vm1"]).ok();
    assert!(
        notes.contains("<filesystem type='mount' accessmode='mapped'>"),
        "{notes}"
    );
}

fn root() {
    let host = Host::start();
    let tree = host.root().join("tree");
    for folder in ["bin", "dev", "proc"] {
        std::fs::create_dir_all(tree.join(folder)).unwrap();
    }
    let busybox = std::fs::read("/bin/busybox")
        .or_else(|_| std::fs::read("/usr/bin/busybox"))
        .unwrap();
    std::fs::write(tree.join("bin/busybox"), busybox).unwrap();
    let init = "#!/bin/busybox sh\n/bin/busybox echo booted from a folder\n/bin/busybox touch /new && /bin/busybox echo wrote\n\
                /bin/busybox echo all-said\n/bin/busybox sleep 1000\n";
    std::fs::write(tree.join("init"), init).unwrap();
    for program in ["bin/busybox", "init"] {
        std::fs::set_permissions(tree.join(program), std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    for (name, access, writes) in [("vm1", "passthrough", false), ("vm2", "mapped", true)] {
        let xml = Document::new(name).device(&folder(&tree, "/", access)).xml();
        let (before, after) = xml.split_once("<initrd>").unwrap();
        let (_, after) = after.split_once("</initrd>").unwrap();
        host.define(&format!("{before}{}", after.replace("quiet", "quiet init=/init")));
        let _out = host.virsh(&["start", name]).ok();
        let log = said(&host, name);
        assert!(log.contains("booted from a folder"), "{log}");
        assert_eq!(log.contains("wrote"), writes, "{access}: {log}");
        let _out = host.virsh(&["destroy", name]).ok();
        assert_eq!(tree.join("new").exists(), writes);
    }
}
