//! Whom to trust about who a registry is: the machine's authorities, or, on machines that have none, Mozilla's.

use crate::error::{Error, Result};
use reqwest::Certificate;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::path::{Path, PathBuf};
use std::sync::Once;

#[derive(Default)]
pub struct Roots {
    /// Beside the machine's own.
    pub extra: Vec<Certificate>,
    /// Instead of the machine's own, if it has any here.
    pub only: Vec<Certificate>,
}

pub fn roots(configured: &[PathBuf]) -> Result<Roots> {
    install_provider();
    let mut extra = Vec::new();
    for path in configured {
        for from in read(path)? {
            extra.push(certificate(path, &from)?);
        }
    }
    if !rustls_native_certs::load_native_certs().certs.is_empty() {
        return Ok(Roots { extra, only: Vec::new() });
    }
    let mozillas = Path::new("Mozilla's authorities");
    let only = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().map(|from| certificate(mozillas, from));
    let only = only.chain(extra.into_iter().map(Ok)).collect::<Result<Vec<Certificate>>>()?;
    Ok(Roots { only, extra: Vec::new() })
}

fn read(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let certificates = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    certificates.map_err(|error| Error::Io { context: path.display().to_string(), reason: error.to_string() })
}

fn certificate(path: &Path, from: &CertificateDer<'_>) -> Result<Certificate> {
    let invalid = |error: reqwest::Error| Error::Io { context: path.display().to_string(), reason: error.to_string() };
    Certificate::from_der(from).map_err(invalid)
}

/// The HTTP client takes the process's provider of cryptography. Somebody else's choice is as good.
fn install_provider() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}
