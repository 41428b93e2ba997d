//! What the firmware says of the machine (SMBIOS), as the kernel keeps it in `/sys/class/dmi/id`.

use super::Machine;
use super::machine::fault;
use driver_api::error::{Code, Result};

const FOLDER: &str = "sys/class/dmi/id";

/// One table of the firmware: libvirt's name for it, its entries with the kernel's names for them.
type Table = (&'static str, &'static [(&'static str, &'static str)]);

const TABLES: &[Table] = &[
    (
        "bios",
        &[
            ("vendor", "bios_vendor"),
            ("version", "bios_version"),
            ("date", "bios_date"),
            ("release", "bios_release"),
        ],
    ),
    (
        "system",
        &[
            ("manufacturer", "sys_vendor"),
            ("product", "product_name"),
            ("version", "product_version"),
            ("serial", "product_serial"),
            ("uuid", "product_uuid"),
            ("sku", "product_sku"),
            ("family", "product_family"),
        ],
    ),
    (
        "baseBoard",
        &[
            ("manufacturer", "board_vendor"),
            ("product", "board_name"),
            ("version", "board_version"),
            ("serial", "board_serial"),
            ("asset", "board_asset_tag"),
        ],
    ),
    (
        "chassis",
        &[
            ("manufacturer", "chassis_vendor"),
            ("version", "chassis_version"),
            ("serial", "chassis_serial"),
            ("asset", "chassis_asset_tag"),
        ],
    ),
];

/// One table with the entries that the firmware filled in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Filled {
    /// libvirt's name for it.
    pub name: &'static str,
    /// Names and texts.
    pub entries: Vec<(&'static str, String)>,
}

impl Machine {
    /// The tables that are not empty. Serial numbers are among them only for a host that runs as root.
    ///
    /// # Errors
    /// 67 when the firmware tells nothing.
    pub fn smbios(&self) -> Result<Vec<Filled>> {
        let entry = |(name, file): &(&'static str, &str)| {
            let text = std::fs::read(self.path(format!("{FOLDER}/{file}"))).ok()?;
            // Firmware pads with blanks, and some fills in bytes that are no text.
            let text = String::from_utf8_lossy(&text).trim().to_owned();
            (!text.is_empty()).then_some((*name, text))
        };
        let tables = TABLES.iter().map(|(name, entries)| Filled {
            name,
            entries: entries.iter().filter_map(entry).collect(),
        });
        let filled: Vec<Filled> = tables.filter(|table| !table.entries.is_empty()).collect();
        if filled.is_empty() {
            let text = "this machine's firmware tells nothing of it: '/sys/class/dmi/id' is missing or empty";
            return Err(fault(Code::CONFIG_UNSUPPORTED, text));
        }
        Ok(filled)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{machine, real};
    use super::*;

    #[test]
    fn filled_entries_are_told_under_libvirts_names() {
        let (root, machine) = machine(&[
            ("sys/class/dmi/id/bios_vendor", "Board & Co \n"),
            ("sys/class/dmi/id/bios_date", "\n"),
            ("sys/class/dmi/id/product_uuid", "4c4c4544\n"),
        ]);
        std::fs::write(root.path().join("sys/class/dmi/id/board_name"), b"X\xff\n").unwrap();
        let filled = machine.smbios().unwrap();
        let table = |name, entry: (&'static str, &str)| Filled {
            name,
            entries: vec![(entry.0, entry.1.to_owned())],
        };
        let expected = [
            table("bios", ("vendor", "Board & Co")),
            table("system", ("uuid", "4c4c4544")),
            table("baseBoard", ("product", "X\u{fffd}")),
        ];
        assert_eq!(filled, expected);
    }

    #[test]
    fn a_machine_without_firmware_tables_says_so() {
        let (_root, machine) = machine(&[]);
        assert_eq!(machine.smbios().unwrap_err().code(), Code::CONFIG_UNSUPPORTED);
        if let Err(error) = real().smbios() {
            assert_eq!(error.code(), Code::CONFIG_UNSUPPORTED);
        }
    }
}
