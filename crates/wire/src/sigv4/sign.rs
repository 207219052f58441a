//! Signs a request as AWS's clients do, for our own command line. The mirror of `verify`, over the same canonical request.

use super::claim::{Claim, CredentialScope, stamp};
use super::{ALGORITHM, Secret, TERMINATOR, canonical, signature};
use crate::Error;
use base::Time;
use http::HeaderValue;
use http::request::Parts;

pub struct Key<'a> {
    pub access_key: &'a str,
    pub secret: &'a Secret,
    pub region: &'a str,
    pub service: &'a str,
}

/// Adds `X-Amz-Date` and `Authorization`. `host`, and every other header to be signed, must be there already.
pub fn sign(head: &mut Parts, body: &[u8], now: Time, key: &Key) -> Result<(), Error> {
    let date = stamp(now);
    head.headers.insert("x-amz-date", value(&date)?);
    let claim = Claim {
        scope: CredentialScope {
            access_key: key.access_key.to_owned(),
            date: date[..8].to_owned(),
            region: key.region.to_owned(),
            service: key.service.to_owned(),
        },
        signed_headers: signed_headers(head),
        signature: String::new(),
        date,
        expires_seconds: None,
        session_token: None,
        is_presigned: false,
    };
    let signature = signature(&claim, key.secret, &canonical::request(head, &claim, body)?);
    let CredentialScope { access_key, date, region, service } = &claim.scope;
    let credential = format!("{access_key}/{date}/{region}/{service}/{TERMINATOR}");
    let headers = claim.signed_headers.join(";");
    let authorization = format!("{ALGORITHM} Credential={credential}, SignedHeaders={headers}, Signature={signature}");
    head.headers.insert("authorization", value(&authorization)?);
    Ok(())
}

fn signed_headers(head: &Parts) -> Vec<String> {
    let mut names: Vec<String> = head.headers.keys().map(|name| name.as_str().to_owned()).collect();
    names.sort();
    names
}

fn value(text: &str) -> Result<HeaderValue, Error> {
    HeaderValue::from_str(text).map_err(|_| Error::sender("IncompleteSignatureException", "not a header value"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sigv4::verify;

    #[test]
    fn what_is_signed_is_verified() {
        let request =
            http::Request::post("http://127.0.0.1:4566/_slipway/logs/0f?follow=1&b=a%20b").header("host", "127.0.0.1:4566");
        let (mut head, ()) = request.body(()).unwrap().into_parts();
        let (secret, now) = (Secret::new("s3cret"), Time(1_795_000_000_000));
        let key = Key { access_key: "AKID", secret: &secret, region: "eu-west-1", service: "slipway" };
        sign(&mut head, b"body", now, &key).unwrap();
        let identity = verify(&head, b"body", now, |_, _| Ok(secret.clone())).unwrap();
        assert_eq!((identity.access_key.as_str(), identity.service.as_str()), ("AKID", "slipway"));
        assert!(verify(&head, b"tampered", now, |_, _| Ok(secret.clone())).is_err());
    }
}
