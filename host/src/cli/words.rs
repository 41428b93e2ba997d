//! libvirt's numbers in the words that virsh prints for them.

use driver_api::types::param::Value;
use serde_json::json;

/// A state (`virDomainState`).
#[must_use]
pub fn state(state: i32) -> &'static str {
    let words = [
        "no state",
        "running",
        "idle",
        "paused",
        "in shutdown",
        "shut off",
        "crashed",
        "pmsuspended",
    ];
    word(&words, state)
}

/// The reason for a state (`virDomainRunningReason` and its kin).
#[must_use]
pub fn reason(state: i32, reason: i32) -> &'static str {
    let words: &[&str] = match state {
        1 => &[
            "unknown",
            "booted",
            "migrated",
            "restored",
            "from snapshot",
            "unpaused",
            "migration canceled",
            "save canceled",
            "event wakeup",
            "crashed",
            "crashed",
            "post-copy",
            "post-copy failed",
        ],
        3 => &[
            "unknown",
            "user",
            "migrating",
            "saving",
            "dumping",
            "I/O error",
            "watchdog",
            "from snapshot",
            "shutting down",
            "creating snapshot",
            "crashed",
            "starting up",
            "post-copy",
            "post-copy failed",
        ],
        4 => &["unknown", "user"],
        5 => &[
            "unknown",
            "shutdown",
            "destroyed",
            "crashed",
            "migrated",
            "saved",
            "failed",
            "from snapshot",
            "daemon",
        ],
        6 => &["unknown", "panicked"],
        _ => &["unknown"],
    };
    word(words, reason)
}

/// A lifecycle event (`virDomainEventType`) with its detail.
#[must_use]
pub fn lifecycle(event: i32, detail: i32) -> (&'static str, &'static str) {
    let events: [(&str, &[&str]); 9] = [
        ("Defined", &["Added", "Updated", "Renamed", "Snapshot"]),
        ("Undefined", &["Removed", "Renamed"]),
        (
            "Started",
            &["Booted", "Migrated", "Restored", "Snapshot", "Event wakeup"],
        ),
        (
            "Suspended",
            &[
                "Paused",
                "Migrated",
                "I/O Error",
                "Watchdog",
                "Restored",
                "Snapshot",
                "API error",
                "Post-copy",
                "Post-copy Error",
            ],
        ),
        (
            "Resumed",
            &["Unpaused", "Migrated", "Snapshot", "Post-copy", "Post-copy Error"],
        ),
        (
            "Stopped",
            &[
                "Shutdown",
                "Destroyed",
                "Crashed",
                "Migrated",
                "Saved",
                "Failed",
                "Snapshot",
            ],
        ),
        (
            "Shutdown",
            &[
                "Finished",
                "Finished after guest request",
                "Finished after host request",
            ],
        ),
        ("PMSuspended", &["Memory", "Disk"]),
        ("Crashed", &["Panicked", "Crashloaded"]),
    ];
    let Some((name, details)) = usize::try_from(event).ok().and_then(|event| events.get(event)) else {
        return ("unknown", "unknown");
    };
    (name, word(details, detail))
}

/// The state of a guest's agent (`virConnectDomainEventAgentLifecycleState`) with its reason.
#[must_use]
pub fn agent(state: i32, reason: i32) -> (&'static str, &'static str) {
    let reasons = ["unknown", "domain started", "channel event"];
    (
        word(&["unknown", "connected", "disconnected"], state),
        word(&reasons, reason),
    )
}

/// A kind of notes (`virDomainMetadataType`).
#[must_use]
pub fn metadata(kind: i32) -> &'static str {
    word(&["description", "title", "element"], kind)
}

/// A named value as virsh prints it.
#[must_use]
pub fn value(value: &Value) -> String {
    match value {
        Value::Int(value) => value.to_string(),
        Value::Uint(value) => value.to_string(),
        Value::Long(value) => value.to_string(),
        Value::Ulong(value) => value.to_string(),
        Value::Double(value) => format!("{value:.6}"),
        Value::Bool(value) => if *value { "yes" } else { "no" }.to_owned(),
        Value::Text(text) => text.clone(),
    }
}

/// A named value for programs.
#[must_use]
pub fn json(value: &Value) -> serde_json::Value {
    match value {
        Value::Int(value) => json!(value),
        Value::Uint(value) => json!(value),
        Value::Long(value) => json!(value),
        Value::Ulong(value) => json!(value),
        Value::Double(value) => json!(value),
        Value::Bool(value) => json!(value),
        Value::Text(text) => json!(text),
    }
}

/// A number of bytes with the unit that leaves the fewest digits.
#[must_use]
#[allow(clippy::cast_precision_loss, reason = "a figure for people")]
pub fn size(bytes: u64) -> String {
    let mut size = bytes as f64;
    let mut units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"].into_iter();
    let mut unit = units.next().unwrap_or_default();
    while size >= 1024.0
        && let Some(larger) = units.next()
    {
        size /= 1024.0;
        unit = larger;
    }
    format!("{size:.3} {unit}")
}

fn word(words: &[&'static str], number: i32) -> &'static str {
    let word = usize::try_from(number).ok().and_then(|number| words.get(number));
    word.copied().unwrap_or("unknown")
}

/// A version number as libvirt packs it: major * 1,000,000 + minor * 1,000 + release.
#[must_use]
pub fn version(packed: u64) -> String {
    format!("{}.{}.{}", packed / 1_000_000, packed / 1_000 % 1_000, packed % 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_virshs_words_and_unknown_ones_do_no_harm() {
        assert_eq!((state(5), reason(5, 2)), ("shut off", "destroyed"));
        assert_eq!((state(1), reason(1, 1)), ("running", "booted"));
        assert_eq!((state(-1), reason(99, -7)), ("unknown", "unknown"));
        assert_eq!(lifecycle(5, 0), ("Stopped", "Shutdown"));
        assert_eq!(lifecycle(5, 99), ("Stopped", "unknown"));
        assert_eq!(lifecycle(99, 0), ("unknown", "unknown"));
        assert_eq!(version(9_000_012), "9.0.12");
        assert_eq!((size(1), size(1536)), ("1.000 B".to_owned(), "1.500 KiB".to_owned()));
        assert_eq!(size(u64::MAX), "16.000 EiB");
    }
}
