//! What an administrator can set of this driver: the keys of `[driver.uml]` in `lockstep.toml`.

use driver_api::error::{Code, Error, Origin, Result};
use std::path::PathBuf;
use std::time::Duration;

/// The longest boot that can be waited for, whoever starts a domain waits as long; and the longest silence.
const LONGEST: u64 = 24 * 60 * 60;
/// More restarts in a row than anybody can mean.
const MOST_RESTARTS: u64 = 1000;

const KEYS: [&str; 5] = [
    "crash_restarts",
    "hang_after",
    "lease_files",
    "spare_consoles",
    "start_timeout",
];

/// As many lines as can be plugged in, which keeps their descriptors below those of taps.
const MOST_SPARE: u32 = 16;

/// The settings, each with its default.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Options {
    /// `start_timeout`, in seconds: how long a guest may take until its kernel answers. A busybox guest needs 0.1 to
    /// 2 s, fifty at once half a minute.
    pub(crate) start_timeout: Duration,
    /// `spare_consoles`: how many consoles and serial lines can be plugged into a running guest. Each costs its supervisor
    /// two descriptors.
    pub(crate) spare_consoles: u32,
    /// `hang_after`, in seconds: how long a running guest's kernel may owe an answer before it is shown as hung; 0, which
    /// is `None` here, never asks.
    pub(crate) hang_after: Option<Duration>,
    /// `crash_restarts`: how often in a row a guest that crashes soon after its boot is started again.
    pub(crate) crash_restarts: u32,
    /// `lease_files`: where dnsmasq keeps its leases.
    pub(crate) lease_files: Vec<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            start_timeout: Duration::from_secs(60),
            spare_consoles: 4,
            hang_after: Some(Duration::from_secs(30)),
            crash_restarts: 5,
            lease_files: Vec::new(),
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
                "start_timeout" => options.start_timeout = Duration::from_secs(number(key, value, 1, LONGEST)?),
                "spare_consoles" => {
                    let count = number(key, value, 0, MOST_SPARE.into())?;
                    options.spare_consoles = u32::try_from(count).unwrap_or(MOST_SPARE);
                }
                "hang_after" => {
                    let seconds = number(key, value, 0, LONGEST)?;
                    options.hang_after = (seconds > 0).then_some(Duration::from_secs(seconds));
                }
                "crash_restarts" => {
                    let times = number(key, value, 0, MOST_RESTARTS)?;
                    options.crash_restarts = u32::try_from(times).unwrap_or(u32::MAX);
                }
                "lease_files" => options.lease_files = value.lines().map(absolute).collect::<Result<_>>()?,
                other => {
                    return Err(wrong(format!(
                        "unknown option '{other}' of the uml driver, there are '{}'",
                        KEYS.join("', '")
                    )));
                }
            }
        }
        Ok(options)
    }
}

fn number(key: &str, value: &str, least: u64, most: u64) -> Result<u64> {
    let number = value.parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| {
        wrong(format!(
            "option '{key}' of the uml driver is '{value}', not a number from {least} to {most}"
        ))
    })
}

fn absolute(path: &str) -> Result<PathBuf> {
    if path.starts_with('/') {
        return Ok(path.into());
    }
    Err(wrong(format!(
        "option 'lease_files' of the uml driver names '{path}', which is no absolute path"
    )))
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
    fn hangs_restarts_and_lease_files_are_taken() {
        assert_eq!(read("hang_after", "0").unwrap().hang_after, None);
        assert_eq!(
            read("hang_after", "7").unwrap().hang_after,
            Some(Duration::from_secs(7))
        );
        assert_eq!(read("crash_restarts", "0").unwrap().crash_restarts, 0);
        let files = read("lease_files", "/a\n/b c").unwrap().lease_files;
        assert_eq!(files, [PathBuf::from("/a"), PathBuf::from("/b c")]);
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
            ("hang_after", "-1", "is '-1', not a number from 0"),
            ("crash_restarts", "1001", "not a number from 0 to 1000"),
            ("lease_files", "/a\nleases", "names 'leases'"),
        ] {
            let error = read(key, value).unwrap_err();
            assert_eq!(error.code(), Code::CONFIG_UNSUPPORTED);
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}
