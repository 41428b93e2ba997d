//! `Owner`: whom a guest runs as, from `<seclabel model='dac'>`.

use super::DomainDef;
use driver_api::kit::xml::Element;

/// A user and a group, by name or `+number`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Owner {
    /// The user.
    pub user: String,
    /// The group.
    pub group: String,
}

impl DomainDef {
    /// Whom the guest runs as; `None` leaves that to the host.
    #[must_use]
    pub fn owner(&self) -> Option<Owner> {
        let labels = self.rest.elements.iter();
        let label = labels
            .filter(|element| is_static_dac(element))
            .find_map(|element| element.child("label"))?;
        let label = label.text();
        let (user, group) = label.trim().split_once(':')?;
        let owner = Owner {
            user: user.to_owned(),
            group: group.to_owned(),
        };
        (!user.is_empty() && !group.is_empty()).then_some(owner)
    }
}

fn is_static_dac(element: &Element) -> bool {
    element.name == "seclabel" && element.attr("type") == Some("static") && element.attr("model") == Some("dac")
}

/// Why a `<seclabel>` promises what would not be there.
pub(super) fn unsupported(element: &Element) -> Option<String> {
    let model = element.attr("model").unwrap_or("dac");
    let labelled = || element.child("label").map(Element::text).unwrap_or_default();
    let why = match element.attr("type").unwrap_or("dynamic") {
        // The host's own confinement is always there.
        "none" => return None,
        _ if model != "dac" => format!("model '{model}', there is 'dac'"),
        "dynamic" => return None,
        "static" if element.attr("relabel") == Some("yes") => {
            "relabel='yes', files keep their owners: the guest sees those that the document names".to_owned()
        }
        "static"
            if labelled()
                .trim()
                .split_once(':')
                .is_none_or(|(user, group)| user.is_empty() || group.is_empty()) =>
        {
            format!("label '{}', 'user:group' is wanted", labelled().trim().escape_debug())
        }
        "static" => return None,
        kind => format!("type '{kind}'"),
    };
    Some(format!("<seclabel> ({why})"))
}
