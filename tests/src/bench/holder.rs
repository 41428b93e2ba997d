//! Somebody else who holds the driver's locks, or who died with one.

use super::Bench;
use super::desk::NUMBER;
use super::record::Lock;
use crate::check::{Failure, Outcome};
use driver_api::abi::lock::{EXCLUSIVE, LockKey};
use lockstep::lock::rank::Mode;
use lockstep::lock::{Caller, LockError};
use std::sync::Arc;
use std::sync::mpsc::channel;

impl Bench {
    /// Calls `work` while somebody else holds a lock of the order (a driver's reads must not mind). `rank` is `Level::RANK`;
    /// the driver's own Virt and Domain locks are held as if by the driver.
    ///
    /// # Errors
    /// The lock can not be had.
    pub fn while_held<T>(&self, lock: Lock, mode: Mode, work: impl FnOnce() -> T) -> Outcome<T> {
        let (ready, is_ready) = channel();
        let (done, is_done) = channel::<()>();
        let locks = Arc::clone(&self.desk.locks);
        let holder = std::thread::spawn(move || -> std::result::Result<(), LockError> {
            let call = locks.session_open(NUMBER, "the suite holds this")?;
            let who = Caller {
                plugin: NUMBER,
                call: call.id,
            };
            let key = LockKey {
                rank: lock.rank,
                uuid: lock.uuid,
            };
            let flags = if mode == Mode::Exclusive { EXCLUSIVE } else { 0 };
            let held = locks.acquire(who, key, flags, 0)?;
            let _told = ready.send(());
            // Ends when the other side is gone, too.
            let _over = is_done.recv();
            locks.release(who, held.handle, false)?;
            locks.end_call(who).map(|_| ())
        });
        let failed = |what: &dyn std::fmt::Display| Failure::new(format!("the bench can not hold {lock}: {what}"));
        if is_ready.recv().is_err() {
            return Err(match holder.join() {
                Ok(Err(error)) => failed(&error),
                _ => failed(&"its thread died"),
            });
        }
        let answer = work();
        drop(done);
        match holder.join() {
            Ok(Ok(())) => Ok(answer),
            Ok(Err(error)) => Err(failed(&error)),
            Err(_) => Err(failed(&"its thread died")),
        }
    }

    /// Marks a lock of the driver as one whose last holder died.
    ///
    /// # Errors
    /// The lock can not be had.
    pub fn poison(&self, lock: Lock) -> Outcome {
        let locks = Arc::clone(&self.desk.locks);
        let died = std::thread::spawn(move || -> std::result::Result<(), LockError> {
            let call = locks.session_open(NUMBER, "the suite dies with this")?;
            let who = Caller {
                plugin: NUMBER,
                call: call.id,
            };
            let key = LockKey {
                rank: lock.rank,
                uuid: lock.uuid,
            };
            let held = locks.acquire(who, key, EXCLUSIVE, 0)?;
            locks.release(who, held.handle, true)?;
            locks.end_call(who).map(|_| ())
        });
        match died.join() {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Failure::new(format!("the bench can not hold {lock}: {error}"))),
            Err(_) => Err(Failure::new(format!("the bench's thread that held {lock} died"))),
        }
    }
}
