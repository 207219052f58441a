//! Protocol traits as an expression of `wire::model::ProtocolTraits`; most references have none.

use crate::service::{Traits, xml_namespace};

/// `None`, or what `Some(&ProtocolTraits { … })` contains.
pub fn expression(traits: &Traits) -> Option<String> {
    let texts = [
        ("location", traits.location.as_deref()),
        ("location_name", traits.location_name.as_deref()),
        ("query_name", traits.query_name.as_deref()),
        ("xml_namespace", xml_namespace(&traits.xml_namespace)),
        ("timestamp_format", traits.timestamp_format.as_deref()),
        ("payload", traits.payload.as_deref()),
    ];
    let flags = [
        ("flattened", traits.flattened),
        ("xml_attribute", traits.xml_attribute),
        ("streaming", traits.streaming),
        ("json_value", traits.jsonvalue),
        ("sparse", traits.sparse),
        ("idempotency_token", traits.idempotency_token),
    ];
    let texts = texts.iter().filter_map(|(name, text)| text.map(|text| format!("{name}: Some({text:?})")));
    let flags = flags.iter().filter(|(_, set)| *set).map(|(name, _)| format!("{name}: true"));
    let fields: Vec<String> = texts.chain(flags).collect();
    (!fields.is_empty()).then(|| format!("&ProtocolTraits {{ {}, ..ProtocolTraits::NONE }}", fields.join(", ")))
}
