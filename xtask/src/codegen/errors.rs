//! `errors.rs`: one `Error` per service, a variant per modelled exception.

use super::names;
use super::types::Types;
use crate::service::Shape;
use anyhow::Result;
use std::fmt::Write;

struct Exception {
    variant: String,
    code: String,
    status: u16,
    fault: &'static str,
    /// Name, field and type of every member besides the message.
    members: Vec<(String, String, String)>,
}

pub fn generate(types: &Types) -> Result<String> {
    let exceptions: Vec<Exception> = types.exceptions.iter().map(|name| exception(types, name)).collect::<Result<_>>()?;
    if exceptions.is_empty() {
        return Ok(String::new());
    }
    let mut text = definition(&exceptions)?;
    text += "impl Error {\n";
    for exception in &exceptions {
        text += &constructor(exception)?;
    }
    text += &accessors(&exceptions)?;
    text += "}\n\n";
    text += &conversion(&exceptions)?;
    text += "impl std::fmt::Display for Error {\n";
    text += "fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {\n";
    text += "write!(f, \"{}: {}\", self.code(), self.message())\n}\n}\n\n";
    text += "impl std::error::Error for Error {}\n";
    let maps = if text.contains("BTreeMap<") { "use std::collections::BTreeMap;\n" } else { "" };
    Ok(format!("{}{maps}\n{text}", imports(types, &exceptions)))
}

const SENDER: &str = "wire::Fault::Sender";

/// Members of exceptions may be of any shape.
fn imports(types: &Types, exceptions: &[Exception]) -> &'static str {
    let has_enums = types.enums().next().is_some();
    match exceptions.iter().any(|exception| !exception.members.is_empty()) {
        true if has_enums => "#[allow(unused_imports)]\nuse super::{enums::*, shapes::*};\n",
        true => "#[allow(unused_imports)]\nuse super::shapes::*;\n",
        false => "",
    }
}

fn exception(types: &Types, name: &str) -> Result<Exception> {
    let shape = types.service.shape(name)?;
    let mut members = Vec::new();
    for (member, reference) in shape.members()? {
        if !member.eq_ignore_ascii_case("message") {
            members.push((member.to_owned(), names::member(member), types.of_member(name, &reference)?));
        }
    }
    let receiver = is_receiver_fault(shape);
    Ok(Exception {
        variant: names::shape(variant(types, name)),
        code: shape.error.as_ref().and_then(|error| error.code.clone()).unwrap_or_else(|| name.to_owned()),
        status: shape.error.as_ref().and_then(|error| error.http_status_code).unwrap_or(if receiver { 500 } else { 400 }),
        fault: if receiver { "wire::Fault::Receiver" } else { SENDER },
        members,
    })
}

/// Without `Exception`, unless that is another exception's name (CloudWatch has both).
fn variant<'a>(types: &Types, name: &'a str) -> &'a str {
    let short = name.strip_suffix("Exception").filter(|short| !short.is_empty());
    short.filter(|short| !types.exceptions.contains(short)).unwrap_or(name)
}

fn is_receiver_fault(shape: &Shape) -> bool {
    shape.fault || shape.error.as_ref().is_some_and(|error| error.sender_fault == Some(false))
}

fn definition(exceptions: &[Exception]) -> Result<String> {
    let mut text = "#[derive(Clone, Debug, PartialEq)]\npub enum Error {\n".to_owned();
    for exception in exceptions {
        write!(text, "{} {{ message: String", exception.variant)?;
        for (_, field, kind) in &exception.members {
            write!(text, ", {field}: Option<{kind}>")?;
        }
        text += " },\n";
    }
    Ok(text + "}\n\n")
}

fn constructor(exception: &Exception) -> Result<String> {
    let name = names::raw(&names::snake(&exception.variant));
    let mut parameters = "message: impl Into<String>".to_owned();
    let mut fields = "message: message.into()".to_owned();
    for (_, field, kind) in &exception.members {
        write!(parameters, ", {field}: Option<{kind}>")?;
        write!(fields, ", {field}")?;
    }
    Ok(format!("pub fn {name}({parameters}) -> Error {{ Error::{} {{ {fields} }} }}\n\n", exception.variant))
}

fn accessors(exceptions: &[Exception]) -> Result<String> {
    let mut text = "/// The exception's name on the wire.\npub fn code(&self) -> &'static str { match self {\n".to_owned();
    for exception in exceptions {
        writeln!(text, "Error::{} {{ .. }} => {:?},", exception.variant, exception.code)?;
    }
    text += "} }\n\npub fn message(&self) -> &str { match self {\n";
    let arms: Vec<String> =
        exceptions.iter().map(|exception| format!("Error::{} {{ message, .. }}", exception.variant)).collect();
    writeln!(text, "{} => message,", arms.join(" | "))?;
    text += "} }\n\n";
    text += &table("status(&self) -> u16", exceptions, |exception| exception.status.to_string(), "400")?;
    text += &table("fault(&self) -> wire::Fault", exceptions, |exception| exception.fault.to_owned(), SENDER)?;
    Ok(text)
}

/// A function that is `usual` but for some.
fn table(head: &str, exceptions: &[Exception], value: impl Fn(&Exception) -> String, usual: &str) -> Result<String> {
    let unusual: Vec<&Exception> = exceptions.iter().filter(|exception| value(exception) != usual).collect();
    if unusual.is_empty() {
        return Ok(format!("pub fn {head} {{ {usual} }}\n\n"));
    }
    let mut text = format!("pub fn {head} {{ match self {{\n");
    for exception in &unusual {
        writeln!(text, "Error::{} {{ .. }} => {},", exception.variant, value(exception))?;
    }
    if unusual.len() < exceptions.len() {
        writeln!(text, "_ => {usual},")?;
    }
    Ok(text + "} }\n\n")
}

fn conversion(exceptions: &[Exception]) -> Result<String> {
    let mut text = "impl From<Error> for wire::Error {\nfn from(error: Error) -> wire::Error {\n".to_owned();
    text += "let (status, fault) = (error.status(), error.fault());\n";
    let rendered = "wire::Error { status, fault, ..wire::Error::sender(error.code(), error.message()) }";
    let with_members: Vec<&Exception> = exceptions.iter().filter(|exception| !exception.members.is_empty()).collect();
    if with_members.is_empty() {
        return Ok(text + rendered + "\n}\n}\n\n");
    }
    writeln!(text, "let rendered = {rendered};")?;
    text += "match error {\n";
    for exception in &with_members {
        let fields: Vec<&str> = exception.members.iter().map(|(_, field, _)| field.as_str()).collect();
        write!(text, "Error::{} {{ {}, .. }} => rendered", exception.variant, fields.join(", "))?;
        for (member, field, _) in &exception.members {
            write!(text, ".with_member({member:?}, {field})")?;
        }
        text += ",\n";
    }
    if with_members.len() < exceptions.len() {
        text += "_ => rendered,\n";
    }
    Ok(text + "}\n}\n}\n\n")
}
