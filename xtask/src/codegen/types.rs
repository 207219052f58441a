//! Which shapes become Rust types and which type a shape is. A structure that contains itself, other than through a list or
//! a map, is boxed where it would.

use super::names;
use crate::service::{Reference, Service, Shape};
use anyhow::{Result, bail};
use std::collections::{BTreeMap, BTreeSet};

pub struct Types<'a> {
    pub service: &'a Service,
    /// Every shape an input, an output or a member of an error reaches: these become Rust types.
    pub used: BTreeMap<&'a str, &'a Shape>,
    /// Every shape an input or an output reaches: these are in the run-time tables.
    pub wired: BTreeMap<&'a str, &'a Shape>,
    /// Names of exceptions, sorted; some operation may answer each.
    pub exceptions: BTreeSet<&'a str>,
    /// Which structures a structure contains directly.
    contains: BTreeMap<&'a str, BTreeSet<String>>,
}

impl<'a> Types<'a> {
    pub fn of(service: &'a Service) -> Result<Types<'a>> {
        let mut types = Types {
            service,
            used: BTreeMap::new(),
            wired: BTreeMap::new(),
            exceptions: BTreeSet::new(),
            contains: BTreeMap::new(),
        };
        for operation in service.operations.values() {
            for reference in operation.input.iter().chain(&operation.output) {
                types.reach(&reference.shape)?;
            }
            types.exceptions.extend(operation.errors.iter().map(|error| error.shape.as_str()));
        }
        types.wired = types.used.clone();
        for exception in types.exceptions.clone() {
            for (_, member) in service.shape(exception)?.members()? {
                types.reach(&member.shape)?;
            }
        }
        types.note_containment()?;
        Ok(types)
    }

    fn reach(&mut self, name: &str) -> Result<()> {
        let Some((name, shape)) = self.service.shapes.get_key_value(name) else { bail!("the model has no shape {name}") };
        if self.used.insert(name, shape).is_some() {
            return Ok(());
        }
        for (_, member) in shape.members()? {
            self.reach(&member.shape)?;
        }
        for reference in shape.member.iter().chain(&shape.key).chain(&shape.value) {
            self.reach(&reference.shape)?;
        }
        Ok(())
    }

    fn note_containment(&mut self) -> Result<()> {
        for (name, shape) in &self.used {
            let members = shape.members()?.into_iter().map(|(_, member)| member.shape);
            let structures = members.filter(|member| self.used[member.as_str()].is_structure());
            self.contains.insert(name, structures.collect());
        }
        Ok(())
    }

    fn reaches(&self, from: &str, to: &str) -> bool {
        let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
        while let Some(name) = next.pop() {
            if name == to {
                return true;
            }
            if seen.insert(name) {
                next.extend(self.contains.get(name).into_iter().flatten().map(String::as_str));
            }
        }
        false
    }

    pub fn structures(&self) -> impl Iterator<Item = (&'a str, &'a Shape)> {
        self.used.iter().map(|(name, shape)| (*name, *shape)).filter(|(_, shape)| shape.is_structure())
    }

    pub fn enums(&self) -> impl Iterator<Item = (&'a str, &'a Shape)> {
        self.used.iter().map(|(name, shape)| (*name, *shape)).filter(|(_, shape)| shape.is_enum())
    }

    /// The type of a member of `owner`, inside its `Option`.
    pub fn of_member(&self, owner: &str, member: &Reference) -> Result<String> {
        let plain = self.of_shape(&member.shape)?;
        let boxed = self.service.shape(&member.shape)?.is_structure() && self.reaches(&member.shape, owner);
        Ok(if boxed { format!("Box<{plain}>") } else { plain })
    }

    pub fn of_shape(&self, name: &str) -> Result<String> {
        let shape = self.service.shape(name)?;
        let item = |reference: &Option<Reference>| match reference {
            Some(reference) => self.of_shape(&reference.shape),
            None => bail!("{name} does not say what it is made of"),
        };
        let sparse = |plain: String| if shape.traits.sparse { format!("Option<{plain}>") } else { plain };
        Ok(match shape.kind.as_str() {
            "structure" if shape.document => "serde_json::Value".to_owned(),
            "structure" => names::shape(name),
            "string" if shape.is_enum() => names::shape(name),
            "list" => format!("Vec<{}>", sparse(item(&shape.member)?)),
            "map" => format!("BTreeMap<String, {}>", sparse(item(&shape.value)?)),
            "string" | "character" => "String".to_owned(),
            "integer" => "i32".to_owned(),
            "long" => "i64".to_owned(),
            "float" => "f32".to_owned(),
            "double" => "f64".to_owned(),
            "boolean" => "bool".to_owned(),
            "timestamp" => "wire::Timestamp".to_owned(),
            "blob" => "wire::Blob".to_owned(),
            other => bail!("{name} is of the kind {other}, which the generator does not know"),
        })
    }

    /// Whether a value of this shape must not be printed. A structure sees to its own members.
    pub fn is_sensitive(&self, name: &str) -> Result<bool> {
        let shape = self.service.shape(name)?;
        if shape.sensitive || shape.kind == "structure" {
            return Ok(shape.sensitive);
        }
        for item in shape.member.iter().chain(&shape.key).chain(&shape.value) {
            if self.is_sensitive(&item.shape)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
