//! Verbs about the machine: what each asks the host and how it shows the answer.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "helpers of tests fail a test as the tests do"
)]

#[allow(dead_code, reason = "other tests use the rest of it")]
mod script;

use lockstep::rpc::codec::connect::ConnectGetCapabilities;
use lockstep::rpc::codec::node::{
    CpuMap, MemoryParameters, NodeAllocPages, NodeGetCellsFreeMemory, NodeGetCpuMap, NodeGetCpuStats, NodeGetFreePages,
    NodeGetMemoryParameters, NodeGetMemoryStats, NodeSetMemoryParameters, NodeStat, NodeStats, NodeSuspendForDuration,
};
use lockstep::rpc::codec::typed_param::{TypedParam, Value};
use lockstep::rpc::xdr::{List, Opaque};
use script::{Script, Step, answer, refuse, stderr, stdout};

fn stats(figures: &[(&str, u64)]) -> [NodeStats; 2] {
    let stat = |(field, value): &(&str, u64)| NodeStat {
        field: (*field).to_owned(),
        value: *value,
    };
    let nparams = i32::try_from(figures.len()).unwrap();
    [Vec::new(), figures.iter().map(stat).collect()].map(|params| NodeStats {
        params: List(params),
        nparams,
    })
}

fn shown(steps: Vec<Step>, arguments: &[&str]) -> String {
    let output = Script::run(steps, arguments);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    stdout(&output).to_owned()
}

fn capabilities() -> Step {
    let cell = |id| {
        format!("<cell id='{id}'><pages unit='KiB' size='4'>9</pages><pages unit='KiB' size='2048'>0</pages></cell>")
    };
    answer::<ConnectGetCapabilities>(&format!(
        "<capabilities><host><topology><cells num='2'>{}{}</cells></topology></host></capabilities>",
        cell(0),
        cell(2)
    ))
}

#[test]
fn nodecpustats_asks_for_the_number_first_and_shows_virshs_words() {
    let figures = [("kernel", 2), ("user", 1), ("idle", 3), ("iowait", 40_000_000_000)];
    let steps = || stats(&figures).map(|stats| answer::<NodeGetCpuStats>(&stats)).into();
    let expected = "user:                              1\nsystem:                            2\n\
                    idle:                              3\niowait:                  40000000000\n\n";
    assert_eq!(shown(steps(), &["nodecpustats"]), expected);
    let json: serde_json::Value = serde_json::from_str(&shown(steps(), &["--output", "json", "nodecpustats"])).unwrap();
    assert_eq!(
        (&json["system_ns"], &json["iowait_ns"]),
        (&2.into(), &40_000_000_000_u64.into())
    );
}

#[test]
fn nodememstats_shows_kibibytes() {
    let steps = stats(&[("total", 100), ("free", 7)]).map(|stats| answer::<NodeGetMemoryStats>(&stats));
    let expected = "total  :                  100 KiB\nfree   :                    7 KiB\n\n";
    assert_eq!(shown(steps.into(), &["nodememstats", "--cell", "0"]), expected);
}

#[test]
fn nodecpumap_shows_letters_or_a_list() {
    let map = CpuMap {
        cpumap: Opaque(vec![0b1_0110, 1]),
        online: 4,
        ret: 9,
    };
    let steps = || vec![answer::<NodeGetCpuMap>(&map)];
    let head = "CPUs present:   9\nCPUs online:    4\n";
    assert_eq!(
        shown(steps(), &["nodecpumap"]),
        format!("{head}CPU map:        -yy-y---y\n\n")
    );
    assert_eq!(
        shown(steps(), &["nodecpumap", "--pretty"]),
        format!("{head}CPU map:        1-2,4,8\n\n")
    );
}

#[test]
fn freecell_and_freepages_walk_over_the_cells_that_there_are() {
    let free = |kib: u64| answer::<NodeGetCellsFreeMemory>(&List(vec![kib << 10]));
    let expected = "    0:          5 KiB\n    2:          7 KiB\n--------------------\nTotal:         12 KiB\n\n";
    assert_eq!(
        shown(vec![capabilities(), free(5), free(7)], &["freecell", "--all"]),
        expected
    );
    assert_eq!(shown(vec![free(5)], &["freecell", "2"]), "2: 5 KiB\n\n");
    let pages = |counts: &[u64]| answer::<NodeGetFreePages>(&List(counts.to_vec()));
    let steps = vec![capabilities(), pages(&[8, 0]), pages(&[6, 1])];
    let expected = "Node 0:\n4KiB: 8\n2048KiB: 0\n\nNode 2:\n4KiB: 6\n2048KiB: 1\n\n\n";
    assert_eq!(shown(steps, &["freepages", "--all"]), expected);
    assert_eq!(
        shown(vec![capabilities(), pages(&[1])], &["freepages", "2", "2048"]),
        "2048KiB: 1\n\n"
    );
}

#[test]
fn freepages_of_no_cell_or_one_that_is_not_there_is_refused() {
    let output = Script::run(vec![capabilities()], &["freepages", "1"]);
    assert!(stderr(&output).contains("no NUMA cell 1"), "{}", stderr(&output));
    let root = tempfile::tempdir().unwrap();
    let output = script::command(root.path(), &["freepages"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
}

#[test]
fn allocpages_changes_each_cell_when_told_to() {
    let steps = vec![
        capabilities(),
        answer::<NodeAllocPages>(&1),
        answer::<NodeAllocPages>(&1),
    ];
    let said = shown(steps, &["allocpages", "2048", "3", "--all"]);
    assert_eq!(said, "The pool of pages is as asked for\n\n");
}

#[test]
fn node_memory_tune_shows_or_sets() {
    let param = |field: &str, value| TypedParam {
        name: field.to_owned(),
        value,
    };
    let params = vec![
        param("shm_sleep_millisecs", Value::Uint(20)),
        param("shm_full_scans", Value::Ulong(9)),
    ];
    let steps = [Vec::new(), params].map(|params| {
        answer::<NodeGetMemoryParameters>(&MemoryParameters {
            params: List(params),
            nparams: 2,
        })
    });
    let expected = "Shared memory:\n\tshm_sleep_millisecs 20\n\tshm_full_scans  9\n\n";
    assert_eq!(shown(steps.into(), &["node-memory-tune"]), expected);
    let said = shown(
        vec![answer::<NodeSetMemoryParameters>(&())],
        &["node-memory-tune", "--shm-sleep-millisecs", "30"],
    );
    assert_eq!(said, "The memory parameters are set\n\n");
}

#[test]
fn nodesuspend_tells_what_the_host_says() {
    let output = Script::run(
        vec![refuse::<NodeSuspendForDuration>(55, "guests run")],
        &["nodesuspend", "mem", "60"],
    );
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stderr(&output), "error: the machine stays awake: guests run\n");
}
