//! `Error`: what went wrong, in words for a person and in libvirt's numbers for a client.

use std::fmt;

/// libvirt's error codes (`virErrorNumber`, public API), as plain numbers so that new ones need no new interface.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Code(pub u32);

#[allow(missing_docs, reason = "the names are libvirt's own; the numbers are its public API")]
impl Code {
    pub const INTERNAL: Self = Self(1);
    pub const NO_MEMORY: Self = Self(2);
    pub const NO_SUPPORT: Self = Self(3);
    pub const NO_CONNECT: Self = Self(5);
    pub const INVALID_CONN: Self = Self(6);
    pub const INVALID_ARG: Self = Self(8);
    pub const OPERATION_FAILED: Self = Self(9);
    pub const NO_SOURCE: Self = Self(19);
    pub const DOM_EXIST: Self = Self(25);
    pub const XML_ERROR: Self = Self(27);
    pub const OPERATION_DENIED: Self = Self(29);
    pub const PARSE_FAILED: Self = Self(32);
    pub const XML_DETAIL: Self = Self(35);
    pub const SYSTEM_ERROR: Self = Self(38);
    pub const RPC: Self = Self(39);
    pub const NO_DOMAIN: Self = Self(42);
    pub const AUTH_FAILED: Self = Self(45);
    pub const OPERATION_INVALID: Self = Self(55);
    pub const INVALID_NWFILTER: Self = Self(61);
    pub const NO_NWFILTER: Self = Self(62);
    pub const BUILD_FIREWALL: Self = Self(63);
    pub const CONFIG_UNSUPPORTED: Self = Self(67);
    pub const OPERATION_TIMEOUT: Self = Self(68);
    pub const ARGUMENT_UNSUPPORTED: Self = Self(74);
    pub const NO_DOMAIN_METADATA: Self = Self(80);
    pub const OPERATION_UNSUPPORTED: Self = Self(84);
    pub const AGENT_UNRESPONSIVE: Self = Self(86);
    pub const RESOURCE_BUSY: Self = Self(87);
    pub const ACCESS_DENIED: Self = Self(88);
    pub const XML_INVALID_SCHEMA: Self = Self(92);
    pub const DEVICE_MISSING: Self = Self(99);
    pub const INVALID_NWFILTER_BINDING: Self = Self(100);
    pub const NO_NWFILTER_BINDING: Self = Self(101);
}

/// libvirt's error domains (`virErrorDomain`, public API): which part of a host speaks.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Origin(pub u32);

#[allow(missing_docs, reason = "the names are libvirt's own; the numbers are its public API")]
impl Origin {
    pub const NONE: Self = Self(0);
    pub const XML: Self = Self(5);
    pub const RPC: Self = Self(7);
    pub const CONF: Self = Self(9);
    pub const REMOTE: Self = Self(13);
    pub const DOMAIN: Self = Self(20);
    pub const UML: Self = Self(21);
    pub const NWFILTER: Self = Self(33);
    pub const STREAMS: Self = Self(38);
    pub const LOCKING: Self = Self(42);
}

/// The result of every driver call.
pub type Result<T> = std::result::Result<T, Error>;

/// One failure: context outside, cause inside; [`fmt::Display`] prints the whole chain once.
#[derive(Debug)]
pub struct Error {
    code: Code,
    origin: Origin,
    message: String,
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error in words: name the object, quote the value, say what helps.
    pub fn new(code: Code, origin: Origin, message: impl Into<String>) -> Self {
        Self {
            code,
            origin,
            message: message.into(),
            cause: None,
        }
    }

    /// The same error with the reason for it inside.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// This error as the cause of a wider one, which keeps the code and origin.
    #[must_use]
    pub fn within(self, message: impl Into<String>) -> Self {
        Self {
            code: self.code,
            origin: self.origin,
            message: message.into(),
            cause: Some(Box::new(self)),
        }
    }

    /// The libvirt code that a client sees.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.code
    }

    /// The libvirt domain that a client sees.
    #[must_use]
    pub const fn origin(&self) -> Origin {
        self.origin
    }

    /// The outermost sentence, without its causes.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.cause {
            Some(cause) => write!(f, ": {cause}"),
            None => Ok(()),
        }
    }
}

// `source` stays empty: `Display` already prints the chain, and whoever walks both would print each cause twice.
impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_prints_the_chain_once_from_outside_in() {
        let io = std::io::Error::other("no such file");
        let inner = Error::new(Code::SYSTEM_ERROR, Origin::UML, "cannot open '/k'").because(io);
        let outer = inner.within("cannot start domain 'vm1'");
        assert_eq!(
            outer.to_string(),
            "cannot start domain 'vm1': cannot open '/k': no such file"
        );
        assert_eq!((outer.code(), outer.origin()), (Code::SYSTEM_ERROR, Origin::UML));
    }
}
