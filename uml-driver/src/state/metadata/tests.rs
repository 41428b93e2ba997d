//! Notes of domains at rest, running, transient and being written to a disk that refuses.

use super::*;
use crate::testing::Lab;
use driver_api::driver::{Metadata, VirtDriver};
use driver_api::types::domain::flags::{self, AFFECT_CONFIG, AFFECT_LIVE};

const UUID: &str = "11111111-1111-1111-1111-111111111111";

impl Lab {
    fn title(&self, title: &str, given: u32) -> Result<()> {
        self.cx(|cx| {
            let change = MetadataChange::Title(Some(title));
            self.uml.set_metadata(cx, UUID.parse().unwrap(), &change, given)
        })
    }

    /// The titles of what runs, of the definition, and of the file on disk, and whether the definition is another.
    fn titles(&self) -> (String, String, String, bool) {
        let uuid = UUID.parse().unwrap();
        let of = |xml: &str| {
            let title = xml
                .split_once("<title>")
                .and_then(|(_, rest)| rest.split_once("</title>"));
            title.map_or_else(String::new, |(title, _)| title.to_owned())
        };
        (
            of(&self.uml.dump_xml(uuid, 0).unwrap()),
            of(&self.uml.dump_xml(uuid, flags::XML_INACTIVE).unwrap()),
            of(&std::fs::read_to_string(self.conf().join("vm.xml")).unwrap_or_default()),
            self.uml.by_uuid(uuid).unwrap().updated,
        )
    }

    fn with(defined: bool, started: bool) -> Self {
        let lab = Self::new();
        let xml = lab.xml("vm", UUID, "");
        lab.cx(|cx| match (defined, started) {
            (true, false) => drop(lab.uml.define(cx, &xml, 0).unwrap()),
            (true, true) => {
                lab.uml.define(cx, &xml, 0).unwrap();
                lab.uml.start(cx, UUID.parse().unwrap(), 0).unwrap();
            }
            (false, _) => drop(lab.uml.create(cx, &xml, 0).unwrap()),
        });
        lab.events();
        lab
    }
}

fn code(result: Result<()>) -> u32 {
    result.unwrap_err().code().0
}

fn titles(live: &str, next: &str, file: &str, updated: bool) -> (String, String, String, bool) {
    (live.to_owned(), next.to_owned(), file.to_owned(), updated)
}

#[test]
fn idle_domain_has_only_a_definition_to_change() {
    let lab = Lab::with(true, false);
    lab.title("a", 0).unwrap();
    assert_eq!(lab.titles(), titles("a", "a", "a", false));
    lab.title("b", AFFECT_CONFIG).unwrap();
    assert_eq!(lab.titles(), titles("b", "b", "b", false));
    assert_eq!(code(lab.title("c", AFFECT_LIVE)), 55);
    assert_eq!(code(lab.title("c", AFFECT_LIVE | AFFECT_CONFIG)), 55);
    assert_eq!(code(lab.title("c", 4)), 8);
    assert_eq!(lab.titles(), titles("b", "b", "b", false));
    assert!(lab.events().is_empty());
    assert!(lab.host.locks.is_idle());
}

#[test]
fn running_domain_is_changed_where_the_flags_say_and_a_next_host_finds_it_so() {
    let mut lab = Lab::with(true, true);
    lab.title("live", 0).unwrap();
    assert_eq!(lab.titles(), titles("live", "", "", true));
    lab.title("next", AFFECT_CONFIG).unwrap();
    assert_eq!(lab.titles(), titles("live", "next", "next", true));
    lab.reopen();
    lab.cx(|cx| lab.core().bring_up(cx)).unwrap();
    assert_eq!(lab.titles(), titles("live", "next", "next", true));
    lab.title("both", AFFECT_LIVE | AFFECT_CONFIG).unwrap();
    assert_eq!(lab.titles(), titles("both", "both", "both", false));
    assert!(lab.events().is_empty());
}

#[test]
fn transient_domain_has_only_what_runs_to_change() {
    let lab = Lab::with(false, true);
    lab.title("a", 0).unwrap();
    assert_eq!(code(lab.title("b", AFFECT_CONFIG)), 55);
    assert_eq!(code(lab.title("b", AFFECT_LIVE | AFFECT_CONFIG)), 55);
    assert_eq!(lab.titles(), titles("a", "a", "", false));
}

#[test]
fn what_can_not_be_stored_is_not_shown_and_what_is_stored_is() {
    let lab = Lab::with(true, true);
    let in_the_way = lab.conf().join(".new-vm.xml");
    std::fs::create_dir(&in_the_way).unwrap();
    assert_eq!(code(lab.title("a", AFFECT_LIVE | AFFECT_CONFIG)), 38);
    assert_eq!(lab.titles(), titles("", "", "", false));
    std::fs::remove_dir(&in_the_way).unwrap();
    let status = format!(".new-{UUID}.status");
    std::fs::create_dir(lab.root.path().join("run/status").join(status)).unwrap();
    assert_eq!(code(lab.title("a", AFFECT_LIVE | AFFECT_CONFIG)), 38);
    assert_eq!(lab.titles(), titles("", "a", "a", true));
}
