//! Bindings of filters to ports. There are none yet: each request is answered by naming its port and filter.

use crate::driver::{Nwfilter, known_flags};
use driver_api::driver::BindingDriver;
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::kit::xml::{self, Limits};
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
        let brief = read(xml)?;
        Err(self.unsupported(&brief.port, &brief.filter))
    }

    fn delete_binding(&self, _cx: &mut Cx<'_, Unlocked>, port: &str) -> Result<()> {
        Err(unbound(port))
    }

    fn attach_port(&self, _cx: &mut Cx<'_, Update>, request: &PortRequest) -> Result<()> {
        Err(self.unsupported(&request.port, &request.filter))
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

/// The port and the filter of a `<filterbinding>`.
fn read(document: &str) -> Result<BindingBrief> {
    let root = xml::parse(document.as_bytes(), Origin::NWFILTER, &Limits::default()).map_err(|error| {
        Error::new(
            Code::XML_DETAIL,
            Origin::NWFILTER,
            format!("the binding is not XML: {error}"),
        )
    })?;
    if root.name != "filterbinding" {
        let message = format!(
            "{}: the root element is <{}>, a binding's is <filterbinding>",
            root.position, root.name
        );
        return Err(Error::new(Code::XML_ERROR, Origin::XML, message));
    }
    let needed = |element: &str, attribute: &str| {
        let value = root
            .child(element)
            .and_then(|child| child.attr(attribute))
            .filter(|value| !value.is_empty());
        value.map(str::to_owned).ok_or_else(|| {
            let message = format!("the binding needs <{element} {attribute}='...'/>");
            Error::new(Code::INTERNAL, Origin::NWFILTER, message)
        })
    };
    Ok(BindingBrief {
        port: needed("portdev", "name")?,
        filter: needed("filterref", "filter")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binding_names_its_port_and_filter_or_says_what_it_lacks() {
        let brief = read("<filterbinding><portdev name='tap0'/><filterref filter='f'/></filterbinding>").unwrap();
        assert_eq!((brief.port.as_str(), brief.filter.as_str()), ("tap0", "f"));
        for (document, code, text) in [
            (
                "<filterbinding><filterref filter='f'/></filterbinding>",
                1,
                "<portdev name='...'/>",
            ),
            (
                "<filterbinding><portdev name='tap0'/><filterref/></filterbinding>",
                1,
                "<filterref filter='...'/>",
            ),
            ("<filter name='f'/>", 27, "<filterbinding>"),
            ("<filterbinding>", 35, "not XML"),
        ] {
            let error = read(document).unwrap_err();
            assert_eq!(error.code(), Code(code));
            assert!(error.to_string().contains(text), "{error}");
        }
    }
}
