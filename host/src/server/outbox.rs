//! `Outbox`: the frames that wait to be written to one client, bounded against clients that do not read.

use parking_lot::Mutex;
use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use tokio::sync::Notify;

/// Something that lives exactly as long as its frame waits: a request's permit, or a stream's turn.
pub(super) type Hold = Box<dyn Any + Send>;

struct Entry {
    bytes: Vec<u8>,
    hold: Option<Hold>,
}

#[derive(Default)]
struct Queue {
    entries: VecDeque<Entry>,
    bounded_bytes: usize,
    state: State,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Open,
    /// No more frames are taken; those that wait are still written.
    Closing,
    /// Nothing more is written.
    Closed,
}

/// The frames that wait to be written to one client.
pub(super) struct Outbox {
    queue: Mutex<Queue>,
    limit: usize,
    changed: Notify,
    overflow: Notify,
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox")
            .field("frames", &self.queue.lock().entries.len())
            .finish_non_exhaustive()
    }
}

impl Outbox {
    /// An empty one that lets at most `limit` bytes of events and pongs wait.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            queue: Mutex::default(),
            limit,
            changed: Notify::new(),
            overflow: Notify::new(),
        }
    }

    /// Queues a frame that nobody counts: it fails the whole client when too many of its kind wait.
    pub(super) fn push_bounded(&self, bytes: Vec<u8>) {
        let mut queue = self.queue.lock();
        if queue.state != State::Open {
            return;
        }
        queue.bounded_bytes += bytes.len();
        if queue.bounded_bytes > self.limit {
            close(&mut queue);
            drop(queue);
            self.overflow.notify_one();
            self.changed.notify_one();
            return;
        }
        queue.entries.push_back(Entry { bytes, hold: None });
        drop(queue);
        self.changed.notify_one();
    }

    /// Queues a frame whose number is bounded by what `hold` stands for; `hold` is dropped once the frame is written,
    /// or at once when nothing is written any more.
    pub(super) fn push(&self, bytes: Vec<u8>, hold: Hold) {
        let mut queue = self.queue.lock();
        if queue.state == State::Open {
            queue.entries.push_back(Entry {
                bytes,
                hold: Some(hold),
            });
            drop(queue);
            self.changed.notify_one();
        }
    }

    /// Lets what waits be written and takes no more.
    pub(super) fn finish(&self) {
        let mut queue = self.queue.lock();
        if queue.state == State::Open {
            queue.state = State::Closing;
        }
        drop(queue);
        self.changed.notify_one();
    }

    /// Drops what waits and takes no more.
    pub(super) fn close(&self) {
        close(&mut self.queue.lock());
        self.changed.notify_one();
    }

    /// The next frame with its hold, or `None` when there will be none.
    pub(super) async fn next(&self) -> Option<(Vec<u8>, Option<Hold>)> {
        loop {
            if let Some(next) = self.try_next() {
                return next;
            }
            self.changed.notified().await;
        }
    }

    fn try_next(&self) -> Option<Option<(Vec<u8>, Option<Hold>)>> {
        let mut queue = self.queue.lock();
        match queue.entries.pop_front() {
            Some(entry) => {
                if entry.hold.is_none() {
                    queue.bounded_bytes -= entry.bytes.len();
                }
                Some(Some((entry.bytes, entry.hold)))
            }
            None if queue.state == State::Open => None,
            None => Some(None),
        }
    }

    /// Waits until too many bounded frames waited.
    pub(super) async fn overflowed(&self) {
        self.overflow.notified().await;
    }
}

fn close(queue: &mut Queue) {
    queue.state = State::Closed;
    queue.entries.clear();
    queue.bounded_bytes = 0;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn frames_leave_in_order_and_holds_with_them() {
        let outbox = Outbox::new(100);
        let (hold, held) = tokio::sync::oneshot::channel::<()>();
        outbox.push_bounded(vec![1]);
        outbox.push(vec![2], Box::new(hold));
        assert_eq!(outbox.next().await.unwrap().0, [1]);
        let (bytes, hold) = outbox.next().await.unwrap();
        assert_eq!(bytes, [2]);
        drop(hold);
        assert!(held.await.is_err());
        outbox.push_bounded(vec![3]);
        outbox.finish();
        outbox.push_bounded(vec![4]);
        assert_eq!(outbox.next().await.unwrap().0, [3]);
        assert!(outbox.next().await.is_none());
    }

    #[tokio::test]
    async fn too_many_events_close_it_and_free_what_waits() {
        let outbox = Outbox::new(100);
        let (hold, held) = tokio::sync::oneshot::channel::<()>();
        outbox.push(vec![0; 1000], Box::new(hold));
        outbox.push_bounded(vec![0; 60]);
        outbox.push_bounded(vec![0; 60]);
        outbox.overflowed().await;
        assert!(held.await.is_err());
        assert!(outbox.next().await.is_none());
    }
}
