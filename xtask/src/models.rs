//! AWS's model as botocore publishes it, reduced to facts: shapes, constraints, errors, protocol traits, paginators. Prose,
//! client-side matters (endpoints, deprecation notices) and what no listed operation reaches are left out. The examples that
//! come with it are kept for tests, as bodies on the wire.

mod examples;
mod reduce;

use crate::config;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::io::Read;
use std::path::Path;

pub fn run(root: &Path, botocore: &Path) -> Result<()> {
    for service in crate::services(root)? {
        let config = config::read(root, &service)?;
        let folder = botocore.join("botocore/data").join(&config.model);
        let Some(model) = read(&folder, "service-2.json")? else { bail!("{} has no model", folder.display()) };
        let paginators = read(&folder, "paginators-1.json")?.unwrap_or_else(|| json!({}));
        let reduced = reduce::reduce(&model, &paginators, &config)?;
        if let Some(published) = read(&folder, "examples-1.json")? {
            write(root, &format!("{service}.examples.json"), &examples::reduce(&published, &reduced)?)?;
        }
        write(root, &format!("{service}.json"), &reduced)?;
    }
    Ok(())
}

/// botocore compresses some of its files.
fn read(folder: &Path, name: &str) -> Result<Option<Value>> {
    let (plain, compressed) = (folder.join(name), folder.join(format!("{name}.gz")));
    let mut text = String::new();
    if compressed.exists() {
        flate2::read::GzDecoder::new(std::fs::File::open(&compressed)?).read_to_string(&mut text)?;
    } else if plain.exists() {
        text = std::fs::read_to_string(&plain)?;
    } else {
        return Ok(None);
    }
    serde_json::from_str(&text).map(Some).with_context(|| format!("{} is not JSON", plain.display()))
}

fn write(root: &Path, name: &str, value: &Value) -> Result<()> {
    let path = root.join("models").join(name);
    std::fs::write(&path, serde_json::to_string_pretty(value)? + "\n").with_context(|| format!("cannot write {}", path.display()))
}
