//! The services of the bench: each a trait of the driver interface over the host's own room, through the desk.

use super::desk::{Desk, NUMBER};
use super::logbook::Logbook;
use super::record::Lock;
use driver_api::abi::lock::{Adopted, Call, Held, LockKey};
use driver_api::abi::log::Parent;
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::kit::offer::{
    DescriptorService, EventService, LaunchService, LockService, LogService, LogSite, LogValue, NoticeService,
    PortService, SpawnService,
};
use driver_api::lock::level::{Domain, Level, Update};
use driver_api::types::domain::DomainEvent;
use driver_api::types::filter::PortRequest;
use driver_api::types::guest::{GuestId, GuestSpec, Started};
use driver_api::types::launch::{Launch, Plug, Plugged, Unplug};
use driver_api::types::notice::DomainNotice;
use driver_api::types::param::Param;
use driver_api::types::uuid::Uuid;
use std::os::fd::BorrowedFd;

const LOCK: &str = "lock/1";
const SPAWN: &str = "spawn/1";
const LAUNCH: &str = "spawn/2";
const PORTS: &str = "ports/1";

fn mode(flags: u32) -> &'static str {
    if flags & driver_api::abi::lock::EXCLUSIVE == 0 {
        "shared"
    } else {
        "exclusive"
    }
}

const fn of_domain(uuid: Uuid) -> Lock {
    Lock {
        rank: Domain::RANK,
        uuid,
    }
}

impl Desk {
    fn noise(&self) {
        if let Some(time) = self.faults.noise() {
            std::thread::sleep(time);
        }
    }
}

impl LockService for Desk {
    fn acquire(&self, call: Call, key: LockKey, flags: u32, timeout_ms: u64) -> Result<Held> {
        let lock = Lock {
            rank: key.rank,
            uuid: if key.rank == Domain::RANK {
                key.uuid
            } else {
                Uuid::default()
            },
        };
        let what = format!("{lock}, {}", mode(flags));
        self.serve(Some(call), LOCK, "acquire", what.clone(), || {
            self.noise();
            let held = self.locks.acquire(self.caller(call), key, flags, timeout_ms);
            let held = self.judged(Some(call), &format!("acquire({what})"), held)?;
            self.granted(call, lock, flags, held);
            Ok(held)
        })
    }

    fn lookup(&self, call: Call, uuid: Uuid, flags: u32, timeout_ms: u64) -> Result<Held> {
        let what = format!("Domain '{uuid}', {}", mode(flags));
        self.serve(Some(call), LOCK, "lookup", what.clone(), || {
            self.noise();
            let held = self.locks.lookup(self.caller(call), uuid, flags, timeout_ms);
            let held = self.judged(Some(call), &format!("lookup({what})"), held)?;
            self.granted(call, of_domain(uuid), flags, held);
            Ok(held)
        })
    }

    fn acquire_domains(&self, call: Call, uuids: &[Uuid], flags: u32, timeout_ms: u64) -> Result<Vec<Held>> {
        let what = format!("{} domains, {}", uuids.len(), mode(flags));
        self.serve(Some(call), LOCK, "acquire_domains", what.clone(), || {
            self.noise();
            let held = self.locks.acquire_domains(self.caller(call), uuids, flags, timeout_ms);
            let held = self.judged(Some(call), &format!("acquire_domains({what})"), held)?;
            for (uuid, held) in uuids.iter().zip(&held) {
                self.granted(call, of_domain(*uuid), flags, *held);
            }
            Ok(held)
        })
    }

    fn release(&self, call: Call, handle: u64, unwinding: bool) -> Result<()> {
        self.serve(Some(call), LOCK, "release", String::new(), || {
            let answer = self.locks.release(self.caller(call), handle, unwinding);
            self.judged(Some(call), "release", answer)?;
            self.record.released(handle);
            Ok(())
        })
    }

    fn downgrade(&self, call: Call, handle: u64) -> Result<()> {
        self.serve(Some(call), LOCK, "downgrade", String::new(), || {
            let answer = self.locks.downgrade(self.caller(call), handle);
            self.judged(Some(call), "downgrade", answer)?;
            self.record.downgraded(handle);
            Ok(())
        })
    }

    fn lend(&self, call: Call, handle: u64) -> Result<u64> {
        self.serve(Some(call), LOCK, "lend", String::new(), || {
            let answer = self.locks.lend(self.caller(call), handle);
            self.judged(Some(call), "lend", answer)
        })
    }

    fn adopt(&self, loan: u64) -> Result<Adopted> {
        self.serve(None, LOCK, "adopt", String::new(), || {
            let adopted = self.judged(None, "adopt", self.locks.adopt(NUMBER, loan))?;
            self.record.frame_opens(adopted.call.id, "a session with a loan");
            Ok(adopted)
        })
    }

    fn session_open(&self, name: &str) -> Result<Call> {
        self.serve(None, LOCK, "session_open", name.to_owned(), || {
            let call = self.judged(None, "session_open", self.locks.session_open(NUMBER, name))?;
            self.record.frame_opens(call.id, &format!("session '{name}'"));
            Ok(call)
        })
    }

    fn session_close(&self, call: Call) -> Result<()> {
        self.serve(Some(call), LOCK, "session_close", String::new(), || {
            let kept = self.judged(Some(call), "session_close", self.locks.end_call(self.caller(call)))?;
            if kept > 0 {
                self.record.breach(super::record::Breach {
                    method: self.record.method(call.id),
                    call: String::from("session_close"),
                    text: format!("{kept} locks were not given back before the session ended"),
                });
                self.record.swept();
            }
            self.record.frame_closes(call.id);
            Ok(())
        })
    }

    fn clear_poison(&self, call: Call, handle: u64) -> Result<()> {
        self.serve(Some(call), LOCK, "clear_poison", String::new(), || {
            let answer = self.locks.clear_poison(self.caller(call), handle);
            self.judged(Some(call), "clear_poison", answer)
        })
    }

    fn job_begin(&self, call: Call, handle: u64, what: &str) -> Result<u64> {
        self.serve(Some(call), LOCK, "job_begin", what.to_owned(), || {
            let answer = self.locks.job_begin(self.caller(call), handle, what);
            self.judged(Some(call), "job_begin", answer)
        })
    }

    fn job_cancel(&self, call: Call, uuid: Uuid) -> Result<()> {
        self.serve(Some(call), LOCK, "job_cancel", uuid.to_string(), || {
            self.judged(Some(call), "job_cancel", self.locks.job_cancel(NUMBER, uuid))
        })
    }

    fn job_cancelled(&self, job: u64) -> bool {
        self.locks.job_cancelled(job)
    }

    fn job_end(&self, job: u64) -> Result<()> {
        self.serve(None, LOCK, "job_end", String::new(), || {
            self.judged(None, "job_end", self.locks.job_end(NUMBER, job))
        })
    }
}

impl LogService for Desk {
    fn register(&self, site: &LogSite<'_>) -> u64 {
        self.log.register(site)
    }

    fn enabled(&self, site: u64) -> bool {
        self.log.enabled(site)
    }

    fn new_span(&self, site: u64, parent: Parent, _values: &[(usize, LogValue<'_>)]) -> u64 {
        self.log.new_span(site, parent)
    }

    fn record(&self, _site: u64, _span: u64, _values: &[(usize, LogValue<'_>)]) {}

    fn follows_from(&self, _span: u64, _follows: u64) {}

    fn event(&self, site: u64, parent: Parent, values: &[(usize, LogValue<'_>)]) {
        self.log.event(site, parent, values);
    }

    fn enter(&self, span: u64) {
        Logbook::enter(span);
    }

    fn exit(&self, span: u64) {
        Logbook::exit(span);
    }

    fn clone_span(&self, span: u64) {
        self.log.clone_span(span);
    }

    fn close_span(&self, span: u64) -> bool {
        self.log.close_span(span)
    }

    // The shield around the method answers the same sentence, which is what the recording keeps.
    fn panicked(&self, _message: &str, _place: &str, _trace: &str) {}
}

impl EventService for Desk {
    fn emit(&self, event: DomainEvent) -> Result<()> {
        let what = format!("'{}' {:?}", event.name, event.kind);
        self.serve(None, "event/1", "emit", what, || {
            self.record.event(event);
            Ok(())
        })
    }
}

impl NoticeService for Desk {
    fn notify(&self, notice: DomainNotice) -> Result<()> {
        let what = format!("'{}' {:?}", notice.name, notice.notice);
        self.serve(None, "notice/1", "notify", what, || {
            self.record.notice(notice);
            Ok(())
        })
    }
}

impl SpawnService for Desk {
    fn spawn(&self, call: Call, spec: &GuestSpec) -> Result<Started> {
        self.serve(Some(call), SPAWN, "spawn", spec.name.clone(), || {
            self.unlocked(call, "spawn")?;
            self.room()?.spawn(&self.name, spec)
        })
    }

    fn survivors(&self, call: Call) -> Result<Vec<Started>> {
        self.serve(Some(call), SPAWN, "survivors", String::new(), || {
            self.unlocked(call, "survivors")?;
            self.room()?.survivors(&self.name)
        })
    }

    fn watch(&self, call: Call, guest: GuestId) -> Result<()> {
        self.serve(Some(call), SPAWN, "watch", guest.0.to_string(), || {
            self.room()?.watch(&self.name, guest)
        })
    }

    fn kill(&self, call: Call, guest: GuestId) -> Result<()> {
        self.serve(Some(call), SPAWN, "kill", guest.0.to_string(), || {
            self.unlocked(call, "kill")?;
            self.room()?.kill(&self.name, guest)
        })
    }

    fn forget(&self, call: Call, guest: GuestId) -> Result<()> {
        self.serve(Some(call), SPAWN, "forget", guest.0.to_string(), || {
            self.unlocked(call, "forget")?;
            self.room()?.forget(&self.name, guest)
        })
    }

    fn console_tail(&self, guest: GuestId, bytes: u32) -> Result<String> {
        self.serve(None, SPAWN, "console_tail", guest.0.to_string(), || {
            self.room()?.console_tail(&self.name, guest, bytes)
        })
    }

    fn cpu_time(&self, guest: GuestId) -> Result<u64> {
        self.serve(None, SPAWN, "cpu_time", guest.0.to_string(), || {
            self.room()?.cpu_time(&self.name, guest)
        })
    }
}

impl DescriptorService for Desk {
    fn spawn_with(&self, call: Call, spec: &GuestSpec, descriptors: &[BorrowedFd<'_>]) -> Result<Started> {
        self.serve(Some(call), "descriptors/1", "spawn_with", spec.name.clone(), || {
            self.unlocked(call, "spawn_with")?;
            self.room()?.spawn_with(&self.name, spec, descriptors)
        })
    }
}

impl LaunchService for Desk {
    fn launch(&self, call: Call, launch: &Launch, descriptors: &[BorrowedFd<'_>]) -> Result<Started> {
        self.serve(Some(call), LAUNCH, "launch", launch.spec.name.clone(), || {
            self.unlocked(call, "launch")?;
            self.room()?.launch(&self.name, launch, descriptors)
        })
    }

    fn plug(&self, call: Call, guest: GuestId, plug: &Plug, tap: Option<BorrowedFd<'_>>) -> Result<Plugged> {
        self.serve(Some(call), LAUNCH, "plug", guest.0.to_string(), || {
            self.unlocked(call, "plug")?;
            self.room()?.plug(&self.name, guest, plug, tap)
        })
    }

    fn unplug(&self, call: Call, guest: GuestId, unplug: &Unplug) -> Result<()> {
        self.serve(Some(call), LAUNCH, "unplug", guest.0.to_string(), || {
            self.unlocked(call, "unplug")?;
            self.room()?.unplug(&self.name, guest, unplug)
        })
    }

    fn limit(&self, call: Call, guest: GuestId, limits: &[Param]) -> Result<()> {
        self.serve(Some(call), LAUNCH, "limit", guest.0.to_string(), || {
            self.unlocked(call, "limit")?;
            self.room()?.limit(&self.name, guest, limits)
        })
    }

    fn limits(&self, guest: GuestId) -> Result<Vec<Param>> {
        self.serve(None, LAUNCH, "limits", guest.0.to_string(), || {
            self.room()?.limits(&self.name, guest)
        })
    }

    fn usage(&self, guest: GuestId) -> Result<Vec<Param>> {
        self.serve(None, LAUNCH, "usage", guest.0.to_string(), || {
            self.room()?.usage(&self.name, guest)
        })
    }
}

/// The other drivers of a host are played: what is asked of them is kept, what they want was set by the check.
impl PortService for Desk {
    fn attach_port(&self, call: Call, request: &PortRequest) -> Result<()> {
        self.serve(Some(call), PORTS, "attach", request.port.clone(), || {
            self.holds_update(call, "attach_port")?;
            let mut ports = self.attached_ports.lock();
            ports.retain(|other| other.port != request.port);
            ports.push(request.clone());
            Ok(())
        })
    }

    fn detach_port(&self, call: Call, port: &str) -> Result<()> {
        self.serve(Some(call), PORTS, "detach", port.to_owned(), || {
            self.holds_update(call, "detach_port")?;
            let mut ports = self.attached_ports.lock();
            let before = ports.len();
            ports.retain(|other| other.port != port);
            if ports.len() == before {
                let message = format!("port '{port}' is not filtered");
                return Err(Error::new(Code::NO_NWFILTER_BINDING, Origin::NWFILTER, message));
            }
            Ok(())
        })
    }

    fn filtered_ports(&self, call: Call, filters: &[String]) -> Result<Vec<PortRequest>> {
        self.serve(Some(call), PORTS, "filtered", filters.join(", "), || {
            self.holds_update(call, "filtered_ports")?;
            let ports = self.wanted_ports.lock();
            Ok(ports
                .iter()
                .filter(|port| filters.contains(&port.filter))
                .cloned()
                .collect())
        })
    }
}

impl Desk {
    fn holds_update(&self, call: Call, what: &str) -> Result<()> {
        let held = self.locks.require(self.caller(call), Update::RANK);
        self.judged(Some(call), what, held).map(|_| ())
    }
}
