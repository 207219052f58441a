//! Bytes on the wire: base64 text in JSON and XML. What they are is nobody's business here, so `Debug` shows their number.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;

#[derive(Clone, Default, PartialEq, Eq)]
pub struct Blob(pub Vec<u8>);

impl Blob {
    pub(crate) fn is_base64(text: &str) -> bool {
        STANDARD.decode(text).is_ok()
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blob({} bytes)", self.0.len())
    }
}

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Blob, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Blob).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::Blob;

    #[test]
    fn bytes_travel_as_base64() {
        let blob = Blob(vec![0, 255, 16]);
        assert_eq!(serde_json::to_string(&blob).unwrap(), r#""AP8Q""#);
        assert_eq!(serde_json::from_str::<Blob>(r#""AP8Q""#).unwrap(), blob);
        assert_eq!(format!("{blob:?}"), "Blob(3 bytes)");
    }
}
