//! Bindings of filters to ports. There are none yet: each request is answered by naming its port and filter.

use super::{Nwfilter, known_flags};
use crate::binding::BindingDef;
use crate::binding::parse::parse;
use driver_api::driver::BindingDriver;
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::lock::level::{Unlocked, Update};
use driver_api::lock::token::Cx;
use driver_api::types::domain::flags::DEFINE_VALIDATE;
use driver_api::types::filter::{BindingBrief, PortRequest};

impl BindingDriver for Nwfilter {
    fn bindings(&self) -> Vec<BindingBrief> {
        Vec::new()
    }

    fn binding_xml(&self, port: &str, flags: u32) -> Result<String> {
        known_flags("dumpxml", flags, 0)?;
        Err(unbound(port))
    }

    fn create_binding(&self, _cx: &mut Cx<'_, Unlocked>, xml: &str, flags: u32) -> Result<BindingBrief> {
        known_flags("create", flags, DEFINE_VALIDATE)?;
        // A binding has no name of its own to be meant by, so only the whole host's switch counts.
        let def = parse(xml.as_bytes(), self.mode("", flags))?.def;
        Err(self.unsupported(&def.port, &def.filter))
    }

    fn delete_binding(&self, _cx: &mut Cx<'_, Unlocked>, port: &str) -> Result<()> {
        Err(unbound(port))
    }

    fn attach_port(&self, _cx: &mut Cx<'_, Update>, request: &PortRequest) -> Result<()> {
        let def = BindingDef::try_from(request)?;
        Err(self.unsupported(&def.port, &def.filter))
    }

    fn detach_port(&self, _cx: &mut Cx<'_, Update>, port: &str) -> Result<()> {
        Err(unbound(port))
    }
}

impl Nwfilter {
    fn unsupported(&self, port: &str, filter: &str) -> Error {
        if self.table().by_name(filter).is_none() {
            let message = format!("port '{port}' can not be filtered: there is no filter '{filter}'");
            return Error::new(Code::NO_NWFILTER, Origin::NWFILTER, message);
        }
        let message = format!(
            "port '{port}' can not be bound to filter '{filter}': binding is not supported yet, it comes with the compiler \
             of filters"
        );
        Error::new(Code::NO_SUPPORT, Origin::NWFILTER, message)
    }
}

fn unbound(port: &str) -> Error {
    Error::new(
        Code::NO_NWFILTER_BINDING,
        Origin::NWFILTER,
        format!("port '{port}' has no filter bound to it"),
    )
}
