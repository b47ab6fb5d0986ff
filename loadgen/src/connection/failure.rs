//! Why a connection failed, in the words of the results.

use std::error::Error as StdError;
use std::io;

use nix::errno::Errno;
use plimsoll_domain::causes::causes;
use plimsoll_domain::{Class, with_causes};

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
        Self::new(Class::Tls, with_causes(error))
    }

    /// The exchange failed on an open connection.
    pub(super) fn exchange(error: &hyper::Error) -> Self {
        let io = causes(error).find_map(|cause| cause.downcast_ref::<io::Error>());
        let is_tls = io
            .and_then(io::Error::get_ref)
            .is_some_and(<dyn StdError + Send + Sync>::is::<rustls::Error>);
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
