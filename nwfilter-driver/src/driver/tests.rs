//! Tests of the driver against a lock service that grants everything and writes down what it was asked.

mod bindings;

use super::*;
use crate::binding::BindingDef;
use abi_stable::std_types::RResult::{self, RErr, ROk};
use abi_stable::std_types::{RNone, ROption, RSlice, RSome, RStr, RString, RVec};
use driver_api::abi::filter::PortRecord;
use driver_api::abi::interface::{Interface, Table as _};
use driver_api::abi::lock::{Adopted, Call, EXCLUSIVE, Held, HostObj, LockKey, LockV1, POISONED};
use driver_api::abi::nwfilter::{BindingV1, FilterV1};
use driver_api::abi::ports::PortsV1;
use driver_api::abi::root::{HostRef, Obj};
use driver_api::abi::value::{Fault, Pair};
use driver_api::kit::serve::core;
use driver_api::kit::serve::instance::create;
use driver_api::kit::serve::nwfilter::{bindings_table, filters_table};
use driver_api::types::filter::{BindingBrief, PortRequest};
use std::cell::{Cell, RefCell};
use std::fs;
use tempfile::TempDir;

thread_local! {
    static ASKED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    static POISON: Cell<bool> = const { Cell::new(false) };
    /// What virt drivers say about their guests.
    static GUESTS: RefCell<Vec<PortRequest>> = const { RefCell::new(Vec::new()) };
}

fn note(what: String) {
    ASKED.with_borrow_mut(|asked| asked.push(what));
}

fn asked() -> Vec<String> {
    ASKED.take()
}

extern "C" fn acquire(_: HostObj, _: Call, key: LockKey, flags: u32, _: u64) -> RResult<Held, Fault> {
    note(format!(
        "{}{}",
        key.rank,
        if flags & EXCLUSIVE == 0 { "r" } else { "w" }
    ));
    let flags = if POISON.take() { POISONED } else { 0 };
    ROk(Held {
        handle: u64::from(key.rank),
        flags,
    })
}

extern "C" fn release(_: HostObj, _: Call, handle: u64, _: u32) -> RResult<(), Fault> {
    note(format!("-{handle}"));
    ROk(())
}

extern "C" fn clear_poison(_: HostObj, _: Call, handle: u64) -> RResult<(), Fault> {
    note(format!("sound {handle}"));
    ROk(())
}

fn unused() -> Fault {
    Error::new(Code::NO_SUPPORT, Origin::NONE, "not part of these tests").into()
}

extern "C" fn lookup(_: HostObj, _: Call, _: Uuid, _: u32, _: u64) -> RResult<Held, Fault> {
    RErr(unused())
}
extern "C" fn domains(_: HostObj, _: Call, _: RSlice<'_, Uuid>, _: u32, _: u64) -> RResult<RVec<Held>, Fault> {
    RErr(unused())
}
extern "C" fn number(_: HostObj, _: Call, _: u64) -> RResult<u64, Fault> {
    RErr(unused())
}
extern "C" fn adopt(_: HostObj, _: u64) -> RResult<Adopted, Fault> {
    RErr(unused())
}
extern "C" fn open(_: HostObj, _: RStr<'_>) -> RResult<Call, Fault> {
    RErr(unused())
}
extern "C" fn close(_: HostObj, _: Call) -> RResult<(), Fault> {
    RErr(unused())
}
extern "C" fn begin(_: HostObj, _: Call, _: u64, _: RStr<'_>) -> RResult<u64, Fault> {
    RErr(unused())
}
extern "C" fn cancel(_: HostObj, _: Call, _: Uuid) -> RResult<(), Fault> {
    RErr(unused())
}
extern "C" fn cancelled(_: HostObj, _: u64) -> u32 {
    0
}
extern "C" fn end(_: HostObj, _: u64) -> RResult<(), Fault> {
    RErr(unused())
}

static LOCKS: LockV1 = LockV1 {
    acquire,
    lookup,
    acquire_domains: domains,
    release,
    downgrade: clear_poison,
    lend: number,
    adopt,
    session_open: open,
    session_close: close,
    clear_poison,
    job_begin: begin,
    job_cancel: cancel,
    job_cancelled: cancelled,
    job_end: end,
};

extern "C" fn attach(_: HostObj, _: Call, _: PortRecord) -> RResult<(), Fault> {
    RErr(unused())
}
extern "C" fn detach(_: HostObj, _: Call, _: RStr<'_>) -> RResult<(), Fault> {
    RErr(unused())
}
extern "C" fn filtered(_: HostObj, _: Call, filters: RVec<RString>) -> RResult<RVec<PortRecord>, Fault> {
    let names: Vec<&str> = filters.iter().map(|name| name.as_str()).collect();
    let guests = GUESTS.take();
    let found = guests.iter().filter(|guest| names.contains(&guest.filter.as_str()));
    let found = found.map(PortRecord::from).collect();
    GUESTS.set(guests);
    ROk(found)
}

static PORTS: PortsV1 = PortsV1 {
    attach,
    detach,
    filtered,
};

extern "C" fn query(_: HostObj, id: RStr<'_>) -> ROption<Interface> {
    match id.as_str() {
        LockV1::ID => RSome(Interface::of(&LOCKS)),
        PortsV1::ID => RSome(Interface::of(&PORTS)),
        _ => RNone,
    }
}

fn call(level: u32) -> Call {
    Call {
        id: 1,
        level,
        exclusive: 0,
        deadline_ms: 0,
    }
}

/// The driver as the host sees it: tokens are made on its side of the boundary only.
#[derive(Debug)]
struct Made {
    obj: Obj,
    filters: &'static FilterV1,
    bindings: &'static BindingV1,
}

fn made(folder: &TempDir, options: &[(&str, &str)]) -> Result<Made> {
    let folder = folder.path().to_str().unwrap();
    let pair = |name: &str, value: &str| Pair {
        name: name.into(),
        value: value.into(),
    };
    let run = format!("{folder}/run");
    let mut pairs = vec![
        pair("conf_dir", folder),
        pair("state_dir", folder),
        pair("run_dir", &run),
        pair("option.shipped_filters", "false"),
    ];
    pairs.extend(options.iter().map(|(key, value)| Pair {
        name: format!("option.{key}").into(),
        value: (*value).into(),
    }));
    let host = HostRef {
        obj: HostObj(std::ptr::null()),
        query,
    };
    Ok(Made {
        obj: create::<Nwfilter>(host, RSlice::from_slice(&pairs)).into_result()?,
        filters: filters_table::<Nwfilter>(),
        bindings: bindings_table::<Nwfilter>(),
    })
}

fn started(folder: &TempDir) -> Made {
    let made = made(folder, &[]).unwrap();
    (core::table::<Nwfilter>().bring_up)(made.obj, call(0))
        .into_result()
        .unwrap();
    asked();
    made
}

impl Made {
    fn filters(&self) -> Vec<FilterBrief> {
        let records = (self.filters.filters)(self.obj).into_result().unwrap();
        records
            .into_iter()
            .map(|record| FilterBrief::try_from(record).unwrap())
            .collect()
    }

    fn xml(&self, uuid: Uuid, flags: u32) -> Result<String> {
        Ok((self.filters.filter_xml)(self.obj, uuid, flags).into_result()?.into())
    }

    fn define(&self, xml: &str, flags: u32) -> Result<FilterBrief> {
        (self.filters.define_filter)(self.obj, call(0), xml.into(), flags)
            .into_result()?
            .try_into()
    }

    fn undefine(&self, uuid: Uuid) -> Result<()> {
        Ok((self.filters.undefine_filter)(self.obj, call(0), uuid).into_result()?)
    }
}

const UUID: &str = "5c6d49af-b071-6127-b4ec-6f8ed4b55335";

fn xml(name: &str, body: &str) -> String {
    format!("<filter name='{name}'><uuid>{UUID}</uuid>{body}</filter>")
}

const RULE: &str = "<rule action='drop' direction='in'><all/></rule>";

#[test]
fn a_filter_is_defined_listed_dumped_kept_over_a_restart_and_undefined() {
    let folder = tempfile::tempdir().unwrap();
    let driver = started(&folder);
    let brief = driver.define(&xml("lab", RULE), 0).unwrap();
    assert_eq!(asked(), ["100w", "200w", "-200", "-100"]);
    assert_eq!((brief.name.as_str(), brief.uuid.to_string().as_str()), ("lab", UUID));
    let dump = driver.xml(brief.uuid, 0).unwrap();
    assert!(dump.contains("<all/>"), "{dump}");
    let driver = started(&folder);
    assert_eq!(driver.filters(), std::slice::from_ref(&brief));
    assert_eq!(driver.xml(brief.uuid, 0).unwrap(), dump);
    assert_eq!(asked(), [""; 0]);
    driver.undefine(brief.uuid).unwrap();
    assert_eq!(asked(), ["100w", "200w", "-200", "-100"]);
    assert!(driver.filters().is_empty() && started(&folder).filters().is_empty());
    for error in [
        driver.undefine(brief.uuid).unwrap_err(),
        driver.xml(brief.uuid, 0).unwrap_err(),
    ] {
        assert_eq!((error.code(), error.origin()), (Code::NO_NWFILTER, Origin::NWFILTER));
    }
}

#[test]
fn the_same_definition_again_shuts_nobody_out_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let driver = started(&folder);
    driver.define(&xml("lab", RULE), 0).unwrap();
    fs::remove_file(folder.path().join("lab.xml")).unwrap();
    asked();
    driver.define(&xml("lab", RULE), 0).unwrap();
    assert_eq!(asked(), ["100w", "-100"]);
    assert!(!folder.path().join("lab.xml").exists());
}

#[test]
fn a_definition_that_can_not_be_stored_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let driver = started(&folder);
    let brief = driver.define(&xml("lab", RULE), 0).unwrap();
    let (dump, file) = (
        driver.xml(brief.uuid, 0).unwrap(),
        fs::read(folder.path().join("lab.xml")).unwrap(),
    );
    fs::create_dir(folder.path().join("lab.xml.new")).unwrap();
    let error = driver.define(&xml("lab", ""), 0).unwrap_err();
    assert_eq!(error.code(), Code::SYSTEM_ERROR);
    assert_eq!(driver.xml(brief.uuid, 0).unwrap(), dump);
    assert_eq!(fs::read(folder.path().join("lab.xml")).unwrap(), file);
    fs::remove_dir(folder.path().join("lab.xml.new")).unwrap();
    fs::remove_file(folder.path().join("lab.xml")).unwrap();
    fs::create_dir(folder.path().join("lab.xml")).unwrap();
    // Now the new file can be written, but not take the old one's place.
    let error = driver.define(&xml("lab", ""), 0).unwrap_err();
    assert_eq!(error.code(), Code::SYSTEM_ERROR);
    assert_eq!(driver.xml(brief.uuid, 0).unwrap(), dump);
    let error = driver.undefine(brief.uuid).unwrap_err();
    assert_eq!(error.code(), Code::SYSTEM_ERROR);
    assert_eq!(driver.filters(), [brief]);
}

#[test]
fn files_that_clash_or_close_a_ring_are_set_aside_at_start() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("a.xml", &xml("a", "<filterref filter='b'/>"));
    write("b.xml", "<filter name='b'><filterref filter='a'/></filter>");
    write("c.xml", &xml("c", ""));
    write("d.xml", "<filter name='d'/>");
    let driver = started(&folder);
    let names: Vec<String> = driver.filters().into_iter().map(|brief| brief.name).collect();
    assert_eq!(names, ["a", "d"]);
    assert!(folder.path().join("b.xml.set-aside").exists() && folder.path().join("c.xml.set-aside").exists());
    // A filter without a uuid in its file keeps the one that it was given.
    assert_eq!(started(&folder).filters(), driver.filters());
}

#[test]
fn validation_and_compat_are_asked_for_by_flag_and_option() {
    let folder = tempfile::tempdir().unwrap();
    let typo = xml("lab", "<rule action='accept' direction='in'><tcp dstport='22'/></rule>");
    let driver = started(&folder);
    let code = |driver: &Made, flags| driver.define(&typo, flags).map_err(|error| error.code());
    assert_eq!(code(&driver, 0), Err(Code::XML_ERROR));
    assert_eq!(code(&driver, DEFINE_VALIDATE), Err(Code::XML_INVALID_SCHEMA));
    assert_eq!(code(&driver, 2), Err(Code::INVALID_ARG));
    assert_eq!(driver.xml(Uuid::default(), 1).unwrap_err().code(), Code::INVALID_ARG);
    let compat = made(&folder, &[("compat", "true")]).unwrap();
    assert_eq!(code(&compat, DEFINE_VALIDATE), Err(Code::XML_INVALID_SCHEMA));
    assert!(code(&compat, 0).is_ok());
    assert!(made(&folder, &[("compat", "false")]).is_ok());
    for (patterns, accepted) in [("other\nla*", true), ("other", false), ("", false)] {
        let some = made(&folder, &[("compat_filters", patterns)]).unwrap();
        assert_eq!(code(&some, 0).is_ok(), accepted, "{patterns}");
        assert_eq!(code(&some, DEFINE_VALIDATE), Err(Code::XML_INVALID_SCHEMA));
    }
    for option in [("compat", "maybe"), ("kompat", "true")] {
        let error = made(&folder, &[option]).unwrap_err();
        assert_eq!(error.code(), Code::CONFIG_UNSUPPORTED);
    }
}

#[test]
fn a_lock_left_by_its_holder_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let driver = started(&folder);
    POISON.set(true);
    driver.define(&xml("lab", RULE), 0).unwrap();
    assert_eq!(asked(), ["100w", "sound 100", "200w", "-200", "-100"]);
}
