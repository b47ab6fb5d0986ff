//! TLS settings of all connections: this machine's CA certificates (or a named file's), read once.
//!
//! Sessions are resumed as rustls does by default; ALPN offers HTTP/1.1 only, which is what the
//! connections speak.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio_rustls::TlsConnector;

use super::TlsOptions;
use crate::Error;

pub(super) fn connector(options: &TlsOptions) -> Result<TlsConnector, Error> {
    let roots = match &options.ca_file {
        Some(path) => from_file(path)?,
        None => from_machine()?,
    };
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has cipher suites for TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

fn from_file(path: &Path) -> Result<RootCertStore, Error> {
    let error = |reason: String| Error::CaFile { path: path.to_owned(), reason };
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(path).map_err(|e| error(e.to_string()))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|e| error(e.to_string()))?;
        roots.add(certificate).map_err(|e| error(e.to_string()))?;
    }
    if roots.is_empty() {
        return Err(error("it holds no certificate in PEM form".to_owned()));
    }
    Ok(roots)
}

fn from_machine() -> Result<RootCertStore, Error> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // A bundle may hold certificates that are of no use to us; the others count.
    let (added, _unusable) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        let reason = found.errors.first().map_or_else(|| "none".to_owned(), ToString::to_string);
        return Err(Error::NoCaBundle { reason });
    }
    Ok(roots)
}
