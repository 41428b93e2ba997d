//! `Loan`: a shared hold on its way to a helper thread, so that the helper need not queue behind a writer who waits
//! for the lender, who waits for the helper.

use super::call::CallSpec;
use super::error::LockError;
use super::rank::Mode;
use super::shim::ThreadInfo;
use super::table::{Actor, Table};
use driver_api::abi::lock::Adopted;
use std::time::Duration;

/// A loan that was not used yet; it ends with the hold that it was made from.
#[derive(Clone, Copy, Debug)]
pub struct Loan {
    pub(super) hold: u64,
    pub(super) plugin: u32,
}

impl<W> Table<W> {
    /// Makes a loan, good for one use.
    ///
    /// # Errors
    /// [`LockError::NotLendable`] and those of [`Table::release`].
    pub fn lend(&mut self, who: Actor, handle: u64, now: Duration) -> Result<u64, LockError> {
        let owned = self.owned(who, handle).and_then(|hold| match hold.mode {
            Mode::Shared => Ok(()),
            Mode::Exclusive => Err(LockError::NotLendable { key: hold.key }),
        });
        self.judged(who, now, owned)?;
        if let Some(hold) = self.holds.get_mut(&handle) {
            hold.lent = true;
        }
        let number = self.mint.draw();
        let loan = Loan {
            hold: handle,
            plugin: who.plugin,
        };
        self.loans.insert(number, loan);
        Ok(number)
    }

    /// Opens a session on a thread of the same plug-in that holds what was lent.
    ///
    /// # Errors
    /// [`LockError::UnknownLoan`], [`LockError::InsideCall`].
    pub fn adopt(
        &mut self,
        plugin: u32,
        loan: u64,
        thread: u64,
        info: ThreadInfo,
        now: Duration,
    ) -> Result<Adopted, LockError> {
        let free = self.free_thread(thread);
        let nobody = Actor {
            plugin,
            call: 0,
            thread,
        };
        self.judged(nobody, now, free)?;
        // Another plug-in's loan stays good for its owner.
        let hold = self.loans.get(&loan).filter(|l| l.plugin == plugin);
        let hold = hold
            .and_then(|l| self.holds.get(&l.hold))
            .copied()
            .ok_or(LockError::UnknownLoan)?;
        self.loans.remove(&loan);
        let lender = self.calls.get(&hold.call);
        let mut spec = CallSpec::new(plugin, "loan");
        if let Some(lender) = lender {
            spec.name = format!("{} (helper)", lender.name).into();
            spec.client = lender.client;
            spec.time = lender.deadline.map(|deadline| deadline.saturating_sub(now));
        }
        let call = self.push(spec, thread, info, now);
        let held = self.admit(hold.key, Mode::Shared, call, now);
        if let Some(frame) = self.calls.get_mut(&call) {
            frame.adopted = Some(held.handle);
        }
        Ok(Adopted {
            call: self.wire(call, now),
            held,
        })
    }
}
