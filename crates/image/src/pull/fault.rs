//! What went wrong with a registry: in ECS's words, and whether it may pass by itself. Pure, but for the pauses.

use crate::error::Error;
use crate::store::Config;
use serde::Deserialize;
use std::error::Error as StdError;
use std::io;
use std::time::Duration;

const LONGEST_PAUSE_MS: u64 = 30_000;

#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    pub error: Error,
    /// Trying again may help.
    pub passing: bool,
}

/// What was asked of whom, for the error's text.
pub struct Asked<'a> {
    pub reference: &'a str,
    /// Without tag and digest.
    pub repository: &'a str,
    pub host: &'a str,
    pub url: &'a str,
    pub with_credentials: bool,
}

/// How registries say what is wrong (OCI distribution specification, "Error Codes").
#[derive(Deserialize)]
struct Envelope {
    errors: Vec<Described>,
}

#[derive(Deserialize)]
struct Described {
    code: String,
    #[serde(default)]
    message: String,
}

impl Fault {
    pub fn lasting(error: Error) -> Fault {
        Fault { error, passing: false }
    }

    pub fn passing(error: Error) -> Fault {
        Fault { error, passing: true }
    }

    /// An answer that is not what was asked for.
    pub fn of_answer(asked: &Asked, status: u16, body: &[u8]) -> Fault {
        let described = serde_json::from_slice::<Envelope>(body).ok().and_then(|envelope| envelope.errors.into_iter().next());
        let (code, message) = match described {
            Some(described) => (described.code, shortened(&described.message)),
            None => (String::new(), shortened(&String::from_utf8_lossy(body))),
        };
        match (code.as_str(), status) {
            ("DENIED", _) => Fault::denied(asked, &format!("denied: {message}")),
            ("UNAUTHORIZED", _) if asked.with_credentials && !message.is_empty() => {
                Fault::denied(asked, &format!("unauthorized: {message}"))
            }
            ("UNAUTHORIZED", _) | ("", 401 | 403) => Fault::unauthorized(asked),
            ("NAME_UNKNOWN", _) => {
                Fault::lasting(Error::RepositoryUnknown { repository: asked.repository.to_owned(), detail: message })
            }
            ("MANIFEST_UNKNOWN" | "NOT_FOUND", _) => manifest_unknown(asked, message),
            ("", 404) if asked.url.contains("/manifests/") => manifest_unknown(asked, String::new()),
            ("TOOMANYREQUESTS", _) | (_, 429) => Fault::passing(Error::TooManyRequests(message)),
            _ => answered(asked, status, message),
        }
    }

    pub fn denied(asked: &Asked, detail: &str) -> Fault {
        Fault::lasting(Error::Denied { repository: asked.repository.to_owned(), detail: detail.to_owned() })
    }

    /// Registries do not tell those they do not know whether the image exists; neither does Docker.
    pub fn unauthorized(asked: &Asked) -> Fault {
        Fault::denied(
            asked,
            match asked.with_credentials {
                true => "unauthorized: authentication required",
                false => "denied: requested access to the resource is denied",
            },
        )
    }

    /// No answer, or one that broke off.
    pub fn unreachable(asked: &Asked, error: &(dyn StdError + 'static)) -> Fault {
        let (detail, passing) = dialled(asked.host, error);
        let error = Error::Unreachable {
            reference: asked.reference.to_owned(),
            registry: asked.host.to_owned(),
            url: asked.url.to_owned(),
            detail,
        };
        Fault { error, passing }
    }
}

fn manifest_unknown(asked: &Asked, detail: String) -> Fault {
    let detail = if detail.is_empty() { "manifest unknown".to_owned() } else { detail };
    Fault::lasting(Error::ManifestUnknown { reference: asked.reference.to_owned(), detail })
}

fn answered(asked: &Asked, status: u16, detail: String) -> Fault {
    const TIMED_OUT: u16 = 408;
    let error = Error::Registry { registry: asked.host.to_owned(), url: asked.url.to_owned(), status, detail };
    Fault { passing: status >= 500 || status == TIMED_OUT, error }
}

/// What Go's network library says of the same fault, since that is what operators search for, and whether it may pass.
fn dialled(host: &str, error: &(dyn StdError + 'static)) -> (String, bool) {
    let (mut kind, mut texts, mut next) = (None, Vec::new(), Some(error));
    while let Some(error) = next {
        kind = kind.or(error.downcast_ref::<io::Error>().map(io::Error::kind));
        texts.push(error.to_string());
        next = error.source();
    }
    let says = |what: &str| texts.iter().any(|text| text.contains(what));
    let last = texts.last().cloned().unwrap_or_default();
    let detail = match kind {
        _ if says("UnknownIssuer") => {
            return ("tls: failed to verify certificate: x509: certificate signed by unknown authority".to_owned(), false);
        }
        _ if says("certificate") => return (format!("tls: failed to verify certificate: {last}"), false),
        _ if says("dns error") || says("failed to lookup address") => {
            format!("dial tcp: lookup {}: no such host", host.split(':').next().unwrap_or(host))
        }
        Some(io::ErrorKind::ConnectionRefused) => format!("dial tcp {host}: connect: connection refused"),
        Some(io::ErrorKind::NetworkUnreachable) => format!("dial tcp {host}: connect: network is unreachable"),
        Some(io::ErrorKind::HostUnreachable) => format!("dial tcp {host}: connect: no route to host"),
        Some(io::ErrorKind::ConnectionReset) => format!("read tcp {host}: connection reset by peer"),
        Some(io::ErrorKind::TimedOut) => format!("dial tcp {host}: i/o timeout"),
        _ if says("timed out") => format!("dial tcp {host}: i/o timeout"),
        _ => last,
    };
    (detail, true)
}

/// Some registries answer with pages.
fn shortened(text: &str) -> String {
    const LONGEST: usize = 300;
    text.trim().chars().take(LONGEST).collect()
}

/// How often, and with which pauses, something is tried.
#[derive(Clone, Copy, Debug)]
pub struct Attempts {
    most: u32,
    pause_ms: u64,
}

impl Attempts {
    pub fn new(config: &Config, has_fallback: bool) -> Attempts {
        Attempts { most: if has_fallback { 1 } else { config.pull_attempts.max(1) }, pause_ms: config.retry_pause_ms }
    }

    /// The pause before trying again after `failed` attempts in a row. `None`: not again.
    pub fn pause(&self, failed: u32) -> Option<Duration> {
        let doublings = failed.saturating_sub(1).min(16);
        let pause_ms = self.pause_ms.saturating_mul(1 << doublings).min(LONGEST_PAUSE_MS);
        (failed < self.most).then(|| Duration::from_millis(pause_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn asked(with_credentials: bool) -> Asked<'static> {
        let url = "https://r.test/v2/app/manifests/v1";
        Asked { reference: "r.test/app:v1", repository: "r.test/app", host: "r.test", url, with_credentials }
    }

    fn check(status: u16, body: &str, expect: Expect) {
        let fault = Fault::of_answer(&asked(true), status, body.as_bytes());
        let passing = if fault.passing { "passing: " } else { "" };
        expect.assert_eq(&format!("{passing}{}", fault.error));
    }

    fn described(code: &str, message: &str) -> String {
        format!(r#"{{"errors":[{{"code":"{code}","message":"{message}","detail":null}}]}}"#)
    }

    #[test]
    fn refusals_are_said_as_ecs_says_them() {
        check(
            401,
            &described("UNAUTHORIZED", "incorrect username or password"),
            expect![
                "The task can’t pull the image. Check whether the image exists. Error response from daemon: pull access denied for r.test/app, repository does not exist or may require 'docker login': unauthorized: incorrect username or password"
            ],
        );
        check(
            401,
            "",
            expect![
                "The task can’t pull the image. Check whether the image exists. Error response from daemon: pull access denied for r.test/app, repository does not exist or may require 'docker login': unauthorized: authentication required"
            ],
        );
        check(
            403,
            &described("DENIED", "no"),
            expect![
                "The task can’t pull the image. Check whether the image exists. Error response from daemon: pull access denied for r.test/app, repository does not exist or may require 'docker login': denied: no"
            ],
        );
        check(
            404,
            &described("MANIFEST_UNKNOWN", "manifest unknown"),
            expect![
                "The task can’t pull the image. Check whether the image exists. Error response from daemon: manifest for r.test/app:v1 not found: manifest unknown: manifest unknown"
            ],
        );
        check(
            404,
            "<html>",
            expect![
                "The task can’t pull the image. Check whether the image exists. Error response from daemon: manifest for r.test/app:v1 not found: manifest unknown: manifest unknown"
            ],
        );
        check(
            404,
            &described("NAME_UNKNOWN", "not here"),
            expect![
                "The task can’t pull the image. Check whether the image exists. Error response from daemon: repository r.test/app not found: name unknown: not here"
            ],
        );
        check(
            400,
            &described("OWN_CODE", "no"),
            expect!["Error response from daemon: r.test answered 400 to https://r.test/v2/app/manifests/v1: no"],
        );
        let nobody = Fault::unauthorized(&asked(false)).error.to_string();
        assert!(nobody.ends_with("'docker login': denied: requested access to the resource is denied"), "{nobody}");
    }

    #[test]
    fn what_may_pass_is_tried_again() {
        check(
            429,
            &described("TOOMANYREQUESTS", "Too Many Requests."),
            expect!["passing: ERROR: toomanyrequests: Too Many Requests."],
        );
        check(429, "slow down", expect!["passing: ERROR: toomanyrequests: slow down"]);
        check(
            503,
            "later",
            expect!["passing: Error response from daemon: r.test answered 503 to https://r.test/v2/app/manifests/v1: later"],
        );
    }

    #[test]
    fn a_broken_network_is_said_as_go_says_it() {
        let said = |kind: io::ErrorKind| Fault::unreachable(&asked(true), &io::Error::from(kind)).error.to_string();
        expect!["The task cannot pull r.test/app:v1 from the registry r.test. There is a connection issue between the task and the registry. Check your task network configuration. : failed to do request: Get https://r.test/v2/app/manifests/v1: dial tcp r.test: connect: connection refused"].assert_eq(&said(io::ErrorKind::ConnectionRefused));
        assert!(said(io::ErrorKind::TimedOut).ends_with("dial tcp r.test: i/o timeout"));
        let untrusted = Fault::unreachable(&asked(true), &io::Error::other("invalid peer certificate: UnknownIssuer"));
        assert!(untrusted.error.to_string().ends_with("x509: certificate signed by unknown authority") && !untrusted.passing);
        assert!(said(io::ErrorKind::ConnectionReset).ends_with("read tcp r.test: connection reset by peer"));
    }

    #[test]
    fn pauses_double_and_end() {
        let attempts = Attempts { most: 4, pause_ms: 500 };
        let pauses: Vec<Option<u128>> = (1..5).map(|failed| attempts.pause(failed).map(|pause| pause.as_millis())).collect();
        assert_eq!(pauses, [Some(500), Some(1000), Some(2000), None]);
        assert_eq!(Attempts { most: 99, pause_ms: 500 }.pause(60), Some(Duration::from_millis(LONGEST_PAUSE_MS)));
    }
}
