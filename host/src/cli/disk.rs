//! Verbs that put disks into guests and take them out: attach-disk, detach-disk.

use super::Session;
use super::args::{DiskSource, DiskTarget, DiskThere, Domain, Place};
use super::device::{Change, change, devices, of_child};
use super::exit::Failure;
use clap::{Args, Subcommand, ValueEnum};
use driver_api::kit::xml::Element;
use std::os::unix::fs::FileTypeExt;

/// The verbs of this file.
#[derive(Subcommand, Debug)]
pub enum Verb {
    /// Put a disk into a guest
    AttachDisk(Box<Attach>),
    /// Take a disk out of a guest
    DetachDisk {
        /// Which guest.
        #[command(flatten)]
        domain: Domain,
        /// Which disk.
        #[command(flatten)]
        target: DiskThere,
        /// Where.
        #[command(flatten)]
        place: Place,
        /// Only show the element that would be sent
        #[arg(long)]
        print_xml: bool,
    },
}

/// What `attach-disk` takes.
#[derive(Args, Debug)]
pub struct Attach {
    #[command(flatten)]
    domain: Domain,
    #[command(flatten)]
    source: DiskSource,
    #[command(flatten)]
    target: DiskTarget,
    /// What the source is; it is looked at without
    #[arg(long, value_name = "TYPE", value_enum)]
    sourcetype: Option<SourceType>,
    /// The bus that the guest finds it at
    #[arg(long, value_name = "BUS")]
    targetbus: Option<String>,
    /// The driver of the disk
    #[arg(long, value_name = "NAME")]
    driver: Option<String>,
    /// The format of its source
    #[arg(long, value_name = "FORMAT")]
    subdriver: Option<String>,
    /// How writes are cached
    #[arg(long, value_name = "MODE")]
    cache: Option<String>,
    /// What the guest takes it for, such as `disk` or `cdrom`
    #[arg(long = "type", value_name = "DEVICE")]
    device: Option<String>,
    /// Whether it is read only, or written by several guests
    #[arg(long, value_name = "MODE", value_enum)]
    mode: Option<Mode>,
    /// Its serial number
    #[arg(long, value_name = "TEXT")]
    serial: Option<String>,
    /// An alias of your own, which begins with `ua-`
    #[arg(long, value_name = "ALIAS")]
    alias: Option<String>,
    #[command(flatten)]
    place: Place,
    /// Only show the element that would be sent
    #[arg(long)]
    print_xml: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum SourceType {
    File,
    Block,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Mode {
    Readonly,
    Shareable,
}

impl Attach {
    fn element(&self) -> Element {
        let path = self.source.get();
        let sourcetype = self.sourcetype.unwrap_or_else(|| {
            let file = std::fs::metadata(&path);
            match file.is_ok_and(|file| file.file_type().is_block_device()) {
                true => SourceType::Block,
                false => SourceType::File,
            }
        });
        let (kind, attribute) = match sourcetype {
            SourceType::File => ("file", "file"),
            SourceType::Block => ("block", "dev"),
        };
        let driver = Element::new("driver")
            .with_attr_opt("name", self.driver.as_ref())
            .with_attr_opt("type", self.subdriver.as_ref())
            .with_attr_opt("cache", self.cache.as_ref());
        let target = Element::new("target")
            .with_attr("dev", self.target.get())
            .with_attr_opt("bus", self.targetbus.as_ref());
        let mode = self.mode.map(|mode| match mode {
            Mode::Readonly => Element::new("readonly"),
            Mode::Shareable => Element::new("shareable"),
        });
        let serial = self.serial.as_ref().map(|text| Element::new("serial").with_text(text));
        let alias = self
            .alias
            .as_ref()
            .map(|name| Element::new("alias").with_attr("name", name));
        let source = Element::new("source").with_attr(attribute, &path);
        Element::new("disk")
            .with_attr("type", kind)
            .with_attr_opt("device", self.device.as_ref())
            .with_children(Some(driver).filter(|driver| !driver.attributes.is_empty()))
            .with_children(Some(source).filter(|_| !path.is_empty()))
            .with_child(target)
            .with_children(mode)
            .with_children(serial)
            .with_children(alias)
    }
}

/// Whether a disk is called so: by its target or by its source.
pub(super) fn is_called(disk: &Element, called: &str) -> bool {
    let source = ["file", "dev"]
        .into_iter()
        .find_map(|name| of_child(disk, "source", name));
    of_child(disk, "target", "dev") == Some(called) || source == Some(called)
}

impl Verb {
    pub(super) fn perform(&self, session: &Session) -> Result<(), Failure> {
        match self {
            Self::AttachDisk(attach) => {
                let xml = attach.element().to_string();
                if attach.print_xml {
                    return session.out.document("xml", &xml);
                }
                let (connection, dom) = session.find(&attach.domain)?;
                change(session, connection, dom, Change::Attach(xml), attach.place, "Disk")
            }
            Self::DetachDisk {
                domain,
                target,
                place,
                print_xml,
            } => {
                let (mut connection, dom) = session.find(domain)?;
                let target = target.get();
                let disks = devices(&mut connection, &dom, "disk", place.affect.document())?;
                let disk = disks.into_iter().find(|disk| is_called(disk, &target));
                let disk = disk.ok_or_else(|| {
                    let name = &dom.name;
                    Failure::Other(format!(
                        "'{name}' has no disk '{target}' (`lockstep domblklist {name}` shows all)"
                    ))
                })?;
                let xml = disk.to_string();
                if *print_xml {
                    return session.out.document("xml", &xml);
                }
                change(session, connection, dom, Change::Detach(xml), *place, "Disk")
            }
        }
    }
}
