//! From a request's head to the service and operation it is for: by `X-Amz-Target`, otherwise by the service its signature
//! names. Which services there are is handed in.

use crate::model::OperationModel;
use crate::{Error, Model, Protocol, sigv4};
use http::Method;
use http::request::Parts;

#[derive(Clone, Copy)]
pub struct Route {
    pub model: &'static Model,
    pub operation: &'static OperationModel,
}

/// An error, and the protocol to render it in: without a route nobody else knows.
#[derive(Debug)]
pub struct Unrouted {
    pub protocol: Protocol,
    pub error: Error,
}

pub fn route(models: &[&'static Model], head: &Parts) -> Result<Route, Unrouted> {
    match head.headers.get("x-amz-target").map(|target| target.to_str().unwrap_or_default()) {
        Some(target) => by_target(models, head, target),
        None => Err(by_signature(models, head)),
    }
}

fn by_target(models: &[&'static Model], head: &Parts, target: &str) -> Result<Route, Unrouted> {
    let (prefix, name) = target.rsplit_once('.').unwrap_or(("", target));
    let Some(model) = models.iter().find(|model| model.target_prefix == Some(prefix)) else {
        return Err(Unrouted { protocol: Protocol::AwsJson11, error: unknown(format!("Unknown target {target}")) });
    };
    match model.operation(name).filter(|_| head.method == Method::POST) {
        Some(operation) => Ok(Route { model, operation }),
        None => Err(Unrouted { protocol: model.protocol, error: unknown(format!("Unknown operation {name}")) }),
    }
}

/// Services without targets speak protocols that are not here yet; the signature tells which it would have been.
fn by_signature(models: &[&'static Model], head: &Parts) -> Unrouted {
    let scope = sigv4::scope(head);
    let model = scope.and_then(|scope| models.iter().find(|model| model.signing_name == scope.service));
    match model {
        Some(model) if model.target_prefix.is_none() => {
            Unrouted { protocol: model.protocol, error: crate::protocol::unspoken(model.protocol) }
        }
        Some(model) => Unrouted { protocol: model.protocol, error: unknown("The request has no X-Amz-Target".to_owned()) },
        None => Unrouted { protocol: Protocol::AwsJson11, error: unknown("The request names no known service".to_owned()) },
    }
}

fn unknown(message: String) -> Error {
    Error::unknown_operation(message)
}

#[cfg(test)]
mod tests {
    use super::route;
    use crate::testing::{MODEL, QUERY_MODEL};
    use expect_test::{Expect, expect};
    use http::Request;

    fn check(method: &str, headers: &[(&str, &str)], expected: Expect) {
        let mut request = Request::builder().method(method).uri("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let head = request.body(()).unwrap().into_parts().0;
        expected.assert_eq(&match route(&[&MODEL, &QUERY_MODEL], &head) {
            Ok(route) => format!("{} {}", route.model.service_id, route.operation.name),
            Err(unrouted) => format!("{:?} {} {}", unrouted.protocol, unrouted.error.status, unrouted.error),
        });
    }

    fn signed_for(service: &str) -> String {
        format!("AWS4-HMAC-SHA256 Credential=a/20260115/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0")
    }

    #[test]
    fn the_target_names_service_and_operation() {
        check("POST", &[("x-amz-target", "Shop_2026.Put")], expect!["Shop Put"]);
    }

    #[test]
    fn what_no_model_has_is_an_unknown_operation() {
        check(
            "POST",
            &[("x-amz-target", "Shop_2026.Take")],
            expect!["AwsJson11 400 UnknownOperationException: Unknown operation Take"],
        );
        check(
            "POST",
            &[("x-amz-target", "Shop_2027.Put")],
            expect!["AwsJson11 400 UnknownOperationException: Unknown target Shop_2027.Put"],
        );
        check("POST", &[("x-amz-target", "Put")], expect!["AwsJson11 400 UnknownOperationException: Unknown target Put"]);
        check("POST", &[("x-amz-target", "")], expect!["AwsJson11 400 UnknownOperationException: Unknown target "]);
        check(
            "GET",
            &[("x-amz-target", "Shop_2026.Put")],
            expect!["AwsJson11 400 UnknownOperationException: Unknown operation Put"],
        );
        check("POST", &[], expect!["AwsJson11 400 UnknownOperationException: The request names no known service"]);
    }

    #[test]
    fn without_a_target_the_signature_tells_what_is_missing() {
        let date = ("x-amz-date", "20260115T120000Z");
        check(
            "POST",
            &[date, ("authorization", &signed_for("oldshop"))],
            expect!["Query 501 UnsupportedProtocolException: The protocol Query is not supported yet."],
        );
        check(
            "POST",
            &[date, ("authorization", &signed_for("shop"))],
            expect!["AwsJson11 400 UnknownOperationException: The request has no X-Amz-Target"],
        );
        check(
            "POST",
            &[date, ("authorization", &signed_for("s3"))],
            expect!["AwsJson11 400 UnknownOperationException: The request names no known service"],
        );
    }
}
