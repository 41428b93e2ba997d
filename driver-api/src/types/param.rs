//! `Param`: a named value of one of libvirt's types, for figures and limits whose set grows with time.

/// A value, with libvirt's types (`virTypedParameterType`).
#[derive(Clone, PartialEq, Debug)]
#[allow(missing_docs, reason = "the names are libvirt's own")]
pub enum Value {
    Int(i32),
    Uint(u32),
    Long(i64),
    Ulong(u64),
    Double(f64),
    Bool(bool),
    Text(String),
}

/// A named value (`virTypedParameter`).
#[derive(Clone, PartialEq, Debug)]
pub struct Param {
    /// Its name; which ones there are is said where they are given or taken.
    pub name: String,
    /// The value.
    pub value: Value,
}

impl Param {
    /// A value under a name.
    #[must_use]
    pub fn new(name: impl Into<String>, value: impl Into<Value>) -> Self {
        Self {
            name: name.into(),
            value: value.into(),
        }
    }
}

impl Value {
    /// The value as a number that is not negative, whatever integer type it has.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        match *self {
            Self::Int(value) => u64::try_from(value).ok(),
            Self::Uint(value) => Some(value.into()),
            Self::Long(value) => u64::try_from(value).ok(),
            Self::Ulong(value) => Some(value),
            Self::Bool(_) | Self::Double(_) | Self::Text(_) => None,
        }
    }

    /// The value as a number, whatever integer type it has, if it fits.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match *self {
            Self::Int(value) => Some(value.into()),
            Self::Uint(value) => Some(value.into()),
            Self::Long(value) => Some(value),
            Self::Ulong(value) => i64::try_from(value).ok(),
            Self::Bool(_) | Self::Double(_) | Self::Text(_) => None,
        }
    }

    /// The value as text.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

macro_rules! from {
    ($($variant:ident: $ty:ty),+) => { $(
        impl From<$ty> for Value {
            fn from(value: $ty) -> Self {
                Self::$variant(value)
            }
        }
    )+ };
}
from!(Int: i32, Uint: u32, Long: i64, Ulong: u64, Double: f64, Bool: bool, Text: String);

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// The value under a name.
#[must_use]
pub fn find<'a>(params: &'a [Param], name: &str) -> Option<&'a Value> {
    params.iter().find(|param| param.name == name).map(|param| &param.value)
}
