//! One registry as one identity. Connections and tokens are kept between pulls, credentials only inside the client.

use super::fault::{Asked, Fault};
use super::roots::{Roots, roots};
use crate::digest::Digest;
use crate::document::{DOCKER_LIST, DOCKER_MANIFEST, Descriptor, OCI_INDEX, OCI_MANIFEST};
use crate::error::{Error, Result};
use crate::reference::Reference;
use crate::store::Config;
use futures_util::StreamExt;
use oci_client::client::{BlobResponse, ClientConfig, ClientProtocol, SizedStream};
use oci_client::errors::OciDistributionError;
use oci_client::secrets::RegistryAuth as Secret;
use oci_client::{Client, RegistryOperation};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use workload::RegistryAuth;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// Between two pieces of an answer.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
const MOST_CLIENTS: usize = 32;
const USER_AGENT: &str = concat!("slipway/", env!("CARGO_PKG_VERSION"));
const ACCEPTED: [&str; 4] = [OCI_INDEX, DOCKER_LIST, OCI_MANIFEST, DOCKER_MANIFEST];

#[derive(Default)]
pub struct Clients {
    open: Mutex<BTreeMap<(String, Option<String>), Client>>,
    roots: Mutex<Option<Roots>>,
}

pub struct Registry {
    client: Client,
    secret: Secret,
    host: String,
    scheme: &'static str,
    reference: Reference,
}

/// Who asks, without what proves it. `None` is anybody.
pub fn identity(auth: Option<&RegistryAuth>) -> Option<String> {
    auth.map(|auth| format!("{} {}", auth.username, Digest::of(auth.password.as_bytes())))
}

impl Clients {
    /// `host` may be a mirror of the reference's own registry.
    pub fn registry(&self, config: &Config, host: &str, reference: &Reference, auth: Option<&RegistryAuth>) -> Result<Registry> {
        let scheme = if is_insecure(config, host) { "http" } else { "https" };
        let key = (host.to_owned(), identity(auth));
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let client = match open.get(&key) {
            Some(client) => client.clone(),
            None => {
                let client = client(scheme, &self.roots(config)?)?;
                if open.len() >= MOST_CLIENTS {
                    open.clear();
                }
                open.insert(key, client.clone());
                client
            }
        };
        let secret = auth.map_or(Secret::Anonymous, |auth| Secret::Basic(auth.username.clone(), auth.password.clone()));
        Ok(Registry { client, secret, host: host.to_owned(), scheme, reference: reference.clone() })
    }

    /// A token may have been revoked before its time.
    pub fn forget(&self, host: &str, auth: Option<&RegistryAuth>) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&(host.to_owned(), identity(auth)));
    }

    fn roots(&self, config: &Config) -> Result<Roots> {
        let mut known = self.roots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(roots) = &*known {
            return Ok(roots.clone());
        }
        Ok(known.insert(roots(&config.certificate_authorities)?).clone())
    }
}

fn client(scheme: &str, roots: &Roots) -> Result<Client> {
    let protocol = if scheme == "http" { ClientProtocol::Http } else { ClientProtocol::Https };
    let config = ClientConfig {
        protocol,
        connect_timeout: Some(CONNECT_TIMEOUT),
        read_timeout: Some(READ_TIMEOUT),
        user_agent: USER_AGENT,
        extra_root_certificates: roots.extra.clone(),
        tls_certs_only: roots.only.clone(),
        ..ClientConfig::default()
    };
    Client::try_from(config).map_err(|error| Error::Io { context: "registry client".to_owned(), reason: error.to_string() })
}

/// Registries on this machine's loopback speak plain HTTP, as Docker assumes too.
fn is_insecure(config: &Config, host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    config.insecure_registries.contains(host) || name == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

impl Registry {
    /// The document behind the reference's tag or behind a digest, checked.
    pub async fn manifest(&self, digest: Option<&Digest>) -> std::result::Result<Vec<u8>, Fault> {
        let at = match (digest.or(self.reference.digest.as_ref()), &self.reference.tag) {
            (Some(digest), _) => self.at_digest(digest),
            (None, tag) => {
                let tag = tag.clone().unwrap_or_else(|| "latest".to_owned());
                oci_client::Reference::with_tag(self.host.clone(), self.reference.repository.clone(), tag)
            }
        };
        let url = self.url("manifests", at.digest().or(at.tag()).unwrap_or_default());
        let pulled = self.client.pull_manifest_raw(&at, &self.secret, &ACCEPTED).await;
        match pulled {
            Ok((bytes, _)) => Ok(bytes.to_vec()),
            Err(error @ OciDistributionError::UnauthorizedError { .. }) => Err(self.why_unauthorized(&at, error, &url).await),
            Err(error) => Err(self.fault(&error, &url)),
        }
    }

    /// A small blob, whole and checked.
    pub async fn blob(&self, blob: &Descriptor, largest: u64) -> std::result::Result<Vec<u8>, Fault> {
        let url = self.url("blobs", &blob.digest.to_string());
        let mut stream = self.open(blob, 0).await?.0;
        let mut bytes = Vec::new();
        while let Some(piece) = stream.next().await {
            bytes.extend_from_slice(&piece.map_err(|error| self.fault(&error.into(), &url))?);
            if bytes.len() as u64 > largest {
                return Err(Fault::lasting(self.unsupported(format!("{} is too large", blob.digest))));
            }
        }
        let actual = Digest::of(&bytes);
        if actual == blob.digest {
            return Ok(bytes);
        }
        Err(Fault::passing(Error::DigestMismatch { what: url, expected: blob.digest.clone(), actual }))
    }

    /// A blob from `offset` on, or from its beginning, which the second value tells, if the registry cannot do ranges.
    pub async fn open(&self, blob: &Descriptor, offset: u64) -> std::result::Result<(SizedStream, u64), Fault> {
        let at = self.at_digest(&blob.digest);
        self.client.store_auth_if_needed(at.resolve_registry(), &self.secret).await;
        let digest = blob.digest.to_string();
        let opened = match offset {
            0 => self.client.pull_blob_stream(&at, &digest.as_str()).await.map(|stream| (stream, 0)),
            _ => self.client.pull_blob_stream_partial(&at, &digest.as_str(), offset, None).await.map(|response| match response {
                BlobResponse::Full(stream) => (stream, 0),
                BlobResponse::Partial(stream) => (stream, offset),
            }),
        };
        opened.map_err(|error| self.fault(&error, &self.url("blobs", &digest)))
    }

    pub fn fault(&self, error: &OciDistributionError, url: &str) -> Fault {
        let (reference, repository) = (self.reference.to_string(), self.reference.familiar_name());
        let with_credentials = self.secret != Secret::Anonymous;
        Fault::of(error, &Asked { reference: &reference, repository: &repository, host: &self.host, url, with_credentials })
    }

    pub fn url(&self, kind: &str, name: &str) -> String {
        format!("{}://{}/v2/{}/{kind}/{name}", self.scheme, self.host, self.reference.repository)
    }

    pub fn unsupported(&self, reason: String) -> Error {
        Error::UnsupportedManifest { reference: self.reference.to_string(), reason }
    }

    /// The client keeps to itself why it got no token; asking for one again tells.
    async fn why_unauthorized(&self, at: &oci_client::Reference, refused: OciDistributionError, url: &str) -> Fault {
        match self.client.auth(at, &self.secret, RegistryOperation::Pull).await {
            Err(error) => Fault { unauthorized: true, ..self.fault(&error, url) },
            Ok(_) => self.fault(&refused, url),
        }
    }

    fn at_digest(&self, digest: &Digest) -> oci_client::Reference {
        oci_client::Reference::with_digest(self.host.clone(), self.reference.repository.clone(), digest.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_and_what_is_configured_speak_plain_http() {
        let config = Config { insecure_registries: ["registry.test:5000".to_owned()].into(), ..Config::default() };
        for (host, insecure) in [
            ("localhost", true),
            ("localhost:5000", true),
            ("127.0.0.1:5000", true),
            ("127.9.9.9", true),
            ("[::1]:5000", true),
            ("registry.test:5000", true),
            ("registry.test", false),
            ("10.0.0.1:5000", false),
            ("localhost.test", false),
            ("[2001:db8::1]:443", false),
        ] {
            assert_eq!(is_insecure(&config, host), insecure, "{host}");
        }
    }
}
