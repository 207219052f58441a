//! Checks a request's SigV4 signature, in the `Authorization` header or in a presigned query, for any region and service;
//! signs for our own command line.
//! Secrets are looked up by the caller; time is handed in. Chunked uploads and SigV4a are not understood.

mod canonical;
mod claim;
mod secret;
mod sign;
#[cfg(test)]
mod tests;

pub use canonical::UNSIGNED as UNSIGNED_PAYLOAD;
pub use claim::CredentialScope;
pub use secret::Secret;
pub use sign::{Key, sign};

use crate::{Error, Model};
use base::Time;
use base::limits::SIGNATURE_SKEW_SECONDS;
use claim::Claim;
use hmac::{Hmac, Mac};
use http::request::Parts;
use sha2::{Digest, Sha256};
use std::time::Duration;
use subtle::ConstantTimeEq;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const TERMINATOR: &str = "aws4_request";
/// A presigned request may be good for a week at most.
const EXPIRES_SECONDS_MAX: u64 = 7 * 24 * 3600;

/// Who signed a request, and for where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub access_key: String,
    pub region: String,
    pub service: String,
    /// What came along with temporary credentials.
    pub session_token: Option<Secret>,
}

/// The signer of a request, or why it is not believed. `secret_of` knows the secret of an access key, given the session token
/// that came along with it.
pub fn verify(
    head: &Parts,
    body: &[u8],
    now: Time,
    secret_of: impl Fn(&str, Option<&Secret>) -> Result<Secret, Error>,
) -> Result<Identity, Error> {
    let claim = Claim::of(head)?;
    is_current(&claim, now)?;
    let secret = secret_of(&claim.scope.access_key, claim.session_token.as_ref())?;
    let request = canonical::request(head, &claim, body)?;
    if !is_signature_of(&claim, &secret, &request) {
        return Err(invalid(MISMATCH));
    }
    Ok(Identity {
        access_key: claim.scope.access_key,
        region: claim.scope.region,
        service: claim.scope.service,
        session_token: claim.session_token,
    })
}

/// What a request claims about its signer, believed or not: region and service are needed to route it.
pub fn scope(head: &Parts) -> Option<CredentialScope> {
    Claim::of(head).ok().map(|claim| claim.scope)
}

impl Identity {
    /// A signature for another service is not one for this.
    pub fn must_be_for(&self, model: &Model) -> Result<(), Error> {
        if self.service == model.signing_name {
            return Ok(());
        }
        Err(invalid(format!("Credential should be scoped to correct service: '{}'.", model.signing_name)))
    }
}

fn is_signature_of(claim: &Claim, secret: &Secret, request: &str) -> bool {
    signature(claim, secret, request).as_bytes().ct_eq(claim.signature.as_bytes()).into()
}

fn signature(claim: &Claim, secret: &Secret, request: &str) -> String {
    let scope = &claim.scope;
    let credential_scope = format!("{}/{}/{}/{TERMINATOR}", scope.date, scope.region, scope.service);
    let to_sign = format!("{ALGORITHM}\n{}\n{credential_scope}\n{}", claim.date, digest(request.as_bytes()));
    let mut key = mac(format!("AWS4{}", secret.reveal()).as_bytes(), scope.date.as_bytes());
    for part in [&scope.region, &scope.service, TERMINATOR] {
        key = mac(&key, part.as_bytes());
    }
    hex(&mac(&key, to_sign.as_bytes()))
}

fn is_current(claim: &Claim, now: Time) -> Result<(), Error> {
    let signed = claim.signed_at()?;
    let lifetime = claim.expires_seconds.unwrap_or(SIGNATURE_SKEW_SECONDS);
    let (skew, lifetime) = (Duration::from_secs(SIGNATURE_SKEW_SECONDS), Duration::from_secs(lifetime));
    let (current, minutes) = (claim::stamp(now), lifetime.as_secs() / 60);
    if signed + lifetime < now {
        let earliest = claim::stamp(now - lifetime);
        let message = format!("Signature expired: {} is now earlier than {earliest} ({current} - {minutes} min.)", claim.date);
        return Err(invalid(message));
    }
    if signed > now + skew {
        let latest = claim::stamp(now + skew);
        let message = format!("Signature not yet current: {} is still later than {latest} ({current} + 15 min.)", claim.date);
        return Err(invalid(message));
    }
    Ok(())
}

const MISMATCH: &str = "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
                        Access Key and signing method. Consult the service documentation for details.";

fn invalid(message: impl Into<String>) -> Error {
    Error::sender("InvalidSignatureException", message)
}

fn incomplete(message: impl Into<String>) -> Error {
    Error::sender("IncompleteSignatureException", message)
}

pub fn unknown_key() -> Error {
    Error::sender("UnrecognizedClientException", "The security token included in the request is invalid.")
}

pub fn expired_token() -> Error {
    Error::sender("ExpiredTokenException", "The security token included in the request is expired")
}

fn mac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
