//! `model.rs`: the tables `wire` walks at run time: operations, and every shape an input or an output reaches.

use super::types::Types;
use super::{names, traits};
use crate::config::Config;
use crate::service::{Metadata, Operation, Paginator, Reference, Shape, xml_namespace};
use anyhow::{Context, Result, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Shape names to the names of their statics.
type Statics<'a> = BTreeMap<&'a str, String>;

pub fn generate(types: &Types, config: &Config) -> Result<String> {
    let statics = statics(types);
    let mut shapes = String::new();
    for (name, shape) in &types.wired {
        shapes += &shape_static(&statics, name, shape)?;
    }
    let mut text = model(types, config)? + "static OPERATIONS: &[OperationModel] = &[\n";
    for operation in types.service.operations.values() {
        text += &operation_entry(types, &statics, operation)?;
    }
    text += "];\n\n";
    text += &shapes;
    Ok(imports(&text) + &text)
}

fn imports(text: &str) -> String {
    let optional = ["Member", "Paginator", "Pattern", "ProtocolTraits"];
    let used: Vec<&str> =
        optional.into_iter().filter(|name| text.contains(&format!("{name} {{")) || text.contains(&format!("{name}::"))).collect();
    format!("use wire::model::{{Kind, Model, OperationModel, Shape, {}}};\nuse wire::Protocol;\n\n", used.join(", "))
}

fn statics<'a>(types: &Types<'a>) -> Statics<'a> {
    let mut taken = BTreeSet::from(["MODEL".to_owned(), "OPERATIONS".to_owned()]);
    let mut statics = BTreeMap::new();
    for (name, shape) in &types.wired {
        let mut constant = names::constant(name);
        while !taken.insert(constant.clone()) {
            constant.push('_');
        }
        if shape.pattern.is_some() {
            taken.insert(format!("{constant}_PATTERN"));
        }
        statics.insert(*name, constant);
    }
    statics
}

fn model(types: &Types, config: &Config) -> Result<String> {
    let metadata = &types.service.metadata;
    let mut text = "pub static MODEL: Model = Model {\n".to_owned();
    writeln!(text, "service_id: {:?},", metadata.service_id)?;
    writeln!(text, "api_version: {:?},", metadata.api_version)?;
    writeln!(text, "endpoint_prefix: {:?},", metadata.endpoint_prefix)?;
    writeln!(text, "signing_name: {:?},", metadata.signing_name.as_ref().unwrap_or(&metadata.endpoint_prefix))?;
    writeln!(text, "target_prefix: {:?},", metadata.target_prefix)?;
    writeln!(text, "protocol: Protocol::{},", protocol(metadata)?)?;
    writeln!(text, "xml_namespace: {:?},", xml_namespace(&metadata.xml_namespace))?;
    writeln!(text, "constraint_error: {:?},", config.constraint_error)?;
    Ok(text + "operations: OPERATIONS,\n};\n\n")
}

/// The protocol the model names, or else the first it lists that we have a name for: some favour CBOR.
fn protocol(metadata: &Metadata) -> Result<&'static str> {
    let mut spoken = std::iter::once(&metadata.protocol).chain(&metadata.protocols);
    let known = spoken.find_map(|protocol| protocol_variant(protocol, metadata.json_version.as_deref()));
    known.with_context(|| format!("the generator does not know the protocol {}", metadata.protocol))
}

fn protocol_variant(protocol: &str, json_version: Option<&str>) -> Option<&'static str> {
    match (protocol, json_version) {
        ("json", Some("1.0")) => Some("AwsJson10"),
        ("json", _) => Some("AwsJson11"),
        ("query", _) => Some("Query"),
        ("ec2", _) => Some("Ec2"),
        ("rest-json", _) => Some("RestJson"),
        ("rest-xml", _) => Some("RestXml"),
        _ => None,
    }
}

fn operation_entry(types: &Types, statics: &Statics, operation: &Operation) -> Result<String> {
    let shape = |reference: &Option<Reference>| match reference {
        Some(reference) => format!("Some(&{})", statics[reference.shape.as_str()]),
        None => "None".to_owned(),
    };
    let errors: Vec<&str> = operation.errors.iter().map(|error| error.shape.as_str()).collect();
    let wrapper = operation.output.as_ref().and_then(|output| output.traits.result_wrapper.as_deref());
    let mut text = format!("OperationModel {{\nname: {:?},\n", operation.name);
    writeln!(text, "method: {:?},\nuri: {:?},", operation.http.method, operation.http.request_uri)?;
    writeln!(text, "input: {},\noutput: {},", shape(&operation.input), shape(&operation.output))?;
    writeln!(text, "result_wrapper: {wrapper:?},\nerrors: &{errors:?},")?;
    writeln!(text, "paginator: {},", paginator(types.service.pagination.get(&operation.name)))?;
    Ok(text + "},\n")
}

fn paginator(paginator: Option<&Paginator>) -> String {
    let Some(paginator) = paginator else { return "None".to_owned() };
    let results = paginator.result_key.as_ref().map(|keys| keys.all()).unwrap_or_default();
    format!(
        "Some(Paginator {{ input_tokens: &{:?}, output_tokens: &{:?}, limit_key: {:?}, result_keys: &{results:?} }})",
        paginator.input_token.all(),
        paginator.output_token.all(),
        paginator.limit_key,
    )
}

fn shape_static(statics: &Statics, name: &str, shape: &Shape) -> Result<String> {
    let constant = &statics[name];
    let mut text = String::new();
    let mut fields = Vec::new();
    fields.extend(shape.min.map(|min| format!("min: Some({min:?})")));
    fields.extend(shape.max.map(|max| format!("max: Some({max:?})")));
    if let Some(pattern) = &shape.pattern {
        writeln!(text, "static {constant}_PATTERN: Pattern = Pattern::new({pattern:?});")?;
        fields.push(format!("pattern: Some(&{constant}_PATTERN)"));
    }
    if !shape.values.is_empty() {
        fields.push(format!("values: &{:?}", shape.values));
    }
    if shape.sensitive {
        fields.push("sensitive: true".to_owned());
    }
    fields.extend(traits::expression(&shape.traits).map(|traits| format!("traits: Some({traits})")));
    let plain = format!("Shape::new({name:?}, {})", kind(statics, name, shape)?);
    let value = if fields.is_empty() { plain } else { format!("Shape {{ {}, ..{plain} }}", fields.join(", ")) };
    writeln!(text, "static {constant}: Shape = {value};\n")?;
    Ok(text)
}

fn kind(statics: &Statics, name: &str, shape: &Shape) -> Result<String> {
    let item = |reference: &Option<Reference>| -> Result<String> {
        let reference = reference.as_ref().with_context(|| format!("{name} does not say what it is made of"))?;
        Ok(with(format!("Member::item(&{})", statics[reference.shape.as_str()]), reference))
    };
    Ok(match shape.kind.as_str() {
        "structure" if shape.document => "Kind::Document".to_owned(),
        "structure" if shape.union => format!("Kind::Union(&[{}])", members(statics, shape)?),
        "structure" => format!("Kind::Structure(&[{}])", members(statics, shape)?),
        "list" => format!("Kind::List({})", item(&shape.member)?),
        "map" => format!("Kind::Map({}, {})", item(&shape.key)?, item(&shape.value)?),
        "string" | "character" => "Kind::String".to_owned(),
        "integer" => "Kind::Integer".to_owned(),
        "long" => "Kind::Long".to_owned(),
        "float" => "Kind::Float".to_owned(),
        "double" => "Kind::Double".to_owned(),
        "boolean" => "Kind::Boolean".to_owned(),
        "timestamp" => "Kind::Timestamp".to_owned(),
        "blob" => "Kind::Blob".to_owned(),
        other => bail!("{name} is of the kind {other}, which the generator does not know"),
    })
}

fn members(statics: &Statics, shape: &Shape) -> Result<String> {
    let mut text = String::new();
    for (name, member) in shape.members()? {
        let constructor = if shape.required.iter().any(|required| required == name) { "required" } else { "optional" };
        let target = &statics[member.shape.as_str()];
        write!(text, "{}, ", with(format!("Member::{constructor}({name:?}, &{target})"), &member))?;
    }
    Ok(text)
}

fn with(member: String, reference: &Reference) -> String {
    match traits::expression(&reference.traits) {
        Some(traits) => format!("{member}.with({traits})"),
        None => member,
    }
}
