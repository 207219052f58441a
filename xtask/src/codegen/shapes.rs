//! `shapes.rs`: a plain struct per structure. Every member is optional, as AWS may add members and callers may leave them out.

use super::names;
use super::types::Types;
use crate::service::{Reference, Shape};
use anyhow::Result;
use std::fmt::Write;

pub fn generate(types: &Types) -> Result<String> {
    let mut structures = String::new();
    for (name, shape) in types.structures() {
        structures += &structure(types, name, shape)?;
    }
    Ok(imports(types, &structures) + &structures)
}

/// Only what the text uses, so that the compiler has nothing to remark.
fn imports(types: &Types, text: &str) -> String {
    let enums = if types.enums().next().is_some() { "use super::enums::*;\n" } else { "" };
    let maps = if text.contains("BTreeMap<") { "use std::collections::BTreeMap;\n" } else { "" };
    format!("{enums}use serde::{{Deserialize, Serialize}};\n{maps}\n")
}

fn structure(types: &Types, name: &str, shape: &Shape) -> Result<String> {
    let members = shape.members()?;
    let redacted = redacted(types, shape, &members)?;
    let debug = if redacted.is_empty() { "Debug, " } else { "" };
    let mut text = format!("#[derive(Clone, {debug}Default, PartialEq, Serialize, Deserialize)]\n");
    writeln!(text, "pub struct {} {{", names::shape(name))?;
    for (member_name, member) in &members {
        text += &field(types, name, member_name, member)?;
    }
    text += "}\n\n";
    if !redacted.is_empty() {
        text += &debug_implementation(name, &members, &redacted)?;
    }
    Ok(text)
}

fn field(types: &Types, owner: &str, name: &str, member: &Reference) -> Result<String> {
    let field = names::member(name);
    let rename = if field == name { String::new() } else { format!("rename = {name:?}, ") };
    let kind = types.of_member(owner, member)?;
    Ok(format!("#[serde({rename}skip_serializing_if = \"Option::is_none\")]\npub {field}: Option<{kind}>,\n"))
}

/// The members `Debug` must not print: all of a sensitive structure, otherwise the sensitive ones.
fn redacted<'a>(types: &Types, shape: &Shape, members: &[(&'a str, Reference)]) -> Result<Vec<&'a str>> {
    let mut redacted = Vec::new();
    for (name, member) in members {
        if shape.sensitive || types.is_sensitive(&member.shape)? {
            redacted.push(*name);
        }
    }
    Ok(redacted)
}

fn debug_implementation(name: &str, members: &[(&str, Reference)], redacted: &[&str]) -> Result<String> {
    let name = names::shape(name);
    let mut text = format!("impl std::fmt::Debug for {name} {{\n");
    text += "fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {\n";
    write!(text, "f.debug_struct({name:?})")?;
    for (member, _) in members {
        let field = names::member(member);
        let value = if redacted.contains(member) { format!("&wire::redacted(&self.{field})") } else { format!("&self.{field}") };
        write!(text, ".field({:?}, {value})", field.trim_start_matches("r#"))?;
    }
    Ok(text + ".finish()\n}\n}\n\n")
}
