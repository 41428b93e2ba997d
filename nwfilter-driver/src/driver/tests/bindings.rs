//! Bindings through the driver's table, with what virt drivers say about their guests.

use super::*;

fn request(port: &str, filter: &str) -> PortRequest {
    PortRequest {
        port: port.to_owned(),
        mac: "02:00:00:00:00:01".to_owned(),
        filter: filter.to_owned(),
        parameters: Vec::new(),
        owner: UUID.parse().unwrap(),
        owner_name: "guest".to_owned(),
    }
}

fn binding(port: &str, filter: &str) -> String {
    BindingDef::try_from(&request(port, filter)).unwrap().to_string()
}

impl Made {
    fn bind(&self, port: &str, filter: &str, flags: u32) -> Result<BindingBrief> {
        let xml = binding(port, filter);
        (self.bindings.create_binding)(self.obj, call(0), xml.as_str().into(), flags)
            .into_result()?
            .try_into()
    }

    fn unbind(&self, port: &str) -> Result<()> {
        Ok((self.bindings.delete_binding)(self.obj, call(0), port.into()).into_result()?)
    }

    fn attach(&self, request: &PortRequest) -> Result<()> {
        Ok((self.bindings.attach_port)(self.obj, call(200), request.into()).into_result()?)
    }

    fn detach(&self, port: &str) -> Result<()> {
        Ok((self.bindings.detach_port)(self.obj, call(200), port.into()).into_result()?)
    }

    fn bound(&self) -> Vec<String> {
        let records = (self.bindings.bindings)(self.obj).into_result().unwrap();
        records.into_iter().map(|record| record.port.into()).collect()
    }

    fn dump(&self, port: &str, flags: u32) -> Result<String> {
        let xml = (self.bindings.binding_xml)(self.obj, port.into(), flags);
        Ok(xml.into_result()?.into())
    }
}

#[test]
fn a_binding_is_made_listed_dumped_kept_over_a_restart_and_ended() {
    let folder = tempfile::tempdir().unwrap();
    let driver = started(&folder);
    driver.define(&xml("lab", RULE), 0).unwrap();
    asked();
    let brief = driver.bind("tap7", "lab", DEFINE_VALIDATE).unwrap();
    assert_eq!(asked(), ["200r", "-200"]);
    assert_eq!((brief.port.as_str(), brief.filter.as_str()), ("tap7", "lab"));
    let driver = started(&folder);
    assert_eq!(driver.dump("tap7", 0).unwrap(), binding("tap7", "lab"));
    assert_eq!((driver.bound(), asked()), (vec!["tap7".to_owned()], vec![]));
    let code = |result: Result<BindingBrief>| result.unwrap_err().code();
    assert_eq!(code(driver.bind("tap7", "lab", 0)), Code::OPERATION_FAILED);
    assert_eq!(code(driver.bind("tap8", "lab", 2)), Code::INVALID_ARG);
    assert_eq!(code(driver.bind("tap8", "lap", 0)), Code::NO_NWFILTER);
    assert_eq!(driver.dump("tap7", 1).unwrap_err().code(), Code::INVALID_ARG);
    let uuid = UUID.parse().unwrap();
    assert_eq!(driver.undefine(uuid).unwrap_err().code(), Code::OPERATION_INVALID);
    driver.unbind("tap7").unwrap();
    for error in [
        driver.unbind("tap7").unwrap_err(),
        driver.detach("tap7").unwrap_err(),
        driver.dump("tap7", 0).unwrap_err(),
    ] {
        assert_eq!(
            (error.code(), error.origin()),
            (Code::NO_NWFILTER_BINDING, Origin::NWFILTER)
        );
    }
    driver.undefine(uuid).unwrap();
    assert_eq!(started(&folder).bound(), [""; 0]);
}

#[test]
fn a_guests_port_is_its_own_until_the_guest_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let driver = started(&folder);
    driver.define(&xml("lab", RULE), 0).unwrap();
    asked();
    driver.attach(&request("tap7", "lab")).unwrap();
    // The virt driver holds Update already.
    assert_eq!(asked(), [""; 0]);
    GUESTS.set(vec![request("tap7", "lab")]);
    let error = driver.unbind("tap7").unwrap_err();
    assert_eq!(error.code(), Code::OPERATION_INVALID);
    assert!(error.to_string().contains("'guest'"), "{error}");
    GUESTS.take();
    driver.unbind("tap7").unwrap();
    driver.attach(&request("tap7", "lab")).unwrap();
    driver.detach("tap7").unwrap();
    assert_eq!(driver.bound(), [""; 0]);
    assert_eq!(
        driver.attach(&request("tap7/../x", "lab")).unwrap_err().code(),
        Code::INTERNAL
    );
}

#[test]
fn a_guests_port_that_was_forgotten_is_bound_when_its_filter_changes() {
    let folder = tempfile::tempdir().unwrap();
    let driver = started(&folder);
    let uuid = driver.define(&xml("base", RULE), 0).unwrap().uuid;
    let user = "<filter name='lab'><filterref filter='base'/></filter>";
    driver.define(user, 0).unwrap();
    GUESTS.set(vec![request("tap7", "lab")]);
    let error = driver.undefine(uuid).unwrap_err();
    assert_eq!(error.code(), Code::OPERATION_INVALID);
    assert!(error.to_string().contains("'tap7' of domain 'guest'"), "{error}");
    driver
        .define(&xml("base", "<rule action='drop' direction='out'><all/></rule>"), 0)
        .unwrap();
    assert_eq!(driver.bound(), ["tap7"]);
    GUESTS.take();
}
