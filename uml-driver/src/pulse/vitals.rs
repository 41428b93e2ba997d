//! `Book`: what is known of each running guest beside its state, for whoever wants to read it at once.

use super::sample::{Disk, Memory};
use crate::agent::Agent;
use driver_api::types::guest::GuestId;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long figures are kept fresh after somebody looked at them.
const WANTED: Duration = Duration::from_secs(60);

/// What is known of one guest.
#[derive(Clone, Default, Debug)]
pub(crate) struct Vitals {
    /// Since when its kernel owes an answer; `None` while it is in time.
    pub(crate) silent: Option<Instant>,
    /// The release of its kernel, in the kernel's own words.
    pub(crate) kernel: Option<Arc<str>>,
    /// What its kernel last said of its memory.
    pub(crate) memory: Option<Memory>,
    /// What its kernel last said of its block devices; empty before.
    pub(crate) disks: Arc<[Disk]>,
    /// The agent in it, once it has said that it is there.
    pub(crate) agent: Option<Agent>,
    wanted: Option<Instant>,
    talks: u32,
}

impl Vitals {
    /// Whether somebody looked at its figures lately.
    pub(crate) fn is_wanted(&self, now: Instant) -> bool {
        self.wanted
            .is_some_and(|last| now.saturating_duration_since(last) < WANTED)
    }
}

/// The vitals of all guests. Its lock is a leaf: held for a look or a note, never over a wait.
#[derive(Default, Debug)]
pub(crate) struct Book(Mutex<HashMap<GuestId, Vitals>>);

impl Book {
    /// What is known of a guest.
    pub(crate) fn of(&self, guest: GuestId) -> Vitals {
        self.0.lock().get(&guest).cloned().unwrap_or_default()
    }

    /// A guest runs from now on; what is noted of others is lost.
    pub(crate) fn begin(&self, guest: GuestId) {
        self.0.lock().insert(guest, Vitals::default());
    }

    /// The guest is gone; what was known of it.
    pub(crate) fn forget(&self, guest: GuestId) -> Vitals {
        self.0.lock().remove(&guest).unwrap_or_default()
    }

    /// Notes something of a guest that runs.
    pub(crate) fn note<T>(&self, guest: GuestId, what: impl FnOnce(&mut Vitals) -> T) -> Option<T> {
        self.0.lock().get_mut(&guest).map(what)
    }

    /// Notes something of every guest.
    pub(crate) fn note_all(&self, mut what: impl FnMut(GuestId, &mut Vitals)) {
        self.0
            .lock()
            .iter_mut()
            .for_each(|(guest, vitals)| what(*guest, vitals));
    }

    /// Whether nothing is known of anybody.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }

    /// Somebody looks at a guest's figures; whether nobody did lately.
    pub(super) fn want(&self, guest: GuestId, now: Instant) -> bool {
        let news = self.note(guest, |vitals| {
            let news = !vitals.is_wanted(now);
            vitals.wanted = Some(now);
            news
        });
        news == Some(true)
    }

    /// Does `what`, which must not wait, unless somebody talks to the guest; nobody begins to meanwhile.
    pub(super) fn unless_talking<T>(&self, guest: GuestId, what: impl FnOnce() -> T) -> Option<T> {
        let book = self.0.lock();
        let talking = book.get(&guest).is_some_and(|vitals| vitals.talks > 0);
        (!talking).then(what)
    }

    pub(super) fn talk(book: &Arc<Self>, guest: GuestId) -> Talk {
        book.note(guest, |vitals| vitals.talks += 1);
        Talk(Arc::clone(book), guest)
    }
}

/// Somebody talks to a guest; ends when dropped.
#[derive(Debug)]
pub(crate) struct Talk(Arc<Book>, GuestId);

impl Drop for Talk {
    fn drop(&mut self) {
        self.0
            .note(self.1, |vitals| vitals.talks = vitals.talks.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUEST: GuestId = GuestId(3);

    #[test]
    fn whoever_talks_is_not_interrupted_and_a_guest_that_is_gone_is_forgotten() {
        let book = Arc::new(Book::default());
        book.begin(GUEST);
        let (one, two) = (Book::talk(&book, GUEST), Book::talk(&book, GUEST));
        drop(one);
        assert_eq!(book.unless_talking(GUEST, || 1), None);
        assert_eq!(book.unless_talking(GuestId(4), || 1), Some(1));
        book.forget(GUEST);
        drop(two);
        assert!(book.0.lock().is_empty());
        assert_eq!(book.unless_talking(GUEST, || 1), Some(1));
    }

    #[test]
    fn who_looks_again_is_no_news() {
        let (book, now) = (Book::default(), Instant::now());
        assert!(!book.want(GUEST, now), "nobody runs");
        book.begin(GUEST);
        assert!(book.want(GUEST, now));
        assert!(!book.want(GUEST, now + Duration::from_secs(50)));
        assert!(!book.want(GUEST, now + Duration::from_secs(100)));
        assert!(book.want(GUEST, now + Duration::from_secs(161)));
    }
}
