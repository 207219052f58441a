use super::*;
use base::Time;
use http::{HeaderName, HeaderValue, Method, Request};
use serde::Deserialize;
use std::collections::BTreeMap;

const KEY: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
/// When `tests/data/sign.py` signed: 2026-01-15T12:00:00Z.
const SIGNED_AT: Time = Time(1_768_478_400_000);

/// A request botocore signed.
#[derive(Clone, Deserialize)]
struct Signed {
    name: String,
    method: String,
    url: String,
    headers: BTreeMap<String, String>,
    body: String,
    service: String,
    region: String,
}

fn signed() -> Vec<Signed> {
    serde_json::from_str(include_str!("../../tests/data/signed.json")).unwrap()
}

fn secret_of(key: &str, _: Option<&Secret>) -> Result<Secret, Error> {
    if key == KEY { Ok(Secret::new(SECRET)) } else { Err(unknown_key()) }
}

impl Signed {
    /// As a server sees it: path and query in the request line, the host in a header.
    fn head(&self) -> Parts {
        let origin = self.url.splitn(4, '/').nth(3).unwrap_or("");
        let mut request = Request::builder().method(self.method.as_str()).uri(format!("/{origin}"));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn verify_at(&self, now: Time) -> Result<Identity, Error> {
        verify(&self.head(), self.body.as_bytes(), now, secret_of)
    }

    fn is_presigned(&self) -> bool {
        self.url.contains("X-Amz-Signature")
    }
}

#[test]
fn what_botocore_signs_is_believed() {
    for case in signed() {
        let identity = case.verify_at(SIGNED_AT).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        let expected = (KEY, case.region.as_str(), case.service.as_str());
        assert_eq!(
            (identity.access_key.as_str(), identity.region.as_str(), identity.service.as_str()),
            expected,
            "{}",
            case.name
        );
        assert_eq!(identity.session_token.is_some(), case.name.contains("temporary"), "{}", case.name);
    }
}

#[test]
fn no_part_can_be_changed() {
    for case in signed() {
        for (part, changed) in tampered(&case) {
            let refused = changed.verify_at(SIGNED_AT).expect_err(&format!("{}: {part} was changed", case.name));
            assert_eq!((refused.code.as_str(), refused.status), ("InvalidSignatureException", 400), "{}: {part}", case.name);
        }
    }
}

/// The same request with one signed part different.
fn tampered(case: &Signed) -> Vec<(String, Signed)> {
    let mut all = Vec::new();
    let mut change = |part: &str, change: &dyn Fn(&mut Signed)| {
        let mut changed = case.clone();
        change(&mut changed);
        all.push((part.to_owned(), changed));
    };
    change("the method", &|case| case.method = "PATCH".to_owned());
    change("the path", &|case| case.url = case.url.replacen(":4566/", ":4566/other/", 1).replacen(".com/", ".com/other/", 1));
    change("the query", &|case| case.url += if case.url.contains('?') { "&x=y" } else { "?x=y" });
    // botocore leaves the body of a presigned S3 request unsigned.
    if case.service != "s3" || !case.is_presigned() {
        change("the body", &|case| case.body += " ");
    }
    if let Some(authorization) = case.headers.get("Authorization") {
        let names = authorization.split("SignedHeaders=").nth(1).unwrap().split(',').next().unwrap().split(';');
        for name in names.filter(|name| *name != "x-amz-date") {
            let key = case.headers.keys().find(|key| key.eq_ignore_ascii_case(name)).unwrap().clone();
            change(name, &|case| case.headers.get_mut(&key).unwrap().push('x'));
        }
        change("the region", &|case| edit_authorization(case, &format!("/{}/", case.region), "/mars-north-1/"));
        change("the service", &|case| edit_authorization(case, &format!("/{}/aws4", case.service), "/other/aws4"));
        change("the signature", &|case| case.headers.get_mut("Authorization").unwrap().push('0'));
        change("a header the signature must cover", &|case| drop(case.headers.insert("X-Amz-New".into(), "1".into())));
    } else {
        change("the host", &|case| drop(case.headers.insert("Host".into(), "elsewhere".into())));
        change("the region", &|case| case.url = case.url.replace(&case.region, "mars-north-1"));
        change("the lifetime", &|case| case.url = case.url.replace("X-Amz-Expires=", "X-Amz-Expires=1"));
        change("the signature", &|case| case.url = case.url.replace("X-Amz-Signature=", "X-Amz-Signature=0"));
    }
    all.retain(|(part, _)| !(part == "the lifetime" && case.url.contains("604800")));
    all
}

fn edit_authorization(case: &mut Signed, from: &str, to: &str) {
    let authorization = case.headers.get_mut("Authorization").unwrap();
    assert!(authorization.contains(from));
    *authorization = authorization.replacen(from, to, 1);
}

#[test]
fn another_secret_or_key_is_refused() {
    let case = &signed()[0];
    let with = |secret: Result<Secret, Error>| verify(&case.head(), case.body.as_bytes(), SIGNED_AT, |_, _| secret.clone());
    let (wrong, unknown) = (with(Ok(Secret::new("wrong"))).unwrap_err(), with(Err(unknown_key())).unwrap_err());
    assert_eq!((wrong.code.as_str(), wrong.message.as_str()), ("InvalidSignatureException", MISMATCH));
    assert_eq!(unknown.to_string(), "UnrecognizedClientException: The security token included in the request is invalid.");
}

#[test]
fn a_signature_is_good_for_fifteen_minutes_either_way() {
    let case = &signed()[0];
    let at = |seconds: i64| case.verify_at(Time(SIGNED_AT.millis().saturating_add_signed(seconds * 1000)));
    assert!(at(900).is_ok() && at(-900).is_ok());
    let message = |seconds| at(seconds).unwrap_err().to_string();
    assert_eq!(
        message(901),
        "InvalidSignatureException: Signature expired: 20260115T120000Z is now earlier than 20260115T120001Z \
         (20260115T121501Z - 15 min.)"
    );
    assert_eq!(
        message(-901),
        "InvalidSignatureException: Signature not yet current: 20260115T120000Z is still later than 20260115T115959Z \
         (20260115T114459Z + 15 min.)"
    );
}

#[test]
fn a_presigned_request_lives_as_long_as_it_says() {
    let case = signed().into_iter().find(|case| case.name == "presigned sts").unwrap();
    let at = |seconds: u64| case.verify_at(Time(SIGNED_AT.millis() + seconds * 1000));
    assert!(at(60).is_ok() && at(61).is_err());
}

/// The example of "Signature Version 4 signing process" in the AWS General Reference.
#[test]
fn the_documented_example_verifies() {
    let head = head(
        Method::GET,
        "/?Action=ListUsers&Version=2010-05-08",
        &[
            ("host", "iam.amazonaws.com"),
            ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
            ("x-amz-date", "20150830T123600Z"),
            (
                "authorization",
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
                 SignedHeaders=content-type;host;x-amz-date, \
                 Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
            ),
        ],
    );
    let secret = |_: &str, _: Option<&Secret>| Ok(Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"));
    let identity = verify(&head, b"", Time(1_440_938_160_000), secret).unwrap();
    assert_eq!((identity.access_key.as_str(), identity.service.as_str()), ("AKIDEXAMPLE", "iam"));
}

fn head(method: Method, uri: &str, headers: &[(&str, &str)]) -> Parts {
    let mut head = Request::builder().method(method).uri(uri).body(()).unwrap().into_parts().0;
    for (name, value) in headers {
        head.headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap());
    }
    head
}

#[test]
fn what_is_missing_or_malformed_is_named() {
    let credential = format!("Credential={KEY}/20260115/us-east-1/ecs/aws4_request");
    let check = |authorization: &str, expected: &str| {
        let headers = [("host", "h"), ("x-amz-date", "20260115T120000Z"), ("authorization", authorization)];
        let error = verify(&head(Method::POST, "/", &headers), b"", SIGNED_AT, secret_of).unwrap_err();
        assert_eq!(error.to_string(), expected, "{authorization}");
    };
    let requires = |name| format!("Authorization header requires '{name}' parameter.");
    check("Bearer x", "IncompleteSignatureException: Unsupported AWS 'algorithm': 'Bearer'.");
    check(
        "AWS4-HMAC-SHA256",
        &format!(
            "IncompleteSignatureException: {} {} {}",
            requires("Credential"),
            requires("Signature"),
            requires("SignedHeaders")
        ),
    );
    check(
        &format!("AWS4-HMAC-SHA256 {credential}, SignedHeaders=host"),
        &format!("IncompleteSignatureException: {}", requires("Signature")),
    );
    check(
        "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=0",
        "IncompleteSignatureException: Credential must have exactly 5 slash-delimited elements, e.g. \
         keyid/date/region/service/term, got 'a/b'",
    );
    check(
        &format!("AWS4-HMAC-SHA256 {credential}, SignedHeaders=x-amz-date, Signature=0"),
        "InvalidSignatureException: 'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
    );
    check(
        "AWS4-HMAC-SHA256 Credential=a/20260114/us-east-1/ecs/aws4_request, SignedHeaders=host, Signature=0",
        "InvalidSignatureException: Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: \
         '20260114' != '20260115', from '20260115T120000Z'.",
    );
    check(
        "AWS4-HMAC-SHA256 Credential=a/20260115/us-east-1/ecs/aws3, SignedHeaders=host, Signature=0",
        "InvalidSignatureException: Credential should be scoped with a valid terminator: 'aws4_request', not 'aws3'.",
    );
}

#[test]
fn no_signature_at_all_is_said_so() {
    let error = verify(&head(Method::POST, "/", &[("host", "h")]), b"", SIGNED_AT, secret_of).unwrap_err();
    assert_eq!(error.to_string(), "MissingAuthenticationTokenException: Missing Authentication Token");
}

#[test]
fn an_unsigned_payload_is_taken_when_the_request_says_so() {
    let mut case = signed().into_iter().find(|case| case.name == "presigned S3").unwrap();
    case.body = "anything".to_owned();
    assert!(case.verify_at(SIGNED_AT).is_ok());
}

#[test]
fn http_2_has_its_host_in_the_request_line() {
    let case = &signed()[0];
    let mut head = case.head();
    head.headers.remove("host");
    head.uri = case.url.parse().unwrap();
    assert!(verify(&head, case.body.as_bytes(), SIGNED_AT, secret_of).is_ok());
}

#[test]
fn secrets_do_not_print() {
    assert_eq!(format!("{:?}", Secret::new("x")), "Secret(***)");
}

#[test]
fn no_header_panics() {
    let mut rng = base::Rng::from_seed(4);
    let seed = signed()[0].headers["Authorization"].clone().into_bytes();
    for _ in 0..2000 {
        let mut bytes = seed.clone();
        for _ in 0..=rng.below(4) {
            let at = rng.below(bytes.len() as u64) as usize;
            bytes[at] = b' ' + rng.below(95) as u8;
        }
        let authorization = String::from_utf8(bytes).unwrap();
        let date: String = (0..rng.below(18)).map(|_| char::from(b'-' + rng.below(40) as u8)).collect();
        let headers = [("host", "h"), ("x-amz-date", date.as_str()), ("authorization", authorization.as_str())];
        assert!(verify(&head(Method::POST, "/%?%=%4&%4g", &headers), b"", SIGNED_AT, secret_of).is_err());
    }
}
