//! Why nothing can be exported. Each says what to do about it.

use std::error::Error as StdError;
use std::io;

use plimsoll_domain::causes::causes;
use plimsoll_domain::with_causes;
use tokio_rustls::rustls::{CertificateError, Error as TlsError};

/// Why nothing can be exported.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A flag or a variable has a value that cannot be used.
    #[error("{name}: {problem}; {remedy}")]
    Setting {
        /// The flag or the variable.
        name: String,
        /// What is wrong.
        problem: String,
        /// What to do about it.
        remedy: String,
    },
    /// The file with the certificates to trust cannot be read.
    #[error("{name}: cannot read `{file}` ({source}); name a readable PEM file")]
    Certificate {
        /// The variable.
        name: String,
        /// The file that it names.
        file: String,
        /// Why not.
        source: io::Error,
    },
    /// No encrypted connection can be set up.
    #[error("cannot set up TLS for {endpoint}: {source}; check OTEL_EXPORTER_OTLP_CERTIFICATE")]
    Tls {
        /// The receiver.
        endpoint: String,
        /// Why not.
        source: io::Error,
    },
    /// The exporter's thread or its runtime cannot be started.
    #[error("cannot start the thread that exports: {0}; check the limits on threads and files")]
    Thread(#[source] io::Error),
}

/// Why a call failed: where TLS did, whose library speaks to programmers, with what to do.
pub(super) fn in_words(error: &(dyn StdError + 'static)) -> String {
    let tls = causes(error).find_map(|cause| {
        let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        inner.and_then(|inner| inner.downcast_ref::<TlsError>())
    });
    match tls {
        Some(TlsError::InvalidCertificate(
            CertificateError::UnknownIssuer
            | CertificateError::BadSignature
            // Above all a certificate that is its own authority.
            | CertificateError::Other(_),
        )) => {
            "its certificate was signed by nobody that is trusted: name the file with its \
             authority's in OTEL_EXPORTER_OTLP_CERTIFICATE"
                .to_owned()
        }
        Some(TlsError::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        )) => "its certificate has expired (or this machine's clock is wrong)".to_owned(),
        Some(TlsError::InvalidMessage(_)) => {
            "it does not speak TLS at this port: is it http, not https?".to_owned()
        }
        _ => with_causes(error),
    }
}

impl Error {
    pub(super) fn setting(name: &str, problem: &str, remedy: &str) -> Self {
        let [name, problem, remedy] = [name, problem, remedy].map(str::to_owned);
        Self::Setting { name, problem, remedy }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_that_is_not_trusted_is_told_in_our_words() {
        let told = |error: TlsError| {
            let error = io::Error::new(io::ErrorKind::InvalidData, error);
            in_words(&Error::Thread(error))
        };
        let unknown = told(CertificateError::UnknownIssuer.into());
        assert!(unknown.contains("in OTEL_EXPORTER_OTLP_CERTIFICATE"), "{unknown}");
        assert!(!unknown.contains("UnknownIssuer"), "{unknown}");
        assert!(told(CertificateError::Expired.into()).contains("has expired"));
        let other = told(TlsError::DecryptError);
        assert!(
            other.contains("cannot decrypt"),
            "what needs no other words keeps its own: {other}"
        );
    }
}
