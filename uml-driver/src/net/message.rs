//! Rtnetlink messages as bytes: what is asked of a link, and what the kernel tells of one.

/// `RTM_NEWLINK`: with an index and without `NLM_F_CREATE` it changes a link.
pub(super) const NEW_LINK: u16 = 16;
/// `RTM_DELLINK`.
pub(super) const DELETE_LINK: u16 = 17;
/// `RTM_GETLINK`.
pub(super) const GET_LINK: u16 = 18;
/// `NLMSG_ERROR`: an answer without data; code 0 is success.
const ERROR: u16 = 2;
/// `NLM_F_REQUEST` and `NLM_F_ACK`.
const REQUEST_AND_ACK: u16 = 1 | 4;
/// `IFF_UP`.
const UP: u32 = 1;
/// `IF_OPER_DOWN`.
const OPERATION_DOWN: u8 = 2;
const HEADER: usize = 16;
const INTERFACE: usize = 16;

/// Attributes of a link.
mod attribute {
    pub(super) const ADDRESS: u16 = 1;
    pub(super) const NAME: u16 = 3;
    pub(super) const MTU: u16 = 4;
    pub(super) const MASTER: u16 = 10;
    pub(super) const STATE: u16 = 16;
    pub(super) const INFO: u16 = 18;
    pub(super) const STATS64: u16 = 23;
    pub(super) const CARRIER: u16 = 33;
    /// Inside of [`INFO`].
    pub(super) const KIND: u16 = 1;
}

/// A network device of the host.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Link {
    pub(super) index: i32,
    pub(super) mtu: u32,
    /// Whether the kernel has taken it for one without carrier (`IF_OPER_DOWN`).
    pub(super) is_down: bool,
    /// `bridge`, `tun`, ...; empty for hardware.
    pub(super) kind: String,
    /// What has passed it, as the host sees it.
    pub(super) counters: Counters,
}

/// What has passed a network device since it was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// What came in.
    pub rx: Traffic,
    /// What went out.
    pub tx: Traffic,
}

/// One direction of [`Counters`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Traffic {
    pub bytes: u64,
    pub packets: u64,
    pub errors: u64,
    pub drops: u64,
}

impl Counters {
    /// The same as whoever is at the other end sees it.
    #[must_use]
    pub const fn swapped(self) -> Self {
        Self {
            rx: self.tx,
            tx: self.rx,
        }
    }

    /// `struct rtnl_link_stats64`.
    fn read(bytes: &[u8]) -> Option<Self> {
        let at = |place: usize| Some(u64::from_ne_bytes(*bytes.get(place * 8..)?.first_chunk()?));
        let traffic = |place: usize| {
            Some(Traffic {
                packets: at(place)?,
                bytes: at(place + 2)?,
                errors: at(place + 4)?,
                drops: at(place + 6)?,
            })
        };
        Some(Self {
            rx: traffic(0)?,
            tx: traffic(1)?,
        })
    }
}

/// A question or order about one link.
#[derive(Clone, Debug)]
pub(super) struct Request(Vec<u8>);

impl Request {
    /// About the link with this index; 0 when it is named.
    pub(super) fn new(what: u16, index: i32) -> Self {
        let mut bytes = vec![0; HEADER + INTERFACE];
        bytes[4..6].copy_from_slice(&what.to_ne_bytes());
        bytes[6..8].copy_from_slice(&REQUEST_AND_ACK.to_ne_bytes());
        bytes[HEADER + 4..HEADER + 8].copy_from_slice(&index.to_ne_bytes());
        Self(bytes)
    }

    /// About what queues at the link with this index, with a `tcmsg` of these three words.
    pub(super) fn traffic(what: u16, flags: u16, index: i32, handle: u32, parent: u32, info: u32) -> Self {
        let mut request = Self::new(what, 0);
        request.0.truncate(HEADER);
        request.0[6..8].copy_from_slice(&(REQUEST_AND_ACK | flags).to_ne_bytes());
        request.0.extend_from_slice(&[0; 4]);
        request.0.extend_from_slice(&index.to_ne_bytes());
        for word in [handle, parent, info] {
            request.0.extend_from_slice(&word.to_ne_bytes());
        }
        request
    }

    /// An attribute that is a text.
    pub(super) fn text(self, kind: u16, text: &str) -> Self {
        self.with(kind, format!("{text}\0").as_bytes())
    }

    /// An attribute that holds those that `inside` adds.
    pub(super) fn nested(self, kind: u16, inside: impl FnOnce(Self) -> Self) -> Self {
        let value = inside(Self(Vec::new())).0;
        self.with(kind, &value)
    }

    pub(super) fn name(self, name: &str) -> Self {
        self.with(attribute::NAME, format!("{name}\0").as_bytes())
    }

    pub(super) fn address(self, bytes: [u8; 6]) -> Self {
        self.with(attribute::ADDRESS, &bytes)
    }

    pub(super) fn mtu(self, mtu: u32) -> Self {
        self.with(attribute::MTU, &mtu.to_ne_bytes())
    }

    /// The bridge that it is to be a port of.
    pub(super) fn master(self, index: i32) -> Self {
        self.with(attribute::MASTER, &index.to_ne_bytes())
    }

    /// To be switched on.
    pub(super) fn up(mut self) -> Self {
        self.0[HEADER + 8..HEADER + 12].copy_from_slice(&UP.to_ne_bytes());
        self.0[HEADER + 12..HEADER + 16].copy_from_slice(&UP.to_ne_bytes());
        self
    }

    /// Whether there is a cable in it.
    pub(super) fn carrier(self, on: bool) -> Self {
        self.with(attribute::CARRIER, &[u8::from(on)])
    }

    pub(super) fn with(mut self, kind: u16, value: &[u8]) -> Self {
        // Names and addresses have some bytes, and the length counts its own four.
        let length = u16::try_from(value.len() + 4).unwrap_or(u16::MAX);
        self.0.extend_from_slice(&length.to_ne_bytes());
        self.0.extend_from_slice(&kind.to_ne_bytes());
        self.0.extend_from_slice(value);
        self.0.resize(aligned(self.0.len()), 0);
        self
    }

    /// The whole message.
    pub(super) fn bytes(mut self) -> Vec<u8> {
        let length = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        self.0[..4].copy_from_slice(&length.to_ne_bytes());
        self.0
    }
}

const fn aligned(length: usize) -> usize {
    length.next_multiple_of(4)
}

/// One message of the kernel's answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Answer {
    /// What was asked for.
    Link(Link),
    /// It is done, or why not (an errno).
    Done(Result<(), i32>),
}

/// The messages in a datagram; what is cut or of another kind is left out.
pub(super) fn answers(mut datagram: &[u8]) -> Vec<Answer> {
    let mut found = Vec::new();
    while let Some((kind, body, rest)) = message(datagram) {
        match kind {
            NEW_LINK => found.extend(link(body).map(Answer::Link)),
            ERROR => found.extend(number(body).map(|code| match code {
                0 => Answer::Done(Ok(())),
                code => Answer::Done(Err(code.saturating_neg())),
            })),
            _ => {}
        }
        datagram = rest;
    }
    found
}

/// The first message: its kind, its body, and what follows it.
pub(super) fn message(datagram: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = usize::try_from(u32::from_ne_bytes(datagram.first_chunk().copied()?)).ok()?;
    let kind = u16::from_ne_bytes(datagram.get(4..6)?.try_into().ok()?);
    let body = datagram.get(HEADER..length)?;
    Some((kind, body, datagram.get(aligned(length)..).unwrap_or_default()))
}

fn link(body: &[u8]) -> Option<Link> {
    let mut link = Link {
        index: number(body.get(4..)?)?,
        ..Link::default()
    };
    for (kind, value) in attributes(body.get(INTERFACE..)?) {
        match kind {
            attribute::STATE => link.is_down = value.first() == Some(&OPERATION_DOWN),
            attribute::MTU => link.mtu = number(value)?.cast_unsigned(),
            attribute::STATS64 => link.counters = Counters::read(value)?,
            attribute::INFO => {
                let name = attributes(value).find(|(kind, _)| *kind == attribute::KIND);
                link.kind = name.map_or_else(String::new, |(_, name)| {
                    String::from_utf8_lossy(name).trim_end_matches('\0').to_owned()
                });
            }
            _ => {}
        }
    }
    Some(link)
}

pub(super) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(bytes.first_chunk().copied()?));
        let kind = u16::from_ne_bytes(bytes.get(2..4)?.try_into().ok()?);
        let value = bytes.get(4..length)?;
        bytes = bytes.get(aligned(length)..).unwrap_or_default();
        // The two high bits say how the value is to be read, which its reader knows.
        Some((kind & 0x3fff, value))
    })
}

fn number(bytes: &[u8]) -> Option<i32> {
    bytes.first_chunk().copied().map(i32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A link as the kernel tells of it.
    fn told(index: i32, mtu: u32, kind: &str) -> Vec<u8> {
        let kind = Request::new(0, 0)
            .with(attribute::KIND, format!("{kind}\0").as_bytes())
            .0;
        let info = kind[HEADER + INTERFACE..].to_vec();
        Request::new(NEW_LINK, index)
            .mtu(mtu)
            .with(attribute::INFO | 0x8000, &info)
            .bytes()
    }

    fn done(code: i32) -> Vec<u8> {
        let mut bytes = Request::new(ERROR, 0).bytes();
        bytes[HEADER..HEADER + 4].copy_from_slice(&code.to_ne_bytes());
        bytes
    }

    #[test]
    fn a_link_and_the_end_of_the_answer_are_read_from_one_datagram() {
        let datagram = [told(7, 9000, "bridge"), done(0), done(-19)].concat();
        let link = Link {
            index: 7,
            mtu: 9000,
            kind: "bridge".to_owned(),
            ..Link::default()
        };
        let wanted = [Answer::Link(link), Answer::Done(Ok(())), Answer::Done(Err(19))];
        assert_eq!(answers(&datagram), wanted);
    }

    #[test]
    fn counters_are_read_as_the_kernel_lays_them_out() {
        let stats: Vec<u8> = (1..=24_u64).flat_map(u64::to_ne_bytes).collect();
        let told = Request::new(NEW_LINK, 1).with(attribute::STATS64, &stats).bytes();
        let [Answer::Link(link)] = &answers(&told)[..] else {
            panic!("{told:?}");
        };
        let traffic = |packets, bytes, errors, drops| Traffic {
            bytes,
            packets,
            errors,
            drops,
        };
        let (rx, tx) = (traffic(1, 3, 5, 7), traffic(2, 4, 6, 8));
        assert_eq!(link.counters, Counters { rx, tx });
        assert_eq!(link.counters.swapped(), Counters { rx: tx, tx: rx });
    }

    #[test]
    fn orders_are_laid_out_as_the_kernel_reads_them() {
        let order = Request::new(NEW_LINK, 3).address([0xfe, 1, 2, 3, 4, 5]).up().bytes();
        let mut wanted = vec![44, 0, 0, 0, 16, 0, 5, 0];
        wanted.resize(20, 0);
        wanted.extend([3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0]);
        wanted.extend([10, 0, 1, 0, 0xfe, 1, 2, 3, 4, 5, 0, 0]);
        if cfg!(target_endian = "little") {
            assert_eq!(order, wanted);
        }
    }

    proptest! {
        #[test]
        fn reading_any_bytes_ends_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            drop(answers(&bytes));
        }

        #[test]
        fn a_cut_answer_is_no_answer(cut in 0_usize..60) {
            let whole = told(7, 9000, "bridge");
            let cut = cut.min(whole.len() - 1);
            prop_assert_eq!(answers(&whole[..cut]), []);
        }
    }
}
