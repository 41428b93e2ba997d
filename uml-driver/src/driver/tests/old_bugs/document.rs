//! Documents, and what became of them on a guest's command line.

use super::*;

/// The manual's own example, with target `ubd0`, was refused in the last versions.
#[test]
fn old_bug_0_4_ubd0_was_refused() {
    let lab = Lab::new();
    for target in ["ubd0", "ubda"] {
        let disk = format!("<disk type='file'><source file='/i'/><target dev='{target}'/></disk>");
        define(&lab, &with_devices(&lab, &disk)).unwrap();
        let printed = lab.uml.dump_xml(uuid(A), 0).unwrap();
        assert!(printed.contains("<target dev='ubda' bus='uml'/>"), "{printed}");
    }
    let beyond = "<disk type='file'><source file='/i'/><target dev='ubd16'/></disk>";
    let error = define(&lab, &with_devices(&lab, beyond)).unwrap_err();
    assert!(error.to_string().contains("'ubd16'"), "{error}");
}

/// No document of a UML domain passed the schema, so that `--validate` always failed.
#[test]
fn old_bug_0_5_nothing_was_ever_valid() {
    let lab = Lab::new();
    let xml = lab.xml("vm", A, "");
    lab.cx(|cx| lab.uml.define(cx, &xml, flags::DEFINE_VALIDATE)).unwrap();
    let wrong = xml.replace("65536", "much");
    let error = lab
        .cx(|cx| lab.uml.define(cx, &wrong, flags::DEFINE_VALIDATE))
        .unwrap_err();
    assert_eq!(error.code(), Code::XML_ERROR);
}

/// A name with a slash left the folder of the definitions.
#[test]
fn old_bug_1_18_a_name_left_the_folder() {
    let lab = Lab::new();
    let outside = lab.root.path().join("evil.xml");
    assert_eq!(code(define(&lab, &lab.xml("../evil", A, ""))), 27);
    assert!(!outside.exists() && lab.uml.list().is_empty());
    let long = "x".repeat(64);
    assert_eq!(code(define(&lab, &lab.xml(&long, A, ""))), 27);
}

/// `<initrd>` was ignored.
#[test]
fn old_bug_2_2_the_initrd_was_ignored() {
    let lab = Lab::new();
    let initrd = lab.root.path().join("initrd");
    std::fs::write(&initrd, "").unwrap();
    let xml = lab
        .xml("vm", A, "")
        .replace("</os>", &format!("<initrd>{}</initrd></os>", initrd.display()));
    define(&lab, &xml).unwrap();
    lab.start(A).unwrap();
    let wanted = format!("initrd={}", initrd.display());
    assert!(argv(&lab).contains(&wanted), "{:?}", argv(&lab));
}

/// The other end of a line that could not be had was none, and TCP was listened for at all addresses.
#[test]
fn old_bug_2_6_lines_led_nowhere_or_to_everybody() {
    use driver_api::types::launch::Backend;
    let lab = Lab::new();
    define(&lab, &with_devices(&lab, "<serial type='spicevmc'/>")).unwrap();
    let error = lab.start(A).unwrap_err();
    assert!(error.to_string().contains("spicevmc"), "{error}");
    let tcp = "<serial type='tcp'><source mode='bind' host='192.0.2.1' service='4555'/></serial>";
    define(&lab, &with_devices(&lab, tcp)).unwrap();
    lab.start(A).unwrap();
    let launches = lab.host.launches.lock();
    let bound = Backend::Tcp {
        host: "192.0.2.1".to_owned(),
        service: "4555".to_owned(),
        listen: true,
        telnet: false,
    };
    assert!(launches[0].backends.contains(&bound), "{:?}", launches[0].backends);
    assert!(!launches[0].spec.argv.iter().any(|word| word.contains("port:")));
}

/// `<readonly/>` and `<shareable/>` were ignored: a disk that was to be read only was written.
#[test]
fn old_bug_2_14_readonly_disks_were_written() {
    let lab = Lab::new();
    let image = lab.root.path().join("image");
    std::fs::write(&image, [0; 512]).unwrap();
    let disk = format!(
        "<disk type='file'><source file='{}'/><target dev='ubda'/><readonly/><shareable/></disk>",
        image.display()
    );
    define(&lab, &with_devices(&lab, &disk)).unwrap();
    lab.start(A).unwrap();
    let word = argv(&lab).into_iter().find(|word| word.starts_with("ubda")).unwrap();
    let flags = word["ubda".len()..].split('=').next().unwrap();
    assert!(flags.contains('r') && flags.contains('c'), "{word}");
    // The guest's process could not write it even if its kernel tried.
    let launches = lab.host.launches.lock();
    let shown = launches[0].spec.files.iter().find(|file| file.path == image).unwrap();
    assert!(!shown.writable);
}

/// A path with a blank was cut, one with a comma or a colon became two.
#[test]
fn old_bug_2_15_paths_were_cut_and_split() {
    let lab = Lab::new();
    let image = lab.root.path().join("my image");
    std::fs::write(&image, [0; 512]).unwrap();
    let disk = |path: &str| format!("<disk type='file'><source file='{path}'/><target dev='ubda'/></disk>");
    define(&lab, &with_devices(&lab, &disk(&image.to_string_lossy()))).unwrap();
    lab.start(A).unwrap();
    let quoted = format!("\"{}\"", image.display());
    assert!(argv(&lab).iter().any(|word| word.contains(&quoted)), "{:?}", argv(&lab));
    for path in ["/a,b", "/a:b"] {
        assert_eq!(code(define(&lab, &with_devices(&lab, &disk(path)))), 67, "{path}");
    }
}
