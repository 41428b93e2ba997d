//! What a driver does not offer, and what a connection that may only look is refused.

use crate::bench::{Host, refused};
use driver_api::types::uuid::Uuid;
use lockstep::rpc::codec::control::{DomainBlockPeek, DomainRename, DomainReset, DomainSetAutostartOnce};
use lockstep::rpc::codec::device::{DomainAttachDevice, DomainDetachDeviceAlias};
use lockstep::rpc::codec::domain::{DomainGetInfo, DomainRef};
use lockstep::rpc::codec::limit::{
    DomainGetMemoryParameters, DomainGetSchedulerType, DomainSetMemoryParameters, DomainSetSchedulerParameters,
};
use lockstep::rpc::codec::resource::{DomainGetVcpusFlags, DomainSetMemoryFlags, DomainSetVcpus};
use lockstep::rpc::codec::stats::{
    ConnectGetAllDomainStats, DomainBlockStats, DomainGetCpuStats, DomainGetVcpus, DomainInterfaceAddresses,
    DomainInterfaceStats, DomainMemoryStats,
};
use lockstep::rpc::xdr::List;

#[test]
fn what_a_driver_does_not_offer_is_not_supported_and_names_the_driver() {
    let host = Host::start();
    let mut connection = host.connect("misbehave");
    let dom = || DomainRef::new("only", Uuid::from_bytes([7; 16]), Some(1));
    let word = || "x".to_owned();
    let (flags, params) = (0, || List(Vec::new()));
    let answers = [
        refused(
            &mut connection,
            &DomainAttachDevice {
                dom: dom(),
                xml: word(),
            },
        ),
        refused(
            &mut connection,
            &DomainDetachDeviceAlias {
                dom: dom(),
                alias: word(),
                flags,
            },
        ),
        refused(
            &mut connection,
            &DomainSetMemoryFlags {
                dom: dom(),
                memory: 1,
                flags,
            },
        ),
        refused(&mut connection, &DomainSetVcpus { dom: dom(), count: 1 }),
        refused(&mut connection, &DomainGetSchedulerType { dom: dom() }),
        refused(
            &mut connection,
            &DomainSetSchedulerParameters {
                dom: dom(),
                params: params(),
            },
        ),
        refused(
            &mut connection,
            &DomainGetMemoryParameters {
                dom: dom(),
                nparams: 0,
                flags,
            },
        ),
        refused(
            &mut connection,
            &DomainBlockStats {
                dom: dom(),
                path: word(),
            },
        ),
        refused(
            &mut connection,
            &DomainInterfaceStats {
                dom: dom(),
                device: word(),
            },
        ),
        refused(
            &mut connection,
            &DomainInterfaceAddresses {
                dom: dom(),
                source: 0,
                flags,
            },
        ),
        refused(
            &mut connection,
            &DomainGetVcpus {
                dom: dom(),
                max_info: 1,
                map_length: 1,
            },
        ),
        refused(&mut connection, &DomainReset { dom: dom(), flags }),
        refused(
            &mut connection,
            &DomainRename {
                dom: dom(),
                name: Some(word()),
                flags,
            },
        ),
        refused(
            &mut connection,
            &DomainBlockPeek {
                dom: dom(),
                path: word(),
                offset: 0,
                size: 1,
                flags,
            },
        ),
        refused(
            &mut connection,
            &DomainSetAutostartOnce {
                dom: dom(),
                autostart: 1,
            },
        ),
    ];
    for (code, message) in answers {
        assert_eq!(code, 3, "{message}");
        let named = "not supported: the driver 'misbehave' does not offer ";
        assert!(message.starts_with(named), "{message}");
    }
}

#[test]
fn figures_that_every_domain_has_need_no_driver_that_measures() {
    let host = Host::start();
    let mut connection = host.connect("misbehave");
    let dom = || DomainRef::new("only", Uuid::from_bytes([7; 16]), Some(1));
    let info = connection.call(&DomainGetInfo { dom: dom() }).unwrap();
    let (doms, stats, flags) = (List(Vec::new()), 0, 0);
    let records = connection
        .call(&ConnectGetAllDomainStats { doms, stats, flags })
        .unwrap();
    let names: Vec<&str> = records.0[0].params.0.iter().map(|param| param.name.as_str()).collect();
    assert!(
        names.starts_with(&["state.state", "state.reason", "cpu.time", "balloon.current"]),
        "{names:?}"
    );
    let memory = connection
        .call(&DomainMemoryStats {
            dom: dom(),
            max: 13,
            flags: 0,
        })
        .unwrap()
        .0;
    assert_eq!((memory[0].tag, memory[0].value), (6, info.memory));
    let (nparams, start_cpu, ncpus) = (1, -1, 1);
    let total = DomainGetCpuStats {
        dom: dom(),
        nparams,
        start_cpu,
        ncpus,
        flags: 0,
    };
    assert_eq!(
        connection.call(&total).unwrap().params.0[0].value.as_u64(),
        Some(info.cpu_time)
    );
}

#[test]
fn who_may_only_look_changes_nothing() {
    let host = Host::start();
    let (_, dom) = host.with_guest();
    let mut reader = host.connect_read_only();
    let dom = || dom.clone();
    let (xml, flags) = ("<disk/>".to_owned(), 0);
    let codes = [
        refused(&mut reader, &DomainAttachDevice { dom: dom(), xml }).0,
        refused(
            &mut reader,
            &DomainSetMemoryFlags {
                dom: dom(),
                memory: 1,
                flags,
            },
        )
        .0,
        refused(&mut reader, &DomainSetVcpus { dom: dom(), count: 1 }).0,
        refused(
            &mut reader,
            &DomainSetMemoryParameters {
                dom: dom(),
                params: List(Vec::new()),
                flags,
            },
        )
        .0,
        refused(&mut reader, &DomainReset { dom: dom(), flags }).0,
        refused(
            &mut reader,
            &DomainRename {
                dom: dom(),
                name: None,
                flags,
            },
        )
        .0,
        refused(
            &mut reader,
            &DomainSetAutostartOnce {
                dom: dom(),
                autostart: 1,
            },
        )
        .0,
        refused(
            &mut reader,
            &DomainBlockPeek {
                dom: dom(),
                path: String::new(),
                offset: 0,
                size: 1,
                flags,
            },
        )
        .0,
    ];
    assert_eq!(codes, [29; 8]);
    let ask = |flags| DomainGetVcpusFlags { dom: dom(), flags };
    assert_eq!(refused(&mut reader, &ask(8)).0, 29);
    assert_eq!(reader.call(&ask(0)).unwrap(), 1);
    let (nparams, flags) = (0, 0);
    reader
        .call(&DomainGetMemoryParameters {
            dom: dom(),
            nparams,
            flags,
        })
        .unwrap();
}
