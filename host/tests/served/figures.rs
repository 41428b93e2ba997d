//! Figures: all of all domains at once, and each kind by its own procedure.

use crate::bench::{Host, define, refused};
use driver_api::types::param::{Param, Value, find};
use lockstep::client::Connection;
use lockstep::rpc::codec::device::DomainAttachDevice;
use lockstep::rpc::codec::domain::DomainRef;
use lockstep::rpc::codec::stats::{
    ConnectGetAllDomainStats, DomainBlockStats, DomainBlockStatsFlags, DomainGetBlockInfo, DomainGetCpuStats,
    DomainGetDiskErrors, DomainGetEmulatorPinInfo, DomainGetVcpuPinInfo, DomainGetVcpus, DomainInterfaceAddresses,
    DomainInterfaceStats, DomainMemoryStats, StatsRecord,
};
use lockstep::rpc::xdr::List;

const MAC: &str = "52:54:00:00:00:01";

fn with_devices(host: &Host) -> (Connection, DomainRef) {
    let (mut connection, dom) = host.with_guest();
    for xml in [
        "<disk><source file='/tmp/disk'/><target dev='a'/></disk>".to_owned(),
        format!(
            "<interface><mac address='{MAC}'/><target dev='n0'/><ip address='10.0.0.2' prefix='24'/>\
             <ip address='fd00::2' prefix='64'/></interface>"
        ),
    ] {
        connection.call(&DomainAttachDevice { dom: dom.clone(), xml }).unwrap();
    }
    (connection, dom)
}

fn all(connection: &mut Connection, doms: Vec<DomainRef>, stats: u32, flags: u32) -> Vec<StatsRecord> {
    let doms = List(doms);
    connection
        .call(&ConnectGetAllDomainStats { doms, stats, flags })
        .unwrap()
        .0
}

#[test]
fn figures_of_all_domains_come_in_the_groups_that_are_asked_for() {
    let host = Host::start();
    let (mut connection, dom) = with_devices(&host);
    let off = define(&mut connection, "off");
    let records = all(&mut connection, Vec::new(), 0, 0);
    assert_eq!(records.len(), 2);
    let running = records.iter().find(|record| record.dom.id > 0).unwrap();
    let value = |name: &str| find(&running.params.0, name).cloned();
    assert_eq!(value("state.state"), Some(Value::Int(1)));
    assert_eq!(value("block.0.path"), Some("/tmp/disk".into()));
    assert_eq!(value("net.0.name"), Some("n0".into()));
    assert_eq!(value("vcpu.0.state"), Some(Value::Int(1)));
    let only = all(&mut connection, vec![dom.clone()], 1 << 5, 0);
    assert_eq!(only.len(), 1);
    assert!(only[0].params.0.iter().all(|param| param.name.starts_with("block.")));
    let names = |records: Vec<StatsRecord>| records.into_iter().map(|record| record.dom.name).collect::<Vec<_>>();
    assert_eq!(names(all(&mut connection, Vec::new(), 1, 1)), ["vm"]);
    assert_eq!(
        names(all(&mut connection, Vec::new(), 1, 2 | 1 << 29 | 1 << 30)),
        ["off"]
    );
    let mut gone = off;
    gone.uuid = driver_api::types::uuid::Uuid::default();
    assert_eq!(names(all(&mut connection, vec![gone, dom], 1, 0)), ["vm"]);
}

#[test]
fn groups_are_ignored_unless_they_are_insisted_on() {
    let host = Host::start();
    let (mut connection, _) = host.with_guest();
    assert_eq!(all(&mut connection, Vec::new(), 1 << 20, 0)[0].params.0, []);
    let ask = |stats, flags| ConnectGetAllDomainStats {
        doms: List(Vec::new()),
        stats,
        flags,
    };
    let insisted = refused(&mut connection, &ask(1 | 64, 1 << 31));
    assert!(insisted.0 == 74 && insisted.1.contains("0x40"), "{insisted:?}");
    assert_eq!(all(&mut connection, Vec::new(), 1 | 2 | 32, 1 << 31).len(), 1);
    assert_eq!(refused(&mut connection, &ask(0, 256)).0, 8);
}

#[test]
fn a_disk_has_its_figures_by_target_and_by_source() {
    let host = Host::start();
    let (mut connection, dom) = with_devices(&host);
    let dom = || dom.clone();
    for path in ["a", "/tmp/disk", ""] {
        let path = path.to_owned();
        let stats = connection.call(&DomainBlockStats { dom: dom(), path }).unwrap();
        assert_eq!((stats.rd_bytes, stats.wr_req, stats.errs), (0, 0, -1));
    }
    let ask = |path: &str, nparams, flags| DomainBlockStatsFlags {
        dom: dom(),
        path: path.to_owned(),
        nparams,
        flags,
    };
    assert_eq!(connection.call(&ask("a", 0, 0)).unwrap().count, 4);
    let answer = connection.call(&ask("a", 16, 4)).unwrap();
    let names: Vec<&str> = answer.params.0.iter().map(|param| param.name.as_str()).collect();
    assert_eq!(names, ["rd_bytes", "rd_operations", "wr_bytes", "wr_operations"]);
    assert_eq!(answer.params.0[0], Param::new("rd_bytes", 0_i64));
    let no_disk = refused(&mut connection, &ask("b", 0, 0));
    assert!(no_disk.0 == 8 && no_disk.1.contains("'b'"), "{no_disk:?}");
    assert_eq!(refused(&mut connection, &ask("a", 17, 0)).0, 8);
    assert_eq!(refused(&mut connection, &ask("a", 1, 1)).0, 8);
    let (path, flags) = ("a".to_owned(), 0);
    let info = connection
        .call(&DomainGetBlockInfo {
            dom: dom(),
            path,
            flags,
        })
        .unwrap();
    assert_eq!((info.allocation, info.capacity, info.physical), (0, 0, 0));
    let errors = DomainGetDiskErrors {
        dom: dom(),
        max: 0,
        flags: 0,
    };
    assert_eq!(connection.call(&errors).unwrap().count, 0);
}

#[test]
fn an_interface_has_its_figures_by_name_and_by_mac_address() {
    let host = Host::start();
    let (mut connection, dom) = with_devices(&host);
    let ask = |device: &str| DomainInterfaceStats {
        dom: dom.clone(),
        device: device.to_owned(),
    };
    for device in ["n0", MAC] {
        let stats = connection.call(&ask(device)).unwrap();
        assert_eq!((stats.rx_bytes, stats.tx_packets, stats.rx_drop), (0, 0, -1));
    }
    let none = refused(&mut connection, &ask("n1"));
    assert!(none.0 == 8 && none.1.contains("'n1'"), "{none:?}");
}

#[test]
fn addresses_are_asked_from_a_source_and_the_agent_only_by_who_may_change_things() {
    let host = Host::start();
    let (mut connection, dom) = with_devices(&host);
    let ask = |source, flags| DomainInterfaceAddresses {
        dom: dom.clone(),
        source,
        flags,
    };
    let interfaces = connection.call(&ask(2, 0)).unwrap().0;
    assert_eq!(
        (interfaces[0].name.as_str(), interfaces[0].mac.as_deref()),
        ("n0", Some(MAC))
    );
    let addresses = interfaces[0].addresses.0.iter();
    let addresses: Vec<_> = addresses.map(|ip| (ip.kind, ip.address.as_str(), ip.prefix)).collect();
    assert_eq!(addresses, [(0, "10.0.0.2", 24), (1, "fd00::2", 64)]);
    assert_eq!(refused(&mut connection, &ask(3, 0)).0, 8);
    assert_eq!(refused(&mut connection, &ask(0, 1)).0, 8);
    assert_eq!(refused(&mut connection, &ask(1, 0)).0, 84);
    let mut reader = host.connect_read_only();
    assert_eq!(reader.call(&ask(0, 0)).unwrap().0.len(), 1);
    assert_eq!(refused(&mut reader, &ask(1, 0)).0, 29);
}

#[test]
fn memory_has_the_figures_that_are_known_as_far_as_there_is_room() {
    let host = Host::start();
    let (mut connection, dom) = host.with_guest();
    let ask = |max, flags| DomainMemoryStats {
        dom: dom.clone(),
        max,
        flags,
    };
    let stats = connection.call(&ask(1024, 0)).unwrap().0;
    assert_eq!(
        stats.iter().map(|stat| (stat.tag, stat.value)).collect::<Vec<_>>(),
        [(6, 1024)]
    );
    assert_eq!(connection.call(&ask(0, 0)).unwrap().0, []);
    assert_eq!(refused(&mut connection, &ask(1025, 0)).0, 8);
    assert_eq!(refused(&mut connection, &ask(16, 1)).0, 8);
}

#[test]
fn processors_have_their_time_and_the_processors_that_they_may_use() {
    let host = Host::start();
    let (mut connection, dom) = host.with_guest();
    let dom = || dom.clone();
    let vcpus = connection
        .call(&DomainGetVcpus {
            dom: dom(),
            max_info: 4,
            map_length: 2,
        })
        .unwrap();
    assert_eq!(
        (vcpus.info.0.len(), vcpus.info.0[0].state, vcpus.cpumaps.0.len()),
        (1, 1, 2)
    );
    assert_ne!(vcpus.cpumaps.0, [0, 0]);
    let pins = DomainGetVcpuPinInfo {
        dom: dom(),
        max_maps: 4,
        map_length: 2,
        flags: 1,
    };
    let pins = connection.call(&pins).unwrap();
    assert_eq!((pins.num, &pins.cpumaps), (1, &vcpus.cpumaps));
    let pin = DomainGetEmulatorPinInfo {
        dom: dom(),
        map_length: 2,
        flags: 2,
    };
    let pin = connection.call(&pin).unwrap();
    assert_eq!((pin.ret, &pin.cpumaps), (1, &vcpus.cpumaps));
    let both = DomainGetEmulatorPinInfo {
        dom: dom(),
        map_length: 2,
        flags: 3,
    };
    assert_eq!(refused(&mut connection, &both).0, 8);
    let ask = |nparams, start_cpu, ncpus| DomainGetCpuStats {
        dom: dom(),
        nparams,
        start_cpu,
        ncpus,
        flags: 0,
    };
    assert!(connection.call(&ask(0, 0, 0)).unwrap().count > 0);
    assert_eq!(connection.call(&ask(0, 0, 1)).unwrap().count, 0);
    assert_eq!(connection.call(&ask(0, -1, 1)).unwrap().count, 3);
    let total = connection.call(&ask(3, -1, 1)).unwrap();
    assert_eq!(total.params.0[0], Param::new("cpu_time", 0_u64));
    for (nparams, start_cpu, ncpus) in [(1, -1, 2), (1, -2, 1), (1, 0, 0), (2049, -1, 1)] {
        assert_eq!(refused(&mut connection, &ask(nparams, start_cpu, ncpus)).0, 8);
    }
    assert_eq!(refused(&mut connection, &ask(3, 0, 1)).0, 3);
}

#[test]
fn what_does_not_run_has_no_figures_of_running() {
    let host = Host::start();
    let mut connection = host.connect("hello");
    let off = define(&mut connection, "off");
    let dom = || off.clone();
    let path = String::new;
    let codes = [
        refused(
            &mut connection,
            &DomainBlockStats {
                dom: dom(),
                path: path(),
            },
        ),
        refused(
            &mut connection,
            &DomainInterfaceStats {
                dom: dom(),
                device: path(),
            },
        ),
        refused(
            &mut connection,
            &DomainMemoryStats {
                dom: dom(),
                max: 1,
                flags: 0,
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
        refused(
            &mut connection,
            &DomainGetDiskErrors {
                dom: dom(),
                max: 0,
                flags: 0,
            },
        ),
        refused(
            &mut connection,
            &DomainInterfaceAddresses {
                dom: dom(),
                source: 0,
                flags: 0,
            },
        ),
    ];
    for (code, message) in codes {
        assert!(
            code == 55 && message.contains("'off' is not running"),
            "{code}: {message}"
        );
    }
}
