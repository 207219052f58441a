//! What went wrong with a registry: in ECS's words, and whether it may pass by itself. Pure, but for the pauses.

use crate::error::Error;
use crate::store::Config;
use oci_client::errors::{OciDistributionError, OciEnvelope, OciErrorCode};
use std::error::Error as StdError;
use std::io;
use std::time::Duration;

const LONGEST_PAUSE_MS: u64 = 30_000;
const NOT_FOUND: u16 = 404;
const TOO_MANY_REQUESTS: u16 = 429;

#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    pub error: Error,
    /// Trying again may help.
    pub passing: bool,
    /// The registry did not take who we are.
    pub unauthorized: bool,
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

impl Fault {
    pub fn lasting(error: Error) -> Fault {
        Fault { error, passing: false, unauthorized: false }
    }

    pub fn passing(error: Error) -> Fault {
        Fault { error, passing: true, unauthorized: false }
    }

    pub fn of(error: &OciDistributionError, asked: &Asked) -> Fault {
        match error {
            OciDistributionError::RequestError(error) => unreachable(asked, error),
            OciDistributionError::IoError(error) => unreachable(asked, error),
            OciDistributionError::UnauthorizedError { .. } => {
                let detail = match asked.with_credentials {
                    true => "unauthorized: authentication required",
                    false => "denied: requested access to the resource is denied",
                };
                Fault { unauthorized: true, ..denied(asked, detail) }
            }
            OciDistributionError::AuthenticationFailure(text) => denied(asked, &format!("unauthorized: {}", shortened(text))),
            OciDistributionError::RegistryError { envelope, .. } => enveloped(asked, envelope),
            OciDistributionError::ServerError { code: NOT_FOUND, message, .. } => manifest_unknown(asked, message),
            OciDistributionError::ServerError { code: TOO_MANY_REQUESTS, message, .. } => {
                Fault::passing(Error::TooManyRequests(shortened(message)))
            }
            OciDistributionError::ServerError { code, message, .. } => answered(asked, *code, message),
            OciDistributionError::UnsupportedSchemaVersionError(version) => Fault::lasting(Error::UnsupportedManifest {
                reference: asked.reference.to_owned(),
                reason: format!("schema version {version}"),
            }),
            other => Fault::lasting(Error::Registry {
                registry: asked.host.to_owned(),
                url: asked.url.to_owned(),
                status: 200,
                detail: other.to_string(),
            }),
        }
    }
}

fn denied(asked: &Asked, detail: &str) -> Fault {
    Fault::lasting(Error::Denied { repository: asked.repository.to_owned(), detail: detail.to_owned() })
}

fn manifest_unknown(asked: &Asked, detail: &str) -> Fault {
    let detail = if detail.trim().is_empty() { "manifest unknown".to_owned() } else { shortened(detail) };
    Fault::lasting(Error::ManifestUnknown { reference: asked.reference.to_owned(), detail })
}

fn answered(asked: &Asked, status: u16, detail: &str) -> Fault {
    let error = Error::Registry { registry: asked.host.to_owned(), url: asked.url.to_owned(), status, detail: shortened(detail) };
    // 408 is a timeout with another name.
    Fault { passing: status >= 500 || status == 408, ..Fault::lasting(error) }
}

fn enveloped(asked: &Asked, envelope: &OciEnvelope) -> Fault {
    let Some(first) = envelope.errors.first() else {
        return answered(asked, 400, "an error without a description");
    };
    let message = shortened(&first.message);
    match &first.code {
        OciErrorCode::Denied => denied(asked, &format!("denied: {message}")),
        OciErrorCode::Unauthorized => Fault { unauthorized: true, ..denied(asked, &format!("unauthorized: {message}")) },
        OciErrorCode::NameUnknown => {
            let repository = asked.repository.to_owned();
            Fault::lasting(Error::RepositoryUnknown { repository, detail: message })
        }
        OciErrorCode::ManifestUnknown | OciErrorCode::NotFound => manifest_unknown(asked, &message),
        OciErrorCode::Toomanyrequests => Fault::passing(Error::TooManyRequests(message)),
        code => answered(asked, 400, &format!("{code:?}: {message}")),
    }
}

fn unreachable(asked: &Asked, error: &(dyn StdError + 'static)) -> Fault {
    let error = Error::Unreachable {
        reference: asked.reference.to_owned(),
        registry: asked.host.to_owned(),
        url: asked.url.to_owned(),
        detail: dialled(asked.host, error),
    };
    Fault::passing(error)
}

/// What Go's network library says of the same fault: what operators search for.
fn dialled(host: &str, error: &(dyn StdError + 'static)) -> String {
    let (mut kind, mut texts, mut next) = (None, Vec::new(), Some(error));
    while let Some(error) = next {
        kind = kind.or(error.downcast_ref::<io::Error>().map(io::Error::kind));
        texts.push(error.to_string());
        next = error.source();
    }
    let says = |what: &str| texts.iter().any(|text| text.contains(what));
    match kind {
        _ if says("dns error") || says("failed to lookup address") => {
            format!("dial tcp: lookup {}: no such host", host.split(':').next().unwrap_or(host))
        }
        _ if says("certificate") => format!("tls: failed to verify certificate: {}", texts.last().cloned().unwrap_or_default()),
        Some(io::ErrorKind::ConnectionRefused) => format!("dial tcp {host}: connect: connection refused"),
        Some(io::ErrorKind::NetworkUnreachable) => format!("dial tcp {host}: connect: network is unreachable"),
        Some(io::ErrorKind::HostUnreachable) => format!("dial tcp {host}: connect: no route to host"),
        Some(io::ErrorKind::ConnectionReset) => format!("read tcp {host}: connection reset by peer"),
        Some(io::ErrorKind::TimedOut) => format!("dial tcp {host}: i/o timeout"),
        _ if says("timed out") => format!("dial tcp {host}: i/o timeout"),
        _ => texts.last().cloned().unwrap_or_default(),
    }
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

    fn check(error: OciDistributionError, with_credentials: bool, expect: Expect) {
        let (reference, host, url) = ("r.test/app:v1", "r.test", "https://r.test/v2/");
        let fault = Fault::of(&error, &Asked { reference, repository: "r.test/app", host, url, with_credentials });
        let passing = if fault.passing { "passing: " } else { "" };
        expect.assert_eq(&format!("{passing}{}", fault.error));
    }

    fn envelope(code: &str, message: &str) -> OciDistributionError {
        let text = format!(r#"{{"errors":[{{"code":"{code}","message":"{message}"}}]}}"#);
        OciDistributionError::RegistryError { envelope: serde_json::from_str(&text).unwrap(), url: String::new() }
    }

    fn server(code: u16, message: &str) -> OciDistributionError {
        OciDistributionError::ServerError { code, url: String::new(), message: message.to_owned() }
    }

    fn io(kind: io::ErrorKind) -> OciDistributionError {
        OciDistributionError::IoError(kind.into())
    }

    #[test]
    fn refusals_are_said_as_ecs_says_them() {
        let unauthorized = || OciDistributionError::UnauthorizedError { url: String::new() };
        check(
            unauthorized(),
            false,
            expect![
                "The task can’t pull the image. Check whether the image exists. Error response from daemon: pull access denied for r.test/app, repository does not exist or may require 'docker login': denied: requested access to the resource is denied"
            ],
        );
        check(
            unauthorized(),
            true,
            expect![
                "The task can’t pull the image. Check whether the image exists. Error response from daemon: pull access denied for r.test/app, repository does not exist or may require 'docker login': unauthorized: authentication required"
            ],
        );
        check(
            envelope("DENIED", "no"),
            true,
            expect![
                "The task can’t pull the image. Check whether the image exists. Error response from daemon: pull access denied for r.test/app, repository does not exist or may require 'docker login': denied: no"
            ],
        );
        check(
            envelope("MANIFEST_UNKNOWN", "manifest unknown"),
            true,
            expect![
                "The task can’t pull the image. Check whether the image exists. Error response from daemon: manifest for r.test/app:v1 not found: manifest unknown: manifest unknown"
            ],
        );
        check(
            server(404, ""),
            true,
            expect![
                "The task can’t pull the image. Check whether the image exists. Error response from daemon: manifest for r.test/app:v1 not found: manifest unknown: manifest unknown"
            ],
        );
        check(
            envelope("NAME_UNKNOWN", "not here"),
            true,
            expect![
                "The task can’t pull the image. Check whether the image exists. Error response from daemon: repository r.test/app not found: name unknown: not here"
            ],
        );
    }

    #[test]
    fn what_may_pass_is_tried_again() {
        check(
            envelope("TOOMANYREQUESTS", "Too Many Requests."),
            true,
            expect!["passing: ERROR: toomanyrequests: Too Many Requests."],
        );
        check(
            server(503, "later"),
            true,
            expect!["passing: Error response from daemon: r.test answered 503 to https://r.test/v2/: later"],
        );
        check(server(400, "no"), true, expect!["Error response from daemon: r.test answered 400 to https://r.test/v2/: no"]);
        check(
            io(io::ErrorKind::ConnectionRefused),
            true,
            expect![
                "passing: The task cannot pull r.test/app:v1 from the registry r.test. There is a connection issue between the task and the registry. Check your task network configuration. : failed to do request: Get https://r.test/v2/: dial tcp r.test: connect: connection refused"
            ],
        );
        check(
            io(io::ErrorKind::TimedOut),
            true,
            expect![
                "passing: The task cannot pull r.test/app:v1 from the registry r.test. There is a connection issue between the task and the registry. Check your task network configuration. : failed to do request: Get https://r.test/v2/: dial tcp r.test: i/o timeout"
            ],
        );
    }

    #[test]
    fn pauses_double_and_end() {
        let attempts = Attempts { most: 4, pause_ms: 500 };
        let pauses: Vec<Option<u128>> = (1..5).map(|failed| attempts.pause(failed).map(|pause| pause.as_millis())).collect();
        assert_eq!(pauses, [Some(500), Some(1000), Some(2000), None]);
        assert_eq!(Attempts { most: 99, pause_ms: 500 }.pause(60), Some(Duration::from_millis(LONGEST_PAUSE_MS)));
    }
}
