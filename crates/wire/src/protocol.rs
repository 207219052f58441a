//! The protocol seam: bytes to a typed input, a typed output or an error to bytes, by the protocol the model names. Each
//! protocol is a file below; those we do not speak yet answer an error that says so.

mod json;

use crate::{Error, Model, Operation};
use bytes::Bytes;
use http::{HeaderValue, Response, header::CONTENT_TYPE};
use serde::Serialize;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    AwsJson10,
    AwsJson11,
    Query,
    Ec2,
    RestJson,
    RestXml,
}

/// The input of `Op` from a request's body, checked against the model.
pub fn decode<Op: Operation>(model: &Model, body: &[u8]) -> Result<Op::Input, Error> {
    let operation = model.operation(Op::NAME).ok_or_else(|| Error::unknown_operation(Op::NAME))?;
    match model.protocol {
        Protocol::AwsJson10 | Protocol::AwsJson11 => json::decode(body, operation.input, model.constraint_error),
        other => Err(unspoken(other)),
    }
}

/// The body of a successful answer.
pub fn encode(model: &Model, output: &impl Serialize) -> Result<Bytes, Error> {
    match model.protocol {
        Protocol::AwsJson10 | Protocol::AwsJson11 => json::encode(output),
        other => Err(unspoken(other)),
    }
}

/// A successful answer around a body that `encode` made.
pub fn response(protocol: Protocol, request_id: &str, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    describe(&mut response, protocol, request_id);
    response
}

/// An error as this protocol renders it. Protocols we do not speak get JSON: it must be readable at least.
pub fn error_response(protocol: Protocol, request_id: &str, error: &Error) -> Response<Bytes> {
    let mut response = Response::new(json::encode_error(error));
    *response.status_mut() = http::StatusCode::from_u16(error.status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    describe(&mut response, protocol, request_id);
    if let Ok(code) = HeaderValue::from_str(&error.code) {
        response.headers_mut().insert("x-amzn-errortype", code);
    }
    response
}

fn describe(response: &mut Response<Bytes>, protocol: Protocol, request_id: &str) {
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(protocol.content_type()));
    if let Ok(id) = HeaderValue::from_str(request_id) {
        response.headers_mut().insert("x-amzn-requestid", id);
    }
}

pub(crate) fn unspoken(protocol: Protocol) -> Error {
    Error::sender("UnsupportedProtocolException", format!("The protocol {protocol:?} is not supported yet.")).with_status(501)
}

impl Protocol {
    fn content_type(self) -> &'static str {
        match self {
            Protocol::AwsJson10 => "application/x-amz-json-1.0",
            Protocol::RestJson => "application/json",
            _ => "application/x-amz-json-1.1",
        }
    }
}
