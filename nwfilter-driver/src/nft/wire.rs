//! Netlink messages and attributes as bytes: written with lengths that hold, read without trust.

/// Bytes of a netlink message header.
pub(crate) const HEADER: usize = 16;
/// Bytes of the header that all netfilter messages have behind it.
pub(crate) const FAMILY_HEADER: usize = 4;

const NESTED: u16 = 0x8000;
const KIND: u16 = 0x3fff;

const fn padded(len: usize) -> usize {
    len.next_multiple_of(4)
}

/// Writes messages one after the other.
#[derive(Debug, Default, Clone)]
pub struct Writer {
    bytes: Vec<u8>,
    overflow: bool,
}

/// The fixed part of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Subsystem and operation.
    pub kind: u16,
    /// `NLM_F_…`.
    pub flags: u16,
    /// Answers carry it back.
    pub sequence: u32,
    /// Whose it is; 0 in what is sent.
    pub port: u32,
}

impl Writer {
    /// What was written.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether something did not fit its length field; such bytes must not be sent.
    #[must_use]
    pub const fn overflowed(&self) -> bool {
        self.overflow
    }

    /// One message: its headers, then what `body` writes.
    pub fn message(&mut self, header: Header, family: u8, resource: u16, body: impl FnOnce(&mut Self)) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 4]);
        self.bytes.extend_from_slice(&header.kind.to_ne_bytes());
        self.bytes.extend_from_slice(&header.flags.to_ne_bytes());
        self.bytes.extend_from_slice(&header.sequence.to_ne_bytes());
        self.bytes.extend_from_slice(&header.port.to_ne_bytes());
        self.bytes.extend_from_slice(&[family, 0]);
        self.bytes.extend_from_slice(&resource.to_be_bytes());
        body(self);
        let len = self.bytes.len() - start;
        match (u32::try_from(len), self.bytes.get_mut(start..start + 4)) {
            (Ok(len), Some(field)) => field.copy_from_slice(&len.to_ne_bytes()),
            _ => self.overflow = true,
        }
    }

    /// Adds flags to the message that begins at `start`.
    pub(super) fn add_flags(&mut self, start: usize, flags: u16) {
        if let Some(field) = self.bytes.get_mut(start + 6..start + 8)
            && let Some(old) = native_u16(field)
        {
            field.copy_from_slice(&(old | flags).to_ne_bytes());
        }
    }

    /// Gives the message that begins at `start` a kind that there is not.
    #[cfg(test)]
    pub(super) fn spoil(&mut self, start: usize) {
        self.bytes[start + 4] = 0xff;
    }

    /// An attribute of these bytes.
    pub fn bytes_of(&mut self, kind: u16, value: &[u8]) {
        self.attribute(kind, |writer| writer.bytes.extend_from_slice(value));
    }

    /// An attribute of text; the kernel wants the zero at its end.
    pub fn text(&mut self, kind: u16, value: &str) {
        self.attribute(kind, |writer| {
            writer.bytes.extend_from_slice(value.as_bytes());
            writer.bytes.push(0);
        });
    }

    /// A number in network order, as nf_tables wants all of its own.
    pub fn number(&mut self, kind: u16, value: u32) {
        self.bytes_of(kind, &value.to_be_bytes());
    }

    /// A long number in network order.
    pub fn long(&mut self, kind: u16, value: u64) {
        self.bytes_of(kind, &value.to_be_bytes());
    }

    /// An attribute of attributes.
    pub fn nest(&mut self, kind: u16, body: impl FnOnce(&mut Self)) {
        self.attribute(kind | NESTED, body);
    }

    fn attribute(&mut self, kind: u16, body: impl FnOnce(&mut Self)) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 2]);
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        body(self);
        let len = self.bytes.len() - start;
        match (u16::try_from(len), self.bytes.get_mut(start..start + 2)) {
            (Ok(len), Some(field)) => field.copy_from_slice(&len.to_ne_bytes()),
            _ => self.overflow = true,
        }
        self.bytes.resize(start + padded(len), 0);
    }
}

/// One message as it came.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Its fixed part.
    pub header: Header,
    /// All behind the netlink header.
    pub body: &'a [u8],
}

impl<'a> Message<'a> {
    /// The protocol family of a netfilter message.
    #[must_use]
    pub fn family(&self) -> u8 {
        self.body.first().copied().unwrap_or_default()
    }

    /// The attributes of a netfilter message.
    #[must_use]
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes(self.body.get(FAMILY_HEADER..).unwrap_or_default())
    }
}

/// The messages of one datagram; ends at the first that is damaged.
#[derive(Clone, Copy, Debug)]
pub struct Messages<'a>(pub &'a [u8]);

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let len = usize::try_from(native_u32(self.0)?).ok()?;
        let header = Header {
            kind: native_u16(self.0.get(4..)?)?,
            flags: native_u16(self.0.get(6..)?)?,
            sequence: native_u32(self.0.get(8..)?)?,
            port: native_u32(self.0.get(12..)?)?,
        };
        let body = self.0.get(HEADER..len)?;
        self.0 = self.0.get(padded(len)..).unwrap_or_default();
        Some(Message { header, body })
    }
}

/// The attributes of a message or of an attribute; ends at the first that is damaged.
#[derive(Clone, Copy, Debug)]
pub struct Attributes<'a>(pub &'a [u8]);

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let len = usize::from(native_u16(self.0)?);
        let kind = native_u16(self.0.get(2..)?)? & KIND;
        let value = self.0.get(4..len)?;
        self.0 = self.0.get(padded(len)..).unwrap_or_default();
        Some((kind, value))
    }
}

impl<'a> Attributes<'a> {
    /// The value of the first attribute of that kind.
    #[must_use]
    pub fn get(self, kind: u16) -> Option<&'a [u8]> {
        self.into_iter()
            .find(|(found, _)| *found == kind)
            .map(|(_, value)| value)
    }

    /// The attributes inside the first attribute of that kind.
    #[must_use]
    pub fn inside(self, kind: u16) -> Option<Self> {
        self.get(kind).map(Self)
    }

    /// Text without the zero at its end.
    #[must_use]
    pub fn text(self, kind: u16) -> Option<String> {
        let value = self.get(kind)?;
        let value = value.strip_suffix(&[0]).unwrap_or(value);
        String::from_utf8(value.to_vec()).ok()
    }

    /// A number in network order.
    #[must_use]
    pub fn number(self, kind: u16) -> Option<u32> {
        self.get(kind)?.first_chunk().copied().map(u32::from_be_bytes)
    }

    /// A long number in network order.
    #[must_use]
    pub fn long(self, kind: u16) -> Option<u64> {
        self.get(kind)?.first_chunk().copied().map(u64::from_be_bytes)
    }
}

fn native_u16(bytes: &[u8]) -> Option<u16> {
    bytes.first_chunk().copied().map(u16::from_ne_bytes)
}

/// A number in the machine's order, from the start of `bytes`.
pub(crate) fn native_u32(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().copied().map(u32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_written_is_read_back() {
        let mut writer = Writer::default();
        let header = Header {
            kind: 0xa06,
            flags: 5,
            sequence: 7,
            port: 0,
        };
        writer.message(header, 7, 10, |w| {
            w.text(1, "abc");
            w.nest(2, |w| {
                w.number(3, 0x0102_0304);
                w.long(4, 5);
            });
            w.bytes_of(5, &[9]);
        });
        let message = Messages(writer.bytes()).next().unwrap();
        assert_eq!((message.header, message.family()), (header, 7));
        let attributes = message.attributes();
        assert_eq!(attributes.text(1).as_deref(), Some("abc"));
        let inner = attributes.inside(2).unwrap();
        assert_eq!((inner.number(3), inner.long(4)), (Some(0x0102_0304), Some(5)));
        assert_eq!(attributes.get(5), Some(&[9][..]));
        assert!(!writer.overflowed());
    }

    #[test]
    fn an_attribute_that_is_too_long_is_noticed() {
        let mut writer = Writer::default();
        writer.bytes_of(1, &vec![0; 0xffff - 4]);
        assert!(!writer.overflowed());
        writer.bytes_of(1, &vec![0; 0xffff - 3]);
        assert!(writer.overflowed());
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_read(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            for message in Messages(&bytes) {
                for (kind, value) in message.attributes() {
                    let _ = (message.attributes().text(kind), Attributes(value).count());
                }
            }
        }
    }
}
