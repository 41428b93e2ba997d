//! `Names`: which names of devices belong to this driver's guests, and which is the next free one.

use parking_lot::{Condvar, Mutex};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// What begins the names that are made up, as libvirt's users know it.
const PREFIX: &str = "vnet";

/// The names in use.
///
/// A name is taken from before its device is made until after its filter is gone. So neither can a device under a name
/// find the rules of the one before it, nor can whoever cleans up behind one guest take the filter off the next.
#[derive(Default, Debug)]
pub(crate) struct Names {
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Default, Debug)]
struct State {
    taken: BTreeSet<String>,
    /// Numbers are not used again soon, since other programs remember names of devices that are gone.
    next: u32,
}

impl Names {
    /// Takes a name that was chosen, waiting for its last user to be gone; whether that worked.
    pub(crate) fn take(&self, name: &str, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        let mut state = self.state.lock();
        while state.taken.contains(name) {
            if self.freed.wait_until(&mut state, deadline).timed_out() {
                break;
            }
        }
        state.taken.insert(name.to_owned())
    }

    /// Takes a name that nobody uses.
    pub(crate) fn fresh(&self) -> String {
        let mut state = self.state.lock();
        loop {
            let name = format!("{PREFIX}{}", state.next);
            state.next = state.next.wrapping_add(1);
            if state.taken.insert(name.clone()) {
                return name;
            }
        }
    }

    /// Gives a name back.
    pub(crate) fn free(&self, name: &str) {
        self.state.lock().taken.remove(name);
        self.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn fresh_names_are_not_used_again_soon() {
        let names = Names::default();
        assert!(names.take("vnet1", Duration::ZERO));
        assert_eq!(names.fresh(), "vnet0");
        names.free("vnet0");
        assert_eq!(names.fresh(), "vnet2");
    }

    #[test]
    fn who_wants_a_name_waits_for_its_last_user() {
        let names = Arc::new(Names::default());
        assert!(names.take("lab0", Duration::ZERO));
        assert!(!names.take("lab0", Duration::from_millis(1)));
        let next = Arc::clone(&names);
        let waits = std::thread::spawn(move || next.take("lab0", Duration::from_secs(20)));
        names.free("lab0");
        assert!(waits.join().unwrap());
        assert!(!names.take("lab0", Duration::ZERO));
    }
}
