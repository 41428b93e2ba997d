//! Lists and look-ups that lie: what the reference says of its domains, distorted.

use super::which::on;
use crate::core::Mock;
use driver_api::driver::VirtDriver;
use driver_api::types::domain::DomainBrief;
use driver_api::types::inspect::PortView;
use driver_api::types::uuid::Uuid;
use std::collections::HashMap;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::time::Duration;

/// What is remembered for the lies.
#[derive(Debug, Default)]
pub(super) struct Shown {
    /// Domains that are shown and are not there.
    pub(super) ghosts: HashMap<Uuid, DomainBrief>,
    /// Definitions as they were the first time.
    pub(super) first_xml: HashMap<Uuid, String>,
    /// Definitions as they were under another name.
    pub(super) old_documents: HashMap<Uuid, String>,
    /// Ports as they were the first time.
    pub(super) first_views: HashMap<String, PortView>,
    /// Ids that are shown in the place of others.
    pub(super) ids: HashMap<Uuid, i32>,
    /// The last ids of domains.
    pub(super) last: HashMap<Uuid, i32>,
    /// Filters and ports that are shown or hidden wrongly.
    pub(super) hidden: Vec<Uuid>,
    pub(super) half_bound: Vec<(String, String)>,
    pub(super) marked: Vec<Uuid>,
}

/// How many lists are being made.
static LISTS: AtomicUsize = AtomicUsize::new(0);

/// A place where one is made.
#[derive(Debug)]
pub(super) struct Place;

impl Drop for Place {
    fn drop(&mut self) {
        LISTS.fetch_sub(1, Ordering::SeqCst);
    }
}

/// There are three, and no more are thought of.
pub(super) fn place() -> Place {
    let (taken, place) = (LISTS.fetch_add(1, Ordering::SeqCst), Place);
    std::thread::sleep(Duration::from_millis(10));
    assert!(taken < 3, "a mutant counts on a few who list at once");
    place
}

/// Not guarded as it should be.
static NEXT: AtomicI32 = AtomicI32::new(0);

impl Shown {
    /// Ids that guests have already are not given out again, by most mutants.
    pub(super) fn begin(&mut self, inner: &Mock) {
        let most = inner.list().iter().filter_map(|brief| brief.id).max();
        NEXT.fetch_max(most.unwrap_or(0), Ordering::SeqCst);
    }

    /// A domain was started.
    pub(super) fn started(&mut self, uuid: Uuid, id: Option<i32>) {
        if let Some(id) = id {
            self.last.insert(uuid, id);
        }
        if on("gives_all_the_same_id") {
            self.ids.insert(uuid, 7);
        }
        if on("changes_the_id_at_a_reboot") {
            self.ids.remove(&uuid);
        }
    }

    /// A brief as it is shown.
    pub(super) fn brief(&self, mut brief: DomainBrief) -> DomainBrief {
        if let (Some(_), Some(id)) = (brief.id, self.ids.get(&brief.uuid)) {
            brief.id = Some(*id);
        }
        if on("keeps_the_id_after_the_end") && brief.id.is_none() {
            brief.id = self.last.get(&brief.uuid).copied();
        }
        if on("shows_the_wrong_memory") {
            brief.max_memory_kib += 1;
        }
        if self.marked.contains(&brief.uuid) {
            brief.autostart = true;
        }
        brief
    }
}

/// The id that a start gives: right as long as nobody else starts at the same time.
pub(super) fn id_without_a_lock() -> i32 {
    let next = NEXT.load(Ordering::SeqCst) + 1;
    std::thread::sleep(Duration::from_millis(2));
    NEXT.store(next, Ordering::SeqCst);
    next
}
