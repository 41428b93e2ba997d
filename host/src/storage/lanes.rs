//! `Lanes`: the lanes of a host, one a folder and kind, however many pools come and go.

use super::lane::Lane;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// How long a look may take.
const LOOK: Duration = Duration::from_secs(5);

/// How long a change in a folder may take.
const CHANGE: Duration = Duration::from_secs(30);

/// How long a look may take while others are under way.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a lane leads to.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum To {
    Look(String),
    Change(String),
    File(String),
}

/// The lanes that somebody has: a pool, or an errand that has not come back. A folder that hangs costs one thread, also when the
/// pool that was to be made of it is asked for again and again.
#[derive(Debug, Default)]
pub(super) struct Lanes(Mutex<BTreeMap<To, Weak<Lane>>>);

impl Lanes {
    /// For looks at a folder.
    pub(super) fn looks(&self, folder: &str) -> Arc<Lane> {
        self.lane(To::Look(folder.to_owned()), || {
            Lane::new(&format!("the folder '{folder}'"), LOOK, PATIENCE)
        })
    }

    /// For changes in a folder, which may be many and long.
    pub(super) fn changes(&self, folder: &str) -> Arc<Lane> {
        self.lane(To::Change(folder.to_owned()), || {
            Lane::new(&format!("the folder '{folder}'"), CHANGE, CHANGE)
        })
    }

    /// For looks at a file of a guest, which is on any file system.
    pub(super) fn file(&self, path: &str, by: &str) -> Arc<Lane> {
        self.lane(To::File(path.to_owned()), || {
            Lane::new(&format!("the file '{path}' of {by}"), LOOK, PATIENCE)
        })
    }

    fn lane(&self, to: To, new: impl FnOnce() -> Arc<Lane>) -> Arc<Lane> {
        let mut lanes = self.0.lock();
        lanes.retain(|_, lane| lane.strong_count() > 0);
        if let Some(lane) = lanes.get(&to).and_then(Weak::upgrade) {
            return lane;
        }
        let lane = new();
        lanes.insert(to, Arc::downgrade(&lane));
        lane
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn a_lane_lives_as_long_as_its_errands() {
        let lanes = Lanes::default();
        let (free, hung) = channel::<()>();
        let (end, ended) = channel::<()>();
        let lane = lanes.looks("/f");
        let errand = lane.begin(move || {
            let _freed = hung.recv();
            Ok(end)
        });
        let before = Arc::downgrade(&lane);
        drop((lane, errand));
        assert!(Weak::ptr_eq(&before, &Arc::downgrade(&lanes.looks("/f"))));
        assert!(!Weak::ptr_eq(&before, &Arc::downgrade(&lanes.changes("/f"))));
        drop(free);
        assert!(ended.recv().is_err());
        assert_eq!(before.strong_count(), 0);
        drop(lanes.file("/f", "a guest"));
        assert_eq!(lanes.0.lock().len(), 1, "what nobody has is forgotten");
    }
}
