//! `Permissions`: whose a folder or file shall be, and who else may use it.

use super::ORIGIN;
use driver_api::error::Result;
use driver_api::kit::xml::Element;

/// What a document says; absent is whatever the system makes of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Permissions {
    /// The bits of `chmod`.
    pub mode: Option<u32>,
    /// The user.
    pub owner: Option<u32>,
    /// The group.
    pub group: Option<u32>,
}

impl Permissions {
    /// What `<permissions>` says.
    ///
    /// # Errors
    /// 27 when it says what can not be.
    pub(super) fn parse(mut element: Element) -> Result<Self> {
        let mode = element.take_child_text("mode").map(|text| {
            let bits = u32::from_str_radix(text.trim(), 8).ok().filter(|mode| *mode <= 0o7777);
            bits.ok_or_else(|| element.error(ORIGIN, format!("mode '{text}' is not octal, such as 0600")))
        });
        let owner = id(&mut element, "owner", "user")?;
        let group = id(&mut element, "group", "group")?;
        // No label is set: what confines guests here has none.
        let _label = element.take_child("label");
        element.refuse_rest(ORIGIN, &["mode", "owner", "group", "label"])?;
        Ok(Self {
            mode: mode.transpose()?,
            owner,
            group,
        })
    }

    /// As an element; `None` when nothing is said.
    pub(super) fn format(self) -> Option<Element> {
        let said = [
            ("mode", self.mode.map(|mode| format!("0{mode:o}"))),
            ("owner", self.owner.map(|id| id.to_string())),
            ("group", self.group.map(|id| id.to_string())),
        ];
        let mut said = said
            .into_iter()
            .filter_map(|(name, text)| Some(Element::new(name).with_text(text?)));
        let first = said.next()?;
        Some(Element::new("permissions").with_child(first).with_children(said))
    }
}

/// A user or group by number; -1 says nothing.
fn id(element: &mut Element, name: &str, what: &str) -> Result<Option<u32>> {
    let Some(text) = element.take_child_text(name) else {
        return Ok(None);
    };
    match text.trim() {
        "-1" => Ok(None),
        text => text
            .parse()
            .ok()
            .filter(|id| *id != u32::MAX)
            .map(Some)
            .ok_or_else(|| element.error(ORIGIN, format!("{name} '{text}' is no number of a {what}"))),
    }
}
