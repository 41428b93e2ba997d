//! `RemoteError`: a failure as the wire carries it, and its two conversions.

use super::codec::domain::DomainRef;
use super::xdr::{XdrError, xdr_struct};
use driver_api::error::{Code, Error, Origin};
use driver_api::types::uuid::Uuid;

/// The level of an error; 1 would be a warning.
const LEVEL_ERROR: i32 = 2;

/// Messages are cut at this many bytes, so that no message can grow too large for its own frame.
const MESSAGE_MAX: usize = 1 << 20;

xdr_struct! {
    /// The network that an error is about; never set by us.
    NetworkRef {
        name: String,
        uuid: Uuid,
    }

    /// The body of a reply or stream packet with status `Error`.
    RemoteError {
        code: i32,
        domain: i32,
        message: Option<String>,
        level: i32,
        dom: Option<DomainRef>,
        str1: Option<String>,
        str2: Option<String>,
        str3: Option<String>,
        int1: i32,
        int2: i32,
        net: Option<NetworkRef>,
    }
}

impl From<&Error> for RemoteError {
    fn from(error: &Error) -> Self {
        // A NUL would end the message early in a C client.
        let mut message = error.to_string().replace('\0', "\u{fffd}");
        message.truncate(message.floor_char_boundary(MESSAGE_MAX));
        let code = error.code();
        // Clients add 4 to the filter codes of every other domain, for the sake of servers older than the codes.
        let origin = match code {
            Code::INVALID_NWFILTER | Code::NO_NWFILTER | Code::BUILD_FIREWALL => Origin::NWFILTER,
            _ => error.origin(),
        };
        Self {
            code: code.0.cast_signed(),
            domain: origin.0.cast_signed(),
            message: Some(message.clone()),
            level: LEVEL_ERROR,
            dom: None,
            str1: Some("%s".to_owned()),
            str2: Some(message),
            str3: None,
            int1: -1,
            int2: -1,
            net: None,
        }
    }
}

impl From<RemoteError> for Error {
    fn from(error: RemoteError) -> Self {
        let message = error.message.unwrap_or_else(|| "the server gave no reason".to_owned());
        Self::new(
            Code(error.code.cast_unsigned()),
            Origin(error.domain.cast_unsigned()),
            message,
        )
    }
}

/// The error for a message that does not decode.
#[must_use]
pub fn undecodable(what: &str, error: XdrError) -> Error {
    Error::new(
        Code::RPC,
        Origin::RPC,
        format!("unable to decode message payload of {what}"),
    )
    .because(error)
}

/// The error for a result that does not fit the protocol's bounds.
#[must_use]
pub fn unencodable(what: &str, error: XdrError) -> Error {
    Error::new(
        Code::RPC,
        Origin::RPC,
        format!("the result of {what} does not fit the protocol"),
    )
    .because(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::xdr::{decode, encode};

    #[test]
    fn an_error_survives_the_wire() {
        let error = Error::new(Code::NO_DOMAIN, Origin::UML, "no domain 'x'");
        let remote = RemoteError::from(&error);
        let back = Error::from(decode::<RemoteError>(&encode(&remote).unwrap()).unwrap());
        assert_eq!(
            (back.code(), back.origin(), back.to_string()),
            (Code(42), Origin(21), "no domain 'x'".into())
        );
    }

    #[test]
    fn filter_codes_always_come_from_the_filter_domain() {
        for code in [Code::INVALID_NWFILTER, Code::NO_NWFILTER, Code::BUILD_FIREWALL] {
            assert_eq!(RemoteError::from(&Error::new(code, Origin::UML, "x")).domain, 33);
        }
        assert_eq!(
            RemoteError::from(&Error::new(Code::XML_ERROR, Origin::UML, "x")).domain,
            21
        );
    }

    #[test]
    fn a_guests_last_words_can_not_break_the_message() {
        let error = Error::new(Code::INTERNAL, Origin::UML, format!("a\0b{}", "é".repeat(1 << 20)));
        let message = RemoteError::from(&error).message.unwrap();
        assert!(message.starts_with("a\u{fffd}b") && message.len() <= MESSAGE_MAX);
    }
}
