//! What an administrator can set of this driver: the keys of `[driver.uml]` in `lockstep.toml`.

use driver_api::error::{Code, Error, Origin, Result};
use std::time::Duration;

/// The longest boot that can be waited for; whoever starts a domain waits as long.
const LONGEST_START: u64 = 24 * 60 * 60;

/// As many lines as can be plugged in, which keeps their descriptors below those of taps.
const MOST_SPARE: u32 = 16;

/// The settings, each with its default.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Options {
    /// `start_timeout`, in seconds: how long a guest may take until its kernel answers. A busybox guest needs 0.1 to
    /// 2 s, fifty at once half a minute.
    pub(crate) start_timeout: Duration,
    /// `spare_consoles`: how many consoles and serial lines can be plugged into a running guest. Each costs its supervisor
    /// two descriptors.
    pub(crate) spare_consoles: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            start_timeout: Duration::from_secs(60),
            spare_consoles: 4,
        }
    }
}

impl Options {
    /// Reads what the host hands over.
    ///
    /// # Errors
    /// 67 with the name of the key that is unknown or has a wrong value.
    pub(crate) fn from_pairs(pairs: &[(String, String)]) -> Result<Self> {
        let mut options = Self::default();
        for (key, value) in pairs {
            match key.as_str() {
                "start_timeout" => options.start_timeout = seconds(value)?,
                "spare_consoles" => options.spare_consoles = spare_consoles(value)?,
                other => {
                    return Err(wrong(format!(
                        "unknown option '{other}' of the uml driver, there are 'start_timeout' and 'spare_consoles'"
                    )));
                }
            }
        }
        Ok(options)
    }
}

fn seconds(value: &str) -> Result<Duration> {
    let seconds = value
        .parse()
        .ok()
        .filter(|seconds| (1..=LONGEST_START).contains(seconds));
    seconds.map(Duration::from_secs).ok_or_else(|| {
        wrong(format!(
            "option 'start_timeout' of the uml driver is '{value}', not a number of seconds from 1 to {LONGEST_START}"
        ))
    })
}

fn spare_consoles(value: &str) -> Result<u32> {
    let count = value.parse().ok().filter(|count| *count <= MOST_SPARE);
    count.ok_or_else(|| {
        wrong(format!(
            "option 'spare_consoles' of the uml driver is '{value}', not a number from 0 to {MOST_SPARE}"
        ))
    })
}

fn wrong(message: String) -> Error {
    Error::new(Code::CONFIG_UNSUPPORTED, Origin::CONF, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(key: &str, value: &str) -> Result<Options> {
        Options::from_pairs(&[(key.to_owned(), value.to_owned())])
    }

    #[test]
    fn start_timeout_is_taken_in_seconds() {
        assert_eq!(Options::from_pairs(&[]).unwrap(), Options::default());
        assert_eq!(
            read("start_timeout", "5").unwrap().start_timeout,
            Duration::from_secs(5)
        );
    }

    #[test]
    fn spare_consoles_are_counted() {
        assert_eq!(Options::default().spare_consoles, 4);
        assert_eq!(read("spare_consoles", "0").unwrap().spare_consoles, 0);
    }

    #[test]
    fn unknown_keys_and_wrong_values_are_refused_by_name() {
        for (key, value, words) in [
            ("start_timeuot", "5", "unknown option 'start_timeuot'"),
            ("start_timeout", "0", "is '0', not a number"),
            ("start_timeout", "1m", "is '1m', not a number"),
            ("start_timeout", "86401", "is '86401', not a number"),
            ("spare_consoles", "17", "is '17', not a number from 0 to 16"),
            ("spare_consoles", "-1", "is '-1', not a number"),
        ] {
            let error = read(key, value).unwrap_err();
            assert_eq!(error.code(), Code::CONFIG_UNSUPPORTED);
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}
