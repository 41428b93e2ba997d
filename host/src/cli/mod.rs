//! The command line: virsh's verbs, and what virsh does not have, over one connection to the host.
//!
//! Each group of verbs is one file with its arguments and what they do; [`output`] alone writes to the terminal, and
//! [`exit`] alone knows the exit codes.

pub mod address;
pub mod args;
pub mod block;
pub mod cell;
pub mod complete;
pub mod console;
pub mod control;
pub mod define;
pub mod device;
pub mod disk;
pub mod event;
pub mod exit;
pub mod filter;
pub mod host;
pub mod inspect;
pub mod interface;
pub mod job;
pub mod lifecycle;
pub mod limit;
pub mod look;
pub mod machine;
pub mod memory;
pub mod new_driver;
pub mod node;
pub mod note;
pub mod output;
pub mod run;
pub mod security;
pub mod serve;
pub mod signals;
pub mod stats;
pub mod summary;
pub mod terminal;
pub mod trace;
pub mod trial;
pub mod tune;
pub mod vcpu;
pub mod words;

use crate::client::{self, Connection, Target, Wish};
use crate::rpc::codec::domain::DomainRef;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use exit::{Exit, Failure};
use output::{Form, Output};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

/// A virtualization host whose drivers are plug-ins.
#[derive(Parser, Debug)]
#[command(name = "lockstep", version, max_term_width = 100)]
pub struct Cli {
    /// What every verb takes.
    #[command(flatten)]
    pub common: Common,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What every verb takes.
#[derive(clap::Args, Clone, Debug)]
pub struct Common {
    /// The host to speak to: uml:///system, uml:///session or uml+unix:///system?socket=PATH
    #[arg(short, long, global = true, value_name = "URI")]
    pub connect: Option<String>,
    /// Keep, or look for, everything of the host below this folder
    #[arg(long, global = true, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// Connect to the read-only socket
    #[arg(short, long, global = true)]
    pub readonly: bool,
    /// Leave out sentences and heads of tables
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// For people or for programs
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORM")]
    pub output: Form,
}

/// Every verb.
#[derive(Subcommand, Debug)]
pub enum Verb {
    /// Guests as they are.
    #[command(flatten)]
    Look(look::Verb),
    /// What guests are kept in.
    #[command(flatten)]
    Security(security::Verb),
    /// Definitions of guests.
    #[command(flatten)]
    Define(define::Verb),
    /// A guest's life.
    #[command(flatten)]
    Lifecycle(lifecycle::Verb),
    /// What runs on a guest.
    #[command(flatten)]
    Job(job::Verb),
    /// Devices of guests.
    #[command(flatten)]
    Device(device::Verb),
    /// Disks that come and go.
    #[command(flatten)]
    Disk(disk::Verb),
    /// Disks as they are.
    #[command(flatten)]
    Block(block::Verb),
    /// Network interfaces of guests.
    #[command(flatten)]
    Interface(interface::Verb),
    /// Addresses and traffic of guests.
    #[command(flatten)]
    Address(address::Verb),
    /// Memory of guests.
    #[command(flatten)]
    Memory(memory::Verb),
    /// Processors of guests.
    #[command(flatten)]
    Vcpu(vcpu::Verb),
    /// Limits of guests.
    #[command(flatten)]
    Limit(limit::Verb),
    /// Limits of guests' devices.
    #[command(flatten)]
    Tune(tune::Verb),
    /// Figures of guests.
    #[command(flatten)]
    Stats(stats::Verb),
    /// Control of guests.
    #[command(flatten)]
    Control(control::Verb),
    /// Notes about guests.
    #[command(flatten)]
    Note(note::Verb),
    /// Consoles.
    #[command(flatten)]
    Console(console::Verb),
    /// Events.
    #[command(flatten)]
    Event(event::Verb),
    /// The connection and what it leads to.
    #[command(flatten)]
    Node(node::Verb),
    /// The machine.
    #[command(flatten)]
    Machine(machine::Verb),
    /// The machine's memory, cell by cell.
    #[command(flatten)]
    Cell(cell::Verb),
    /// Network filters.
    #[command(flatten)]
    Filter(filter::Verb),
    /// Network filters in force.
    #[command(flatten)]
    Inspect(inspect::Verb),
    /// Packets against a network filter.
    #[command(flatten)]
    Trial(trial::Verb),
    /// Packets on their way through network filters.
    #[command(flatten)]
    Trace(trace::Verb),
    /// The host's inside.
    #[command(flatten)]
    Host(host::Verb),
    /// The host itself.
    #[command(flatten)]
    Serve(serve::Verb),
    /// One guest without a host.
    #[command(flatten)]
    Run(run::Verb),
    /// Drivers of other people.
    #[command(flatten)]
    NewDriver(new_driver::Verb),
}

/// What a verb works with: where to connect, where to write.
#[derive(Clone, Debug)]
pub struct Session {
    /// What every verb takes.
    pub common: Common,
    /// Where results go.
    pub out: Output,
}

impl Session {
    /// Connects to the host that the command line means.
    ///
    /// # Errors
    /// No host there, or one that refuses.
    pub fn connect(&self) -> Result<Connection, Failure> {
        let wish = Wish {
            uri: self.common.connect.clone(),
            root: self.common.root.clone(),
            readonly: self.common.readonly,
            default_uri: std::env::var("LIBVIRT_DEFAULT_URI").ok(),
        };
        let target = Target::choose(&wish).map_err(client::Error::from)?;
        Ok(Connection::open(&target)?)
    }

    /// Connects to it and finds a guest there.
    ///
    /// # Errors
    /// As [`Session::connect`], or no such guest.
    pub fn find(&self, domain: &args::Domain) -> Result<(Connection, DomainRef), Failure> {
        let mut connection = self.connect()?;
        let dom = connection.find_domain(domain.word())?;
        Ok((connection, dom))
    }
}

/// The command with everything that its help says.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command().after_help(exit::help())
}

/// Does what the arguments say; the process ends with the code.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let parsed = command()
        .try_get_matches_from(arguments)
        .and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors; neither they nor a complaint can be helped if nobody reads them.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() {
                Exit::USAGE.code
            } else {
                Exit::OK.code
            });
        }
    };
    match perform(cli) {
        Ok(()) => ExitCode::from(Exit::OK.code),
        Err(failure) => failure.report(),
    }
}

fn perform(cli: Cli) -> Result<(), Failure> {
    let session = Session {
        out: Output::new(cli.common.output, cli.common.quiet),
        common: cli.common,
    };
    match cli.verb {
        Verb::Look(verb) => verb.perform(&session),
        Verb::Security(verb) => verb.perform(&session),
        Verb::Define(verb) => verb.perform(&session),
        Verb::Lifecycle(verb) => verb.perform(&session),
        Verb::Job(verb) => verb.perform(&session),
        Verb::Device(verb) => verb.perform(&session),
        Verb::Disk(verb) => verb.perform(&session),
        Verb::Block(verb) => verb.perform(&session),
        Verb::Interface(verb) => verb.perform(&session),
        Verb::Address(verb) => verb.perform(&session),
        Verb::Memory(verb) => verb.perform(&session),
        Verb::Vcpu(verb) => verb.perform(&session),
        Verb::Limit(verb) => verb.perform(&session),
        Verb::Tune(verb) => verb.perform(&session),
        Verb::Stats(verb) => verb.perform(&session),
        Verb::Control(verb) => verb.perform(&session),
        Verb::Note(verb) => verb.perform(&session),
        Verb::Console(verb) => verb.perform(&session),
        Verb::Event(verb) => verb.perform(&session),
        Verb::Node(verb) => verb.perform(&session),
        Verb::Machine(verb) => verb.perform(&session),
        Verb::Cell(verb) => verb.perform(&session),
        Verb::Filter(verb) => verb.perform(&session),
        Verb::Inspect(verb) => verb.perform(&session),
        Verb::Trial(verb) => verb.perform(&session),
        Verb::Trace(verb) => verb.perform(&session),
        Verb::Host(verb) => verb.perform(&session),
        Verb::Serve(verb) => verb.perform(&session),
        Verb::Run(verb) => verb.perform(&session),
        Verb::NewDriver(verb) => verb.perform(&session),
    }
}
