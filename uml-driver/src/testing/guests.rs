//! Guests for tests: each is a thread that speaks mconsole on a socket in its run folder and does as it is told.

use super::kernel::Kernel;
use super::locks::Locks;
use crate::driver::Uml;
use crate::link::{HostLink, Work};
use crate::mconsole::packet::MAGIC;
use crate::workers::Workers;
use driver_api::driver::VirtDriver;
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
use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

/// How the next guests behave when they are started.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Boots {
    /// It answers.
    #[default]
    Well,
    /// It says nothing at all.
    Never,
    /// It ends with code 1 at once.
    Dies,
    /// It panics at once.
    Panics,
    /// Its kernel chose another console socket than it was told.
    Elsewhere,
    /// The host can not even start it.
    Refused,
}

#[derive(Debug)]
struct Guest {
    started: Started,
    socket: PathBuf,
    alive: bool,
    exit: Option<Exit>,
    /// What it was born with, until its end.
    taps: Vec<OwnedFd>,
    kernel: Arc<Mutex<Kernel>>,
    /// The aliases of its consoles by place; the spare ones are empty.
    consoles: Vec<String>,
    /// Its ways into networks, by name.
    links: BTreeMap<String, Option<OwnedFd>>,
}

pub(crate) struct FakeHost {
    pub(crate) locks: &'static Locks,
    pub(crate) events: Mutex<Vec<DomainEvent>>,
    pub(crate) notices: Mutex<Vec<DomainNotice>>,
    /// What every guest was limited to, and what each one uses.
    pub(crate) limits: Mutex<Vec<Param>>,
    pub(crate) usage: Mutex<Vec<Param>>,
    /// The next thing that is plugged in or out fails.
    pub(crate) no_plug: AtomicBool,
    pub(crate) boots: Mutex<Boots>,
    /// What was ordered, guest by guest.
    pub(crate) launches: Mutex<Vec<Launch>>,
    /// Guests that were killed, and all that became of ports, in order.
    pub(crate) log: Arc<Mutex<Vec<String>>>,
    /// The ports that have a filter.
    pub(crate) filtered: Mutex<BTreeSet<String>>,
    /// The threads on which events are told.
    pub(crate) workers: Workers,
    /// Guests do what they are told, but do not answer.
    pub(crate) mute: Arc<AtomicBool>,
    /// What guests' kernels were told, in order.
    pub(crate) heard: Arc<Mutex<Vec<String>>>,
    run: PathBuf,
    /// Guests are never given the same number again.
    count: AtomicU64,
    guests: Mutex<BTreeMap<u64, Guest>>,
    driver: Mutex<Option<Weak<crate::core::Core>>>,
}

impl std::fmt::Debug for FakeHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FakeHost")
    }
}

fn notification(kind: u32, text: &str) -> GuestEvent {
    let length = u32::try_from(text.len()).unwrap();
    let mut bytes: Vec<u8> = [MAGIC, 2, kind, length]
        .iter()
        .flat_map(|word| word.to_ne_bytes())
        .collect();
    bytes.extend_from_slice(text.as_bytes());
    GuestEvent::Notified(bytes)
}

/// The guest's side of mconsole until its socket is told to quit.
fn speak(socket: &UnixDatagram, run: &Path, mute: &AtomicBool, heard: &Mutex<Vec<String>>, kernel: &Mutex<Kernel>) {
    let mut request = [0_u8; 600];
    while let Ok((_, from)) = socket.recv_from(&mut request) {
        let Some(name) = from.as_pathname() else { return };
        let command = std::str::from_utf8(&request[12..])
            .unwrap()
            .trim_end_matches('\0')
            .to_owned();
        heard.lock().push(command.clone());
        let (error, text) = kernel.lock().answer(&command);
        let mut reply: Vec<u8> = [error.cast_unsigned(), 0, u32::try_from(text.len()).unwrap()]
            .iter()
            .flat_map(|word| word.to_ne_bytes())
            .collect();
        reply.extend_from_slice(text.as_bytes());
        if !mute.load(Ordering::SeqCst) {
            let _ = socket.send_to(&reply, run.join(name));
        }
        if command == "halt" {
            std::fs::write(run.join("halted"), "").unwrap();
        }
    }
}

impl FakeHost {
    pub(crate) fn new(root: &Path) -> Arc<Self> {
        Arc::new(Self {
            locks: Locks::new(),
            events: Mutex::default(),
            notices: Mutex::default(),
            limits: Mutex::default(),
            usage: Mutex::default(),
            no_plug: AtomicBool::new(false),
            boots: Mutex::default(),
            launches: Mutex::default(),
            log: Arc::default(),
            filtered: Mutex::default(),
            mute: Arc::default(),
            heard: Arc::default(),
            workers: Workers::default(),
            run: root.join("guests"),
            count: AtomicU64::new(0),
            guests: Mutex::default(),
            driver: Mutex::default(),
        })
    }

    pub(crate) fn serve(&self, uml: &Uml) {
        *self.driver.lock() = Some(Arc::downgrade(&uml.0));
    }

    /// The host is dead: nobody hears of events.
    pub(crate) fn deafen(&self) {
        *self.driver.lock() = None;
    }

    /// The guests that are alive.
    pub(crate) fn alive(&self) -> Vec<u64> {
        self.guests
            .lock()
            .iter()
            .filter(|(_, guest)| guest.alive)
            .map(|(id, _)| *id)
            .collect()
    }

    /// Every guest that is still known, alive or not.
    pub(crate) fn known(&self) -> Vec<u64> {
        self.guests.lock().keys().copied().collect()
    }

    /// Hands an event to the driver on this thread.
    pub(crate) fn tell(&self, guest: u64, event: GuestEvent) {
        let driver = self.driver.lock().clone().and_then(|weak| weak.upgrade());
        if let Some(core) = driver {
            self.locks
                .session(|cx| Uml(core).guest_event(cx, GuestId(guest), event));
        }
    }

    /// A guest says that it panicked.
    pub(crate) fn panic(&self, guest: u64, why: &str) {
        self.tell(guest, notification(1, why));
    }

    /// Guest root writes something for the host.
    pub(crate) fn says(&self, guest: u64, text: &str) {
        self.tell(guest, notification(3, text));
    }

    /// A guest ends by itself.
    pub(crate) fn end(&self, guest: u64, exit: Exit) {
        if self.over(guest, &exit) {
            self.tell(guest, GuestEvent::Exited(exit));
        }
    }

    fn over(&self, guest: u64, exit: &Exit) -> bool {
        let mut guests = self.guests.lock();
        let Some(known) = guests.get_mut(&guest).filter(|known| known.alive) else {
            return false;
        };
        known.alive = false;
        known.taps.clear();
        known.links.clear();
        known.exit = Some(exit.clone());
        // An unnamed sender ends the thread.
        let _ = UnixDatagram::unbound().unwrap().send_to(b"quit", &known.socket);
        true
    }
}

fn alive(guests: &mut BTreeMap<u64, Guest>, guest: GuestId) -> Result<&mut Guest> {
    let known = guests.get_mut(&guest.0).filter(|known| known.alive);
    known.ok_or_else(|| Error::new(Code::SYSTEM_ERROR, Origin::NONE, "there is no such guest"))
}

impl FakeHost {
    /// The kernel of a guest.
    pub(crate) fn kernel(&self, guest: u64) -> Arc<Mutex<Kernel>> {
        Arc::clone(&self.guests.lock()[&guest].kernel)
    }

    /// What a guest has been given by its supervisor: links and consoles that are not spare.
    pub(crate) fn served(&self, guest: u64) -> Vec<String> {
        let guests = self.guests.lock();
        let consoles = guests[&guest].consoles.iter().filter(|alias| !alias.is_empty());
        consoles.chain(guests[&guest].links.keys()).cloned().collect()
    }

    fn refuse_to_plug(&self) -> Result<()> {
        if self.no_plug.swap(false, Ordering::SeqCst) {
            return Err(Error::new(Code::SYSTEM_ERROR, Origin::NONE, "no plugging today"));
        }
        Ok(())
    }
}

impl Drop for FakeHost {
    fn drop(&mut self) {
        for guest in self.alive() {
            self.over(guest, &Exit::default());
        }
    }
}

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
