//! Kernel samepage merging (KSM): the settings that libvirt calls memory parameters.

use super::Machine;
use super::machine::{fault, unwritable};
use driver_api::error::{Code, Error, Result};

const FOLDER: &str = "sys/kernel/mm/ksm";

/// One parameter: libvirt's name for it, and the kernel's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parameter {
    /// As clients know it.
    pub name: &'static str,
    file: &'static str,
    /// Whether it is a setting, of 32 bits; others are counters of 64.
    pub settable: bool,
}

const fn setting(name: &'static str, file: &'static str) -> Parameter {
    Parameter {
        name,
        file,
        settable: true,
    }
}

const fn counter(name: &'static str, file: &'static str) -> Parameter {
    Parameter {
        name,
        file,
        settable: false,
    }
}

/// All parameters, in the order in which clients get them.
pub const PARAMETERS: &[Parameter] = &[
    setting("shm_pages_to_scan", "pages_to_scan"),
    setting("shm_sleep_millisecs", "sleep_millisecs"),
    counter("shm_pages_shared", "pages_shared"),
    counter("shm_pages_sharing", "pages_sharing"),
    counter("shm_pages_unshared", "pages_unshared"),
    counter("shm_pages_volatile", "pages_volatile"),
    counter("shm_full_scans", "full_scans"),
    setting("shm_merge_across_nodes", "merge_across_nodes"),
];

fn settable() -> String {
    let names: Vec<&str> = PARAMETERS.iter().filter(|p| p.settable).map(|p| p.name).collect();
    names.join("', '")
}

/// The parameter that a client wants to set.
///
/// # Errors
/// 8 when there is none of that name, or it is a counter.
pub fn wanted(name: &str) -> Result<&'static Parameter> {
    let known = PARAMETERS.iter().find(|parameter| parameter.name == name);
    match known {
        Some(parameter) if parameter.settable => Ok(parameter),
        Some(_) => Err(fault(
            Code::INVALID_ARG,
            format!(
                "the memory parameter '{name}' is a counter of the kernel's: '{}' can be set",
                settable()
            ),
        )),
        None => Err(fault(
            Code::INVALID_ARG,
            format!("there is no memory parameter '{name}': '{}' can be set", settable()),
        )),
    }
}

fn missing() -> Error {
    let text =
        "this machine's kernel does not merge pages: it was built without CONFIG_KSM ('/sys/kernel/mm/ksm' is missing)";
    fault(Code::OPERATION_UNSUPPORTED, text)
}

impl Machine {
    /// The parameters that this kernel has, with their values.
    ///
    /// # Errors
    /// 84 when it has none, 38 when one can not be read.
    pub fn ksm(&self) -> Result<Vec<(Parameter, u64)>> {
        let mut found = Vec::new();
        for &parameter in PARAMETERS {
            let name = format!("{FOLDER}/{}", parameter.file);
            // Kernels without cells have no `merge_across_nodes`.
            let Some(text) = self.read_if_there(&name)? else {
                continue;
            };
            let value = text.trim().parse().map_err(|error| {
                let text = format!("'/{name}' says '{}', which is no number", text.trim());
                fault(Code::SYSTEM_ERROR, text)
                    .because(Box::<dyn std::error::Error + Send + Sync>::from(format!("{error}")))
            })?;
            found.push((parameter, value));
        }
        if found.is_empty() {
            return Err(missing());
        }
        Ok(found)
    }

    /// Sets parameters one after the other, after all of them were found to be there.
    ///
    /// # Errors
    /// 84 for one that this kernel does not have, 38 when it does not take a value.
    pub fn set_ksm(&self, changes: &[(&'static Parameter, u32)]) -> Result<()> {
        for (parameter, _) in changes {
            if self.path(format!("{FOLDER}/{}", parameter.file)).exists() {
                continue;
            }
            if !self.path(FOLDER).exists() {
                return Err(missing());
            }
            let text = format!("this machine's kernel has no memory parameter '{}'", parameter.name);
            return Err(fault(Code::OPERATION_UNSUPPORTED, text));
        }
        for (parameter, value) in changes {
            let (name, text) = (format!("{FOLDER}/{}", parameter.file), value.to_string());
            self.write(&name, &text).map_err(|error| {
                let busy = error.kind() == std::io::ErrorKind::ResourceBusy;
                let error = unwritable(&self.path(&name), &text, error);
                if busy {
                    error.within(
                        "pages of several cells are merged: 'echo 2 >/sys/kernel/mm/ksm/run' takes them apart first",
                    )
                } else {
                    error
                }
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{machine, real};
    use super::*;

    #[test]
    fn parameters_are_read_in_order_and_absent_ones_left_out() {
        let (_root, machine) = machine(&[
            ("sys/kernel/mm/ksm/sleep_millisecs", "20\n"),
            ("sys/kernel/mm/ksm/pages_to_scan", "100\n"),
            ("sys/kernel/mm/ksm/full_scans", "18446744073709551615\n"),
        ]);
        let found = machine.ksm().unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|(parameter, value)| (parameter.name, *value))
            .collect();
        let expected = [
            ("shm_pages_to_scan", 100),
            ("shm_sleep_millisecs", 20),
            ("shm_full_scans", u64::MAX),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_no_number_is_quoted() {
        let (_root, machine) = machine(&[("sys/kernel/mm/ksm/full_scans", "many\n")]);
        let error = machine.ksm().unwrap_err();
        assert!(error.to_string().contains("says 'many'"), "{error}");
    }

    #[test]
    fn a_kernel_without_merging_is_named() {
        let (_root, machine) = machine(&[]);
        for error in [
            machine.ksm().unwrap_err(),
            machine
                .set_ksm(&[(wanted("shm_pages_to_scan").unwrap(), 1)])
                .unwrap_err(),
        ] {
            assert_eq!(error.code(), Code::OPERATION_UNSUPPORTED);
            assert!(error.to_string().contains("CONFIG_KSM"), "{error}");
        }
    }

    #[test]
    fn only_settings_can_be_set_and_all_or_none_are_tried() {
        let (root, machine) = machine(&[("sys/kernel/mm/ksm/pages_to_scan", "100\n")]);
        let scan = wanted("shm_pages_to_scan").unwrap();
        let merge = wanted("shm_merge_across_nodes").unwrap();
        assert!(machine.set_ksm(&[(scan, 7), (merge, 0)]).is_err());
        let file = root.path().join("sys/kernel/mm/ksm/pages_to_scan");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "100\n");
        machine.set_ksm(&[(scan, 7)]).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "7");
        for (name, word) in [("shm_full_scans", "counter"), ("shm_x", "no memory parameter 'shm_x'")] {
            let error = wanted(name).unwrap_err();
            assert_eq!(error.code(), Code::INVALID_ARG);
            assert!(error.to_string().contains(word), "{error}");
        }
    }

    #[test]
    fn the_real_machine_tells_or_says_that_it_can_not() {
        match real().ksm() {
            Ok(found) => assert!(found.iter().any(|(parameter, _)| parameter.name == "shm_pages_shared")),
            Err(error) => assert_eq!(error.code(), Code::OPERATION_UNSUPPORTED),
        }
    }
}
