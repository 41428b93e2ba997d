//! `Lock`: one lock's holders and its queue, first come first served, readers in batches.

use super::rank::Mode;
use std::collections::VecDeque;
use std::time::Duration;

/// A place in the queue.
#[derive(Clone, Debug)]
pub struct Ticket<W> {
    /// The handle that the hold will have.
    pub handle: u64,
    /// How the lock is wanted.
    pub mode: Mode,
    /// Who waits.
    pub call: u64,
    /// Since when.
    pub since: Duration,
    /// How to wake the thread that waits.
    pub waker: W,
}

/// One lock. It exists only while somebody holds it, waits for it, or left it poisoned.
///
/// ```text
/// free --R--> shared(n) --R--> shared(n+1)      only if nobody waits, else to the end of the queue
/// free --W--> exclusive                         only if nobody waits, else to the end of the queue
/// shared(n) --nested R or loan--> shared(n+1)   never waits: the lock is shared for this owner's sake already
/// exclusive --downgrade--> shared(1) + readers at the head of the queue
/// a hold or a waiter goes --> every ticket at the head that fits now is granted, in order
/// ```
#[derive(Debug)]
pub struct Lock<W> {
    writer: Option<u64>,
    readers: Vec<u64>,
    queue: VecDeque<Ticket<W>>,
    /// The last exclusive holder left without giving it back.
    pub poisoned: bool,
}

impl<W> Default for Lock<W> {
    fn default() -> Self {
        Self {
            writer: None,
            readers: Vec::new(),
            queue: VecDeque::new(),
            poisoned: false,
        }
    }
}

impl<W> Lock<W> {
    /// Whether a newcomer may have it at once: never past somebody who waits, or a stream of readers would starve a
    /// writer.
    #[must_use]
    pub fn is_free(&self, mode: Mode) -> bool {
        self.queue.is_empty() && self.fits(mode)
    }

    fn fits(&self, mode: Mode) -> bool {
        match mode {
            Mode::Shared => self.writer.is_none(),
            Mode::Exclusive => self.writer.is_none() && self.readers.is_empty(),
        }
    }

    /// Makes this handle a holder.
    pub fn admit(&mut self, handle: u64, mode: Mode) {
        match mode {
            Mode::Shared => self.readers.push(handle),
            Mode::Exclusive => self.writer = Some(handle),
        }
    }

    /// Ends a hold.
    pub fn remove(&mut self, handle: u64) {
        if self.writer == Some(handle) {
            self.writer = None;
        }
        self.readers.retain(|reader| *reader != handle);
    }

    /// Makes the writer a reader.
    pub fn downgrade(&mut self, handle: u64) {
        if self.writer.take_if(|writer| *writer == handle).is_some() {
            self.readers.push(handle);
        }
    }

    /// Puts a ticket at the end of the queue.
    pub fn enqueue(&mut self, ticket: Ticket<W>) {
        self.queue.push_back(ticket);
    }

    /// Takes a ticket out of the queue; who waited behind it may fit now.
    pub fn withdraw(&mut self, handle: u64) {
        self.queue.retain(|ticket| ticket.handle != handle);
    }

    /// The next waiter who fits: it is a holder from now on.
    pub fn grant_next(&mut self) -> Option<Ticket<W>> {
        let mode = self.queue.front()?.mode;
        if !self.fits(mode) {
            return None;
        }
        let ticket = self.queue.pop_front()?;
        self.admit(ticket.handle, mode);
        Some(ticket)
    }

    /// Whether nothing would be lost by forgetting it.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        !self.poisoned && self.writer.is_none() && self.readers.is_empty() && self.queue.is_empty()
    }

    /// The handles of its holders.
    pub fn holders(&self) -> impl Iterator<Item = u64> {
        self.writer.iter().chain(&self.readers).copied()
    }

    /// Its waiters, first come first.
    pub fn waiting(&self) -> impl Iterator<Item = &Ticket<W>> {
        self.queue.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket(handle: u64, mode: Mode) -> Ticket<()> {
        Ticket {
            handle,
            mode,
            call: 0,
            since: Duration::ZERO,
            waker: (),
        }
    }

    fn granted(lock: &mut Lock<()>) -> Vec<u64> {
        std::iter::from_fn(|| lock.grant_next()).map(|t| t.handle).collect()
    }

    #[test]
    fn a_stream_of_readers_can_not_pass_a_writer_who_waits() {
        let mut lock = Lock::default();
        lock.admit(1, Mode::Shared);
        lock.enqueue(ticket(2, Mode::Exclusive));
        assert!(!lock.is_free(Mode::Shared), "a newcomer would pass the writer");
        lock.enqueue(ticket(3, Mode::Shared));
        assert!(granted(&mut lock).is_empty(), "the writer keeps its place at the head");
        lock.remove(1);
        assert_eq!(granted(&mut lock), [2]);
        lock.remove(2);
        assert_eq!(granted(&mut lock), [3]);
    }

    #[test]
    fn readers_at_the_head_come_in_together_and_stop_at_the_next_writer() {
        let mut lock = Lock::default();
        lock.admit(1, Mode::Exclusive);
        for (handle, mode) in [
            (2, Mode::Shared),
            (3, Mode::Shared),
            (4, Mode::Exclusive),
            (5, Mode::Shared),
        ] {
            lock.enqueue(ticket(handle, mode));
        }
        assert!(granted(&mut lock).is_empty());
        lock.remove(1);
        assert_eq!(granted(&mut lock), [2, 3]);
        lock.remove(2);
        assert!(granted(&mut lock).is_empty());
        lock.remove(3);
        assert_eq!(granted(&mut lock), [4]);
    }

    #[test]
    fn a_writer_that_gives_up_lets_the_readers_behind_it_in() {
        let mut lock = Lock::default();
        lock.admit(1, Mode::Shared);
        lock.enqueue(ticket(2, Mode::Exclusive));
        lock.enqueue(ticket(3, Mode::Shared));
        lock.withdraw(2);
        assert_eq!(granted(&mut lock), [3]);
    }

    #[test]
    fn downgrade_keeps_writers_out_and_lets_readers_in() {
        let mut lock = Lock::default();
        lock.admit(1, Mode::Exclusive);
        lock.enqueue(ticket(2, Mode::Shared));
        lock.enqueue(ticket(3, Mode::Exclusive));
        lock.downgrade(1);
        assert_eq!(granted(&mut lock), [2]);
        assert_eq!(lock.holders().collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn an_idle_lock_is_forgotten_but_a_poisoned_one_is_not() {
        let mut lock = Lock::<()>::default();
        assert!(lock.is_idle());
        lock.admit(1, Mode::Exclusive);
        assert!(!lock.is_idle());
        lock.remove(1);
        assert!(lock.is_idle());
        lock.poisoned = true;
        assert!(!lock.is_idle());
    }
}
