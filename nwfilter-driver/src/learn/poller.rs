//! `Poller`: what the learning thread waits for: frames, changes of devices, a time, and being called.

use driver_api::error::{Code, Error, Origin, Result};
use rustix::event::{EventfdFlags, epoll, eventfd};
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};
use rustix::time::{timerfd_create, timerfd_settime};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

/// Numbers below are the poller's own.
pub(super) const FIRST_PORT: u64 = 3;
/// The socket of [`crate::links::Links`].
pub(super) const LINKS: u64 = 2;
const TIMER: u64 = 1;
const CALL: u64 = 0;

#[derive(Debug)]
pub(super) struct Poller {
    epoll: OwnedFd,
    timer: OwnedFd,
    call: OwnedFd,
}

impl Poller {
    /// # Errors
    /// 38 when the kernel gives no descriptor.
    pub(super) fn open() -> Result<Self> {
        let made = || {
            // This clock goes on while the machine sleeps, as leases do.
            let timer = timerfd_create(TimerfdClockId::Boottime, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?;
            let poller = Self {
                epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
                timer,
                call: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            };
            poller.add(&poller.timer, TIMER)?;
            poller.add(&poller.call, CALL)?;
            Ok(poller)
        };
        made().map_err(|error: io::Error| {
            let message = "the kernel gives nothing to wait for frames with";
            Error::new(Code::SYSTEM_ERROR, Origin::NWFILTER, message).because(error)
        })
    }

    /// # Errors
    /// The kernel has no memory.
    pub(super) fn add(&self, source: impl AsFd, number: u64) -> io::Result<()> {
        let data = epoll::EventData::new_u64(number);
        Ok(epoll::add(&self.epoll, source, data, epoll::EventFlags::IN)?)
    }

    /// Waits for this source no longer; that it was not waited for is no error.
    pub(super) fn remove(&self, source: impl AsFd) {
        let _ = epoll::delete(&self.epoll, source);
    }

    /// Sets the time to wait for, on the clock that counts since the machine started.
    pub(super) fn set_timer(&self, when: Option<Duration>) {
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        let value = when.map_or(zero, |when| Timespec {
            tv_sec: i64::try_from(when.as_secs()).unwrap_or(i64::MAX),
            // All zero would stop the timer.
            tv_nsec: i64::from(when.subsec_nanos()).max(1),
        });
        let spec = Itimerspec {
            it_interval: zero,
            it_value: value,
        };
        if let Err(error) = timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &spec) {
            tracing::warn!(%error, "the timer of leases can not be set, they end with the next frame");
        }
    }

    /// Ends the wait, or the next one.
    pub(super) fn call(&self) {
        // It fails only when it was called 2^64 times already.
        let _ = rustix::io::write(&self.call, &1_u64.to_ne_bytes());
    }

    /// Waits until something is ready, and says what; does not wait if there is something else to do.
    ///
    /// # Errors
    /// The descriptor is none: a fault of ours.
    pub(super) fn wait(&self, idle: bool) -> io::Result<Vec<u64>> {
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        let timeout = if idle { None } else { Some(&at_once) };
        let mut events = Vec::with_capacity(64);
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), timeout) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut numbers = Vec::new();
        for event in events {
            let number = event.data.u64();
            let own = match number {
                TIMER => &self.timer,
                CALL => &self.call,
                _ => {
                    numbers.push(number);
                    continue;
                }
            };
            // Read so that it is ready no longer.
            let _ = rustix::io::read(own, &mut [0; 8]);
        }
        Ok(numbers)
    }
}
