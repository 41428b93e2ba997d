//! What a client is told of a domain's life, step by step.

use super::daemon::{Daemon, Told};
use super::domain::{start, startable};
use crate::check::{Ctx, Outcome};
use crate::ensure_eq;
use lockstep::client::Connection;
use lockstep::client::event::{EventKind, Next};
use lockstep::rpc::codec::domain::{DomainDestroy, DomainRef, DomainResume, DomainSuspend, DomainUndefine};
use lockstep::rpc::codec::event::subject;
use std::time::{Duration, Instant};

/// `virDomainEventType`.
const DEFINED: i32 = 0;
const UNDEFINED: i32 = 1;
const STARTED: i32 = 2;
const SUSPENDED: i32 = 3;
const RESUMED: i32 = 4;
const STOPPED: i32 = 5;

/// The lifecycle events of one domain that have come, until the wanted number is there or the time is over.
fn events(connection: &mut Connection, dom: &DomainRef, wanted: usize) -> Outcome<Vec<i32>> {
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut found = Vec::new();
    while found.len() < wanted {
        match connection
            .next_event(Some(deadline), None)
            .works("waiting for an event")?
        {
            Next::Event(event) if event.dom.uuid == dom.uuid => {
                if let EventKind::Lifecycle(kind, _) = event.kind {
                    found.push(kind);
                }
            }
            Next::Event(_) => {}
            Next::Deadline | Next::Interrupted => break,
        }
    }
    Ok(found)
}

pub(super) fn is_told(ctx: &Ctx) -> Outcome {
    startable(ctx)?;
    let daemon = Daemon::of(ctx)?;
    let (mut watching, mut connection) = (daemon.connect()?, daemon.connect()?);
    watching
        .watch(subject::LIFECYCLE, None)
        .works("registering for lifecycle events")?;
    let dom = daemon.define(&mut connection, 1)?;
    start(&mut connection, &dom)?;
    let mut expected = vec![DEFINED, STARTED];
    if ctx.fixtures().domain.suspendable {
        connection
            .call(&DomainSuspend { dom: dom.clone() })
            .works("pausing a domain")?;
        connection
            .call(&DomainResume { dom: dom.clone() })
            .works("letting a domain go on")?;
        expected.extend([SUSPENDED, RESUMED]);
    }
    connection
        .call(&DomainDestroy { dom: dom.clone() })
        .works("ending a domain")?;
    connection
        .call(&DomainUndefine { dom: dom.clone() })
        .works("undefining a domain")?;
    expected.extend([STOPPED, UNDEFINED]);
    let mut found = events(&mut watching, &dom, expected.len())?;
    // A paused guest that goes on tells so by two events in some drivers: what matters is each step, in order.
    found.dedup();
    ensure_eq!(found, expected, "the lifecycle events of a whole life");
    Ok(())
}
