//! Why a connection failed, in the words of the results.

use std::error::Error as StdError;
use std::io;

use nix::errno::Errno;
use plimsoll_domain::causes::causes;
use plimsoll_domain::{Class, with_causes};
use rustls::{CertificateError, Error as TlsError};

/// A failed connection.
#[derive(Debug)]
pub(crate) struct Failure {
    /// [`Class::ClientFault`] if this machine had nothing left to make it with, else how it failed.
    pub(crate) class: Class,
    /// The error with its causes.
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(class: Class, message: String) -> Self {
        Self { class, message }
    }

    /// The TCP connection could not be made.
    pub(super) fn connect(error: &io::Error) -> Self {
        let class = if is_exhaustion(error) { Class::ClientFault } else { Class::Connect };
        Self::new(class, with_causes(error))
    }

    /// The TLS handshake failed.
    pub(super) fn tls(error: &io::Error) -> Self {
        let tls = error.get_ref().and_then(|error| error.downcast_ref());
        let message = match tls.and_then(words) {
            Some(words) => words,
            None if error.kind() == io::ErrorKind::UnexpectedEof => {
                "the server closed the connection in the TLS handshake: is it http, not https?"
                    .to_owned()
            }
            None => with_causes(error),
        };
        Self::new(Class::Tls, message)
    }

    /// The exchange failed on an open connection.
    pub(super) fn exchange(error: &hyper::Error) -> Self {
        let io = causes(error).find_map(|cause| cause.downcast_ref::<io::Error>());
        let is_tls = io
            .and_then(io::Error::get_ref)
            .is_some_and(<dyn StdError + Send + Sync>::is::<TlsError>);
        let is_nonsense = io.is_some_and(|io| {
            matches!(io.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput)
        });
        let class = if io.is_some_and(is_exhaustion) {
            Class::ClientFault
        } else if is_tls {
            Class::Tls
        } else if error.is_parse() || is_nonsense {
            Class::Protocol
        } else {
            Class::Closed
        };
        Self::new(class, with_causes(error))
    }
}

/// Why a handshake failed and what to do, where the library speaks to programmers.
fn words(error: &TlsError) -> Option<String> {
    match error {
        TlsError::InvalidCertificate(error) => Some(certificate(error)),
        TlsError::InvalidMessage(_) => {
            Some("the server does not speak TLS at this port: is it http, not https?".to_owned())
        }
        TlsError::AlertReceived(alert) => {
            Some(format!("the server broke off the TLS handshake ({alert:?})"))
        }
        _ => None,
    }
}

fn certificate(error: &CertificateError) -> String {
    let why = match error {
        // A bad signature is one of another authority of the same name.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "was signed by nobody that is trusted: give its authority's certificate with --ca-file \
             (`ca_file` in a scenario)"
        }
        // Above all a certificate that is its own authority, for which rustls has no error.
        CertificateError::Other(_) => {
            "is its own authority, or not one for a server: if it is the right one, give it with \
             --ca-file (`ca_file` in a scenario)"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "has expired (or this machine's clock is wrong)"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "is not valid yet (or this machine's clock is wrong)"
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            // `DnsName("example.com")`, as a rule.
            let others = presented.iter().map(|name| name.split('"').nth(1).unwrap_or(name));
            let (name, others) = (expected.to_str(), others.collect::<Vec<_>>().join(", "));
            return format!("the server's certificate is not for `{name}`, but for: {others}");
        }
        other => return format!("the server's certificate is not accepted: {other}"),
    };
    format!("the server's certificate {why}")
}

/// Whether this machine had no socket, port, descriptor or memory left.
fn is_exhaustion(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(
        errno,
        Some(
            Errno::EMFILE
                | Errno::ENFILE
                | Errno::EADDRNOTAVAIL
                | Errno::ENOBUFS
                | Errno::ENOMEM
                | Errno::EAGAIN
        )
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn running_out_of_ports_is_told_apart_from_being_refused() {
        let of = |errno: Errno| Failure::connect(&io::Error::from_raw_os_error(errno as i32));
        for ours in [Errno::EADDRNOTAVAIL, Errno::EMFILE, Errno::ENFILE, Errno::ENOBUFS] {
            assert_eq!(of(ours).class, Class::ClientFault, "{ours}");
        }
        assert_eq!(of(Errno::ECONNREFUSED).class, Class::Connect);
        assert!(of(Errno::ECONNREFUSED).message.contains("refused"));
    }
}
