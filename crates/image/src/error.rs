//! Why an image cannot be had. The text of an error is what stands behind `CannotPullContainerError: ` in a stoppedReason,
//! worded as ECS words it ("Task stopped error messages: CannotPullContainer"). Clonable, since one pull may have many waiters.

use crate::digest::Digest;
use std::io;
use std::path::Path;

pub type Result<T> = std::result::Result<T, Error>;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("invalid reference format: {0:?}: {1}")]
    InvalidReference(String, &'static str),

    #[error(
        "The task can’t pull the image. Check whether the image exists. \
         No such image: {0}: it is not loaded on this node, and no default registry is configured to pull it from"
    )]
    NoRegistry(String),

    #[error(
        "The task can’t pull the image. Check whether the image exists. Error response from daemon: pull access denied for \
         {repository}, repository does not exist or may require 'docker login': {detail}"
    )]
    Denied { repository: String, detail: String },

    #[error(
        "The task can’t pull the image. Check whether the image exists. Error response from daemon: \
         manifest for {reference} not found: manifest unknown: {detail}"
    )]
    ManifestUnknown { reference: String, detail: String },

    #[error(
        "The task can’t pull the image. Check whether the image exists. Error response from daemon: \
         repository {repository} not found: name unknown: {detail}"
    )]
    RepositoryUnknown { repository: String, detail: String },

    #[error(
        "The task cannot pull {reference} from the registry {registry}. There is a connection issue between the task and the \
         registry. Check your task network configuration. : failed to do request: Get {url}: {detail}"
    )]
    Unreachable { reference: String, registry: String, url: String, detail: String },

    #[error("ERROR: toomanyrequests: {0}")]
    TooManyRequests(String),

    #[error("Error response from daemon: {registry} answered {status} to {url}: {detail}")]
    Registry { registry: String, url: String, status: u16, detail: String },

    #[error("no matching manifest for {platform} in the manifest list entries of {reference}")]
    NoMatchingPlatform { platform: String, reference: String },

    #[error("{reference}: unsupported manifest: {reason}")]
    UnsupportedManifest { reference: String, reason: String },

    #[error("{what}: expected {expected}, got {actual}")]
    DigestMismatch { what: String, expected: Digest, actual: Digest },

    #[error("failed to register layer: {layer}: {reason}")]
    BadLayer { layer: String, reason: String },

    #[error("{archive}: {reason}")]
    BadArchive { archive: String, reason: String },

    #[error("write {0}: no space left on device")]
    NoSpace(String),

    #[error("{context}: {reason}")]
    Io { context: String, reason: String },

    #[error("pull of {0} was cancelled")]
    Cancelled(String),
}

impl Error {
    pub fn io(context: impl Into<String>, error: &io::Error) -> Error {
        let context = context.into();
        if is_full(error) { Error::NoSpace(context) } else { Error::Io { context, reason: error.to_string() } }
    }

    pub(crate) fn archive(archive: &Path, reason: impl ToString) -> Error {
        Error::BadArchive { archive: archive.display().to_string(), reason: reason.to_string() }
    }
}

pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Names what was being done when the disk answered with an error.
pub(crate) trait Context<T> {
    fn context(self, what: impl std::fmt::Display) -> Result<T>;
}

impl<T> Context<T> for io::Result<T> {
    fn context(self, what: impl std::fmt::Display) -> Result<T> {
        self.map_err(|error| Error::io(what.to_string(), &error))
    }
}

impl<T> Context<T> for nix::Result<T> {
    fn context(self, what: impl std::fmt::Display) -> Result<T> {
        self.map_err(io::Error::from).context(what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_says_so_in_dockers_words() {
        for errno in [nix::errno::Errno::ENOSPC, nix::errno::Errno::EDQUOT] {
            let error = Err::<(), _>(errno).context("/data/x").unwrap_err();
            assert_eq!(error.to_string(), "write /data/x: no space left on device");
        }
    }
}
