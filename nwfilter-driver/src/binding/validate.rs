//! Checks the parts of a binding, whoever asks for it: a client's document or a virt driver's request.

use super::def::{BindingDef, Owner};
use crate::def::address::Mac;
use crate::def::vars::{Parameters, is_value, is_variable};
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::types::filter::PortRequest;

/// The greatest length of a device's name in bytes (`IFNAMSIZ` without the zero at its end).
pub const MAX_PORT: usize = 15;
/// The greatest length of an owner's name in bytes.
pub const MAX_OWNER: usize = 1024;

/// The variable that every binding gives.
pub const MAC: &str = "MAC";

/// Refuses what can not be the name of a network device; it also names a file and stands in logs.
///
/// # Errors
/// 1 with what is wrong with it.
pub fn device(what: &str, name: &str) -> Result<()> {
    let wrong = match name {
        "" => "is empty".to_owned(),
        "." | ".." => "is the name of a folder".to_owned(),
        _ if name.len() > MAX_PORT => format!("has {} bytes, at most {MAX_PORT} are allowed", name.len()),
        _ => match name.chars().find(|c| !c.is_ascii_graphic() || "/:".contains(*c)) {
            Some(c) => format!("must not contain '{}'", c.escape_debug()),
            None => return Ok(()),
        },
    };
    let message = format!(
        "{what} '{}' {wrong}: give the name of a network device",
        name.escape_debug()
    );
    Err(Error::new(Code::INTERNAL, Origin::NWFILTER, message))
}

/// Refuses an owner's name that can not stand in a log.
///
/// # Errors
/// 1 with what is wrong with it.
pub fn owner(name: &str) -> Result<()> {
    let wrong = match name {
        "" => "is empty".to_owned(),
        _ if name.len() > MAX_OWNER => format!("has {} bytes, at most {MAX_OWNER} are allowed", name.len()),
        _ => match name.chars().find(|c| c.is_control()) {
            Some(c) => format!("must not contain '{}'", c.escape_debug()),
            None => return Ok(()),
        },
    };
    let message = format!("the name of the binding's owner {wrong}");
    Err(Error::new(Code::INTERNAL, Origin::NWFILTER, message))
}

impl TryFrom<&PortRequest> for BindingDef {
    type Error = Error;

    /// # Errors
    /// 1 for a part that can not be, named.
    fn try_from(request: &PortRequest) -> Result<Self> {
        let port = &request.port;
        let refuse = |message: String| Error::new(Code::INTERNAL, Origin::NWFILTER, message);
        device("the port", port)?;
        owner(&request.owner_name)?;
        let mac = Mac::read(&request.mac).ok_or_else(|| {
            refuse(format!(
                "port '{port}': '{}' is no mac address",
                request.mac.escape_debug()
            ))
        })?;
        if request.filter.is_empty() {
            return Err(refuse(format!("port '{port}': the request names no filter")));
        }
        let mut parameters = Parameters::new();
        for (name, value) in &request.parameters {
            if !is_variable(name) || !is_value(value) {
                let (name, value) = (name.escape_debug(), value.escape_debug());
                return Err(refuse(format!(
                    "port '{port}': parameter '{name}' can not have the value '{value}'"
                )));
            }
            parameters.entry(name.clone()).or_default().push(value.clone());
        }
        let owner = Owner {
            name: request.owner_name.clone(),
            uuid: request.owner,
        };
        Ok(Self {
            owner,
            port: port.clone(),
            link: None,
            mac,
            filter: request.filter.clone(),
            parameters,
        }
        .completed())
    }
}

impl BindingDef {
    /// With the values that every binding gives: `MAC`, unless it was given.
    #[must_use]
    pub fn completed(mut self) -> Self {
        let mac = self.mac;
        self.parameters
            .entry(MAC.to_owned())
            .or_insert_with(|| vec![mac.to_string()]);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use driver_api::types::uuid::Uuid;

    #[test]
    fn devices_have_names_that_the_kernel_would_take() {
        for good in ["tap0", "vnet0.100", "a", "br-lan_15bytes_", "..."] {
            assert!(device("port", good).is_ok(), "{good}");
        }
        for bad in [
            "",
            ".",
            "..",
            "a/b",
            "../x",
            "a:1",
            "a b",
            "tap\n",
            "tap\0",
            "sixteen-bytes-xx",
            "täp",
        ] {
            let error = device("port", bad).unwrap_err();
            assert_eq!(error.code(), Code::INTERNAL);
            assert!(!error.to_string().contains(char::is_control), "{error}");
        }
    }

    #[test]
    fn a_request_is_checked_and_gets_its_mac() {
        let request = PortRequest {
            port: "tap0".to_owned(),
            mac: "52:54:00:AA:00:1".to_owned(),
            filter: "f".to_owned(),
            parameters: vec![
                ("IP".to_owned(), "10.0.0.2".to_owned()),
                ("IP".to_owned(), "10.0.0.1".to_owned()),
            ],
            owner: Uuid::default(),
            owner_name: "vm1".to_owned(),
        };
        let def = BindingDef::try_from(&request).unwrap();
        assert_eq!(def.parameters["IP"], ["10.0.0.2", "10.0.0.1"]);
        assert_eq!(def.parameters["MAC"], ["52:54:00:aa:00:01"]);
        type Spoil = fn(&mut PortRequest);
        let spoils: [Spoil; 6] = [
            |r| r.port = "../etc".to_owned(),
            |r| r.mac = "52:54".to_owned(),
            |r| r.filter.clear(),
            |r| r.owner_name = "a\nb".to_owned(),
            |r| r.parameters.push(("A-B".to_owned(), "1".to_owned())),
            |r| r.parameters.push(("A".to_owned(), "1;flush".to_owned())),
        ];
        for spoil in spoils {
            let mut request = request.clone();
            spoil(&mut request);
            let error = BindingDef::try_from(&request).unwrap_err();
            assert_eq!((error.code(), error.origin()), (Code::INTERNAL, Origin::NWFILTER));
        }
    }
}
