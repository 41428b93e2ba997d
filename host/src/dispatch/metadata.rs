//! Notes about domains: titles, descriptions and other programs' elements.

use super::Dispatch;
use super::domain::{document, find, unknown_flags};
use crate::rpc::codec::domain::{DomainGetMetadata, DomainSetMetadata};
use crate::server::Call;
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::kit::xml::Element;
use driver_api::types::domain::flags;
use driver_api::types::metadata::MetadataChange;

/// Notes are parts of the document, so that every driver has them to show.
pub(super) fn get(host: &Dispatch, call: &Call<'_>, args: DomainGetMetadata) -> Result<String> {
    let unknown = args.flags & !(flags::AFFECT_LIVE | flags::AFFECT_CONFIG);
    if unknown != 0 {
        return Err(unknown_flags("a domain's metadata", unknown));
    }
    let domain = find(host, call, &args.dom)?;
    if args.flags & flags::AFFECT_LIVE != 0 && domain.id.is_none() {
        let text = format!("domain '{}' is not running: it has no live metadata", domain.name);
        return Err(Error::new(Code::OPERATION_INVALID, Origin::DOMAIN, text));
    }
    let which = if args.flags & flags::AFFECT_CONFIG != 0 {
        flags::XML_INACTIVE
    } else {
        0
    };
    let document = document(host, call, domain.uuid, which)?;
    let found = match args.kind {
        0 => document.child("description").map(Element::text),
        1 => document.child("title").map(Element::text),
        2 => element_of(&document, args.uri.as_deref().unwrap_or_default()),
        other => {
            let text = format!("there is no metadata of kind {other}");
            return Err(Error::new(Code::INVALID_ARG, Origin::DOMAIN, text));
        }
    };
    found.ok_or_else(|| {
        let text = format!("domain '{}' has no such metadata", domain.name);
        Error::new(Code::NO_DOMAIN_METADATA, Origin::DOMAIN, text)
    })
}

/// The element of a namespace, as it was given.
fn element_of(document: &Element, uri: &str) -> Option<String> {
    let metadata = document.child("metadata")?;
    let mut elements = metadata.elements();
    let element = elements.find(|element| element.namespace(&[metadata, document]) == Some(uri))?;
    let text = element.clone().out_of_namespace(uri).to_string();
    Some(text.trim_end().to_owned())
}

pub(super) fn set(host: &Dispatch, call: &Call<'_>, args: DomainSetMetadata) -> Result<()> {
    let domain = find(host, call, &args.dom)?;
    // A kind below 0 is as unknown as any other.
    let kind = args.kind.cast_unsigned();
    let change = MetadataChange::new(kind, args.value.as_deref(), args.key.as_deref(), args.uri.as_deref())?;
    host.set_metadata(call, domain.uuid, &change, args.flags)
}
