//! A guest's kernel for tests: answers mconsole commands as a real one was seen to, errors and fatal mistakes included.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// What one kernel has.
#[derive(Debug)]
pub(crate) struct Kernel {
    stopped: bool,
    /// It was booted without a first disk, and takes the name of a file that is not there for one.
    first_is_default: bool,
    /// `ubd` by number: the file and what it lies over, as it is told.
    disks: BTreeMap<u8, String>,
    interfaces: BTreeMap<u32, String>,
    /// `con` and `ssl` lines.
    lines: BTreeMap<String, String>,
    /// The devices that a program in the guest has open, or has up.
    pub(crate) busy: BTreeSet<String>,
    /// The files that the guest can open.
    pub(crate) files: BTreeSet<PathBuf>,
    /// Commands of a kind that are refused, by how they begin.
    pub(crate) refuses: Option<&'static str>,
    /// KiB that nobody uses, and that it had in all.
    pub(crate) free: u64,
    pub(crate) available: u64,
    taken: u64,
    /// How often it can be asked until it has booted.
    pub(crate) boots: u32,
    /// How often it was asked for its figures.
    pub(crate) asked: u32,
    /// Everything that it was told to do.
    pub(crate) told: Vec<String>,
}

const NO_FILE: i32 = -2;
const BUSY: i32 = -16;
const NO_DEVICE: i32 = -19;
const INVALID: i32 = -22;

impl Kernel {
    /// A kernel that was booted with these arguments and sees these files.
    pub(crate) fn new(argv: &[String], files: impl IntoIterator<Item = PathBuf>) -> Self {
        let mut kernel = Self {
            stopped: false,
            first_is_default: false,
            disks: BTreeMap::new(),
            interfaces: BTreeMap::new(),
            lines: BTreeMap::new(),
            busy: BTreeSet::new(),
            files: files.into_iter().collect(),
            refuses: None,
            free: 40_000,
            available: 41_000,
            taken: 0,
            boots: 0,
            asked: 0,
            told: Vec::new(),
        };
        for word in argv {
            let word = word.replace('"', "");
            if word.starts_with("ubd") || word.starts_with("vec") || word.starts_with("con") || word.starts_with("ssl")
            {
                let _at_boot_a_bad_one_is_only_a_line_in_the_log = kernel.configure(&word);
            }
        }
        kernel.first_is_default = !kernel.disks.contains_key(&0);
        kernel
    }

    /// What the kernel has, for a look.
    pub(crate) fn shown(&self) -> Vec<String> {
        let disks = self.disks.iter();
        let disks = disks.map(|(number, file)| format!("ubd{}={file}", char::from(b'a' + number)));
        let interfaces = self
            .interfaces
            .iter()
            .map(|(number, settings)| format!("vec{number}:{settings}"));
        let lines = self.lines.iter().filter(|(_, to)| *to != "none");
        let lines = lines.map(|(line, to)| format!("{line}={to}"));
        disks.chain(interfaces).chain(lines).collect()
    }

    /// The answer to a command: an error number and a text.
    pub(crate) fn answer(&mut self, command: &str) -> (i32, String) {
        let text = |text: &str| (0, text.to_owned());
        let wrong = |error: i32, text: &str| (error, text.to_owned());
        if let Some(begin) = self.refuses
            && command.starts_with(begin)
        {
            return wrong(INVALID, "not today");
        }
        match command {
            "version" => return text("Linux 6.1.9 #1 x86_64"),
            "stop" if self.stopped => return wrong(1, "Already stopped"),
            "go" if !self.stopped => return wrong(1, "Not stopped"),
            "stop" => {
                self.stopped = true;
                return text("");
            }
            "go" => {
                self.stopped = false;
                return text("");
            }
            // A real kernel was seen to hang after anything else while it is stopped.
            _ if self.stopped => panic!("'{command}' was sent to a stopped kernel"),
            "proc meminfo" => {
                self.asked += 1;
                let meminfo = format!(
                    "\nMemTotal:          53448 kB\nMemFree:        {:8} kB\nMemAvailable:   {:8} kB\nBuffers:  0 kB\n",
                    self.free, self.available
                );
                return (0, meminfo);
            }
            // Its boot goes on for so many questions more.
            "proc uptime" if self.boots > 0 => {
                self.boots -= 1;
                return text("\n1.05 0.00\n");
            }
            "proc interrupts" => {
                return text("           CPU0\n  0:  92  SIGALRM  hr timer\n  8:  1  SIGIO  mconsole\n");
            }
            "proc uptime" => return text("\n5.20 1.30\n"),
            "proc diskstats" => return text("98 0 ubda 10 0 80 5 20 0 160 7 0 8 9 0 0 0 0 3 4\n"),
            _ => {}
        }
        if let Some(unit) = command.strip_prefix("remove ") {
            self.told.push(command.to_owned());
            return self.remove(unit);
        }
        let Some(rest) = command.strip_prefix("config ") else {
            return text("");
        };
        if rest.contains('=') {
            self.told.push(command.to_owned());
            return self.configure(rest);
        }
        self.query(rest)
    }

    fn query(&self, unit: &str) -> (i32, String) {
        if let Some(letter) = unit.strip_prefix("ubd") {
            let number = letter.as_bytes()[0] - b'a';
            let default = match number {
                0 if self.first_is_default => "root_fs",
                _ => "",
            };
            let known = self.disks.get(&number).map_or(default, String::as_str);
            return (0, known.to_owned());
        }
        if unit.starts_with("vec") {
            return (1, "No get_config routine defined".to_owned());
        }
        let known = self.lines.get(unit).map_or("none", String::as_str);
        (0, known.to_owned())
    }

    fn configure(&mut self, words: &str) -> (i32, String) {
        if let Some(change) = words.strip_prefix("mem=") {
            let kib: u64 = change[1..].trim_end_matches('K').parse().unwrap();
            if change.starts_with('-') {
                assert!(kib <= self.free, "the guest panics: it has no memory left");
                self.taken += kib;
                self.free -= kib;
                self.available -= kib;
            } else {
                let back = kib.min(self.taken);
                self.taken -= back;
                self.free += back;
                self.available += back;
            }
            return (0, String::new());
        }
        if let Some(vec) = words.strip_prefix("vec") {
            let Some((number, settings)) = vec.split_once(':') else {
                return (INVALID, "Bad device number".to_owned());
            };
            let number = number.parse().unwrap();
            if self.interfaces.contains_key(&number) {
                return (INVALID, "Device already configured".to_owned());
            }
            self.interfaces.insert(number, settings.to_owned());
            return (0, String::new());
        }
        let (unit, value) = words.split_once('=').unwrap();
        if let Some(unit) = unit.strip_prefix("ubd") {
            return self.configure_disk(unit.as_bytes()[0] - b'a', value);
        }
        if self.busy.contains(unit) {
            return (INVALID, "Device is already open".to_owned());
        }
        self.lines.insert(unit.to_owned(), value.to_owned());
        (0, String::new())
    }

    fn configure_disk(&mut self, number: u8, value: &str) -> (i32, String) {
        if self.disks.contains_key(&number) || (number == 0 && self.first_is_default) {
            return (BUSY, "Device is already configured".to_owned());
        }
        let mut fields = value.split(',');
        let file = fields.next().unwrap();
        let backing = fields.next().filter(|backing| !backing.is_empty());
        for path in [Some(file), backing].into_iter().flatten() {
            if !self.files.contains(&PathBuf::from(path)) {
                return (NO_FILE, "Couldn't determine size of device's file".to_owned());
            }
        }
        let shown = backing.map_or_else(|| file.to_owned(), |backing| format!("{file},{backing}"));
        self.disks.insert(number, shown);
        (0, String::new())
    }

    fn remove(&mut self, unit: &str) -> (i32, String) {
        if self.busy.contains(unit) {
            return match unit.starts_with("con") || unit.starts_with("ssl") {
                true => (INVALID, "Device is already open".to_owned()),
                false => (BUSY, "Device is currently open".to_owned()),
            };
        }
        let there = if let Some(letter) = unit.strip_prefix("ubd") {
            let number = letter.as_bytes()[0] - b'a';
            let default = number == 0 && self.first_is_default;
            assert!(!default, "the kernel panics: '{unit}' is known to it only by default");
            self.disks.remove(&number).is_some()
        } else if let Some(number) = unit.strip_prefix("vec") {
            self.interfaces.remove(&number.parse().unwrap()).is_some()
        } else {
            let old = self.lines.insert(unit.to_owned(), "none".to_owned());
            return match old.as_deref() {
                None | Some("none") => (INVALID, "configured as 'none'".to_owned()),
                Some(_) => (0, String::new()),
            };
        };
        match there {
            true => (0, String::new()),
            false => (NO_DEVICE, "Device doesn't exist".to_owned()),
        }
    }
}
