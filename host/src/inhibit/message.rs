//! D-Bus messages, as far as calls with texts and answers with descriptors need them: bytes to values and back.

/// The longest answer that is read, in bytes; ours have some hundred.
pub(super) const LONGEST: usize = 1 << 20;
/// The part that every message begins with and that tells its length.
pub(super) const PREFIX: usize = 16;

/// Types of messages.
mod kind {
    pub(super) const CALL: u8 = 1;
    pub(super) const ANSWER: u8 = 2;
    pub(super) const ERROR: u8 = 3;
}

/// Codes of header fields.
mod field {
    pub(super) const PATH: u8 = 1;
    pub(super) const INTERFACE: u8 = 2;
    pub(super) const MEMBER: u8 = 3;
    pub(super) const ERROR_NAME: u8 = 4;
    pub(super) const REPLY_SERIAL: u8 = 5;
    pub(super) const DESTINATION: u8 = 6;
    pub(super) const SIGNATURE: u8 = 8;
    pub(super) const DESCRIPTORS: u8 = 9;
}

/// A call whose arguments are texts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call<'a> {
    /// Who is called.
    pub(super) destination: &'a str,
    /// The object.
    pub(super) path: &'a str,
    /// The interface.
    pub(super) interface: &'a str,
    /// The method.
    pub(super) member: &'a str,
    /// The arguments.
    pub(super) arguments: &'a [&'a str],
}

/// A message that came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Message {
    /// What it says.
    pub(super) word: Word,
    /// How many descriptors came with it.
    pub(super) descriptors: usize,
}

/// What a message says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Word {
    /// The answer to the call with this serial.
    Answer(u32),
    /// The refusal of the call with this serial, in words.
    Refusal(u32, String),
    /// Something that nobody asked for.
    Other,
}

fn pad(bytes: &mut Vec<u8>, to: usize) {
    bytes.resize(bytes.len().next_multiple_of(to), 0);
}

/// Lengths on the wire have 32 bits; no text of ours comes near.
fn length(len: usize) -> [u8; 4] {
    u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes()
}

fn push_text(bytes: &mut Vec<u8>, text: &str) {
    pad(bytes, 4);
    bytes.extend(length(text.len()));
    bytes.extend(text.bytes());
    bytes.push(0);
}

fn push_field(fields: &mut Vec<u8>, code: u8, signature: u8, text: &str) {
    pad(fields, 8);
    fields.extend([code, 1, signature, 0]);
    push_text(fields, text);
}

impl Call<'_> {
    /// The message; its answer names the serial, which is not 0.
    pub(super) fn bytes(&self, serial: u32) -> Vec<u8> {
        let mut body = Vec::new();
        for argument in self.arguments {
            push_text(&mut body, argument);
        }
        // Their places are counted from the message's beginning, which the prefix keeps in step.
        let mut fields = Vec::new();
        push_field(&mut fields, field::PATH, b'o', self.path);
        push_field(&mut fields, field::INTERFACE, b's', self.interface);
        push_field(&mut fields, field::MEMBER, b's', self.member);
        push_field(&mut fields, field::DESTINATION, b's', self.destination);
        if !self.arguments.is_empty() {
            pad(&mut fields, 8);
            let count = u8::try_from(self.arguments.len()).unwrap_or(u8::MAX);
            fields.extend([field::SIGNATURE, 1, b'g', 0, count]);
            fields.extend(self.arguments.iter().map(|_| b's'));
            fields.push(0);
        }
        let mut bytes = vec![b'l', kind::CALL, 0, 1];
        bytes.extend(length(body.len()));
        bytes.extend(serial.to_le_bytes());
        bytes.extend(length(fields.len()));
        bytes.extend(fields);
        pad(&mut bytes, 8);
        bytes.extend(body);
        bytes
    }
}

/// Reads numbers and texts of a message, each at a place that is a multiple of its size.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    little: bool,
}

impl<'a> Reader<'a> {
    fn align(&mut self, to: usize) {
        self.at = self.at.next_multiple_of(to);
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(count)?)?;
        self.at += count;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn number(&mut self) -> Option<u32> {
        self.align(4);
        let bytes = self.take(4)?.try_into().ok()?;
        Some(match self.little {
            true => u32::from_le_bytes(bytes),
            false => u32::from_be_bytes(bytes),
        })
    }

    fn text(&mut self) -> Option<String> {
        let len = usize::try_from(self.number()?).ok()?;
        let text = std::str::from_utf8(self.take(len)?).ok()?.to_owned();
        self.take(1)?;
        Some(text)
    }

    fn signature(&mut self) -> Option<&'a [u8]> {
        let len = self.byte()?.into();
        let text = self.take(len)?;
        self.take(1)?;
        Some(text)
    }
}

fn reader(bytes: &[u8]) -> Option<Reader<'_>> {
    let little = match bytes.first()? {
        b'l' => true,
        b'B' => false,
        _ => return None,
    };
    Some(Reader { bytes, at: 0, little })
}

/// The length of the message that begins with these bytes, [`PREFIX`] of them; `None` when it is none, or too long.
pub(super) fn len(prefix: &[u8]) -> Option<usize> {
    let mut reader = reader(prefix)?;
    reader.at = 4;
    let body = usize::try_from(reader.number()?).ok()?;
    reader.at = 12;
    let fields = usize::try_from(reader.number()?).ok()?;
    let len = PREFIX
        .checked_add(fields)?
        .checked_next_multiple_of(8)?
        .checked_add(body)?;
    (len <= LONGEST).then_some(len)
}

/// A whole message; `None` when it is none.
pub(super) fn parse(bytes: &[u8]) -> Option<Message> {
    let mut reader = reader(bytes)?;
    reader.at = 1;
    let kind = reader.byte()?;
    reader.at = 12;
    let end = PREFIX.checked_add(usize::try_from(reader.number()?).ok()?)?;
    let (mut serial, mut error, mut signature, mut descriptors) = (None, None, &[][..], 0);
    while reader.at < end {
        reader.align(8);
        let code = reader.byte()?;
        match (code, reader.signature()?) {
            (field::REPLY_SERIAL, b"u") => serial = Some(reader.number()?),
            (field::ERROR_NAME, b"s") => error = Some(reader.text()?),
            (field::SIGNATURE, b"g") => signature = reader.signature()?,
            (field::DESCRIPTORS, b"u") => descriptors = usize::try_from(reader.number()?).ok()?,
            (_, b"s" | b"o") => drop(reader.text()?),
            (_, b"g") => drop(reader.signature()?),
            (_, b"u") => drop(reader.number()?),
            _ => return None,
        }
    }
    reader.at = end;
    reader.align(8);
    let word = match (kind, serial) {
        (kind::ANSWER, Some(serial)) => Word::Answer(serial),
        (kind::ERROR, Some(serial)) => {
            let name = error.unwrap_or_default();
            let words = if signature.first() == Some(&b's') {
                reader.text()
            } else {
                None
            };
            Word::Refusal(serial, words.map_or(name.clone(), |words| format!("{name}: {words}")))
        }
        _ => Word::Other,
    };
    Some(Message { word, descriptors })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CALL: Call<'_> = Call {
        destination: "org.x",
        path: "/org/x",
        interface: "org.x.Y",
        member: "Do",
        arguments: &["one", ""],
    };

    /// An answer as a bus would send it, in the order of bytes that is asked for.
    fn answer(kind: u8, little: bool, words: Option<&str>) -> Vec<u8> {
        let number = |number: u32| match little {
            true => number.to_le_bytes(),
            false => number.to_be_bytes(),
        };
        let size = |len: usize| number(u32::try_from(len).unwrap());
        let mut body = Vec::new();
        if let Some(words) = words {
            body.extend(size(words.len()));
            body.extend(words.bytes());
            body.push(0);
        }
        let mut fields = vec![field::REPLY_SERIAL, 1, b'u', 0];
        fields.extend(number(7));
        fields.extend([field::ERROR_NAME, 1, b's', 0]);
        fields.extend(size(5));
        fields.extend(b"org.E\0\0\0");
        fields.truncate(8 + 4 + 4 + 6);
        if words.is_some() {
            pad(&mut fields, 8);
            fields.extend([field::SIGNATURE, 1, b'g', 0, 1, b's', 0]);
        }
        let mut bytes = vec![if little { b'l' } else { b'B' }, kind, 0, 1];
        bytes.extend(size(body.len()));
        bytes.extend(number(1));
        bytes.extend(size(fields.len()));
        bytes.extend(fields);
        pad(&mut bytes, 8);
        bytes.extend(body);
        bytes
    }

    fn word(bytes: &[u8]) -> Word {
        parse(bytes).unwrap().word
    }

    #[test]
    fn descriptors_are_counted() {
        let mut bytes = answer(kind::ANSWER, true, None);
        assert_eq!(parse(&bytes).unwrap().descriptors, 0);
        // In the place of the field that names the call: a message that answers nothing and brings three.
        bytes[16] = field::DESCRIPTORS;
        bytes[20] = 3;
        let brought = Message {
            word: Word::Other,
            descriptors: 3,
        };
        assert_eq!(parse(&bytes), Some(brought));
    }

    #[test]
    fn a_call_has_its_fields_and_arguments_in_place() {
        let bytes = CALL.bytes(3);
        assert_eq!(&bytes[..4], [b'l', 1, 0, 1]);
        assert_eq!(&bytes[8..12], 3_u32.to_le_bytes());
        assert_eq!(len(&bytes[..PREFIX]), Some(bytes.len()));
        assert_eq!(&bytes[16..24], [field::PATH, 1, b'o', 0, 6, 0, 0, 0]);
        assert_eq!(&bytes[24..31], b"/org/x\0");
        assert_eq!(&bytes[bytes.len() - 13..], b"\x03\0\0\0one\0\0\0\0\0\0");
        assert_eq!(word(&bytes), Word::Other);
    }

    #[test]
    fn answers_and_refusals_name_their_call_in_either_order_of_bytes() {
        for little in [true, false] {
            let bytes = answer(kind::ANSWER, little, None);
            assert_eq!(len(&bytes[..PREFIX]), Some(bytes.len()));
            assert_eq!(word(&bytes), Word::Answer(7));
            let bytes = answer(kind::ERROR, little, Some("no way"));
            assert_eq!(word(&bytes), Word::Refusal(7, "org.E: no way".to_owned()));
            let bytes = answer(kind::ERROR, little, None);
            assert_eq!(word(&bytes), Word::Refusal(7, "org.E".to_owned()));
        }
    }

    #[test]
    fn what_is_no_message_or_too_long_has_no_length() {
        assert_eq!(len(b"xxxxxxxxxxxxxxxx"), None);
        assert_eq!(len(b"l\x02\0\x01\xff\xff\xff\xff\0\0\0\0\0\0\0\0"), None);
        assert_eq!(len(b"l"), None);
        assert_eq!(parse(b""), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200), little: bool) {
            drop((len(&bytes), parse(&bytes)));
            if let Some(first) = bytes.first_mut() {
                *first = if little { b'l' } else { b'B' };
            }
            drop((len(&bytes), parse(&bytes)));
        }

        #[test]
        fn no_answer_that_was_cut_or_changed_makes_it_panic(cut in 0_usize..100, at in 0_usize..100, to: u8) {
            let mut bytes = answer(kind::ERROR, true, Some("words"));
            if let Some(byte) = bytes.get_mut(at) {
                *byte = to;
            }
            bytes.truncate(cut);
            drop(parse(&bytes));
        }
    }
}
