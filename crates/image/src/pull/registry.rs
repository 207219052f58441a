//! One repository of one registry, asked as one identity: manifests and blobs over HTTP (OCI distribution specification).
//! Asks without proof first, and proves who it is only to who then wants to know.

use super::challenge::{Challenge, choose};
use super::client::{Clients, GrantKey, identity, scheme};
use super::fault::{Asked, Fault};
use crate::digest::Digest;
use crate::document::{DOCKER_LIST, DOCKER_MANIFEST, Descriptor, OCI_INDEX, OCI_MANIFEST};
use crate::error::{Error, Result};
use crate::reference::Reference;
use crate::store::Config;
use base::limits::IMAGE_DOCUMENT_BYTES;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_RANGE, HeaderValue, RANGE, WWW_AUTHENTICATE};
use reqwest::{Response, StatusCode, Url};
use serde::Deserialize;
use std::error::Error as StdError;
use std::sync::Arc;
use workload::RegistryAuth;

/// Of an answer that says what is wrong.
const LARGEST_COMPLAINT: u64 = 64 * 1024;
const ANY: &str = "*/*";

type Answer<T> = std::result::Result<T, Fault>;

pub struct Registry {
    clients: Arc<Clients>,
    http: reqwest::Client,
    auth: Option<RegistryAuth>,
    key: GrantKey,
    scheme: &'static str,
    host: String,
    reference: Reference,
}

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

impl Registry {
    /// `host` may be a mirror of the reference's own registry.
    pub fn new(
        clients: &Arc<Clients>,
        config: &Config,
        host: &str,
        reference: &Reference,
        auth: Option<&RegistryAuth>,
    ) -> Result<Registry> {
        Ok(Registry {
            clients: clients.clone(),
            http: clients.client(config, host)?,
            auth: auth.cloned(),
            key: (host.to_owned(), identity(auth), reference.repository.clone()),
            scheme: scheme(config, host),
            host: host.to_owned(),
            reference: reference.clone(),
        })
    }

    /// The document behind a digest, checked, or behind the reference's tag.
    pub async fn manifest(&self, digest: Option<&Digest>) -> Answer<Vec<u8>> {
        let tag = self.reference.tag.as_deref().unwrap_or("latest");
        let url = self.url("manifests", &digest.map_or_else(|| tag.to_owned(), Digest::to_string));
        let accept = [OCI_INDEX, DOCKER_LIST, OCI_MANIFEST, DOCKER_MANIFEST].join(", ");
        let response = self.get(&url, &accept, 0).await?;
        let bytes = self.read(&url, response, IMAGE_DOCUMENT_BYTES).await?;
        digest.map_or(Ok(()), |digest| check(&url, digest, &bytes))?;
        Ok(bytes)
    }

    /// A small blob, whole and checked.
    pub async fn blob(&self, blob: &Descriptor) -> Answer<Vec<u8>> {
        let url = self.blob_url(blob);
        let response = self.get(&url, ANY, 0).await?;
        let bytes = self.read(&url, response, IMAGE_DOCUMENT_BYTES).await?;
        check(&url, &blob.digest, &bytes)?;
        Ok(bytes)
    }

    /// A blob from `offset` on, or from its beginning, which the second value tells, if the registry does not do ranges.
    pub async fn open(&self, blob: &Descriptor, offset: u64) -> Answer<(Response, u64)> {
        let url = self.blob_url(blob);
        let response = self.get(&url, ANY, offset).await?;
        match response.status() {
            StatusCode::PARTIAL_CONTENT if starts_at(&response, offset) => Ok((response, offset)),
            StatusCode::OK => Ok((response, 0)),
            _ => Ok((self.get(&url, ANY, 0).await?, 0)),
        }
    }

    pub fn broken_off(&self, url: &str, error: &(dyn StdError + 'static)) -> Fault {
        self.fault(url, |asked| Fault::unreachable(asked, error))
    }

    pub fn blob_url(&self, blob: &Descriptor) -> String {
        self.url("blobs", &blob.digest.to_string())
    }

    pub fn unsupported(&self, reason: String) -> Error {
        Error::UnsupportedManifest { reference: self.reference.to_string(), reason }
    }

    fn url(&self, kind: &str, name: &str) -> String {
        format!("{}://{}/v2/{}/{kind}/{name}", self.scheme, self.host, self.reference.repository)
    }

    /// The answer, if it is one to go on with: whole, partial, or that there is no such part.
    async fn get(&self, url: &str, accept: &str, offset: u64) -> Answer<Response> {
        let mut grant = self.clients.granted(&self.key);
        let mut may_prove = true;
        loop {
            let response = self.send(url, accept, offset, grant.as_ref()).await?;
            match response.status() {
                StatusCode::OK | StatusCode::PARTIAL_CONTENT => return Ok(response),
                StatusCode::RANGE_NOT_SATISFIABLE if offset > 0 => return Ok(response),
                // Also when what was granted has run out.
                StatusCode::UNAUTHORIZED if std::mem::take(&mut may_prove) => grant = Some(self.prove(url, &response).await?),
                _ => return Err(self.complaint(url, response).await),
            }
        }
    }

    async fn send(&self, url: &str, accept: &str, offset: u64, grant: Option<&HeaderValue>) -> Answer<Response> {
        let mut request = self.http.get(url).header(ACCEPT, accept);
        if let Some(grant) = grant {
            request = request.header(AUTHORIZATION, grant);
        }
        if offset > 0 {
            request = request.header(RANGE, format!("bytes={offset}-"));
        }
        request.send().await.map_err(|error| self.broken_off(url, &error))
    }

    async fn prove(&self, url: &str, response: &Response) -> Answer<HeaderValue> {
        let headers = response.headers().get_all(WWW_AUTHENTICATE).iter().filter_map(|header| header.to_str().ok());
        let text = match (choose(headers), &self.auth) {
            (Some(Challenge::Bearer { realm, service }), _) => {
                format!("Bearer {}", self.token(&realm, service.as_deref()).await?)
            }
            (Some(Challenge::Basic), Some(auth)) => basic(auth),
            _ => return Err(self.fault(url, Fault::unauthorized)),
        };
        let malformed = |_| self.fault(url, |asked| Fault::denied(asked, "unauthorized: malformed credentials"));
        let mut grant = HeaderValue::from_str(&text).map_err(malformed)?;
        grant.set_sensitive(true);
        self.clients.grant(&self.key, &grant);
        Ok(grant)
    }

    async fn token(&self, realm: &str, service: Option<&str>) -> Answer<String> {
        let denied = |why: &str| self.fault(realm, |asked| Fault::denied(asked, why));
        let mut url = Url::parse(realm).map_err(|_| denied("unauthorized: the registry names no place for tokens"))?;
        if self.scheme == "https" && url.scheme() != "https" {
            return Err(denied("unauthorized: the registry wants the password in the clear"));
        }
        url.query_pairs_mut().extend_pairs(service.map(|service| ("service", service)));
        url.query_pairs_mut().append_pair("scope", &format!("repository:{}:pull", self.reference.repository));
        let mut request = self.http.get(url);
        if let Some(auth) = &self.auth {
            request = request.header(AUTHORIZATION, basic(auth));
        }
        let response = request.send().await.map_err(|error| self.broken_off(realm, &error))?;
        if response.status() != StatusCode::OK {
            return Err(self.complaint(realm, response).await);
        }
        let bytes = self.read(realm, response, LARGEST_COMPLAINT).await?;
        let token: Option<Token> = serde_json::from_slice(&bytes).ok();
        token.and_then(|token| token.token.or(token.access_token)).ok_or_else(|| denied("unauthorized: no token in the answer"))
    }

    async fn complaint(&self, url: &str, response: Response) -> Fault {
        let status = response.status().as_u16();
        let body = self.read(url, response, LARGEST_COMPLAINT).await.unwrap_or_default();
        self.fault(url, |asked| Fault::of_answer(asked, status, &body))
    }

    async fn read(&self, url: &str, mut response: Response, largest: u64) -> Answer<Vec<u8>> {
        let mut bytes = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|error| self.broken_off(url, &error))? {
            bytes.extend_from_slice(&piece);
            if bytes.len() as u64 > largest {
                return Err(Fault::lasting(self.unsupported(format!("{url} is too large"))));
            }
        }
        Ok(bytes)
    }

    fn fault(&self, url: &str, of: impl FnOnce(&Asked) -> Fault) -> Fault {
        let (reference, repository) = (self.reference.to_string(), self.reference.familiar_name());
        let with_credentials = self.auth.is_some();
        of(&Asked { reference: &reference, repository: &repository, host: &self.host, url, with_credentials })
    }
}

fn basic(auth: &RegistryAuth) -> String {
    format!("Basic {}", STANDARD.encode(format!("{}:{}", auth.username, auth.password)))
}

fn check(url: &str, expected: &Digest, bytes: &[u8]) -> Answer<()> {
    let actual = Digest::of(bytes);
    if actual == *expected {
        return Ok(());
    }
    Err(Fault::passing(Error::DigestMismatch { what: url.to_owned(), expected: expected.clone(), actual }))
}

/// `bytes 400-1999/2000`
fn starts_at(response: &Response, offset: u64) -> bool {
    let range = response.headers().get(CONTENT_RANGE).and_then(|header| header.to_str().ok());
    range.is_some_and(|range| {
        range.trim_start().strip_prefix("bytes ").is_some_and(|range| range.starts_with(&format!("{offset}-")))
    })
}
