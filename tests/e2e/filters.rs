//! Filters as stock virsh defines, lists, dumps and undefines them.

use conformance::case::Case;
use conformance::host::Host;
use conformance::need::Need::Virsh;
use conformance::process::signal;
use conformance::wait;
use rustix::process::Signal;

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "filter_defined_survives_a_crash",
        needs: &[Virsh],
        run: survives,
    },
    Case {
        name: "filter_bad_document_is_refused_with_its_place",
        needs: &[Virsh],
        run: bad,
    },
    Case {
        name: "filter_files_are_read_anew_on_sighup",
        needs: &[Virsh],
        run: reread,
    },
];

const FILTER: &str = "<filter name='web-only' chain='root'>\n\
    <rule action='accept' direction='in' priority='100'><tcp dstportstart='80'/></rule>\n\
    <rule action='drop' direction='inout' priority='1000'><all/></rule>\n</filter>\n";

fn survives() {
    let mut host = Host::start();
    let document = host.document(FILTER);
    let _out = host.virsh(&["nwfilter-define", &document.to_string_lossy()]).ok();
    assert!(host.virsh(&["nwfilter-list"]).ok().contains("web-only"));
    let before = host.virsh(&["nwfilter-dumpxml", "web-only"]).ok();
    assert!(before.contains("<tcp dstportstart='80'/>"), "{before}");
    host.kill();
    host.serve();
    assert_eq!(host.virsh(&["nwfilter-dumpxml", "web-only"]).ok(), before);
    let _out = host.virsh(&["nwfilter-undefine", "web-only"]).ok();
    assert!(!host.virsh(&["nwfilter-list"]).ok().contains("web-only"));
    assert!(
        host.virsh(&["nwfilter-dumpxml", "web-only"])
            .fails()
            .contains("web-only")
    );
}

fn bad() {
    let host = Host::start();
    let document = host.document(&FILTER.replace("dstportstart", "dstportstrat"));
    let message = host.virsh(&["nwfilter-define", &document.to_string_lossy()]).fails();
    assert!(
        message.contains("dstportstrat") && message.contains("dstportstart"),
        "{message}"
    );
    assert!(message.contains("line 2"), "{message}");
}

fn reread() {
    let host = Host::start();
    let document = host.document(FILTER);
    let _out = host.virsh(&["nwfilter-define", &document.to_string_lossy()]).ok();
    let file = host.root().join("etc/lockstep/nwfilter/web-only.xml");
    let text = std::fs::read_to_string(&file).expect("the filter's file");
    std::fs::write(&file, text.replace("'80'", "'8080'")).expect("the file can be changed");
    signal(host.pid(), Signal::HUP);
    wait::until("the change is seen", || {
        let dump = host.virsh(&["nwfilter-dumpxml", "web-only"]).ok();
        dump.contains("'8080'").then_some(())
    });
}
