//! Ports for instances that are told theirs.
//!
//! The inference server takes a port number, not a listening socket, so a free one must be found
//! before it starts. They are taken below the ephemeral range: a port from the range itself
//! could become the source of one of the gateway's own connections before the instance binds it.
//! Somebody else may still be faster; whoever starts an instance asks [`is_taken`] when it fails.

use std::io;
use std::net::TcpListener;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// First port that is tried, and how many there are.
const FIRST: u32 = 12_000;
const COUNT: u32 = 20_000;

/// A port that nobody listens on, and that this process did not give out for a long while.
pub(super) fn free() -> io::Result<u16> {
    static NEXT: OnceLock<AtomicU32> = OnceLock::new();
    // Hosts on one machine begin at different places.
    let next = NEXT.get_or_init(|| AtomicU32::new(std::process::id().wrapping_mul(7919)));
    for _ in 0..COUNT {
        let step = next.fetch_add(1, Ordering::Relaxed);
        let port = (FIRST + step % COUNT) as u16;
        if !is_taken(port) {
            return Ok(port);
        }
    }
    Err(io::Error::other("no port between 12000 and 31999 is free"))
}

/// Whether somebody listens on the port, on any address: the inference server binds all of them.
pub(super) fn is_taken(port: u16) -> bool {
    TcpListener::bind(("0.0.0.0", port)).is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_given_out_once_and_not_if_it_is_taken() {
        let first = free().unwrap();
        let second = free().unwrap();
        assert_ne!(first, second);
        let held = TcpListener::bind(("127.0.0.1", second)).unwrap();
        assert!(is_taken(second));
        drop(held);
        assert!(!is_taken(second));
    }
}
