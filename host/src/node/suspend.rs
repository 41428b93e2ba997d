//! Putting the machine to sleep for a while: the clock is set to wake it, and a thread lets it go once clients know.

use super::Machine;
use super::machine::fault;
use super::power::Target;
use driver_api::error::{Code, Error, Result};
use parking_lot::Mutex;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

/// The shortest sleep in seconds: the alarm must not ring while the machine is still on its way down.
pub const SHORTEST: u64 = 60;

/// Between the answer and the sleep, so that answers, logs and other clients get where they belong.
pub const NOTICE: Duration = Duration::from_secs(10);

/// Puts the machine to sleep, once at a time.
#[derive(Debug)]
pub struct Suspender {
    machine: Machine,
    notice: Duration,
    pending: Mutex<Option<Pending>>,
}

/// A sleep that was asked for.
#[derive(Debug)]
struct Pending {
    _call_off: mpsc::Sender<()>,
    thread: JoinHandle<()>,
}

impl Suspender {
    /// For this machine, which goes to sleep so long after it was asked to; see [`NOTICE`].
    #[must_use]
    pub const fn new(machine: Machine, notice: Duration) -> Self {
        Self {
            machine,
            notice,
            pending: Mutex::new(None),
        }
    }

    /// Sets the alarm and has the machine sleep after a moment, unless the host stops before. `guests` names the guests
    /// that run: with any of them the machine stays awake, also when they come after the answer.
    ///
    /// # Errors
    /// 55 while guests run or another sleep is ahead, 8 for a time that is too short or too long, 74 for a way that this
    /// machine does not know, 84 or 38 when the clock can not wake it.
    pub fn ask(&self, target: Target, seconds: u64, guests: impl Fn() -> Vec<String> + Send + 'static) -> Result<()> {
        refuse_under(&guests())?;
        if seconds < SHORTEST || seconds > u64::from(u32::MAX) {
            let text = format!(
                "the machine can not sleep for {seconds} seconds: at least {SHORTEST} are needed, {} fit",
                u32::MAX
            );
            return Err(fault(Code::INVALID_ARG, text));
        }
        let abilities = self.machine.sleep_abilities();
        let plan = abilities.plan(target).ok_or_else(|| {
            let text = format!(
                "this machine can not sleep in the way '{}': its kernel knows the states '{}' and the modes '{}'",
                target.word(),
                abilities.states.join(" "),
                abilities.modes.join(" ")
            );
            fault(Code::ARGUMENT_UNSUPPORTED, text)
        })?;
        let mut pending = self.pending.lock();
        if pending.as_ref().is_some_and(|pending| !pending.thread.is_finished()) {
            let text = "the machine is on its way to sleep already";
            return Err(fault(Code::OPERATION_INVALID, text));
        }
        let alarm = self.machine.alarm()?;
        self.machine.set_alarm(&alarm, seconds)?;
        let (call_off, called_off) = mpsc::channel();
        let (machine, notice, mode) = (self.machine.clone(), self.notice, abilities.mode);
        let spawned = std::thread::Builder::new().name("suspend".into()).spawn(move || {
            if called_off.recv_timeout(notice) != Err(RecvTimeoutError::Timeout) {
                tracing::info!("the host stops: the machine stays awake");
                return machine.clear_alarm(&alarm);
            }
            if let Err(error) = refuse_under(&guests()) {
                tracing::warn!(%error, "the machine stays awake");
                return machine.clear_alarm(&alarm);
            }
            tracing::info!(way = target.word(), seconds, "the machine goes to sleep");
            match machine.sleep(&plan) {
                Ok(()) => tracing::info!("the machine is awake again"),
                Err(error) => {
                    tracing::error!(%error, "the machine stays awake");
                    machine.clear_alarm(&alarm);
                }
            }
            // The next sleep, whoever asks for it, shall be of the kind that was set before.
            if let (true, Some(mode)) = (plan.len() > 1, mode)
                && let Err(error) = machine.write("sys/power/disk", &mode)
            {
                tracing::warn!(mode, %error, "the usual way to sleep can not be set again");
            }
        });
        match spawned {
            Ok(thread) => {
                *pending = Some(Pending {
                    _call_off: call_off,
                    thread,
                });
                Ok(())
            }
            Err(error) => {
                let alarm = self.machine.alarm()?;
                self.machine.clear_alarm(&alarm);
                Err(fault(
                    Code::SYSTEM_ERROR,
                    "no thread can be had that puts the machine to sleep",
                )
                .because(error))
            }
        }
    }
}

impl Drop for Suspender {
    /// Calls off a sleep that is ahead.
    fn drop(&mut self) {
        if let Some(Pending { _call_off, thread }) = self.pending.get_mut().take() {
            drop(_call_off);
            if thread.join().is_err() {
                tracing::error!("the thread that puts the machine to sleep panicked");
            }
        }
    }
}

fn refuse_under(guests: &[String]) -> Result<()> {
    if guests.is_empty() {
        return Ok(());
    }
    Err(busy(guests))
}

fn busy(guests: &[String]) -> Error {
    const SHOWN: usize = 3;
    let names: Vec<String> = guests.iter().take(SHOWN).map(|name| format!("'{name}'")).collect();
    let more = if guests.len() > SHOWN { ", ..." } else { "" };
    let text = format!(
        "the machine does not sleep while guests run, and {} do ({}{more}): shut them down first",
        guests.len(),
        names.join(", ")
    );
    fault(Code::OPERATION_INVALID, text)
}

#[cfg(test)]
mod tests {
    use super::super::testing::machine;
    use super::*;
    use std::path::Path;
    use tempfile::TempDir;

    fn sleeper() -> (TempDir, Machine) {
        machine(&[
            ("sys/power/state", "freeze mem disk\n"),
            ("sys/power/disk", "platform [shutdown] reboot suspend test_resume\n"),
            ("sys/class/rtc/rtc1/wakealarm", ""),
        ])
    }

    fn text(root: &Path, name: &str) -> String {
        std::fs::read_to_string(root.join(name)).unwrap()
    }

    fn nobody() -> Vec<String> {
        Vec::new()
    }

    fn finish(suspender: &Suspender) {
        let pending = suspender.pending.lock().take().unwrap();
        pending.thread.join().unwrap();
    }

    #[test]
    fn sleep_in_memory_sets_the_alarm_and_the_state() {
        let (root, machine) = sleeper();
        let suspender = Suspender::new(machine, Duration::ZERO);
        suspender.ask(Target::Memory, 60, nobody).unwrap();
        finish(&suspender);
        assert_eq!(text(root.path(), "sys/class/rtc/rtc1/wakealarm"), "+60");
        assert_eq!(text(root.path(), "sys/power/state"), "mem");
        assert!(text(root.path(), "sys/power/disk").contains("[shutdown]"));
    }

    #[test]
    fn sleep_on_both_sets_the_mode_and_puts_the_old_one_back() {
        let (root, machine) = sleeper();
        let plan = machine.sleep_abilities().plan(Target::Hybrid).unwrap();
        assert_eq!(plan, [("sys/power/disk", "suspend"), ("sys/power/state", "disk")]);
        let suspender = Suspender::new(machine, Duration::ZERO);
        suspender.ask(Target::Hybrid, 61, nobody).unwrap();
        finish(&suspender);
        assert_eq!(text(root.path(), "sys/power/state"), "disk");
        assert_eq!(text(root.path(), "sys/power/disk"), "shutdown");
    }

    #[test]
    fn times_and_targets_are_checked_first() {
        let (root, machine) = sleeper();
        let suspender = Suspender::new(machine, Duration::ZERO);
        for seconds in [0, 59, u64::MAX] {
            let error = suspender.ask(Target::Memory, seconds, nobody).unwrap_err();
            assert_eq!(error.code(), Code::INVALID_ARG);
        }
        assert_eq!(text(root.path(), "sys/class/rtc/rtc1/wakealarm"), "");
    }

    #[test]
    fn running_guests_keep_the_machine_awake() {
        let (root, machine) = sleeper();
        let suspender = Suspender::new(machine, Duration::ZERO);
        let four = || ["a", "b", "c", "d"].map(str::to_owned).to_vec();
        let error = suspender.ask(Target::Memory, 60, four).unwrap_err();
        assert_eq!(error.code(), Code::OPERATION_INVALID);
        assert!(error.to_string().contains("4 do ('a', 'b', 'c', ...)"), "{error}");
        assert_eq!(text(root.path(), "sys/class/rtc/rtc1/wakealarm"), "");
    }

    #[test]
    fn a_guest_that_comes_after_the_answer_keeps_it_awake_too() {
        let (root, machine) = sleeper();
        let suspender = Suspender::new(machine, Duration::ZERO);
        let looks = std::sync::atomic::AtomicUsize::new(0);
        let later = move || match looks.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            0 => Vec::new(),
            _ => vec!["late".to_owned()],
        };
        suspender.ask(Target::Memory, 60, later).unwrap();
        finish(&suspender);
        assert_eq!(text(root.path(), "sys/power/state"), "freeze mem disk\n");
        assert_eq!(text(root.path(), "sys/class/rtc/rtc1/wakealarm"), "0");
    }

    #[test]
    fn a_host_that_stops_calls_it_off() {
        let (root, machine) = sleeper();
        let suspender = Suspender::new(machine, Duration::from_secs(3600));
        suspender.ask(Target::Memory, 60, nobody).unwrap();
        let error = suspender.ask(Target::Memory, 60, nobody).unwrap_err();
        assert!(error.to_string().contains("on its way"), "{error}");
        drop(suspender);
        assert_eq!(text(root.path(), "sys/power/state"), "freeze mem disk\n");
        assert_eq!(text(root.path(), "sys/class/rtc/rtc1/wakealarm"), "0");
    }

    #[test]
    fn a_machine_that_nothing_wakes_does_not_sleep() {
        let (_root, machine) = machine(&[("sys/power/state", "mem\n")]);
        let suspender = Suspender::new(machine, Duration::ZERO);
        let error = suspender.ask(Target::Memory, 60, nobody).unwrap_err();
        assert_eq!(error.code(), Code::OPERATION_UNSUPPORTED);
        let error = suspender.ask(Target::Disk, 60, nobody).unwrap_err();
        assert_eq!(error.code(), Code::ARGUMENT_UNSUPPORTED);
        assert!(error.to_string().contains("states 'mem'"), "{error}");
    }
}
