//! `virt.metadata/1`: what people and other programs note about a domain.

use super::def::Def;
use super::edit::change_child;
use crate::core::Mock;
use crate::fault::{Part, known_flags};
use driver_api::driver::Metadata;
use driver_api::error::{Origin, Result};
use driver_api::kit::xml::{Element, Limits, Node, parse};
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;
use driver_api::types::domain::flags::{AFFECT_CONFIG, AFFECT_LIVE};
use driver_api::types::metadata::MetadataChange;
use driver_api::types::notice::Notice;
use driver_api::types::uuid::Uuid;

impl Metadata for Mock {
    fn set_metadata(
        &self,
        cx: &mut Cx<'_, Unlocked>,
        uuid: Uuid,
        change: &MetadataChange<'_>,
        flags: u32,
    ) -> Result<()> {
        known_flags(Part::Domain, "metadata", flags, AFFECT_LIVE | AFFECT_CONFIG)?;
        let changed = self.change(cx, uuid, flags, |def, _| with_note(def, change))?;
        let (kind, _, _, uri) = change.parts();
        let uri = uri.map(str::to_owned);
        self.notify(&changed.after, Notice::MetadataChanged { kind, uri });
        Ok(())
    }
}

fn with_note(def: &Def, change: &MetadataChange<'_>) -> Result<Def> {
    match *change {
        MetadataChange::Description(text) => def.with_text("description", text.unwrap_or_default()),
        MetadataChange::Title(Some(text)) if text.contains('\n') => {
            let message = "a title is one line: use the description for more";
            Err(def.element.error(Origin::DOMAIN, message))
        }
        MetadataChange::Title(text) => def.with_text("title", text.unwrap_or_default()),
        MetadataChange::Element { uri, element: None } => def.with(|root| exchange(root, uri, None)),
        MetadataChange::Element {
            uri,
            element: Some((text, prefix)),
        } => {
            let element = parse(text.as_bytes(), Origin::XML, &Limits::default())?;
            let element = element.into_namespace(Origin::DOMAIN, prefix, uri)?;
            // Read as a new host would read it: a note must never be what makes a definition unreadable.
            let new = def.with(|root| exchange(root, uri, Some(element)))?;
            Def::read(&new.xml(None, true))
        }
    }
}

/// Puts the element of a namespace into `<metadata>`, in the place of the one that is there.
fn exchange(root: &mut Element, uri: &str, new: Option<Element>) {
    change_child(root, "metadata", |metadata| {
        let mut scope = Element::new("metadata");
        scope.attributes.clone_from(&metadata.attributes);
        let old = |node: &Node| matches!(node, Node::Element(element) if element.namespace(&[&scope]) == Some(uri));
        metadata.children.retain(|node| !old(node));
        metadata.children.extend(new.map(Node::Element));
    });
    if root
        .child("metadata")
        .is_some_and(|metadata| metadata.children.is_empty())
    {
        root.take_child("metadata");
    }
}
