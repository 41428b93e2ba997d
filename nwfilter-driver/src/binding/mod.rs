//! A filter bound to a port: read from XML, checked, printed back as libvirt prints it, and kept.
//!
//! ```text
//! XML -> parse -> BindingDef -> format -> XML
//!        validate also checks what virt drivers ask for
//! store  the files of bindings, gone after a reboot of the machine like the ports themselves
//! ```

pub mod def;
pub mod format;
pub mod parse;
pub mod store;
pub mod validate;

pub use def::{BindingDef, Maker, Owner};

use crate::def::parse::Mode;

/// What every document must survive: if it is accepted, then its printed form is accepted, means the same and prints
/// the same, also from a file.
///
/// Fuzzing and property tests call this.
///
/// # Panics
/// The driver has a bug.
pub fn check_round_trip(document: &[u8]) {
    for mode in [Mode::Strict, Mode::Compat] {
        let Ok(parsed) = parse::parse(document, mode) else {
            continue;
        };
        let printed = parsed.def.to_string();
        match parse::parse(printed.as_bytes(), Mode::Validate) {
            Ok(again) => {
                assert_eq!(
                    again.def, parsed.def,
                    "the printed form means something else:\n{printed}"
                );
                assert_eq!(again.def.to_string(), printed, "the printed form is not stable");
            }
            Err(error) => assert_eq!(None, Some(error.to_string()), "the printed form is refused:\n{printed}"),
        }
    }
}
