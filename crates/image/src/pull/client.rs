//! What pulls have in common: connections, whom to trust, and what registries have granted to whom.

use super::roots::roots;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::store::Config;
use reqwest::Client;
use reqwest::header::HeaderValue;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use workload::RegistryAuth;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// Between two pieces of an answer (the agent's own limit without progress, `ECS_IMAGE_PULL_INACTIVITY_TIMEOUT`).
const READ_TIMEOUT: Duration = Duration::from_secs(60);
const MOST_GRANTS: usize = 256;
const USER_AGENT: &str = concat!("slipway/", env!("CARGO_PKG_VERSION"));

/// Host, who asks, repository.
pub type GrantKey = (String, Option<String>, String);

#[derive(Default)]
pub struct Clients {
    /// One for the world and one for this machine.
    open: Mutex<BTreeMap<bool, Client>>,
    /// Values of `Authorization`: never printed, never stored.
    grants: Mutex<BTreeMap<GrantKey, HeaderValue>>,
}

/// Who asks, without what proves it. `None` is anybody.
pub fn identity(auth: Option<&RegistryAuth>) -> Option<String> {
    auth.map(|auth| format!("{} {}", auth.username, Digest::of(auth.password.as_bytes())))
}

impl Clients {
    pub fn client(&self, config: &Config, host: &str) -> Result<Client> {
        let local = is_loopback(host);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = open.get(&local) {
            return Ok(client.clone());
        }
        let client = build(config, local)?;
        Ok(open.entry(local).or_insert(client).clone())
    }

    pub fn granted(&self, key: &GrantKey) -> Option<HeaderValue> {
        self.grants.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    pub fn grant(&self, key: &GrantKey, value: &HeaderValue) {
        let mut grants = self.grants.lock().unwrap_or_else(PoisonError::into_inner);
        if grants.len() >= MOST_GRANTS {
            grants.clear();
        }
        grants.insert(key.clone(), value.clone());
    }
}

/// For others who ask `host`, with the same trust.
pub fn http_client(config: &Config, host: &str) -> Result<Client> {
    build(config, is_loopback(host))
}

fn build(config: &Config, local: bool) -> Result<Client> {
    let roots = roots(&config.certificate_authorities)?;
    let builder = Client::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(READ_TIMEOUT).user_agent(USER_AGENT);
    let builder = match roots.only.is_empty() {
        true => builder.tls_certs_merge(roots.extra),
        false => builder.tls_certs_only(roots.only),
    };
    // What is on this machine is not reached through a proxy, whatever the environment says; as with Go.
    let builder = if local { builder.no_proxy() } else { builder };
    builder.build().map_err(|error| Error::Io { context: "registry client".to_owned(), reason: error.to_string() })
}

/// Registries on this machine's loopback speak plain HTTP, as Docker assumes too.
pub fn scheme(config: &Config, host: &str) -> &'static str {
    if config.insecure_registries.contains(host) || is_loopback(host) { "http" } else { "https" }
}

fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    name == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_and_what_is_configured_speak_plain_http() {
        let config = Config { insecure_registries: ["registry.test:5000".to_owned()].into(), ..Config::default() };
        for (host, expected) in [
            ("localhost", "http"),
            ("localhost:5000", "http"),
            ("127.0.0.1:5000", "http"),
            ("127.9.9.9", "http"),
            ("[::1]:5000", "http"),
            ("registry.test:5000", "http"),
            ("registry.test", "https"),
            ("10.0.0.1:5000", "https"),
            ("localhost.test", "https"),
            ("[2001:db8::1]:443", "https"),
        ] {
            assert_eq!(scheme(&config, host), expected, "{host}");
        }
    }
}
