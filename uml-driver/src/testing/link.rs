//! `FakeHost` as the driver sees it: every call of the seam to the host, answered by the scripted guests.

use super::guests::{Boots, FakeHost, Guest, alive, notification, speak};
use super::kernel::Kernel;
use crate::link::{HostLink, Work};
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::lock::level::{Unlocked, Update};
use driver_api::lock::token::Cx;
use driver_api::types::domain::DomainEvent;
use driver_api::types::filter::PortRequest;
use driver_api::types::guest::{Exit, GuestEvent, GuestId, Started};
use driver_api::types::launch::{Launch, Plug, Plugged, Unplug};
use driver_api::types::notice::DomainNotice;
use driver_api::types::param::Param;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl HostLink for Arc<FakeHost> {
    fn emit(&self, event: &DomainEvent) {
        self.events.lock().push(event.clone());
    }

    fn notify(&self, notice: DomainNotice) {
        self.notices.lock().push(notice);
    }

    fn can_launch(&self) -> bool {
        true
    }

    fn plug(
        &self,
        _: &mut Cx<'_, Unlocked>,
        guest: GuestId,
        plug: &Plug,
        tap: Option<BorrowedFd<'_>>,
    ) -> Result<Plugged> {
        self.refuse_to_plug()?;
        let what = match plug {
            Plug::File(file) => format!("file {}", file.path.display()),
            Plug::Console(console, _) => format!("console {}", console.alias),
            Plug::Link(link) => format!("link {}", link.name()),
            Plug::Companion(companion) => format!("companion {}", companion.name),
        };
        let mut guests = self.guests.lock();
        let known = alive(&mut guests, guest)?;
        let mut plugged = Plugged::default();
        match plug {
            Plug::File(file) => drop(known.kernel.lock().files.insert(file.path.clone())),
            Plug::Console(console, _) => {
                let spare = known.consoles.iter().position(String::is_empty);
                let place =
                    spare.ok_or_else(|| Error::new(Code::OPERATION_FAILED, Origin::NONE, "no console is spare"))?;
                known.consoles[place].clone_from(&console.alias);
                let place = u32::try_from(place).unwrap();
                plugged = Plugged {
                    index: place,
                    descriptor: 10 + place.cast_signed(),
                    pty: if console.pty {
                        "/dev/pts/8".to_owned()
                    } else {
                        String::new()
                    },
                };
            }
            Plug::Link(link) => {
                let tap = tap.map(|tap| tap.try_clone_to_owned().unwrap());
                known.links.insert(link.name().to_owned(), tap);
            }
            Plug::Companion(_) => {}
        }
        self.log.lock().push(format!("plug {} {what}", guest.0));
        Ok(plugged)
    }

    fn unplug(&self, _: &mut Cx<'_, Unlocked>, guest: GuestId, unplug: &Unplug) -> Result<()> {
        self.refuse_to_plug()?;
        let (what, there) = {
            let mut guests = self.guests.lock();
            let known = alive(&mut guests, guest)?;
            match unplug {
                Unplug::File(path) => {
                    let there = known.kernel.lock().files.remove(path);
                    (format!("file {}", path.display()), there)
                }
                Unplug::Console(alias) => {
                    let place = known.consoles.iter().position(|of| of == alias);
                    place.into_iter().for_each(|place| known.consoles[place].clear());
                    (format!("console {alias}"), place.is_some())
                }
                Unplug::Link(name) => (format!("link {name}"), known.links.remove(name).is_some()),
                Unplug::Companion(name) => (format!("companion {name}"), true),
            }
        };
        if !there {
            return Err(Error::new(Code::DEVICE_MISSING, Origin::NONE, "it is not there"));
        }
        self.log.lock().push(format!("unplug {} {what}", guest.0));
        Ok(())
    }

    fn limit(&self, _: &mut Cx<'_, Unlocked>, _: GuestId, limits: &[Param]) -> Result<()> {
        self.limits.lock().extend_from_slice(limits);
        Ok(())
    }

    fn limits(&self, _: GuestId) -> Result<Vec<Param>> {
        Ok(self.limits.lock().clone())
    }

    fn usage(&self, _: GuestId) -> Result<Vec<Param>> {
        Ok(self.usage.lock().clone())
    }

    fn launch(&self, _: &mut Cx<'_, Unlocked>, launch: &Launch, taps: &[BorrowedFd<'_>]) -> Result<Started> {
        let spec = &launch.spec;
        self.launches.lock().push(launch.clone());
        let boots = *self.boots.lock();
        if boots == Boots::Refused {
            return Err(Error::new(Code::SYSTEM_ERROR, Origin::NONE, "no process today"));
        }
        let number = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        if !taps.is_empty() {
            self.log.lock().push(format!("spawn {number} with {}", taps.len()));
        }
        let taps = taps.iter().map(|tap| tap.try_clone_to_owned().unwrap()).collect();
        let run_dir = self.run.join(number.to_string());
        std::fs::create_dir_all(run_dir.join("guest")).unwrap();
        let path = run_dir.join("guest/mconsole");
        let socket = UnixDatagram::bind(&path).unwrap();
        let (folder, mute, heard) = (run_dir.clone(), Arc::clone(&self.mute), Arc::clone(&self.heard));
        let files = spec.files.iter().map(|file| file.path.clone());
        let kernel = Arc::new(Mutex::new(Kernel::new(&spec.argv, files)));
        let own = Arc::clone(&kernel);
        std::thread::spawn(move || speak(&socket, &folder, &mute, &heard, &own));
        let spare = usize::try_from(launch.spare_consoles).unwrap();
        let aliases = spec.consoles.iter().map(|console| console.alias.clone());
        let started = Started {
            guest: number,
            domain: spec.domain,
            pid: std::process::id(),
            run_dir,
            ptys: vec!["/dev/pts/7".to_owned()],
            not_isolated: Vec::new(),
        };
        let guest = Guest {
            started: started.clone(),
            socket: path,
            alive: true,
            exit: None,
            taps,
            kernel,
            consoles: aliases.chain(std::iter::repeat_n(String::new(), spare)).collect(),
            links: BTreeMap::new(),
        };
        self.guests.lock().insert(number, guest);
        Ok(started)
    }

    fn survivors(&self, _: &mut Cx<'_, Unlocked>) -> Result<Vec<Started>> {
        Ok(self.guests.lock().values().map(|guest| guest.started.clone()).collect())
    }

    fn watch(&self, _: &mut Cx<'_, Unlocked>, guest: GuestId) -> Result<()> {
        let missed = self.guests.lock().get(&guest.0).and_then(|known| known.exit.clone());
        let host = Arc::clone(self);
        let boots = *self.boots.lock();
        let tell = move || match (missed, boots) {
            (Some(exit), _) => host.tell(guest.0, GuestEvent::Exited(exit)),
            (None, Boots::Well) => host.tell(guest.0, notification(0, "/run/guest/guest/mconsole")),
            (None, Boots::Dies) => host.end(
                guest.0,
                Exit {
                    code: Some(1),
                    console_tail: "cannot mount root".to_owned(),
                    ..Exit::default()
                },
            ),
            (None, Boots::Elsewhere) => host.tell(guest.0, notification(0, "/run/guest/x7Yq2z/mconsole")),
            (None, Boots::Panics) => host.panic(guest.0, "no init"),
            (None, Boots::Never | Boots::Refused) => {}
        };
        self.workers.spawn("tell", tell).unwrap();
        Ok(())
    }

    fn kill(&self, _: &mut Cx<'_, Unlocked>, guest: GuestId) -> Result<()> {
        self.log.lock().push(format!("kill {}", guest.0));
        let host = Arc::clone(self);
        let exit = Exit {
            signal: Some(9),
            requested: true,
            ..Exit::default()
        };
        if self.over(guest.0, &exit) {
            let tell = move || host.tell(guest.0, GuestEvent::Exited(exit));
            self.workers.spawn("tell", tell).unwrap();
        }
        Ok(())
    }

    fn forget(&self, _: &mut Cx<'_, Unlocked>, guest: GuestId) -> Result<()> {
        let mut guests = self.guests.lock();
        match guests.get(&guest.0) {
            Some(known) if known.alive => Err(Error::new(Code::OPERATION_INVALID, Origin::NONE, "it lives")),
            _ => {
                guests.remove(&guest.0);
                Ok(())
            }
        }
    }

    fn console_tail(&self, _: GuestId, _: u32) -> Result<String> {
        Ok("the last words".to_owned())
    }

    fn cpu_time(&self, _: GuestId) -> Result<u64> {
        Ok(42)
    }

    fn attach_port(&self, _: &mut Cx<'_, Update>, request: &PortRequest) -> Result<()> {
        self.log
            .lock()
            .push(format!("filter {} {}", request.port, request.filter));
        if request.filter == "missing" {
            return Err(Error::new(
                Code::NO_NWFILTER,
                Origin::NWFILTER,
                "there is no such filter",
            ));
        }
        self.filtered.lock().insert(request.port.clone());
        Ok(())
    }

    fn detach_port(&self, _: &mut Cx<'_, Update>, port: &str) -> Result<()> {
        self.log.lock().push(format!("unfilter {port}"));
        let had = self.filtered.lock().remove(port);
        match had {
            true => Ok(()),
            false => Err(Error::new(
                Code::NO_NWFILTER_BINDING,
                Origin::NWFILTER,
                "it is not bound",
            )),
        }
    }

    fn session(&self, _: &str, work: &mut Work<'_>) -> Result<()> {
        self.locks.session(|cx| work(cx))
    }
}
