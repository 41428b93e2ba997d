//! `Services`: the host's tables as a driver found them, each checked before its first use.

use super::descriptors::DescriptorsV1;
use super::event::EventV1;
use super::interface::Table;
use super::launch::SpawnV2;
use super::lock::{Call, HostObj, LockV1};
use super::log::LogV1;
use super::notice::NoticeV1;
use super::ports::PortsV1;
use super::record::{all, each_of};
use super::root::HostRef;
use super::spawn::SpawnV1;
use super::value::{Fault, each, from_texts, text};
use crate::error::{Code, Error, Origin, Result};
use crate::lock::guard::Loan;
use crate::lock::level::{Level, Unlocked};
use crate::lock::token::{Cx, Link};
use crate::types::domain::DomainEvent;
use crate::types::filter::PortRequest;
use crate::types::guest::{GuestId, GuestSpec, Started};
use crate::types::launch::{Launch, Plug, Plugged, Unplug};
use crate::types::notice::DomainNotice;
use crate::types::param::Param;
use abi_stable::std_types::{ROption, RResult, RString};
use std::os::fd::{AsRawFd, BorrowedFd};

/// What the host offers to this driver.
#[derive(Debug)]
pub struct Services {
    obj: HostObj,
    lock: &'static LockV1,
    log: Option<&'static LogV1>,
    event: Option<&'static EventV1>,
    notice: Option<&'static NoticeV1>,
    spawn: Option<&'static SpawnV1>,
    descriptors: Option<&'static DescriptorsV1>,
    launcher: Option<&'static SpawnV2>,
    ports: Option<&'static PortsV1>,
}

impl Services {
    /// Asks for every service that this version of the crate knows. `lock/1` and those in `needs` must be there.
    pub(crate) fn connect(host: HostRef, needs: &[&str]) -> Result<Self> {
        if let Some(missing) = needs.iter().find(|id| !offered(&host, id)) {
            return Err(Error::new(
                Code::NO_SUPPORT,
                Origin::NONE,
                format!("the driver needs '{missing}', which this host does not offer"),
            ));
        }
        Ok(Self {
            obj: host.obj,
            lock: find::<LockV1>(&host)?.ok_or_else(|| missing(LockV1::ID))?,
            log: find(&host)?,
            event: find(&host)?,
            notice: find(&host)?,
            spawn: find(&host)?,
            descriptors: find(&host)?,
            launcher: find(&host)?,
            ports: find(&host)?,
        })
    }

    pub(crate) fn lock(&self) -> (&'static LockV1, HostObj) {
        (self.lock, self.obj)
    }

    pub(crate) fn log(&self) -> Option<(&'static LogV1, HostObj)> {
        self.log.map(|table| (table, self.obj))
    }

    pub(crate) fn panicked(&self, message: &str, place: &str, trace: &str) {
        if let Some(table) = self.log {
            (table.panicked)(self.obj, message.into(), place.into(), trace.into());
        }
    }

    pub(crate) fn emit(&self, event: &DomainEvent) {
        let Some(table) = self.event else {
            tracing::debug!(uuid = %event.uuid, "an event is lost: the host offers no '{}'", EventV1::ID);
            return;
        };
        if let Err(fault) = (table.emit)(self.obj, event.into()).into_result() {
            tracing::warn!(uuid = %event.uuid, error = %fault.message, "an event is lost");
        }
    }

    pub(crate) fn notify(&self, notice: DomainNotice) {
        let uuid = notice.uuid;
        let Some(table) = self.notice else {
            tracing::debug!(%uuid, "a notice is lost: the host offers no '{}'", NoticeV1::ID);
            return;
        };
        if let Err(fault) = (table.notify)(self.obj, notice.into()).into_result() {
            tracing::warn!(%uuid, error = %fault.message, "a notice is lost");
        }
    }

    fn spawner(&self) -> Result<&'static SpawnV1> {
        self.spawn.ok_or_else(|| missing(SpawnV1::ID))
    }

    pub(crate) fn spawn(&self, call: Call, spec: &GuestSpec) -> Result<Started> {
        (self.spawner()?.spawn)(self.obj, call, spec.into())
            .into_result()?
            .try_into()
    }

    pub(crate) fn spawn_with(&self, call: Call, spec: &GuestSpec, descriptors: &[BorrowedFd<'_>]) -> Result<Started> {
        let table = self.descriptors.ok_or_else(|| missing(DescriptorsV1::ID))?;
        let numbers = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
        (table.spawn_with)(self.obj, call, spec.into(), numbers)
            .into_result()?
            .try_into()
    }

    /// An order that asks for no more than an older host can give goes to that one's tables.
    pub(crate) fn launch(&self, call: Call, launch: &Launch, descriptors: &[BorrowedFd<'_>]) -> Result<Started> {
        if let Some(table) = self.launcher {
            let numbers = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
            return (table.launch)(self.obj, call, launch.into(), numbers)
                .into_result()?
                .try_into();
        }
        let plain = Launch {
            spec: launch.spec.clone(),
            // Without them nothing can be plugged in later, which this host would refuse anyway.
            spare_consoles: launch.spare_consoles,
            ..Launch::default()
        };
        if plain != *launch {
            let what = format!(
                "the domain asks for more than this host can start: it does not offer '{}'",
                SpawnV2::ID
            );
            return Err(Error::new(Code::NO_SUPPORT, Origin::NONE, what));
        }
        if descriptors.is_empty() {
            return self.spawn(call, &launch.spec);
        }
        self.spawn_with(call, &launch.spec, descriptors)
    }

    fn launched<T>(&self, ask: impl FnOnce(&'static SpawnV2, HostObj) -> RResult<T, Fault>) -> Result<T> {
        let table = self.launcher.ok_or_else(|| missing(SpawnV2::ID))?;
        Ok(ask(table, self.obj).into_result()?)
    }

    pub(crate) fn can_launch(&self) -> bool {
        self.launcher.is_some()
    }

    pub(crate) fn plug(&self, call: Call, guest: GuestId, plug: &Plug, tap: Option<BorrowedFd<'_>>) -> Result<Plugged> {
        let number = tap.map(|tap| tap.as_raw_fd()).into();
        self.launched(|table, host| (table.plug)(host, call, guest.0, plug.clone().into(), number))?
            .try_into()
    }

    pub(crate) fn unplug(&self, call: Call, guest: GuestId, unplug: &Unplug) -> Result<()> {
        self.launched(|table, host| (table.unplug)(host, call, guest.0, unplug.into()))
    }

    pub(crate) fn limit(&self, call: Call, guest: GuestId, limits: &[Param]) -> Result<()> {
        self.launched(|table, host| (table.limit)(host, call, guest.0, all(limits.to_vec())))
    }

    pub(crate) fn limits(&self, guest: GuestId) -> Result<Vec<Param>> {
        each_of(self.launched(|table, host| (table.limits)(host, guest.0))?)
    }

    pub(crate) fn usage(&self, guest: GuestId) -> Result<Vec<Param>> {
        each_of(self.launched(|table, host| (table.usage)(host, guest.0))?)
    }

    pub(crate) fn survivors(&self, call: Call) -> Result<Vec<Started>> {
        let survivors = (self.spawner()?.survivors)(self.obj, call).into_result()?;
        each(survivors, Started::try_from)
    }

    pub(crate) fn watch(&self, call: Call, guest: GuestId) -> Result<()> {
        Ok((self.spawner()?.watch)(self.obj, call, guest.0).into_result()?)
    }

    pub(crate) fn kill(&self, call: Call, guest: GuestId) -> Result<()> {
        Ok((self.spawner()?.kill)(self.obj, call, guest.0).into_result()?)
    }

    pub(crate) fn forget(&self, call: Call, guest: GuestId) -> Result<()> {
        Ok((self.spawner()?.forget)(self.obj, call, guest.0).into_result()?)
    }

    pub(crate) fn console_tail(&self, guest: GuestId, bytes: u32) -> Result<String> {
        let tail: RString = (self.spawner()?.console_tail)(self.obj, guest.0, bytes).into_result()?;
        text(tail)
    }

    pub(crate) fn cpu_time(&self, guest: GuestId) -> Result<u64> {
        Ok((self.spawner()?.cpu_time)(self.obj, guest.0).into_result()?)
    }

    fn porter(&self) -> Result<&'static PortsV1> {
        self.ports.ok_or_else(|| missing(PortsV1::ID))
    }

    pub(crate) fn attach_port(&self, call: Call, request: &PortRequest) -> Result<()> {
        Ok((self.porter()?.attach)(self.obj, call, request.into()).into_result()?)
    }

    pub(crate) fn detach_port(&self, call: Call, port: &str) -> Result<()> {
        Ok((self.porter()?.detach)(self.obj, call, port.into()).into_result()?)
    }

    pub(crate) fn filtered_ports(&self, call: Call, filters: &[String]) -> Result<Vec<PortRequest>> {
        let ports = (self.porter()?.filtered)(self.obj, call, from_texts(filters)).into_result()?;
        each(ports, PortRequest::try_from)
    }

    pub(crate) fn session<T>(&self, name: &str, work: impl FnOnce(&mut Cx<'_, Unlocked>) -> Result<T>) -> Result<T> {
        let call = (self.lock.session_open)(self.obj, name.into()).into_result()?;
        self.within(call, work)
    }

    pub(crate) fn with_loan<L: Level, T>(
        &self,
        loan: Loan<L>,
        work: impl FnOnce(&mut Cx<'_, L>) -> Result<T>,
    ) -> Result<T> {
        let adopted = (self.lock.adopt)(self.obj, loan.ticket).into_result()?;
        self.within(adopted.call, work)
    }

    fn within<L: Level, T>(&self, call: Call, work: impl FnOnce(&mut Cx<'_, L>) -> Result<T>) -> Result<T> {
        let link = Link {
            table: self.lock,
            obj: self.obj,
            call,
        };
        // Closed by a drop so that a panic in `work` closes it too.
        let _session = Session(link);
        work(&mut Cx::new(link))
    }
}

struct Session(Link);

impl Drop for Session {
    fn drop(&mut self) {
        if let Err(fault) = (self.0.table.session_close)(self.0.obj, self.0.call).into_result() {
            tracing::error!(error = %fault.message, "a session could not be closed");
        }
    }
}

fn offered(host: &HostRef, id: &str) -> bool {
    (host.query)(host.obj, id.into()).is_some()
}

fn find<T: Table>(host: &HostRef) -> Result<Option<&'static T>> {
    let ROption::RSome(interface) = (host.query)(host.obj, T::ID.into()) else {
        return Ok(None);
    };
    interface.check().map(Some).map_err(|report| {
        let message = format!("the host's '{}' is not the one this driver was built for", T::ID);
        Error::new(Code::NO_SUPPORT, Origin::NONE, message).because(report)
    })
}

fn missing(id: &str) -> Error {
    Error::new(
        Code::NO_SUPPORT,
        Origin::NONE,
        format!("the host does not offer '{id}'"),
    )
}
