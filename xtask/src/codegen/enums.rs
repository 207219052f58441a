//! `enums.rs`: an open Rust enum per string shape with values.

use super::names;
use super::types::Types;
use anyhow::Result;
use std::collections::BTreeSet;
use std::fmt::Write;

pub fn generate(types: &Types) -> Result<String> {
    if types.enums().next().is_none() {
        return Ok(String::new());
    }
    let mut text = "wire::enumeration! {\n".to_owned();
    for (name, shape) in types.enums() {
        writeln!(text, "    pub enum {} {{", names::shape(name))?;
        for (variant, value) in variants(&shape.values) {
            writeln!(text, "        {variant} = {value:?},")?;
        }
        text += "    }\n\n";
    }
    Ok(text.trim_end().to_owned() + "\n}\n")
}

/// Values that differ only in what a variant's name cannot show get a `_`.
fn variants(values: &[String]) -> Vec<(String, &str)> {
    let mut taken = BTreeSet::new();
    let mut variants = Vec::new();
    for value in values {
        let mut name = names::variant(value);
        while !taken.insert(name.clone()) {
            name.push('_');
        }
        variants.push((name, value.as_str()));
    }
    variants
}

#[cfg(test)]
mod tests {
    use super::variants;

    #[test]
    fn values_that_look_alike_stay_apart() {
        let values = ["a-b".to_owned(), "A_B".to_owned()];
        assert_eq!(variants(&values), [("AB".to_owned(), "a-b"), ("AB_".to_owned(), "A_B")]);
    }
}
