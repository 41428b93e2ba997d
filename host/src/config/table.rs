//! The table of settings: every key of `lockstep.toml` with its type, default and meaning, written once.

use super::kind::{Setting, Size, SocketMode};
use std::path::PathBuf;
use std::time::Duration;
use toml::de::DeValue;

/// One key as the table has it.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// The table it stands in.
    pub section: &'static str,
    /// Its name there.
    pub name: &'static str,
    /// What it means, one line.
    pub doc: &'static str,
    /// The kind of value, in words.
    pub kind: &'static str,
}

/// One table of the file.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// Its name.
    pub name: &'static str,
    /// What it is about, one line.
    pub doc: &'static str,
    /// Its keys, in the order in which they are printed.
    pub keys: &'static [Key],
}

macro_rules! settings {
    ($(
        #[doc = $section_doc:literal]
        $section:ident: $type:ident {
            $( #[doc = $doc:literal] $key:ident: $kind:ty = $default:expr, )+
        }
    )+) => {
        $(
            #[doc = $section_doc]
            #[derive(Clone, PartialEq, Eq, Debug)]
            pub struct $type { $( #[doc = $doc] pub $key: $kind, )+ }

            impl Default for $type {
                fn default() -> Self { Self { $( $key: $default, )+ } }
            }
        )+

        /// Every setting with its effective value.
        #[derive(Clone, PartialEq, Eq, Default, Debug)]
        pub struct Settings { $( #[doc = $section_doc] pub $section: $type, )+ }

        /// Every section and key there is.
        pub const SECTIONS: &[Section] = &[ $( Section {
            name: stringify!($section),
            doc: $section_doc,
            keys: &[ $( Key {
                section: stringify!($section),
                name: stringify!($key),
                doc: $doc,
                kind: <$kind as Setting>::KIND,
            }, )+ ],
        }, )+ ];

        impl Settings {
            /// Sets one key; `None` when the table has no such key.
            pub(super) fn set(&mut self, section: &str, key: &str, value: &DeValue<'_>) -> Option<Result<(), String>> {
                match (section, key) {
                    $( $( (stringify!($section), stringify!($key)) => {
                        Some(Setting::read(value).map(|read| self.$section.$key = read))
                    } )+ )+
                    _ => None,
                }
            }

            /// One key's value as TOML text; `None` when the table has no such key.
            #[must_use]
            pub fn show(&self, section: &str, key: &str) -> Option<String> {
                match (section, key) {
                    $( $( (stringify!($section), stringify!($key)) => Some(self.$section.$key.show()), )+ )+
                    _ => None,
                }
            }
        }
    };
}

settings! {
    #[doc = "What is logged, on standard error."]
    log: Log {
        #[doc = "Levels, for all or for one part: \"info\", \"info,lockstep::rpc=debug\"; LOCKSTEP_LOG in the environment wins."]
        filter: String = "info".to_owned(),
    }
    #[doc = "The sockets that clients connect to."]
    socket: Socket {
        #[doc = "The group, by name or number, that owns the sockets; empty for the host's own group."]
        group: String = String::new(),
        #[doc = "Permission bits of the read-write socket; \"auto\" is 0660, or 0600 in a user's own instance."]
        mode: SocketMode = SocketMode(None),
        #[doc = "Permission bits of the read-only socket; \"auto\" is 0660, or 0600 in a user's own instance."]
        readonly_mode: SocketMode = SocketMode(None),
    }
    #[doc = "Where drivers are found."]
    plugins: Plugins {
        #[doc = "Folders searched for drivers after those of --plugin-dir, before the binary's own and the system's."]
        dirs: Vec<PathBuf> = Vec::new(),
    }
    #[doc = "The threads that run clients' calls."]
    workers: Workers {
        #[doc = "Threads for all calls."]
        ordinary: u32 = 20,
        #[doc = "Threads kept for calls that must go through even when all others are stuck (list, destroy, ...)."]
        priority: u32 = 5,
    }
    #[doc = "Limits on clients."]
    clients: Clients {
        #[doc = "Connections at once; further ones are closed."]
        max: u32 = 5_000,
        #[doc = "Calls of one client in progress at once; further ones are not read until one is answered."]
        max_requests: u32 = 5,
    }
    #[doc = "How dead clients are noticed."]
    keepalive: Keepalive {
        #[doc = "Silence after which a client is asked for a sign of life; \"0s\" never asks."]
        interval: Duration = Duration::from_secs(5),
        #[doc = "Questions left unanswered before the connection is closed."]
        count: u32 = 5,
    }
    #[doc = "The lock manager."]
    locks: Locks {
        #[doc = "The longest wait for a lock; the call then fails and names the holder."]
        timeout: Duration = Duration::from_secs(30),
        #[doc = "A lock held or waited for longer than this is logged by the watchdog; \"0s\" turns it off."]
        warn_after: Duration = Duration::from_secs(5),
        #[doc = "Offences against the lock order after which a driver is taken out of service; 0 never does."]
        strikes: u32 = 10,
    }
    #[doc = "The host and its machine."]
    host: Host {
        #[doc = "Whether a shutdown of the machine waits while guests run, as long as systemd-logind lets it."]
        inhibit: bool = true,
    }
    #[doc = "The layers around a guest that can be turned off, for all guests that are started from then on."]
    confinement: Confinement {
        #[doc = "The user that guests run as: \"dynamic\" gives each one of its own, else a name or number; root only."]
        user: String = "dynamic".to_owned(),
        #[doc = "Keep guests in cgroups: without, no limits, and figures are sums over processes."]
        cgroups: bool = true,
        #[doc = "Give each guest a network of its own with nothing in it; without, it sees the machine's."]
        network_namespace: bool = true,
        #[doc = "Leave guests only the system calls that they need."]
        seccomp: bool = true,
        #[doc = "Keep guests from TCP, and from sockets, signals and device nodes outside of their own world, by Landlock."]
        landlock: bool = true,
    }
    #[doc = "Console logs of guests."]
    console: Console {
        #[doc = "Size at which a log is rotated."]
        log_size: Size = Size(2 << 20),
        #[doc = "Rotated logs kept beside the current one."]
        log_count: u32 = 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_key_is_unique_documented_and_shown() {
        let settings = Settings::default();
        let mut seen = HashSet::new();
        for section in SECTIONS {
            assert!(section.doc.ends_with('.'), "{}", section.name);
            for key in section.keys {
                assert!(seen.insert((key.section, key.name)), "{key:?}");
                assert!(key.doc.ends_with(['.', ')']) && !key.doc.contains('\n'), "{key:?}");
                assert!(settings.show(key.section, key.name).is_some(), "{key:?}");
            }
        }
    }
}
