//! Whom to trust about who a registry is: the machine's authorities, or, on machines that have none, Mozilla's.

use crate::error::{Error, Result};
use oci_client::client::{Certificate, CertificateEncoding};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::path::PathBuf;
use std::sync::Once;

#[derive(Clone, Default)]
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
        extra.extend(read(path)?.iter().map(certificate));
    }
    if !rustls_native_certs::load_native_certs().certs.is_empty() {
        return Ok(Roots { extra, only: Vec::new() });
    }
    let mozillas = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().map(certificate);
    Ok(Roots { only: mozillas.chain(extra).collect(), extra: Vec::new() })
}

fn read(path: &PathBuf) -> Result<Vec<CertificateDer<'static>>> {
    let certificates = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    certificates.map_err(|error| Error::Io { context: path.display().to_string(), reason: error.to_string() })
}

fn certificate(from: &CertificateDer<'_>) -> Certificate {
    Certificate { encoding: CertificateEncoding::Der, data: from.to_vec() }
}

/// The HTTP client takes the process's provider of cryptography. Somebody else's choice is as good.
fn install_provider() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}
