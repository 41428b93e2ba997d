//! End-to-end cases: the real host, real drivers, real guests, stock clients.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test code: a panic is a verdict"
)]

use conformance::case::{Case, run_all};
use std::process::ExitCode;

mod agent;
mod autodestroy;
mod bad_input;
mod bindings;
mod boot;
mod c_driver;
mod console;
mod control;
mod crash;
mod debian;
mod devices;
mod disks;
mod drivers;
mod escape;
mod figures;
mod filter_faults;
mod filter_stress;
mod filtering;
mod filters;
mod folders;
mod hanging;
mod hotplug;
mod hotplug_leaks;
mod inhibit;
mod interfaces;
mod jobs;
mod learning;
mod lifecycle;
mod lines;
mod metadata;
mod mock;
mod museum;
mod node;
mod old_bugs;
mod qemu;
mod random_walk;
mod resources;
mod roots;
mod run;
mod seeing;
mod service;
mod stats;
mod storage;
mod tuned;
mod unprivileged;
mod ways;
mod wire;

fn main() -> ExitCode {
    let rooms = [
        agent::CASES,
        autodestroy::CASES,
        bad_input::CASES,
        bindings::CASES,
        boot::CASES,
        drivers::CASES,
        c_driver::CASES,
        console::CASES,
        control::CASES,
        crash::CASES,
        debian::CASES,
        disks::CASES,
        devices::CASES,
        escape::CASES,
        figures::CASES,
        filter_faults::CASES,
        filter_stress::CASES,
        filters::CASES,
        filtering::CASES,
        folders::CASES,
        hanging::CASES,
        hotplug::CASES,
        hotplug_leaks::CASES,
        inhibit::CASES,
        interfaces::CASES,
        jobs::CASES,
        learning::CASES,
        lifecycle::CASES,
        lines::CASES,
        metadata::CASES,
        mock::CASES,
        museum::CASES,
        node::CASES,
        old_bugs::CASES,
        qemu::CASES,
        resources::CASES,
        random_walk::CASES,
        roots::CASES,
        run::CASES,
        seeing::CASES,
        service::CASES,
        stats::CASES,
        storage::CASES,
        tuned::CASES,
        unprivileged::CASES,
        ways::CASES,
        wire::CASES,
    ];
    let cases: Vec<Case> = rooms.concat();
    run_all(&cases)
}
