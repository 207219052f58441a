//! From a name to the manifest and configuration for this machine, asking mirrors first.

use super::fault::Fault;
use super::registry::Registry;
use super::{Event, Pull};
use crate::digest::Digest;
use crate::document::{Configuration, Document, Manifest};
use crate::error::{Error, Result};
use crate::names::Record;
use crate::platform::choose;
use std::sync::Arc;
use workload::RegistryAuth;

const DEEPEST_INDEX: usize = 4;

pub enum Resolved {
    /// What is here is what the registry has.
    Known(Arc<Record>),
    Image(Box<Remote>),
}

pub struct Remote {
    /// Of what the name led to.
    pub digest: Digest,
    pub manifest: Manifest,
    pub manifest_bytes: Vec<u8>,
    pub configuration: Configuration,
    pub configuration_bytes: Vec<u8>,
}

struct Host {
    name: String,
    /// Not a mirror.
    is_own: bool,
}

impl Pull {
    pub async fn resolve(&self, auth: Option<&RegistryAuth>) -> Result<(Registry, Resolved)> {
        let mut last = None;
        for host in self.hosts()? {
            // What was given for the registry is not for its mirrors.
            let auth = auth.filter(|_| host.is_own);
            match self.resolve_at(&host.name, auth).await {
                Ok(resolved) => return Ok(resolved),
                Err(error) => {
                    tracing::debug!(host = host.name, %error, reference = %self.reference, "cannot resolve");
                    last = Some(error);
                }
            }
        }
        Err(last.unwrap_or_else(|| Error::NoRegistry(self.reference.to_string())))
    }

    /// The registry itself comes last: its error is the one that is told.
    fn hosts(&self) -> Result<Vec<Host>> {
        let config = &self.store.config;
        let registry = self.reference.registry.clone().or_else(|| config.default_registry.clone());
        let registry = registry.ok_or_else(|| Error::NoRegistry(self.reference.to_string()))?;
        let mirrors = config.mirrors.get(&registry).into_iter().flatten();
        let mirrors = mirrors.map(|mirror| Host { name: mirror.clone(), is_own: false });
        Ok(mirrors.chain([Host { name: registry.clone(), is_own: true }]).collect())
    }

    async fn resolve_at(&self, host: &str, auth: Option<&RegistryAuth>) -> Result<(Registry, Resolved)> {
        let registry = Registry::new(&self.store.clients, &self.store.config, host, &self.reference, auth)?;
        let mut failed = 0;
        loop {
            let fault = match self.ask(&registry).await {
                Ok(resolved) => return Ok((registry, resolved)),
                Err(fault) => fault,
            };
            failed += 1;
            let Some(pause) = self.attempts.pause(failed).filter(|_| fault.passing) else {
                return Err(fault.error);
            };
            self.progress.tell(&Event::Retrying { reason: fault.error.to_string() });
            tokio::time::sleep(pause).await;
        }
    }

    async fn ask(&self, registry: &Registry) -> std::result::Result<Resolved, Fault> {
        let mut bytes = registry.manifest(self.reference.digest.as_ref()).await?;
        let digest = Digest::of(&bytes);
        if let Some(known) = self.known.as_ref().filter(|known| known.digest == digest) {
            return Ok(Resolved::Known(known.clone()));
        }
        let name = self.reference.to_string();
        for _ in 0..DEEPEST_INDEX {
            let index = match Document::parse(&name, &bytes).map_err(Fault::lasting)? {
                Document::Index(index) => index,
                Document::Manifest(manifest) => return self.configured(registry, digest, manifest, bytes).await,
            };
            let platform = &self.store.config.platform;
            let chosen = choose(platform, &index.manifests).ok_or_else(|| {
                Fault::lasting(Error::NoMatchingPlatform { platform: platform.to_string(), reference: name.clone() })
            })?;
            bytes = registry.manifest(Some(&chosen.digest)).await?;
        }
        Err(Fault::lasting(registry.unsupported("lists of lists of lists".to_owned())))
    }

    async fn configured(
        &self,
        registry: &Registry,
        digest: Digest,
        manifest: Manifest,
        manifest_bytes: Vec<u8>,
    ) -> std::result::Result<Resolved, Fault> {
        let configuration_bytes = registry.blob(&manifest.config).await?;
        let parsed = Configuration::parse(&self.reference.to_string(), &configuration_bytes, manifest.layers.len());
        let configuration = parsed.map_err(Fault::lasting)?;
        Ok(Resolved::Image(Box::new(Remote { digest, manifest, manifest_bytes, configuration, configuration_bytes })))
    }
}
