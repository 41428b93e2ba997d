//! Filters on ports: the entry points. Each holds Update, so that no definition changes meanwhile; several go on at once.

use super::{Nwfilter, known_flags};
use crate::binding::parse::parse;
use crate::binding::{BindingDef, Maker};
use crate::engine::unbound;
use driver_api::driver::BindingDriver;
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::kit::xml::{Element, Node};
use driver_api::lock::level::{Unlocked, Update};
use driver_api::lock::token::Cx;
use driver_api::types::domain::flags::DEFINE_VALIDATE;
use driver_api::types::filter::{BindingBrief, PortRequest};

impl BindingDriver for Nwfilter {
    fn bindings(&self) -> Vec<BindingBrief> {
        let ports = self.core.engine.ports();
        ports.values().map(|bound| bound.record.def.brief()).collect()
    }

    fn binding_xml(&self, port: &str, flags: u32) -> Result<String> {
        known_flags("dumpxml", flags, 0)?;
        let ports = self.core.engine.ports();
        let bound = ports.get(port).ok_or_else(|| unbound(port))?;
        match bound.closed() {
            Some(why) if bound.is_unreadable() => Ok(unreadable(port, why)),
            _ => Ok(bound.record.def.to_string()),
        }
    }

    fn create_binding(&self, cx: &mut Cx<'_, Unlocked>, xml: &str, flags: u32) -> Result<BindingBrief> {
        known_flags("create", flags, DEFINE_VALIDATE)?;
        // A binding has no name of its own to be meant by, so only the whole host's switch counts.
        let parsed = parse(xml.as_bytes(), self.mode("", flags))?;
        let brief = parsed.def.brief();
        for doubt in &parsed.doubts {
            tracing::warn!(port = brief.port, doubt, "compat: taken as libvirt takes it");
        }
        let _filters_stay = cx.update_read()?;
        self.core.engine.create(parsed.def, Maker::Client)?;
        Ok(brief)
    }

    fn delete_binding(&self, cx: &mut Cx<'_, Unlocked>, port: &str) -> Result<()> {
        let mut update = cx.update_read()?;
        let ports = self.core.engine.ports();
        let bound = ports.get(port).ok_or_else(|| unbound(port))?;
        let def = &bound.record.def;
        if bound.record.maker == Maker::Guest && self.core.is_guests(&mut update, port, &def.filter)? {
            let message = format!(
                "port '{port}' belongs to the running domain '{}': its filter goes when it stops",
                def.owner.name
            );
            return Err(Error::new(Code::OPERATION_INVALID, Origin::NWFILTER, message));
        }
        self.core.engine.delete(port, Some(bound.generation))
    }

    fn attach_port(&self, _cx: &mut Cx<'_, Update>, request: &PortRequest) -> Result<()> {
        self.core.engine.create(BindingDef::try_from(request)?, Maker::Guest)
    }

    fn detach_port(&self, _cx: &mut Cx<'_, Update>, port: &str) -> Result<()> {
        self.core.engine.delete(port, None)
    }
}

/// What there is to say about a binding of which only the port is known. Not an error: virsh would not show it.
fn unreadable(port: &str, why: &str) -> String {
    // Two dashes would end the comment.
    let why = why.replace('-', " ");
    let comment = format!(" the port is closed, its binding can not be read ({why}): delete it and make it anew ");
    let mut element = Element::new("filterbinding");
    element.children.push(Node::Comment(comment));
    element
        .with_child(Element::new("portdev").with_attr("name", port))
        .to_string()
}
