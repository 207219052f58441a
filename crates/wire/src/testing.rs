//! A model of no real service, with one of everything, for this crate's tests.

use crate::model::{Kind, Member, Model, OperationModel, Pattern, ProtocolTraits, Shape};
use crate::{Empty, Operation, Protocol};
use serde_json::Value;

/// Its input is the body as it comes out of the checks.
pub struct Put;

impl Operation for Put {
    const NAME: &'static str = "Put";
    type Input = Value;
    type Output = Empty;
}

pub struct Clear;

impl Operation for Clear {
    const NAME: &'static str = "Clear";
    type Input = Empty;
    type Output = Empty;
}

pub static MODEL: Model = Model {
    service_id: "Shop",
    api_version: "2026-01-01",
    endpoint_prefix: "shop",
    signing_name: "shop",
    target_prefix: Some("Shop_2026"),
    protocol: Protocol::AwsJson11,
    xml_namespace: None,
    constraint_error: "ValidationException",
    operations: &[operation("Clear", None), operation("Put", Some(&PUT))],
};

pub static QUERY_MODEL: Model = Model {
    service_id: "Old Shop",
    api_version: "2010-01-01",
    endpoint_prefix: "oldshop",
    signing_name: "oldshop",
    target_prefix: None,
    protocol: Protocol::Query,
    xml_namespace: Some("https://oldshop.amazonaws.com/doc/2010-01-01/"),
    constraint_error: "ValidationError",
    operations: &[operation("Put", Some(&PUT))],
};

const fn operation(name: &'static str, input: Option<&'static Shape>) -> OperationModel {
    OperationModel { name, method: "POST", uri: "/", input, output: None, result_wrapper: None, errors: &[], paginator: None }
}

static PUT: Shape = Shape::new(
    "PutRequest",
    Kind::Structure(&[
        Member::required("name", &NAME),
        Member::optional("items", &ITEMS),
        Member::optional("names", &NAMES),
        Member::optional("labels", &LABELS),
        Member::optional("color", &COLOR),
        Member::optional("colors", &COLORS),
        Member::optional("count", &COUNT),
        Member::optional("size", &SIZE),
        Member::optional("ratio", &RATIO),
        Member::optional("flag", &FLAG),
        Member::optional("when", &WHEN),
        Member::optional("data", &DATA),
        Member::optional("any", &ANY),
        Member::optional("either", &EITHER),
        Member::optional("secret", &SECRET),
        Member::optional("holes", &HOLES),
        Member::optional("nested", &PUT),
    ]),
);
static NAME_PATTERN: Pattern = Pattern::new("[a-z]*");
static NAME: Shape = Shape { min: Some(1.0), max: Some(5.0), pattern: Some(&NAME_PATTERN), ..Shape::new("Name", Kind::String) };
static NAMES: Shape = Shape { max: Some(3.0), ..Shape::new("Names", Kind::List(Member::item(&NAME))) };
static ITEM: Shape = Shape::new("Item", Kind::Structure(&[Member::required("key", &NAME), Member::optional("n", &COUNT)]));
static ITEMS: Shape = Shape { min: Some(1.0), ..Shape::new("Items", Kind::List(Member::item(&ITEM))) };
static LABELS: Shape = Shape::new("Labels", Kind::Map(Member::item(&NAME), Member::item(&COUNT)));
static COLOR: Shape = Shape { values: &["RED", "BLUE"], ..Shape::new("Color", Kind::String) };
static COLORS: Shape = Shape::new("Colors", Kind::List(Member::item(&COLOR)));
static COUNT: Shape = Shape { min: Some(0.0), max: Some(100.0), ..Shape::new("Count", Kind::Integer) };
static SIZE: Shape = Shape::new("Size", Kind::Long);
static RATIO: Shape = Shape { max: Some(1.5), ..Shape::new("Ratio", Kind::Double) };
static FLAG: Shape = Shape::new("Flag", Kind::Boolean);
static WHEN: Shape = Shape::new("When", Kind::Timestamp);
static DATA: Shape = Shape { max: Some(3.0), ..Shape::new("Data", Kind::Blob) };
static ANY: Shape = Shape::new("Any", Kind::Document);
static EITHER: Shape = Shape::new("Either", Kind::Union(&[Member::optional("left", &NAME), Member::optional("right", &COUNT)]));
static SECRET: Shape = Shape { max: Some(3.0), sensitive: true, ..Shape::new("Secret", Kind::String) };
static HOLES: Shape = Shape {
    traits: Some(&ProtocolTraits { sparse: true, ..ProtocolTraits::NONE }),
    ..Shape::new("Holes", Kind::List(Member::item(&COUNT)))
};
