//! What a request says about its signature: credential scope, signed headers, date, signature. Nothing of it is believed here.

use super::{ALGORITHM, EXPIRES_SECONDS_MAX, Secret, TERMINATOR, canonical, incomplete, invalid};
use crate::Error;
use base::Time;
use http::HeaderMap;
use http::request::Parts;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use std::collections::BTreeMap;

const DATE_FORMAT: &str = "%Y%m%dT%H%M%SZ";

/// `access key/date/region/service/aws4_request`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialScope {
    pub access_key: String,
    pub date: String,
    pub region: String,
    pub service: String,
}

pub struct Claim {
    pub scope: CredentialScope,
    pub signed_headers: Vec<String>,
    pub signature: String,
    /// As it came, e.g. `20150830T123600Z`: it is signed in that form.
    pub date: String,
    /// Only a presigned request says how long it is good for.
    pub expires_seconds: Option<u64>,
    pub session_token: Option<Secret>,
    pub is_presigned: bool,
}

impl Claim {
    pub fn of(head: &Parts) -> Result<Claim, Error> {
        if let Some(authorization) = text(&head.headers, "authorization") {
            return Claim::of_header(&head.headers, authorization);
        }
        let parameters: BTreeMap<String, String> = canonical::parameters(head.uri.query().unwrap_or("")).into_iter().collect();
        match parameters.contains_key("X-Amz-Algorithm") || parameters.contains_key("X-Amz-Signature") {
            true => Claim::of_query(parameters),
            false => Err(Error::sender("MissingAuthenticationTokenException", "Missing Authentication Token")),
        }
    }

    fn of_header(headers: &HeaderMap, authorization: &str) -> Result<Claim, Error> {
        let (algorithm, rest) = authorization.split_once(' ').unwrap_or((authorization, ""));
        must_be_known(algorithm)?;
        let fields: BTreeMap<&str, &str> = rest.split(',').filter_map(|field| field.trim().split_once('=')).collect();
        let date = text(headers, "x-amz-date");
        let mut missing: Vec<String> = ["Credential", "Signature", "SignedHeaders"]
            .into_iter()
            .filter(|name| !fields.contains_key(name))
            .map(|name| format!("Authorization header requires '{name}' parameter."))
            .collect();
        if date.is_none() {
            missing.push("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.".to_owned());
        }
        if !missing.is_empty() {
            return Err(incomplete(missing.join(" ")));
        }
        let date = date.unwrap_or_default().to_owned();
        Ok(Claim {
            scope: CredentialScope::parse(fields["Credential"], &date)?,
            signed_headers: header_names(fields["SignedHeaders"])?,
            signature: fields["Signature"].to_owned(),
            date,
            expires_seconds: None,
            session_token: text(headers, "x-amz-security-token").map(Secret::new),
            is_presigned: false,
        })
    }

    fn of_query(mut parameters: BTreeMap<String, String>) -> Result<Claim, Error> {
        let needed = ["Algorithm", "Credential", "Signature", "SignedHeaders", "Date"].map(|name| format!("X-Amz-{name}"));
        let missing: Vec<String> = needed
            .iter()
            .filter(|name| !parameters.contains_key(*name))
            .map(|name| format!("AWS query-string parameters must include '{name}'."))
            .collect();
        if !missing.is_empty() {
            return Err(incomplete(missing.join(" ")));
        }
        let [algorithm, credential, signature, signed_headers, date] =
            needed.map(|name| parameters.remove(&name).unwrap_or_default());
        must_be_known(&algorithm)?;
        Ok(Claim {
            scope: CredentialScope::parse(&credential, &date)?,
            signed_headers: header_names(&signed_headers)?,
            signature,
            date,
            expires_seconds: parameters.get("X-Amz-Expires").map(|expires| expires_seconds(expires)).transpose()?,
            session_token: parameters.remove("X-Amz-Security-Token").map(Secret::new),
            is_presigned: true,
        })
    }

    pub fn signed_at(&self) -> Result<Time, Error> {
        let date = DateTime::strptime(DATE_FORMAT, &self.date)
            .and_then(|date| date.to_zoned(TimeZone::UTC))
            .map_err(|_| incomplete(format!("Date must be in ISO-8601 'basic format'. Got '{}'.", self.date)))?;
        u64::try_from(date.timestamp().as_millisecond()).map(Time).map_err(|_| invalid("Signature expired: before the epoch"))
    }
}

impl CredentialScope {
    fn parse(credential: &str, signed_date: &str) -> Result<CredentialScope, Error> {
        let parts: Vec<&str> = credential.split('/').collect();
        let [access_key, date, region, service, terminator] = parts[..] else {
            let example = "keyid/date/region/service/term";
            return Err(incomplete(format!(
                "Credential must have exactly 5 slash-delimited elements, e.g. {example}, got '{credential}'"
            )));
        };
        if terminator != TERMINATOR {
            let message = format!("Credential should be scoped with a valid terminator: '{TERMINATOR}', not '{terminator}'.");
            return Err(invalid(message));
        }
        if signed_date.get(..8) != Some(date) {
            let day = signed_date.get(..8).unwrap_or(signed_date);
            return Err(invalid(format!(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: \
                 '{date}' != '{day}', from '{signed_date}'."
            )));
        }
        let [access_key, date, region, service] = [access_key, date, region, service].map(str::to_owned);
        Ok(CredentialScope { access_key, date, region, service })
    }
}

/// `20150830T123600Z`, the form dates are signed in. What is beyond the calendar is its end.
pub fn stamp(time: Time) -> String {
    let millis = i64::try_from(time.millis()).unwrap_or(i64::MAX);
    let timestamp = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX);
    timestamp.strftime(DATE_FORMAT).to_string()
}

fn must_be_known(algorithm: &str) -> Result<(), Error> {
    if algorithm == ALGORITHM { Ok(()) } else { Err(incomplete(format!("Unsupported AWS 'algorithm': '{algorithm}'."))) }
}

/// The host must be signed: a signature for one endpoint is none for another.
fn header_names(names: &str) -> Result<Vec<String>, Error> {
    let names: Vec<String> = names.split(';').map(str::to_owned).collect();
    match names.iter().any(|name| name == "host" || name == ":authority") {
        true => Ok(names),
        false => Err(invalid("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")),
    }
}

fn expires_seconds(text: &str) -> Result<u64, Error> {
    match text.parse() {
        Ok(seconds) if seconds <= EXPIRES_SECONDS_MAX => Ok(seconds),
        Ok(_) => Err(incomplete(
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds",
        )),
        Err(_) => Err(incomplete("X-Amz-Expires should be a number")),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
