//! A secret as a container's definition names it: `arn:…:secret:name[-suffix][:json-key[:version-stage[:version-id]]]`.

use super::value::{self, Plain};
use super::{CURRENT, get, look};
use base::Scope;
use seal::Key;
use serde_json::Value;
use store::Image;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    pub arn: String,
    pub json_key: Option<String>,
    pub version_stage: Option<String>,
    pub version_id: Option<String>,
}

/// Why there is no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unresolved {
    /// What Secrets Manager answers: a code and a sentence.
    Refused {
        code: &'static str,
        message: String,
    },
    /// A definition can only take text, and a member only of a JSON object.
    NoText,
    NoJson,
    NoMember {
        json_key: String,
    },
}

#[derive(Debug, PartialEq, Eq)]
pub struct NotAReference;

/// Names of secrets have no colons: what follows the seventh part is ours.
impl std::str::FromStr for Reference {
    type Err = NotAReference;

    fn from_str(text: &str) -> Result<Reference, NotAReference> {
        let parts: Vec<&str> = text.split(':').collect();
        if parts.len() < 7 || parts[0] != "arn" || parts[2] != "secretsmanager" || parts[5] != "secret" {
            return Err(NotAReference);
        }
        let part = |at: usize| parts.get(at).filter(|part| !part.is_empty()).map(|part| (*part).to_owned());
        Ok(Reference { arn: parts[..7].join(":"), json_key: part(7), version_stage: part(8), version_id: part(9) })
    }
}

pub fn resolve(seal: &Key, image: &Image, scope: &Scope, reference: &Reference) -> Result<String, Unresolved> {
    let text = match whole(seal, image, scope, reference)? {
        Plain::Text(text) => text,
        Plain::Binary(_) => return Err(Unresolved::NoText),
    };
    match &reference.json_key {
        None => Ok(text),
        Some(json_key) => member(&text, json_key),
    }
}

fn whole(seal: &Key, image: &Image, scope: &Scope, reference: &Reference) -> Result<Plain, Unresolved> {
    let refused =
        |error: api_secretsmanager::Error| Unresolved::Refused { code: error.code(), message: error.message().to_owned() };
    let secret = look(image, scope, &reference.arn).ok_or_else(super::not_found).map_err(refused)?;
    super::find_live(image, scope, &Some(secret.arn())).map_err(refused)?;
    let stage = reference.version_stage.as_deref().or(reference.version_id.is_none().then_some(CURRENT));
    let version = get::version(secret, reference.version_id.as_deref(), stage).map_err(refused)?;
    value::open(seal, secret, &version.id, &version.value).map_err(refused)
}

/// A member that is no text is given as its JSON, as the stock agent does.
fn member(text: &str, json_key: &str) -> Result<String, Unresolved> {
    let Ok(Value::Object(members)) = serde_json::from_str(text) else { return Err(Unresolved::NoJson) };
    match members.get(json_key) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(other) => Ok(other.to_string()),
        None => Err(Unresolved::NoMember { json_key: json_key.to_owned() }),
    }
}
