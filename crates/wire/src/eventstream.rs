//! Events of an answer that lasts, framed as `application/vnd.amazon.eventstream`: lengths, headers, a payload, and checksums of
//! both. https://smithy.io/2.0/aws/amazon-eventstream.html

use crate::Error;
use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;

pub const CONTENT_TYPE: &str = "application/vnd.amazon.eventstream";
const STRING: u8 = 7;

/// What precedes the first event: the members of the answer that are no stream. There are none in what is built.
pub fn initial_response() -> Bytes {
    message(&[(":message-type", "event"), (":event-type", "initial-response"), (":content-type", "application/json")], b"{}")
}

/// One event: a union with the member that it is.
pub fn event(union: &impl Serialize) -> Result<Bytes, Error> {
    let value = serde_json::to_value(union).map_err(|_| Error::internal())?;
    let member = match value {
        Value::Object(members) => members.into_iter().next(),
        _ => None,
    };
    let (name, payload) = member.ok_or_else(Error::internal)?;
    let (kind, named) = if name.ends_with("Exception") { ("exception", ":exception-type") } else { ("event", ":event-type") };
    let headers = [(":message-type", kind), (named, name.as_str()), (":content-type", "application/json")];
    Ok(message(&headers, payload.to_string().as_bytes()))
}

fn message(headers: &[(&str, &str)], payload: &[u8]) -> Bytes {
    let headers: Vec<u8> = headers.iter().flat_map(|(name, value)| header(name, value)).collect();
    let total = PRELUDE_BYTES + headers.len() + payload.len() + CHECKSUM_BYTES;
    let mut bytes = Vec::with_capacity(total);
    bytes.extend(length(total));
    bytes.extend(length(headers.len()));
    bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
    bytes.extend(headers);
    bytes.extend(payload);
    bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
    bytes.into()
}

/// Two lengths and their checksum.
const PRELUDE_BYTES: usize = 12;
const CHECKSUM_BYTES: usize = 4;

fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).expect("events are far smaller").to_be_bytes()
}

fn header(name: &str, value: &str) -> Vec<u8> {
    let name_length = u8::try_from(name.len()).expect("names of headers are short");
    let value_length = u16::try_from(value.len()).expect("values of headers are short");
    let mut bytes = vec![name_length];
    bytes.extend(name.as_bytes());
    bytes.push(STRING);
    bytes.extend(value_length.to_be_bytes());
    bytes.extend(value.as_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Bytes that botocore reads as one event named `a` with the payload `{"b":1}`.
    #[test]
    fn an_event_is_framed_as_clients_read_it() {
        let bytes = event(&json!({ "a": { "b": 1 } })).unwrap();
        let word = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
        assert_eq!((word(0) as usize, word(8)), (bytes.len(), crc32fast::hash(&bytes[..8])));
        assert_eq!(word(bytes.len() - 4), crc32fast::hash(&bytes[..bytes.len() - 4]));
        let headers = b"\x0d:message-type\x07\0\x05event\x0b:event-type\x07\0\x01a\x0d:content-type\x07\0\x10application/json";
        assert_eq!(word(4) as usize, headers.len());
        assert_eq!(&bytes[12..bytes.len() - 4], [&headers[..], b"{\"b\":1}"].concat());
    }

    #[test]
    fn an_exception_says_that_it_is_one() {
        let bytes = event(&json!({ "SessionTimeoutException": {} })).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(text.contains(":exception-type") && text.contains("SessionTimeoutException"), "{text}");
    }
}
