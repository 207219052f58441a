//! The protocol seam: bytes to a typed input, a typed output or an error to bytes, by the protocol the model names. Each
//! protocol is a file below; those we do not speak yet answer an error that says so.

mod json;

use crate::{Error, Model, Operation, eventstream};
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
    describe(&mut response, protocol.content_type(), request_id);
    response
}

/// A successful answer whose events come as they happen.
pub fn stream_response<B>(request_id: &str, body: B) -> Response<B> {
    let mut response = Response::new(body);
    describe(&mut response, eventstream::CONTENT_TYPE, request_id);
    response
}

/// An error as this protocol renders it. Protocols we do not speak get JSON: it must be readable at least.
pub fn error_response(protocol: Protocol, request_id: &str, error: &Error) -> Response<Bytes> {
    let mut response = Response::new(json::encode_error(error));
    *response.status_mut() = http::StatusCode::from_u16(error.status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    describe(&mut response, protocol.content_type(), request_id);
    if let Ok(code) = HeaderValue::from_str(&error.code) {
        response.headers_mut().insert("x-amzn-errortype", code);
    }
    response
}

fn describe<B>(response: &mut Response<B>, content_type: &'static str, request_id: &str) {
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
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

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(response: Response<Bytes>, expected: Expect) {
        let headers = response.headers().iter().map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap()));
        let body = String::from_utf8(response.body().to_vec()).unwrap();
        expected.assert_eq(&format!("{}\n{}{body}", response.status().as_u16(), headers.collect::<String>()));
    }

    #[test]
    fn an_answer_carries_its_request_id() {
        let body = encode(&crate::testing::MODEL, &serde_json::json!({"n": 1})).unwrap();
        check(
            response(Protocol::AwsJson11, "id-1", body),
            expect![[r#"
            200
            content-type: application/x-amz-json-1.1
            x-amzn-requestid: id-1
            {"n":1}"#]],
        );
    }

    #[test]
    fn an_error_names_its_type_twice() {
        let error = Error::sender("ConflictException", "Taken \u{2013} \"already\"").with_member("resourceIds", ["a"]);
        check(
            error_response(Protocol::AwsJson10, "id-2", &error),
            expect![[r#"
            400
            content-type: application/x-amz-json-1.0
            x-amzn-requestid: id-2
            x-amzn-errortype: ConflictException
            {"__type":"ConflictException","message":"Taken – \"already\"","resourceIds":["a"]}"#]],
        );
        check(
            error_response(Protocol::AwsJson11, "id-3", &Error::internal()),
            expect![[r#"
            500
            content-type: application/x-amz-json-1.1
            x-amzn-requestid: id-3
            x-amzn-errortype: InternalFailure
            {"__type":"InternalFailure","message":"The request processing has failed because of an unknown error, exception or failure."}"#]],
        );
    }

    #[test]
    fn what_cannot_be_a_header_is_left_out() {
        let error = Error::sender("a\nb", "c").with_status(7);
        check(
            error_response(Protocol::AwsJson11, "id\r\nSet-Cookie: x", &error),
            expect![[r#"
            500
            content-type: application/x-amz-json-1.1
            {"__type":"a\nb","message":"c"}"#]],
        );
    }
}
