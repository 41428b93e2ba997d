//! `Streams`: the open streams of one client, by serial, and the packets on their way into them.

use crate::rpc::frame::Frame;
use crate::rpc::header::{Header, Kind, Status};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::mpsc;

/// Bytes from a client that may wait for a far end that does not take them.
pub(super) const INPUT_MAX: usize = 1 << 20;

/// What a packet costs beside its bytes, so that empty ones are not free.
const PACKET_COST: usize = 64;

/// Something that a client sent into a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Packet {
    Data(Vec<u8>),
    Finish,
    Abort,
    /// A packet that this kind of stream does not know.
    Unexpected,
    /// More data than [`INPUT_MAX`] waits.
    Overflow,
}

#[derive(Debug)]
struct Inlet {
    procedure: i32,
    packets: mpsc::UnboundedSender<Packet>,
    waiting: Arc<AtomicUsize>,
}

/// The open streams of one client.
#[derive(Debug, Default)]
pub(super) struct Streams {
    open: Mutex<HashMap<u32, Inlet>>,
}

/// Where a stream's packets come out.
#[derive(Debug)]
pub(super) struct Outlet {
    packets: mpsc::UnboundedReceiver<Packet>,
    waiting: Arc<AtomicUsize>,
}

impl Streams {
    /// Opens the stream of the call with this header; `None` when the client reused the serial of an open one.
    pub(super) fn open(&self, header: &Header) -> Option<Outlet> {
        let (sender, packets) = mpsc::unbounded_channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let inlet = Inlet {
            procedure: header.procedure,
            packets: sender,
            waiting: Arc::clone(&waiting),
        };
        let mut open = self.open.lock();
        if open.contains_key(&header.serial) {
            return None;
        }
        open.insert(header.serial, inlet);
        Some(Outlet { packets, waiting })
    }

    /// Passes on what a client sent. What belongs to no open stream is late and ignored.
    pub(super) fn packet(&self, frame: Frame) {
        let header = frame.header;
        let mut open = self.open.lock();
        let Some(inlet) = open.get(&header.serial).filter(|it| it.procedure == header.procedure) else {
            return;
        };
        let packet = match (header.kind, header.status) {
            (Kind::Stream, Status::Continue) => {
                let cost = frame.payload.len() + PACKET_COST;
                let waiting = inlet.waiting.fetch_add(cost, Ordering::Relaxed) + cost;
                if waiting > INPUT_MAX + PACKET_COST {
                    Packet::Overflow
                } else {
                    Packet::Data(frame.payload)
                }
            }
            (Kind::Stream, Status::Ok) => Packet::Finish,
            (Kind::Stream, Status::Error) => Packet::Abort,
            _ => Packet::Unexpected,
        };
        let last = !matches!(packet, Packet::Data(_));
        // A closed channel means that the stream ended meanwhile: this packet is late.
        if inlet.packets.send(packet).is_err() || last {
            open.remove(&header.serial);
        }
    }

    /// The stream is over: later packets are late.
    pub(super) fn remove(&self, serial: u32) {
        self.open.lock().remove(&serial);
    }

    /// The client is gone: every stream ends.
    pub(super) fn clear(&self) {
        self.open.lock().clear();
    }
}

impl Outlet {
    /// The next packet, or `None` when the client is gone.
    pub(super) async fn next(&mut self) -> Option<Packet> {
        let packet = self.packets.recv().await;
        if packet.is_some() {
            self.waiting.fetch_sub(PACKET_COST, Ordering::Relaxed);
        }
        packet
    }

    /// `count` bytes reached the far end.
    pub(super) fn taken(&self, count: usize) {
        self.waiting.fetch_sub(count, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn send(streams: &Streams, status: Status, payload: Vec<u8>) {
        let header = Header::call(201, 5).answer(Kind::Stream, status);
        streams.packet(Frame { header, payload });
    }

    #[tokio::test]
    async fn packets_come_out_in_order_and_late_ones_are_dropped() {
        let streams = Streams::default();
        let mut outlet = streams.open(&Header::call(201, 5)).unwrap();
        assert!(streams.open(&Header::call(201, 5)).is_none());
        send(&streams, Status::Continue, vec![1]);
        send(&streams, Status::Ok, vec![]);
        send(&streams, Status::Continue, vec![2]);
        assert_eq!(outlet.next().await, Some(Packet::Data(vec![1])));
        assert_eq!(outlet.next().await, Some(Packet::Finish));
        assert_eq!(outlet.next().await, None);
    }

    #[tokio::test]
    async fn input_that_nobody_takes_overflows_and_taken_input_does_not() {
        let streams = Streams::default();
        let mut outlet = streams.open(&Header::call(201, 5)).unwrap();
        for _ in 0..4 {
            send(&streams, Status::Continue, vec![0; INPUT_MAX]);
            assert!(matches!(outlet.next().await, Some(Packet::Data(_))));
            outlet.taken(INPUT_MAX);
        }
        send(&streams, Status::Continue, vec![0; INPUT_MAX]);
        send(&streams, Status::Continue, vec![0]);
        assert!(matches!(outlet.next().await, Some(Packet::Data(_))));
        assert_eq!(outlet.next().await, Some(Packet::Overflow));
    }
}
