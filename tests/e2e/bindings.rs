//! The stock Python binding and virt-install: what programs see, not people.

use conformance::case::Case;
use conformance::guest::{Document, KERNEL, image};
use conformance::host::Host;
use conformance::need::Need::{PythonLibvirt, Root, Uml, VirtInstall};
use std::process::Command;

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "python_two_callbacks_and_eight_threads",
        needs: &[Root, Uml, PythonLibvirt],
        run: threads,
    },
    Case {
        name: "python_hears_that_what_is_not_kept_is_not_there",
        needs: &[PythonLibvirt],
        run: absent,
    },
    Case {
        name: "virt_install_offers_and_starts_a_uml_guest",
        needs: &[Root, Uml, VirtInstall],
        run: virt_install,
    },
];

const SCRIPT: &str = r#"
import libvirt, os, threading
libvirt.virEventRegisterDefaultImpl()
def loop():
    while True: libvirt.virEventRunDefaultImpl()
threading.Thread(target=loop, daemon=True).start()
conn = libvirt.open(os.environ["URI"])
seen = {"a": [], "b": []}
changed = threading.Condition()
def callback(conn, dom, event, detail, key):
    with changed:
        seen[key].append((dom.name(), event, detail)); changed.notify_all()
dom = conn.lookupByName("vm1")
# The library tells two registrations apart by the domain that they are for.
conn.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, callback, "a")
conn.domainEventRegisterAny(dom, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, callback, "b")
dom.create()
assert dom.ID() > 0 and dom.state() == [1, 1], dom.state()
errors = []
def work(n):
    try:
        for i in range(50):
            assert [d.name() for d in conn.listAllDomains()] == ["vm1"]
            d = conn.lookupByUUIDString(dom.UUIDString())
            d.info(); d.XMLDesc(); d.isActive(); d.maxMemory(); d.OSType(); d.autostart()
            try:
                conn.lookupByName("nobody-%d" % n)
                raise AssertionError("found nobody")
            except libvirt.libvirtError as e:
                assert e.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN, e.get_error_code()
    except Exception as e:
        errors.append(repr(e))
threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
for t in threads: t.start()
for t in threads: t.join()
assert not errors, errors
try:
    dom.create()
    raise AssertionError("started twice")
except libvirt.libvirtError as e:
    assert e.get_error_code() == libvirt.VIR_ERR_OPERATION_INVALID, e.get_error_code()
dom.destroy()
want = [("vm1", 2, 0), ("vm1", 5, 1)]
with changed:
    done = changed.wait_for(lambda: all(v == want for v in seen.values()), timeout=60)
assert done, seen
conn.close()
print("good")
"#;

fn threads() {
    let host = Host::start();
    let path = host.document(&Document::new("vm1").xml());
    let _out = host.lockstep(&["define", &path.to_string_lossy()]).ok();
    assert_eq!(host.python(SCRIPT).ok().trim(), "good");
}

const ABSENT: &str = r#"
import libvirt, os
libvirt.registerErrorHandler(lambda _c, _e: None, None)
conn = libvirt.open(os.environ["URI"])
uuid = "00000000-0000-4000-8000-000000000001"
for code, look, words in [
    (43, conn.networkLookupByName, ["default"]), (43, conn.networkLookupByUUIDString, [uuid]),
    (53, conn.nodeDeviceLookupByName, ["computer"]),
    (57, conn.interfaceLookupByName, ["eth0"]), (57, conn.interfaceLookupByMACString, ["52:54:00:00:00:01"]),
    (66, conn.secretLookupByUUIDString, [uuid]), (66, conn.secretLookupByUsage, [1, "a"]),
]:
    try:
        raise AssertionError(look(*words))
    except libvirt.libvirtError as error:
        assert error.get_error_code() == code and "this host keeps none" in str(error), (look, str(error))
for code, look, words in [
    (49, conn.storagePoolLookupByName, ["default"]), (49, conn.storagePoolLookupByUUIDString, [uuid]),
    (49, conn.storagePoolLookupByTargetPath, ["/srv"]), (50, conn.storageVolLookupByPath, ["/srv/a.img"]),
    (50, conn.storageVolLookupByKey, ["a"]),
]:
    try:
        raise AssertionError(look(*words))
    except libvirt.libvirtError as error:
        assert error.get_error_code() == code and "there is no storage" in str(error), (look, str(error))
conn.close()
print("good")
"#;

fn absent() {
    assert_eq!(Host::start().python(ABSENT).ok().trim(), "good");
}

fn virt_install() {
    let host = Host::start();
    let output = Command::new("virt-install")
        .args([
            "--connect",
            &host.uri(),
            "--name",
            "vi",
            "--memory",
            "64",
            "--virt-type",
            "uml",
            "--os-variant",
        ])
        .args(["generic", "--import", "--network", "none", "--noautoconsole", "--boot"])
        .arg(format!(
            "kernel={KERNEL},initrd={},kernel_args=quiet",
            image().display()
        ))
        .args(["--disk", "none"])
        .env("HOME", host.root())
        .output()
        .expect("virt-install runs");
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{text}");
    assert_eq!(host.lockstep(&["domstate", "vi"]).ok().trim(), "running");
    let _out = host.lockstep(&["destroy", "vi"]).ok();
}
