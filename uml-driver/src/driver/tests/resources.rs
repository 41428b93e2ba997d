//! Memory, processors and limits: what a guest can give up and get back, what is stored, and what is refused in which words.

use super::devices::BOTH;
use super::*;
use driver_api::driver::{Driver, Resources};
use driver_api::types::device::ParameterSet;
use driver_api::types::device::flags::{MEMORY_MAXIMUM, VCPU_GUEST, VCPU_MAXIMUM};
use driver_api::types::domain::flags::{AFFECT_CONFIG, AFFECT_LIVE};
use driver_api::types::param::Param;

const BOOT: u64 = 65_536;

impl Lab {
    fn set_memory(&self, kib: u64, given: u32) -> Result<()> {
        self.cx(|cx| self.uml.set_memory(cx, uuid(A), kib, given))
    }

    fn set_vcpus(&self, count: u32, given: u32) -> Result<()> {
        self.cx(|cx| self.uml.set_vcpus(cx, uuid(A), count, given))
    }

    /// What the guest's kernel was told of its memory.
    fn told(&self) -> Vec<String> {
        let kernel = self.host.kernel(1);
        let mut kernel = kernel.lock();
        kernel
            .told
            .drain(..)
            .map(|told| told.replace("config mem=", ""))
            .collect()
    }

    fn shown(&self) -> (u64, String) {
        let live = self.live();
        let (_, rest) = live.split_once("<currentMemory unit='KiB'>").unwrap();
        (self.brief().memory_kib, rest.split_once('<').unwrap().0.to_owned())
    }
}

#[test]
fn guest_gives_memory_up_in_steps_and_gets_it_back() {
    let lab = Lab::running("");
    lab.set_memory(45_536, 0).unwrap();
    assert_eq!(lab.told(), ["-8192K", "-8192K", "-3616K"]);
    assert_eq!(lab.shown(), (45_536, "45536".to_owned()));
    assert_eq!(lab.notices(), ["BalloonChanged { actual_kib: 45536 }"]);
    assert!(lab.next().contains("<currentMemory unit='KiB'>65536"));
    lab.set_memory(50_000, BOTH).unwrap();
    assert_eq!(lab.told(), ["+4464K"]);
    assert!(lab.next().contains("<currentMemory unit='KiB'>50000"));
    assert_eq!(lab.brief().max_memory_kib, BOOT);
    // All of it comes back, whatever the sum of the steps was.
    lab.set_memory(BOOT, AFFECT_LIVE).unwrap();
    assert_eq!(lab.told(), ["+8192K"; 8]);
    assert_eq!(lab.shown(), (BOOT, BOOT.to_string()));
    assert!(lab.host.locks.is_idle() && lab.events().is_empty());
}

#[test]
fn guest_is_never_told_to_give_up_what_it_needs() {
    let lab = Lab::running("");
    // It has 41,000 KiB to spare, of which it keeps 8192.
    let error = lab.set_memory(32_000, 0).unwrap_err();
    assert_eq!(error.code(), Code::OPERATION_FAILED);
    assert!(
        error
            .to_string()
            .contains("it can go down to 32728 KiB now, not to 32000"),
        "{error}"
    );
    assert_eq!((lab.told(), lab.shown().0), (vec![], BOOT));
    lab.set_memory(32_768, 0).unwrap();
    // More than it was booted with is more than it can have.
    let error = lab.set_memory(BOOT + 4, AFFECT_LIVE).unwrap_err();
    assert_eq!(error.code(), Code::INVALID_ARG);
    assert!(
        error
            .to_string()
            .contains("than the 65536 KiB with which domain 'vm' was booted"),
        "{error}"
    );
    assert_eq!(code(lab.set_memory(0, 0)), 8);
    assert!(lab.next().contains("<currentMemory unit='KiB'>65536"));
}

#[test]
fn guest_that_stops_giving_gets_back_what_it_gave() {
    let lab = Lab::running("");
    lab.told();
    let kernel = lab.host.kernel(1);
    kernel.lock().refuses = Some("config mem=-3616K");
    let error = lab.set_memory(45_536, BOTH).unwrap_err();
    assert!(error.to_string().contains("'not today' (-22)"), "{error}");
    let told = lab.told();
    assert_eq!(told[..2], ["-8192K", "-8192K"]);
    assert!(told[2..].iter().all(|told| told.starts_with('+')), "{told:?}");
    assert_eq!(kernel.lock().free, 40_000);
    assert_eq!(lab.shown(), (BOOT, BOOT.to_string()));
    assert!(lab.notices().is_empty() && lab.next().contains("65536</currentMemory>"));
    kernel.lock().refuses = None;
    kernel.lock().free = 600;
    std::thread::scope(|scope| {
        let change = scope.spawn(|| lab.set_memory(60_000, 0));
        // What it caches it drops when it is pressed.
        while kernel.lock().asked < 5 {
            std::thread::yield_now();
        }
        kernel.lock().free = 40_000;
        change.join().unwrap().unwrap();
    });
    assert_eq!(lab.shown().0, 60_000);
}

#[test]
fn memory_is_known_to_the_next_host_and_whole_after_a_reboot() {
    let mut lab = Lab::running("<on_reboot>restart</on_reboot>");
    lab.set_memory(50_000, 0).unwrap();
    lab.reopen();
    lab.cx(|cx| lab.uml.bring_up(cx)).unwrap();
    lab.settled();
    assert_eq!(lab.shown(), (50_000, "50000".to_owned()));
    let exit = ended("reboot: Restarting system\n");
    lab.host.end(1, exit);
    lab.until(|r| r.runs_on(GuestId(2)));
    lab.settled();
    assert_eq!(lab.shown(), (BOOT, BOOT.to_string()));
}

#[test]
fn definition_has_a_size_and_a_maximum() {
    let lab = Lab::running("");
    assert_eq!(code(lab.set_memory(BOOT * 2, MEMORY_MAXIMUM)), 55);
    assert_eq!(code(lab.set_memory(BOOT * 2, MEMORY_MAXIMUM | AFFECT_LIVE)), 55);
    lab.set_memory(BOOT * 2, MEMORY_MAXIMUM | AFFECT_CONFIG).unwrap();
    lab.set_memory(BOOT + 1000, AFFECT_CONFIG).unwrap();
    assert!(lab.brief().updated);
    let error = lab.set_memory(BOOT * 2 + 1, AFFECT_CONFIG).unwrap_err();
    assert_eq!(error.code(), Code::INVALID_ARG);
    assert!(error.to_string().contains("than the maximum, 131072 KiB"), "{error}");
    let error = lab.set_memory(BOOT, MEMORY_MAXIMUM | AFFECT_CONFIG).unwrap_err();
    assert_eq!(error.code(), Code::INVALID_ARG);
    assert!(error.to_string().contains("less than the 66536 KiB"), "{error}");
    assert_eq!(code(lab.set_memory(20_000, AFFECT_CONFIG)), 67);
    assert_eq!(lab.told(), [""; 0]);
    lab.destroy(A).unwrap();
    let brief = lab.brief();
    assert_eq!((brief.memory_kib, brief.max_memory_kib), (66_536, BOOT * 2));
    lab.set_memory(BOOT, 0).unwrap();
    assert_eq!(lab.brief().memory_kib, BOOT);
    assert_eq!(code(lab.set_memory(BOOT, AFFECT_LIVE)), 55);
    assert!(lab.notices().is_empty());
    assert_eq!(code(lab.set_memory(BOOT, 8)), 8);
}

#[test]
fn paused_guest_keeps_its_memory() {
    let lab = Lab::running("");
    lab.cx(|cx| lab.uml.suspend(cx, uuid(A))).unwrap();
    assert_eq!(code(lab.set_memory(50_000, 0)), 55);
}

#[test]
fn kernel_without_smp_has_one_processor() {
    let lab = Lab::running("");
    let vcpus = |given| lab.uml.vcpus(uuid(A), given);
    assert_eq!(vcpus(0).unwrap(), 1);
    assert_eq!(vcpus(VCPU_MAXIMUM | AFFECT_CONFIG).unwrap(), 1);
    assert_eq!(code(vcpus(BOTH)), 8);
    assert_eq!(code(vcpus(32)), 8);
    assert_eq!(code(vcpus(VCPU_GUEST)), 74);
    lab.set_vcpus(1, BOTH).unwrap();
    assert_eq!(code(lab.set_vcpus(0, 0)), 8);
    for given in [0, AFFECT_LIVE] {
        let error = lab.set_vcpus(2, given).unwrap_err();
        assert_eq!(error.code(), Code::INVALID_ARG, "{error}");
    }
    assert_eq!(code(lab.set_vcpus(2, VCPU_MAXIMUM)), 55);
    let error = lab.set_vcpus(2, VCPU_MAXIMUM | AFFECT_CONFIG).unwrap_err();
    assert_eq!(error.code(), Code::CONFIG_UNSUPPORTED);
    assert!(
        error
            .to_string()
            .contains("built without SMP: it has one processor, not 2"),
        "{error}"
    );
    lab.destroy(A).unwrap();
    assert_eq!(code(vcpus(AFFECT_LIVE)), 55);
    let xml = lab.xml("vm", A, "<vcpu current='1'>4</vcpu>");
    lab.cx(|cx| lab.uml.define(cx, &xml, 0)).unwrap();
    assert_eq!((vcpus(0).unwrap(), vcpus(VCPU_MAXIMUM).unwrap()), (1, 4));
    assert_eq!(code(lab.set_vcpus(2, 0)), 67);
    lab.set_vcpus(1, VCPU_MAXIMUM).unwrap();
    assert_eq!(vcpus(VCPU_MAXIMUM).unwrap(), 1);
    lab.cx(|cx| lab.uml.define(cx, &xml, 0)).unwrap();
    lab.start(A).unwrap();
    assert_eq!(code(lab.set_vcpus(2, 0)), 67);
    assert_eq!(code(lab.set_vcpus(5, 0)), 8);
}

fn texts(params: &[Param]) -> Vec<String> {
    params
        .iter()
        .map(|param| format!("{}={:?}", param.name, param.value))
        .collect()
}

impl Lab {
    fn limits(&self, set: ParameterSet, device: Option<&str>, given: u32) -> Result<Vec<Param>> {
        self.uml.parameters(uuid(A), set, device, given)
    }

    fn limit(&self, set: ParameterSet, device: Option<&str>, params: &[Param], given: u32) -> Result<()> {
        self.cx(|cx| self.uml.set_parameters(cx, uuid(A), set, device, params, given))
    }
}

#[test]
fn limits_are_set_in_what_runs_and_in_the_definition() {
    use ParameterSet::{Blkio, Memory, Scheduler};
    let lab = Lab::running("<cputune><shares>100</shares></cputune>");
    let quota = [Param::new("vcpu_quota", 50_000_i64), Param::new("cpu_shares", 300_u64)];
    lab.limit(Scheduler, None, &quota, 0).unwrap();
    assert_eq!(lab.host.limits.lock()[..], quota);
    assert_eq!(texts(&lab.limits(Scheduler, None, 0).unwrap()), texts(&quota));
    assert_eq!(
        texts(&lab.limits(Scheduler, None, AFFECT_CONFIG).unwrap()),
        ["cpu_shares=Ulong(100)"]
    );
    assert!(lab.live().contains("<shares>300</shares>") && lab.live().contains("<quota>50000</quota>"));
    assert!(lab.next().contains("<shares>100</shares>"));
    let told = lab.notices();
    assert!(
        told[0].contains("cputune.vcpu_quota") && told[0].contains("cputune.cpu_shares"),
        "{told:?}"
    );
    lab.limit(Memory, None, &[Param::new("hard_limit", 200_000_u64)], BOTH)
        .unwrap();
    assert!(lab.next().contains("<hard_limit unit='KiB'>200000") && lab.live().contains("200000"));
    let unlimited = "soft_limit=Ulong(9007199254740991)";
    assert!(texts(&lab.limits(Memory, None, AFFECT_CONFIG).unwrap()).contains(&unlimited.to_owned()));
    lab.limit(Blkio, None, &[Param::new("weight", 200_u32)], AFFECT_CONFIG)
        .unwrap();
    assert_eq!(
        texts(&lab.limits(Blkio, None, AFFECT_CONFIG).unwrap()),
        ["weight=Uint(200)"]
    );
    assert_eq!(
        lab.host.limits.lock().len(),
        3,
        "the definition alone does not limit what runs"
    );
    lab.destroy(A).unwrap();
    assert_eq!(texts(&lab.limits(Blkio, None, 0).unwrap()), ["weight=Uint(200)"]);
}

#[test]
fn limits_that_are_none_are_refused_by_name_and_change_nothing() {
    use ParameterSet::{BlockIo, Memory, Scheduler};
    let lab = Lab::running("");
    let before = (lab.live(), lab.next());
    let cases = [
        (
            Scheduler,
            Param::new("nonsense", 1_u64),
            8,
            "no limit 'nonsense' in this set",
        ),
        (
            Scheduler,
            Param::new("hard_limit", 1_u64),
            8,
            "no limit 'hard_limit' in this set",
        ),
        (Scheduler, Param::new("cpu_shares", 1_u64), 8, "'1' for 'cpu_shares'"),
        (
            Memory,
            Param::new("hard_limit", 70_000_u64),
            67,
            "sure to be the guest's end",
        ),
        (
            BlockIo,
            Param::new("total_bytes_sec", 1_u64),
            3,
            "can not be throttled one by one",
        ),
    ];
    for (set, param, expected, words) in cases {
        for given in [0, AFFECT_CONFIG, BOTH] {
            let error = lab.limit(set, None, std::slice::from_ref(&param), given).unwrap_err();
            assert_eq!(error.code().0, expected, "{error}");
            assert!(error.to_string().contains(words), "{error}");
        }
    }
    assert_eq!(code(lab.limits(BlockIo, None, 0)), 3);
    assert_eq!(code(lab.limits(Scheduler, None, BOTH)), 8);
    assert_eq!((lab.live(), lab.next()), before);
    assert!(lab.host.limits.lock().is_empty() && lab.notices().is_empty());
}

#[test]
fn limits_of_an_interface_reach_its_tap() {
    let nic = "<interface type='bridge'><mac address='52:54:00:00:00:07'/><source bridge='br0'/></interface>";
    let lab = Lab::with_devices(|_| nic.to_owned());
    let set = ParameterSet::Interface;
    let params = [
        Param::new("inbound.average", 1000_u32),
        Param::new("inbound.burst", 64_u32),
    ];
    lab.limit(set, Some("vnet0"), &params, BOTH).unwrap();
    let log = lab.log();
    assert!(log[0].starts_with("shape vnet0") && log.len() == 1, "{log:?}");
    for text in [lab.live(), lab.next()] {
        assert!(text.contains("<inbound average='1000' burst='64'/>"), "{text}");
    }
    let shown = texts(&lab.limits(set, Some("52:54:00:00:00:07"), 0).unwrap());
    assert_eq!(shown.len(), 7);
    assert_eq!(shown[0], "inbound.average=Uint(1000)");
    assert_eq!(shown[4], "outbound.average=Uint(0)");
    // An average of 0 takes the limit away.
    lab.limit(set, Some("vnet0"), &[Param::new("inbound.average", 0_u32)], BOTH)
        .unwrap();
    assert!(!lab.live().contains("inbound") && !lab.next().contains("inbound"));
    for (device, param, words) in [
        (
            Some("vnet9"),
            Param::new("inbound.average", 1_u32),
            "no interface with the device or address 'vnet9'",
        ),
        (
            Some("vnet0"),
            Param::new("inbound.speed", 1_u32),
            "no limit 'inbound.speed'",
        ),
        (
            Some("vnet0"),
            Param::new("outbound.floor", 1_u32),
            "no limit 'outbound.floor'",
        ),
        (
            Some("vnet0"),
            Param::new("outbound.peak", 1_u32),
            "set 'outbound.average' too",
        ),
        (
            None,
            Param::new("inbound.average", 1_u32),
            "no interface with the device or address ''",
        ),
    ] {
        let error = lab.limit(set, device, &[param], 0).unwrap_err();
        assert_eq!(error.code(), Code::INVALID_ARG);
        assert!(error.to_string().contains(words), "{error}");
    }
    assert!(lab.host.locks.is_idle());
}
