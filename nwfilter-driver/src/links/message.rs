//! `Event`: what the kernel says of network devices (rtnetlink), read from its messages.

/// A change of a device.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// It is there: it is new, or something of it changed, its name perhaps.
    There {
        /// Its number.
        index: u32,
        /// Its name now.
        name: String,
    },
    /// It is gone.
    Gone {
        /// Its number.
        index: u32,
    },
    /// Events were lost: everything may have changed.
    Lost,
}

const HEADER: usize = 16;
const NEW_LINK: u16 = 16;
const DEL_LINK: u16 = 17;
/// A bridge tells of its ports by messages of its own family; that a port left it does not mean that it is gone.
const FAMILY_ANY: u8 = 0;
const INFO: usize = 16;
const NAME: u16 = 3;

/// All events of one datagram. What is no whole message is left out: the kernel sends none.
#[must_use]
pub fn events(datagram: &[u8]) -> Vec<Event> {
    let length = |head: &[u8]| {
        let length = u32::from_ne_bytes(*head.first_chunk()?);
        usize::try_from(length).ok()
    };
    chunks(datagram, length).filter_map(event).collect()
}

fn event(message: &[u8]) -> Option<Event> {
    let kind = u16::from_ne_bytes(*message.get(4..)?.first_chunk()?);
    let info = message.get(HEADER..)?;
    if *info.first()? != FAMILY_ANY {
        return None;
    }
    let index = u32::from_ne_bytes(*info.get(4..)?.first_chunk()?);
    match kind {
        NEW_LINK => {
            let length = |head: &[u8]| Some(u16::from_ne_bytes(*head.first_chunk()?).into());
            let name =
                chunks(info.get(INFO..)?, length).find(|attribute| attribute.get(2..4) == Some(&NAME.to_ne_bytes()))?;
            let name = name[4..].split(|byte| *byte == 0).next()?;
            let name = String::from_utf8_lossy(name).into_owned();
            Some(Event::There { index, name })
        }
        DEL_LINK => Some(Event::Gone { index }),
        _ => None,
    }
}

/// Cuts bytes into pieces that tell their own length, header included, and are padded to four bytes.
fn chunks(mut bytes: &[u8], length: impl Fn(&[u8]) -> Option<usize>) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let length = length(bytes).filter(|length| *length >= 4)?;
        let piece = bytes.get(..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(kind: u16, family: u8, index: u32, attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut info = vec![family, 0, 0, 0];
        info.extend(index.to_ne_bytes());
        info.extend([0; 8]);
        for (code, value) in attributes {
            info.extend(u16::try_from(value.len() + 4).unwrap().to_ne_bytes());
            info.extend(code.to_ne_bytes());
            info.extend(*value);
            info.resize(info.len().next_multiple_of(4), 0);
        }
        let mut message = u32::try_from(info.len() + HEADER).unwrap().to_ne_bytes().to_vec();
        message.extend(kind.to_ne_bytes());
        message.extend([0; 10]);
        message.extend(info);
        message
    }

    #[test]
    fn devices_come_change_their_names_and_go() {
        let mut datagram = message(NEW_LINK, 0, 7, &[(13, &[1]), (NAME, b"tap0\0")]);
        datagram.extend(message(NEW_LINK, 7, 8, &[(NAME, b"tap1\0")]));
        datagram.extend(message(DEL_LINK, 7, 8, &[(NAME, b"tap1\0")]));
        datagram.extend(message(20, 0, 8, &[]));
        datagram.extend(message(DEL_LINK, 0, 9, &[(NAME, b"tap2\0")]));
        let there = Event::There {
            index: 7,
            name: "tap0".into(),
        };
        assert_eq!(events(&datagram), [there, Event::Gone { index: 9 }]);
        for length in 0..datagram.len() {
            assert!(events(&datagram[..length]).len() <= 2);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = events(&bytes);
        }
    }
}
