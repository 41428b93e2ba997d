//! Verbs about limits of guests' devices: domiftune, blkdeviotune.

use super::Session;
use super::args::{self, Affect, DiskDevice, Domain, bytes};
use super::exit::Failure;
use super::limit::{room, tune};
use crate::rpc::codec::limit::{
    DISK_LIMITS_MAX, DomainGetBlockIoTune, DomainGetInterfaceParameters, DomainSetBlockIoTune,
    DomainSetInterfaceParameters, LIMITS_MAX,
};
use crate::rpc::codec::typed_param::TEXTS;
use crate::rpc::xdr::List;
use clap::{Args, Subcommand};
use driver_api::kit::xml::Element;
use driver_api::types::param::Param;
use std::str::FromStr;

/// The verbs of this file.
#[derive(Subcommand, Debug)]
pub enum Verb {
    /// Show or set limits of a guest's network interface
    Domiftune(Interface),
    /// Show or set limits of a guest's disk
    Blkdeviotune(Box<Disk>),
}

impl Verb {
    pub(super) fn perform(&self, session: &Session) -> Result<(), Failure> {
        match self {
            Self::Domiftune(interface) => interface.perform(session),
            Self::Blkdeviotune(disk) => disk.perform(session),
        }
    }
}

/// What `domiftune` takes.
#[derive(Args, Debug)]
pub struct Interface {
    #[command(flatten)]
    domain: Domain,
    #[command(flatten)]
    interface: args::Interface,
    /// What the guest gets: AVERAGE[,PEAK[,BURST[,FLOOR]]] in KiB/s and KiB; 0 for no limit
    #[arg(long, value_name = "RATES")]
    inbound: Option<Rates>,
    /// What the guest sends: AVERAGE[,PEAK[,BURST]]
    #[arg(long, value_name = "RATES")]
    outbound: Option<Rates>,
    #[command(flatten)]
    affect: Affect,
}

/// Limits of one direction of an interface.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rates(Vec<(&'static str, u32)>);

impl FromStr for Rates {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const NAMES: [&str; 4] = ["average", "peak", "burst", "floor"];
        let wrong = || format!("'{text}' is not AVERAGE[,PEAK[,BURST[,FLOOR]]], numbers of KiB/s and KiB");
        let words: Vec<&str> = text.split(',').collect();
        if words.len() > NAMES.len() {
            return Err(wrong());
        }
        let mut rates = Vec::new();
        for (name, word) in NAMES.into_iter().zip(words) {
            // What is left empty stays as it is.
            if !word.is_empty() {
                rates.push((name, word.parse().map_err(|_| wrong())?));
            }
        }
        if rates.is_empty() {
            Err(wrong())
        } else {
            Ok(Self(rates))
        }
    }
}

impl Rates {
    fn params(&self, direction: &str) -> impl Iterator<Item = Param> {
        self.0
            .iter()
            .map(move |(name, rate)| Param::new(format!("{direction}.{name}"), *rate))
    }

    /// The element of a direction.
    pub(super) fn element(&self, direction: &str) -> Element {
        let rates = self.0.iter();
        rates.fold(Element::new(direction), |element, (name, rate)| {
            element.with_attr(name, rate)
        })
    }
}

/// Declares the options of `blkdeviotune`, each a limit of the same name.
macro_rules! disk_limits {
    ($($doc:literal $name:ident = $parser:ident;)+) => {
        /// What `blkdeviotune` takes.
        #[derive(Args, Debug)]
        pub struct Disk {
            #[command(flatten)]
            domain: Domain,
            #[command(flatten)]
            device: DiskDevice,
            $(
                #[doc = $doc]
                #[arg(long, value_name = "NUMBER", value_parser = $parser)]
                $name: Option<u64>,
            )+
            /// A group of disks that keep the limits together
            #[arg(long, value_name = "NAME")]
            group_name: Option<String>,
            #[command(flatten)]
            affect: Affect,
        }

        impl Disk {
            fn params(&self) -> Vec<Param> {
                let numbers = [$((stringify!($name), self.$name)),+];
                let numbers = numbers.into_iter().filter_map(|(name, number)| Some(Param::new(name, number?)));
                let group = self.group_name.as_deref().map(|group| Param::new("group_name", group));
                numbers.chain(group).collect()
            }
        }
    };
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "a whole number is wanted".to_owned())
}

disk_limits! {
    "The most bytes a second" total_bytes_sec = bytes;
    "The most bytes read a second" read_bytes_sec = bytes;
    "The most bytes written a second" write_bytes_sec = bytes;
    "The most operations a second" total_iops_sec = number;
    "The most reads a second" read_iops_sec = number;
    "The most writes a second" write_iops_sec = number;
    "The most bytes in a burst" total_bytes_sec_max = bytes;
    "The most bytes read in a burst" read_bytes_sec_max = bytes;
    "The most bytes written in a burst" write_bytes_sec_max = bytes;
    "The most operations in a burst" total_iops_sec_max = number;
    "The most reads in a burst" read_iops_sec_max = number;
    "The most writes in a burst" write_iops_sec_max = number;
    "The bytes that count as one operation" size_iops_sec = bytes;
    "How many seconds a burst of bytes may last" total_bytes_sec_max_length = number;
    "How many seconds a burst of bytes read may last" read_bytes_sec_max_length = number;
    "How many seconds a burst of bytes written may last" write_bytes_sec_max_length = number;
    "How many seconds a burst of operations may last" total_iops_sec_max_length = number;
    "How many seconds a burst of reads may last" read_iops_sec_max_length = number;
    "How many seconds a burst of writes may last" write_iops_sec_max_length = number;
}

impl Interface {
    fn perform(&self, session: &Session) -> Result<(), Failure> {
        let rates = [("inbound", &self.inbound), ("outbound", &self.outbound)];
        let given = rates
            .into_iter()
            .filter_map(|(direction, rates)| Some((direction, rates.as_ref()?)));
        let changes = given.flat_map(|(direction, rates)| rates.params(direction)).collect();
        let (nparams, flags) = (room(LIMITS_MAX), self.affect.flags());
        tune(
            session,
            &self.domain,
            changes,
            |connection, dom, params| {
                let (device, params) = (self.interface.get(), List(params));
                let call = DomainSetInterfaceParameters {
                    dom,
                    device,
                    params,
                    flags,
                };
                connection.call(&call)
            },
            |connection, dom| {
                let (device, flags) = (self.interface.get(), flags | TEXTS);
                let call = DomainGetInterfaceParameters {
                    dom,
                    device,
                    nparams,
                    flags,
                };
                connection.call(&call).map(|answer| answer.params.0)
            },
        )
    }
}

impl Disk {
    fn perform(&self, session: &Session) -> Result<(), Failure> {
        let (nparams, flags) = (room(DISK_LIMITS_MAX), self.affect.flags());
        tune(
            session,
            &self.domain,
            self.params(),
            |connection, dom, params| {
                let (disk, params) = (self.device.get(), List(params));
                let call = DomainSetBlockIoTune {
                    dom,
                    disk,
                    params,
                    flags,
                };
                connection.call(&call)
            },
            |connection, dom| {
                let (disk, flags) = (Some(self.device.get()), flags | TEXTS);
                let call = DomainGetBlockIoTune {
                    dom,
                    disk,
                    nparams,
                    flags,
                };
                connection.call(&call).map(|answer| answer.params.0)
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_numbers_with_names() {
        let rates: Rates = "100,,300".parse().unwrap();
        assert_eq!(
            rates.element("inbound").to_string().trim(),
            "<inbound average='100' burst='300'/>"
        );
        let names: Vec<String> = rates.params("outbound").map(|param| param.name).collect();
        assert_eq!(names, ["outbound.average", "outbound.burst"]);
        for text in ["", ",", "x", "1,2,3,4,5", "-1"] {
            assert!(text.parse::<Rates>().is_err(), "{text}");
        }
    }
}
