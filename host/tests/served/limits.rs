//! Memory, processors and limits: counted, read, set, and told to whoever listens.

use crate::bench::{Host, define, next_event, refused};
use driver_api::types::param::Param;
use lockstep::client::event::EventKind;
use lockstep::rpc::codec::device::DomainAttachDevice;
use lockstep::rpc::codec::domain::{DomainGetInfo, DomainGetMaxMemory};
use lockstep::rpc::codec::event::subject;
use lockstep::rpc::codec::limit::{
    DomainGetBlkioParameters, DomainGetBlockIoTune, DomainGetInterfaceParameters, DomainGetMemoryParameters,
    DomainGetSchedulerParameters, DomainGetSchedulerParametersFlags, DomainGetSchedulerType, DomainSetBlkioParameters,
    DomainSetBlockIoTune, DomainSetInterfaceParameters, DomainSetMemoryParameters, DomainSetSchedulerParameters,
    DomainSetSchedulerParametersFlags,
};
use lockstep::rpc::codec::resource::{
    DomainGetMaxVcpus, DomainGetVcpusFlags, DomainSetMaxMemory, DomainSetMemory, DomainSetMemoryFlags, DomainSetVcpus,
    DomainSetVcpusFlags,
};
use lockstep::rpc::xdr::List;

const LIVE: u32 = 1;
const CONFIG: u32 = 2;
const TEXTS: u32 = 4;

#[test]
fn memory_is_set_where_it_is_asked_for_and_told() {
    let host = Host::start();
    let (mut connection, dom) = host.with_guest();
    let off = define(&mut connection, "off");
    connection.watch(subject::BALLOON_CHANGE, None).unwrap();
    let dom = || dom.clone();
    connection
        .call(&DomainSetMemory {
            dom: dom(),
            memory: 512,
        })
        .unwrap();
    assert_eq!(next_event(&mut connection), EventKind::Balloon(512));
    assert_eq!(connection.call(&DomainGetInfo { dom: dom() }).unwrap().memory, 512);
    let too_much = refused(
        &mut connection,
        &DomainSetMemory {
            dom: dom(),
            memory: 4096,
        },
    );
    assert!(too_much.0 == 8 && too_much.1.contains("4096"), "{too_much:?}");
    connection
        .call(&DomainSetMaxMemory {
            dom: dom(),
            memory: 8192,
        })
        .unwrap();
    assert_eq!(connection.call(&DomainGetMaxMemory { dom: dom() }).unwrap(), 8192);
    connection
        .call(&DomainSetMemoryFlags {
            dom: dom(),
            memory: 4096,
            flags: LIVE | CONFIG,
        })
        .unwrap();
    assert_eq!(next_event(&mut connection), EventKind::Balloon(4096));
    assert_eq!(
        refused(
            &mut connection,
            &DomainSetMemoryFlags {
                dom: dom(),
                memory: 1,
                flags: 64
            }
        )
        .0,
        8
    );
    // Only what runs can have it changed without flags, and a new maximum is for both.
    assert_eq!(
        refused(
            &mut connection,
            &DomainSetMemory {
                dom: off.clone(),
                memory: 512
            }
        )
        .0,
        55
    );
    connection.call(&DomainSetMaxMemory { dom: off, memory: 2048 }).unwrap();
}

#[test]
fn processors_are_counted_and_more_than_there_can_be_are_refused() {
    let host = Host::start();
    let (mut connection, dom) = host.with_guest();
    let off = define(&mut connection, "off");
    let dom = || dom.clone();
    assert_eq!(
        connection
            .call(&DomainGetVcpusFlags {
                dom: dom(),
                flags: LIVE
            })
            .unwrap(),
        1
    );
    assert_eq!(connection.call(&DomainGetMaxVcpus { dom: dom() }).unwrap(), 1);
    assert_eq!(
        refused(&mut connection, &DomainGetVcpusFlags { dom: off, flags: LIVE }).0,
        55
    );
    assert_eq!(
        refused(&mut connection, &DomainGetVcpusFlags { dom: dom(), flags: 32 }).0,
        8
    );
    connection.call(&DomainSetVcpus { dom: dom(), count: 1 }).unwrap();
    let two = refused(
        &mut connection,
        &DomainSetVcpusFlags {
            dom: dom(),
            count: 2,
            flags: CONFIG,
        },
    );
    assert!(two.0 == 67 && two.1.contains("have 2"), "{two:?}");
}

#[test]
fn limits_are_counted_first_then_read_then_set_and_told() {
    let host = Host::start();
    let (mut connection, dom) = host.with_guest();
    connection.watch(subject::TUNABLE, None).unwrap();
    let dom = || dom.clone();
    let kind = connection.call(&DomainGetSchedulerType { dom: dom() }).unwrap();
    assert_eq!((kind.name.as_str(), kind.nparams), ("posix", 2));
    let shares = |value: u64| List(vec![Param::new("cpu_shares", value)]);
    connection
        .call(&DomainSetSchedulerParameters {
            dom: dom(),
            params: shares(7),
        })
        .unwrap();
    assert_eq!(next_event(&mut connection), EventKind::Tuned(shares(7).0));
    let get = DomainGetSchedulerParameters { dom: dom(), nparams: 1 };
    assert_eq!(connection.call(&get).unwrap(), shares(7));
    let set = DomainSetSchedulerParametersFlags {
        dom: dom(),
        params: shares(9),
        flags: LIVE,
    };
    connection.call(&set).unwrap();
    let get = DomainGetSchedulerParametersFlags {
        dom: dom(),
        nparams: 16,
        flags: CONFIG | TEXTS,
    };
    let both = connection.call(&get).unwrap();
    assert_eq!((both.0.len(), &both.0[0]), (2, &shares(9).0[0]));
    let set = DomainSetMemoryParameters {
        dom: dom(),
        params: List(vec![Param::new("hard_limit", 4096_u64)]),
        flags: 0,
    };
    connection.call(&set).unwrap();
    let count = DomainGetMemoryParameters {
        dom: dom(),
        nparams: 0,
        flags: 0,
    };
    assert_eq!(connection.call(&count).unwrap().count, 1);
    let get = DomainGetMemoryParameters {
        dom: dom(),
        nparams: 1,
        flags: 0,
    };
    assert_eq!(connection.call(&get).unwrap().params, set.params);
}

#[test]
fn texts_among_limits_go_only_to_clients_that_say_that_they_take_them() {
    let host = Host::start();
    let (mut connection, dom) = host.with_guest();
    let device_weight = Param::new("device_weight", "/dev/sda,300");
    let params = List(vec![device_weight.clone()]);
    connection
        .call(&DomainSetBlkioParameters {
            dom: dom.clone(),
            params,
            flags: 0,
        })
        .unwrap();
    let mut get = |nparams, flags| {
        let answer = connection
            .call(&DomainGetBlkioParameters {
                dom: dom.clone(),
                nparams,
                flags,
            })
            .unwrap();
        (answer.params.0, answer.count)
    };
    let weight = Param::new("weight", 500_u32);
    assert_eq!(get(0, 0), (vec![], 1));
    assert_eq!(get(0, TEXTS), (vec![], 2));
    assert_eq!(get(2, LIVE), (vec![weight.clone()], 1));
    assert_eq!(get(2, LIVE | TEXTS), (vec![weight, device_weight], 2));
}

#[test]
fn devices_have_limits_of_their_own() {
    let host = Host::start();
    let (mut connection, dom) = host.with_guest();
    for (kind, name) in [("disk", "a"), ("disk", "b"), ("interface", "n0")] {
        let xml = format!("<{kind}><target dev='{name}'/></{kind}>");
        connection.call(&DomainAttachDevice { dom: dom.clone(), xml }).unwrap();
    }
    let dom = || dom.clone();
    let total = |value: u64| List(vec![Param::new("total_bytes_sec", value)]);
    let (disk, params, flags) = ("b".to_owned(), total(5), 0);
    connection
        .call(&DomainSetBlockIoTune {
            dom: dom(),
            disk,
            params,
            flags,
        })
        .unwrap();
    let mut of_disk = |disk: Option<&str>, nparams| {
        let disk = disk.map(str::to_owned);
        let call = DomainGetBlockIoTune {
            dom: dom(),
            disk,
            nparams,
            flags: 0,
        };
        connection.call(&call)
    };
    assert_eq!(of_disk(Some("a"), 32).unwrap().params, total(0));
    assert_eq!(of_disk(Some("b"), 32).unwrap().params, total(5));
    assert_eq!(of_disk(None, 0).unwrap().count, 32);
    of_disk(None, 1).unwrap_err();
    of_disk(Some("c"), 0).unwrap_err();
    let average = List(vec![Param::new("inbound.average", 3_u32)]);
    let (device, params, flags) = ("n0".to_owned(), average.clone(), 0);
    connection
        .call(&DomainSetInterfaceParameters {
            dom: dom(),
            device,
            params,
            flags,
        })
        .unwrap();
    let (device, nparams, flags) = ("n0".to_owned(), 1, 0);
    let call = DomainGetInterfaceParameters {
        dom: dom(),
        device,
        nparams,
        flags,
    };
    assert_eq!(connection.call(&call).unwrap().params, average);
}

#[test]
fn limits_that_can_not_be_are_refused() {
    let host = Host::start();
    let (mut connection, dom) = host.with_guest();
    let off = define(&mut connection, "off");
    let get = |dom: &_, nparams, flags| DomainGetMemoryParameters {
        dom: Clone::clone(dom),
        nparams,
        flags,
    };
    assert_eq!(refused(&mut connection, &get(&dom, 17, 0)).0, 8);
    assert_eq!(refused(&mut connection, &get(&dom, -1, 0)).0, 8);
    assert_eq!(refused(&mut connection, &get(&dom, 0, 64)).0, 8);
    assert_eq!(refused(&mut connection, &get(&off, 0, LIVE)).0, 55);
    let params = List(vec![Param::new("no_such", 1_u64)]);
    let unknown = refused(&mut connection, &DomainSetMemoryParameters { dom, params, flags: 0 });
    assert!(unknown.0 == 8 && unknown.1.contains("'no_such'"), "{unknown:?}");
}
