//! TLS settings of all connections: this machine's CA certificates and besides them those of a named
//! file, read once.
//!
//! Sessions are resumed as rustls does by default; ALPN offers HTTP/1.1 only, which is what the
//! connections speak.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio_rustls::TlsConnector;

use super::TlsOptions;
use crate::Error;

mod verify;

pub(super) fn connector(options: &TlsOptions) -> Result<TlsConnector, Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = if options.insecure {
        Arc::new(verify::Nothing(provider.signature_verification_algorithms))
    } else {
        let given = options.ca_file.as_deref().map(in_file).transpose()?.unwrap_or_default();
        let roots = Arc::new(trusted(&given, options.ca_file.as_deref())?);
        let chain = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider));
        let chain = chain.build().expect("there are roots, and no revocation lists");
        Arc::new(verify::ChainOrGiven { chain, given })
    };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has cipher suites for TLS 1.2 and 1.3")
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

/// The certificates in a PEM file: at least one.
fn in_file(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let error = |reason: String| Error::CaFile { path: path.to_owned(), reason };
    let found = CertificateDer::pem_file_iter(path).map_err(|e| error(e.to_string()))?;
    let found: Result<Vec<_>, _> = found.collect();
    let found = found.map_err(|e| error(e.to_string()))?;
    if found.is_empty() {
        return Err(error("it holds no certificate in PEM form".to_owned()));
    }
    Ok(found)
}

/// The machine's CA certificates, and besides them those of the file.
fn trusted(given: &[CertificateDer<'static>], file: Option<&Path>) -> Result<RootCertStore, Error> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // A bundle may hold certificates that are of no use to us; the others count.
    roots.add_parsable_certificates(found.certs);
    for certificate in given {
        roots.add(certificate.clone()).map_err(|error| Error::CaFile {
            path: file.unwrap_or(Path::new("")).to_owned(),
            reason: error.to_string(),
        })?;
    }
    if roots.is_empty() {
        let reason = found.errors.first().map_or_else(|| "none".to_owned(), ToString::to_string);
        return Err(Error::NoCaBundle { reason });
    }
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_trusted_besides_what_the_machine_trusts() {
        let Ok(machine) = trusted(&[], None) else {
            return println!("skipped: needs a machine with CA certificates");
        };
        let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let both = trusted(&[own.cert.der().clone()], None).unwrap();
        assert_eq!(both.len(), machine.len() + 1);
    }
}
