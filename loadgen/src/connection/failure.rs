//! Why a connection failed, in the words of the results.

use std::error::Error as StdError;
use std::io;

use nix::errno::Errno;
use plimsoll_domain::causes::causes;
use plimsoll_domain::{Transport, with_causes};

/// A failed connection.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: Transport,
    /// The error with its causes.
    pub(crate) message: String,
    /// Whether it failed because this machine had no socket, port or descriptor left.
    pub(crate) exhausted: bool,
}

impl Failure {
    pub(super) fn new(kind: Transport, message: String) -> Self {
        Self { kind, message, exhausted: false }
    }

    /// The TCP connection could not be made.
    pub(super) fn connect(error: &io::Error) -> Self {
        let errno = error.raw_os_error().map(Errno::from_raw);
        let exhausted = matches!(
            errno,
            Some(
                Errno::EMFILE
                    | Errno::ENFILE
                    | Errno::EADDRNOTAVAIL
                    | Errno::ENOBUFS
                    | Errno::ENOMEM
                    | Errno::EAGAIN
            )
        );
        Self { exhausted, ..Self::new(Transport::Connect, with_causes(error)) }
    }

    /// The TLS handshake failed.
    pub(super) fn tls(error: &io::Error) -> Self {
        Self::new(Transport::Tls, with_causes(error))
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
        let kind = if is_tls {
            Transport::Tls
        } else if error.is_parse() || is_nonsense {
            Transport::Protocol
        } else {
            Transport::Closed
        };
        Self::new(kind, with_causes(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn running_out_of_ports_is_told_apart_from_being_refused() {
        let of = |errno: Errno| Failure::connect(&io::Error::from_raw_os_error(errno as i32));
        assert!(of(Errno::EADDRNOTAVAIL).exhausted && of(Errno::EMFILE).exhausted);
        assert!(!of(Errno::ECONNREFUSED).exhausted);
        assert!(of(Errno::ECONNREFUSED).message.contains("refused"));
    }
}
