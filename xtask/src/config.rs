//! `models/<service>.toml`: what the generator must know about a service that AWS's model does not say.

use anyhow::{Context, Result};
use serde::Deserialize;
use std::path::Path;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The folder under `botocore/data`, e.g. `ecs/2014-11-13`.
    pub model: String,
    pub operations: Operations,
    /// The code of a constraint failure, which AWS's models do not name.
    pub constraint_error: String,
    /// `[from, to]`: a function copying same-named, same-typed members.
    #[serde(default)]
    pub project: Vec<[String; 2]>,
    /// `[from, into]`: a function by which the members that are set overwrite.
    #[serde(default)]
    pub merge: Vec<[String; 2]>,
}

/// `"all"` or a list: ec2 and iam are too large to carry whole.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Operations {
    All(All),
    Some(Vec<String>),
}

#[derive(Deserialize)]
pub enum All {
    #[serde(rename = "all")]
    All,
}

impl Operations {
    pub fn include(&self, operation: &str) -> bool {
        match self {
            Operations::All(All::All) => true,
            Operations::Some(names) => names.iter().any(|name| name == operation),
        }
    }
}

pub fn read(root: &Path, service: &str) -> Result<Config> {
    let path = root.join("models").join(format!("{service}.toml"));
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("cannot understand {}", path.display()))
}
