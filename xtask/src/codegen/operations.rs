//! `operations.rs`: a unit struct per operation that ties its name to its input and output, and a walk over all of them.

use super::names;
use super::types::Types;
use crate::service::Reference;
use anyhow::Result;
use std::collections::BTreeSet;
use std::fmt::Write;

pub fn generate(types: &Types) -> Result<String> {
    let mut text = "use super::shapes;\nuse wire::{EachOperation, Operation};\n\n".to_owned();
    let mut walk = "/// Every operation of the model, in order.\n".to_owned();
    walk += "pub fn each_operation(visitor: &mut impl EachOperation) {\n";
    let shapes: BTreeSet<String> = types.used.keys().map(|name| names::shape(name)).collect();
    for operation in types.service.operations.values() {
        let mut name = names::shape(&operation.name);
        if shapes.contains(&name) {
            name += "Operation";
        }
        writeln!(text, "pub struct {name};\n\nimpl Operation for {name} {{")?;
        writeln!(text, "const NAME: &'static str = {:?};", operation.name)?;
        writeln!(text, "type Input = {};", structure(&operation.input))?;
        writeln!(text, "type Output = {};\n}}\n", structure(&operation.output))?;
        writeln!(walk, "visitor.operation::<{name}>();")?;
    }
    Ok(text + &walk + "}\n")
}

fn structure(reference: &Option<Reference>) -> String {
    match reference {
        Some(reference) => format!("shapes::{}", names::shape(&reference.shape)),
        None => "wire::Empty".to_owned(),
    }
}
