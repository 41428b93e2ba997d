//! Tests of the driver against a lock service that grants everything and writes down what it was asked.

use super::*;
use abi_stable::std_types::RResult::{self, RErr, ROk};
use abi_stable::std_types::{RSlice, RStr, RVec};
use driver_api::abi::lock::{Adopted, Call, EXCLUSIVE, Held, HostObj, LockKey, LockV1, POISONED};
use driver_api::abi::value::Fault;
use driver_api::driver::BindingDriver as _;
use driver_api::types::filter::PortRequest;
use std::cell::{Cell, RefCell};
use std::fs;
use tempfile::TempDir;

thread_local! {
    static ASKED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    static POISON: Cell<bool> = const { Cell::new(false) };
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

fn cx<L: Level>() -> Cx<'static, L> {
    let call = Call {
        id: 1,
        level: L::RANK,
        exclusive: 0,
        deadline_ms: 0,
    };
    Cx::from_call(&LOCKS, HostObj(std::ptr::null()), call)
}

fn driver_with(folder: &TempDir, options: &[(&str, &str)]) -> Result<Nwfilter> {
    let path = folder.path().to_owned();
    Nwfilter::from_config(Config {
        conf_dir: path.clone(),
        state_dir: path.clone(),
        run_dir: path.clone(),
        log_dir: path,
        privileged: true,
        options: options
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
    })
}

fn started(folder: &TempDir) -> Nwfilter {
    let driver = driver_with(folder, &[]).unwrap();
    driver.bring_up(&mut cx()).unwrap();
    asked();
    driver
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
    let brief = driver.define_filter(&mut cx(), &xml("lab", RULE), 0).unwrap();
    assert_eq!(asked(), ["100w", "200w", "-200", "-100"]);
    assert_eq!((brief.name.as_str(), brief.uuid.to_string().as_str()), ("lab", UUID));
    let dump = driver.filter_xml(brief.uuid, 0).unwrap();
    assert!(dump.contains("<all/>"), "{dump}");
    let driver = started(&folder);
    assert_eq!(driver.filters(), std::slice::from_ref(&brief));
    assert_eq!(driver.filter_xml(brief.uuid, 0).unwrap(), dump);
    assert_eq!(asked(), [""; 0]);
    driver.undefine_filter(&mut cx(), brief.uuid).unwrap();
    assert_eq!(asked(), ["100w", "200w", "-200", "-100"]);
    assert!(driver.filters().is_empty() && started(&folder).filters().is_empty());
    for error in [
        driver.undefine_filter(&mut cx(), brief.uuid).unwrap_err(),
        driver.filter_xml(brief.uuid, 0).unwrap_err(),
    ] {
        assert_eq!((error.code(), error.origin()), (Code::NO_NWFILTER, Origin::NWFILTER));
    }
}

#[test]
fn the_same_definition_again_shuts_nobody_out_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let driver = started(&folder);
    driver.define_filter(&mut cx(), &xml("lab", RULE), 0).unwrap();
    fs::remove_file(folder.path().join("lab.xml")).unwrap();
    asked();
    driver.define_filter(&mut cx(), &xml("lab", RULE), 0).unwrap();
    assert_eq!(asked(), ["100w", "-100"]);
    assert!(!folder.path().join("lab.xml").exists());
}

#[test]
fn a_definition_that_can_not_be_stored_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let driver = started(&folder);
    let brief = driver.define_filter(&mut cx(), &xml("lab", RULE), 0).unwrap();
    let (dump, file) = (
        driver.filter_xml(brief.uuid, 0).unwrap(),
        fs::read(folder.path().join("lab.xml")).unwrap(),
    );
    fs::create_dir(folder.path().join("lab.xml.new")).unwrap();
    let error = driver.define_filter(&mut cx(), &xml("lab", ""), 0).unwrap_err();
    assert_eq!(error.code(), Code::SYSTEM_ERROR);
    assert_eq!(driver.filter_xml(brief.uuid, 0).unwrap(), dump);
    assert_eq!(fs::read(folder.path().join("lab.xml")).unwrap(), file);
    fs::remove_dir(folder.path().join("lab.xml.new")).unwrap();
    fs::remove_file(folder.path().join("lab.xml")).unwrap();
    fs::create_dir(folder.path().join("lab.xml")).unwrap();
    let error = driver.undefine_filter(&mut cx(), brief.uuid).unwrap_err();
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
    let code = |driver: &Nwfilter, flags| {
        driver
            .define_filter(&mut cx(), &typo, flags)
            .map_err(|error| error.code())
    };
    assert_eq!(code(&driver, 0), Err(Code::XML_ERROR));
    assert_eq!(code(&driver, DEFINE_VALIDATE), Err(Code::XML_INVALID_SCHEMA));
    assert_eq!(code(&driver, 2), Err(Code::INVALID_ARG));
    assert_eq!(
        driver.filter_xml(Uuid::default(), 1).unwrap_err().code(),
        Code::INVALID_ARG
    );
    let compat = driver_with(&folder, &[("compat", "true")]).unwrap();
    assert_eq!(code(&compat, DEFINE_VALIDATE), Err(Code::XML_INVALID_SCHEMA));
    assert!(code(&compat, 0).is_ok());
    assert!(driver_with(&folder, &[("compat", "false")]).is_ok());
    for option in [("compat", "maybe"), ("kompat", "true")] {
        let error = driver_with(&folder, &[option]).unwrap_err();
        assert_eq!(error.code(), Code::CONFIG_UNSUPPORTED);
    }
}

#[test]
fn a_lock_left_by_its_holder_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let driver = started(&folder);
    POISON.set(true);
    driver.define_filter(&mut cx(), &xml("lab", RULE), 0).unwrap();
    assert_eq!(asked(), ["100w", "sound 100", "200w", "-200", "-100"]);
}

#[test]
fn bindings_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let driver = started(&folder);
    driver.define_filter(&mut cx(), &xml("lab", RULE), 0).unwrap();
    let request = |filter: &str| PortRequest {
        port: "tap7".to_owned(),
        mac: "02:00:00:00:00:01".to_owned(),
        filter: filter.to_owned(),
        parameters: Vec::new(),
        owner: Uuid::default(),
        owner_name: "guest".to_owned(),
    };
    for (filter, code, text) in [
        ("lab", Code::NO_SUPPORT, "not supported yet"),
        ("lap", Code::NO_NWFILTER, "no filter 'lap'"),
    ] {
        let binding = format!("<filterbinding><portdev name='tap7'/><filterref filter='{filter}'/></filterbinding>");
        for error in [
            driver.attach_port(&mut cx(), &request(filter)).unwrap_err(),
            driver.create_binding(&mut cx(), &binding, 0).unwrap_err(),
        ] {
            assert_eq!((error.code(), error.origin()), (code, Origin::NWFILTER));
            assert!(
                error.to_string().contains(text) && error.to_string().contains("'tap7'"),
                "{error}"
            );
        }
    }
    for error in [
        driver.binding_xml("tap7", 0).unwrap_err(),
        driver.delete_binding(&mut cx(), "tap7").unwrap_err(),
        driver.detach_port(&mut cx(), "tap7").unwrap_err(),
    ] {
        assert_eq!(error.code(), Code::NO_NWFILTER_BINDING);
    }
    assert!(driver.bindings().is_empty());
}
