//! The value of one version: text or bytes, sealed and bound to the secret and version it belongs to.

use super::Secret;
use api_secretsmanager::Error;
use base::Rng;
use seal::{Key, Sealed};
use serde::{Deserialize, Serialize};
use wire::Blob;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Value {
    Text(Sealed),
    /// As base64.
    Binary(Sealed),
}

/// What a caller gave or is given.
#[derive(Clone, PartialEq)]
pub enum Plain {
    Text(String),
    Binary(Blob),
}

/// None of both is a secret without a value yet.
pub fn given(text: Option<String>, binary: Option<Blob>) -> Result<Option<Plain>, Error> {
    match (text, binary) {
        (Some(_), Some(_)) => Err(Error::invalid_parameter(
            "You can't specify both a binary secret value and a string secret value in the same secret.",
        )),
        (Some(text), None) => Ok(Some(Plain::Text(text))),
        (None, Some(binary)) => Ok(Some(Plain::Binary(binary))),
        (None, None) => Ok(None),
    }
}

pub fn seal(key: &Key, rng: &mut Rng, secret: &Secret, version: &str, plain: &Plain) -> Value {
    let place = place(secret, version);
    match plain {
        Plain::Text(text) => Value::Text(key.seal(rng, &place, text)),
        Plain::Binary(blob) => {
            // Base64 as the wire has it: a blob is a JSON string.
            let text = serde_json::to_value(blob).ok().and_then(|text| text.as_str().map(str::to_owned));
            Value::Binary(key.seal(rng, &place, &text.expect("a blob is written as text")))
        }
    }
}

pub fn open(key: &Key, secret: &Secret, version: &str, value: &Value) -> Result<Plain, Error> {
    let unreadable =
        || Error::decryption_failure("Secrets Manager can't decrypt the protected secret text with this server's key.");
    let place = place(secret, version);
    match value {
        Value::Text(sealed) => key.open(&place, sealed).map(Plain::Text).map_err(|_| unreadable()),
        Value::Binary(sealed) => {
            let text = key.open(&place, sealed).map_err(|_| unreadable())?;
            serde_json::from_value(text.into()).map(Plain::Binary).map_err(|_| unreadable())
        }
    }
}

fn place(secret: &Secret, version: &str) -> String {
    format!("secretsmanager {} {version}", secret.arn())
}

impl Plain {
    pub fn split(self) -> (Option<String>, Option<Blob>) {
        match self {
            Plain::Text(text) => (Some(text), None),
            Plain::Binary(binary) => (None, Some(binary)),
        }
    }
}
