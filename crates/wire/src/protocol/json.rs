//! awsJson 1.0 and 1.1: a JSON object in, a JSON object out. Recursion is bounded by serde_json's own limit.

use crate::Error;
use crate::conform::conform;
use crate::model::Shape;
use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

/// What passed the checks fits the type; fuzzing looks for this message to find out where that is not so.
const UNFIT: &str = "The request body does not fit the operation";

pub fn decode<T: DeserializeOwned>(body: &[u8], shape: Option<&Shape>, constraint_error: &str) -> Result<T, Error> {
    let mut value = parse(body)?;
    if let Some(shape) = shape {
        conform(&mut value, shape, constraint_error)?;
    }
    T::deserialize(value).map_err(|error| Error::serialization(format!("{UNFIT}: {error}")))
}

/// No body and `null` are an empty request, as for AWS.
fn parse(body: &[u8]) -> Result<Value, Error> {
    if body.is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    match serde_json::from_slice(body) {
        Ok(Value::Null) => Ok(Value::Object(Map::new())),
        Ok(value) => Ok(value),
        Err(error) => Err(Error::serialization(format!("The request body is not JSON: {error}"))),
    }
}

pub fn encode(output: &impl Serialize) -> Result<Bytes, Error> {
    serde_json::to_vec(output).map(Bytes::from).map_err(|_| Error::internal())
}

pub fn encode_error(error: &Error) -> Bytes {
    let mut body = Map::new();
    body.insert("__type".to_owned(), Value::from(error.code.as_str()));
    body.insert("message".to_owned(), Value::from(error.message.as_str()));
    body.extend(error.extra.as_ref().clone());
    Bytes::from(Value::Object(body).to_string())
}
