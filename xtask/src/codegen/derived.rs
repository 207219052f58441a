//! `derived.rs`: the one-way functions between shapes that `models/<service>.toml` asks for.

use super::names;
use super::types::Types;
use crate::config::Config;
use anyhow::{Result, ensure};
use std::fmt::Write;

pub fn generate(types: &Types, config: &Config) -> Result<String> {
    let mut text = "use super::shapes::*;\n\n".to_owned();
    for [from, to] in &config.project {
        text += &project(types, from, to)?;
    }
    for [from, into] in &config.merge {
        text += &merge(types, from, into)?;
    }
    Ok(if config.project.is_empty() && config.merge.is_empty() { String::new() } else { text })
}

fn project(types: &Types, from: &str, to: &str) -> Result<String> {
    let shared = shared(types, from, to)?;
    let (source, target) = (names::shape(from), names::shape(to));
    let rest = if shared.len() < types.service.shape(to)?.members()?.len() { "..Default::default()" } else { "" };
    let mut text = format!("impl {source} {{\n/// What a `{target}` has of the same name and type.\n");
    write!(text, "pub fn project(self) -> {target} {{\n{target} {{\n")?;
    for field in &shared {
        writeln!(text, "{field}: self.{field},")?;
    }
    Ok(text + rest + "\n}\n}\n}\n\n")
}

fn merge(types: &Types, from: &str, into: &str) -> Result<String> {
    let (source, target) = (names::shape(from), names::shape(into));
    let mut text = format!("impl {target} {{\n/// What the {source} sets, of the same name and type, overwrites.\n");
    writeln!(text, "pub fn merge(&mut self, update: {source}) {{")?;
    for field in shared(types, from, into)? {
        writeln!(text, "if update.{field}.is_some() {{ self.{field} = update.{field}; }}")?;
    }
    Ok(text + "}\n}\n\n")
}

/// Fields of the same name and type, in the order of `to`.
fn shared(types: &Types, from: &str, to: &str) -> Result<Vec<String>> {
    let source = types.service.shape(from)?.members()?;
    let mut shared = Vec::new();
    for (name, member) in types.service.shape(to)?.members()? {
        let Some((_, twin)) = source.iter().find(|(twin, _)| *twin == name) else { continue };
        if types.of_member(to, &member)? == types.of_member(from, twin)? {
            shared.push(names::member(name));
        }
    }
    ensure!(!shared.is_empty(), "{from} and {to} have nothing in common");
    Ok(shared)
}
