//! The canonical request: the one text of a request that both sides sign, whatever was reordered or re-encoded on the way.

use super::claim::Claim;
use super::{digest, invalid};
use crate::Error;
use http::request::Parts;

pub const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

pub fn request(head: &Parts, claim: &Claim, body: &[u8]) -> Result<String, Error> {
    must_sign_what_matters(head, claim)?;
    let path = path(head.uri.path(), &claim.scope.service);
    let query = query(head.uri.query().unwrap_or(""), claim);
    let headers: String = claim.signed_headers.iter().map(|name| format!("{name}:{}\n", header(head, name))).collect();
    let payload = payload(head, claim, body)?;
    Ok(format!("{}\n{path}\n{query}\n{headers}\n{}\n{payload}", head.method, claim.signed_headers.join(";")))
}

/// `X-Amz-Target` and its kin decide what is done, so they must be under the signature.
fn must_sign_what_matters(head: &Parts, claim: &Claim) -> Result<(), Error> {
    let is_signed = |name: &str| claim.signed_headers.iter().any(|signed| signed == name);
    match head.headers.keys().find(|name| name.as_str().starts_with("x-amz-") && !is_signed(name.as_str())) {
        Some(name) => Err(invalid(format!("There were headers present in the request which were not signed: {name}"))),
        None => Ok(()),
    }
}

/// S3 signs the path as it is, an escaped slash included; everyone else without dot segments and encoded once more.
fn path(path: &str, service: &str) -> String {
    if service == "s3" {
        let segments: Vec<String> = path.split('/').map(|segment| encode(&decode(segment), b"")).collect();
        return segments.join("/");
    }
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            _ => kept.push(segment),
        }
    }
    let last = if path.ends_with('/') && !kept.is_empty() { "/" } else { "" };
    encode(format!("/{}{last}", kept.join("/")).as_bytes(), b"/")
}

fn query(query: &str, claim: &Claim) -> String {
    let is_signature = |name: &str| claim.is_presigned && name == "X-Amz-Signature";
    let mut pairs: Vec<(String, String)> = raw_parameters(query)
        .filter(|(name, _)| !is_signature(&String::from_utf8_lossy(name)))
        .map(|(name, value)| (encode(&name, b""), encode(&value, b"")))
        .collect();
    pairs.sort();
    let pairs: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

/// Several headers of one name are one with commas; runs of spaces are one space.
fn header(head: &Parts, name: &str) -> String {
    let values = head.headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    let values: Vec<String> = values.map(|value| value.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    match (values.is_empty(), name, head.uri.authority()) {
        // HTTP/2 has the host in the request line.
        (true, "host" | ":authority", Some(authority)) => authority.to_string(),
        _ => values.join(","),
    }
}

fn payload(head: &Parts, claim: &Claim, body: &[u8]) -> Result<String, Error> {
    let declared = head.headers.get("x-amz-content-sha256").map(|value| String::from_utf8_lossy(value.as_bytes()));
    match declared.as_deref() {
        Some(UNSIGNED) => Ok(UNSIGNED.to_owned()),
        // What S3's clients presign has no body yet.
        None if claim.is_presigned && claim.scope.service == "s3" => Ok(UNSIGNED.to_owned()),
        None => Ok(digest(body)),
        Some(declared) if declared == digest(body) => Ok(declared.to_owned()),
        Some(_) => Err(invalid("The provided 'x-amz-content-sha256' header does not match what was computed.")),
    }
}

/// The query's parameters, decoded, in the order they came.
pub fn parameters(query: &str) -> Vec<(String, String)> {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    raw_parameters(query).map(|(name, value)| (text(name), text(value))).collect()
}

fn raw_parameters(query: &str) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    // Clients send a space as `+` and sign it as `%20`; a plus they send as `%2B`.
    let part = |text: &str| decode(&text.replace('+', " "));
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).map(move |(name, value)| (part(name), part(value)))
}

fn decode(text: &str) -> Vec<u8> {
    let (bytes, mut decoded, mut at) = (text.as_bytes(), Vec::with_capacity(text.len()), 0);
    while at < bytes.len() {
        let escaped = bytes.get(at + 1..at + 3).filter(|_| bytes[at] == b'%').and_then(hex_byte);
        decoded.push(escaped.unwrap_or(bytes[at]));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    decoded
}

fn hex_byte(digits: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(digits[0])? * 16 + digit(digits[1])?).ok()
}

fn encode(bytes: &[u8], kept: &[u8]) -> String {
    let mut encoded = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(*byte)),
            _ if kept.contains(byte) => encoded.push(char::from(*byte)),
            _ => encoded += &format!("%{byte:02X}"),
        }
    }
    encoded
}
