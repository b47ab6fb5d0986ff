//! The TCP connection to one of a target's addresses, as RFC 8305 has it ("happy eyeballs"): they
//! are tried in their order, the next one as soon as one refuses, or has been silent for
//! [`PATIENCE`] while the attempts before go on; the first that connects is taken.
//!
//! The order begins with the address that worked last. So a worker stays with one address while
//! that works, and a silent one costs [`PATIENCE`] once. Which addresses a run has used is in its
//! results.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// RFC 8305 calls it the connection attempt delay, and recommends this much.
const PATIENCE: Duration = Duration::from_millis(250);

/// Connects to one of these addresses; `last` is the number of the one that worked last.
///
/// # Errors
/// That of the attempt which failed last; it waits as long as one of them may still succeed.
pub(super) async fn connect(
    addresses: &[SocketAddr],
    last: &Cell<usize>,
) -> io::Result<(SocketAddr, TcpStream)> {
    let (index, tcp) = match addresses {
        [only] => (0, TcpStream::connect(only).await?),
        _ => race(addresses, last.get()).await?,
    };
    last.set(index);
    tcp.set_nodelay(true)?;
    Ok((addresses[index], tcp))
}

async fn race(addresses: &[SocketAddr], first: usize) -> io::Result<(usize, TcpStream)> {
    let mut left = (0..addresses.len()).map(|step| (first + step) % addresses.len()).peekable();
    let mut attempts = JoinSet::new();
    let mut failed = io::Error::other("the target has no address");
    loop {
        if let Some(index) = left.next() {
            let address = addresses[index];
            attempts.spawn(async move { (index, TcpStream::connect(address).await) });
        }
        let ended = match left.peek() {
            Some(_) => tokio::time::timeout(PATIENCE, attempts.join_next()).await,
            None => Ok(attempts.join_next().await),
        };
        match ended {
            Ok(Some(Ok((index, Ok(tcp))))) => return Ok((index, tcp)),
            Ok(Some(Ok((_, Err(error))))) => failed = error,
            Ok(Some(Err(error))) => failed = io::Error::other(error),
            // All have failed.
            Ok(None) => return Err(failed),
            // Silent so far: it goes on beside the next.
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    /// An address that takes no connection and refuses none: its queue is full.
    async fn silent() -> (SocketAddr, impl Sized) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let mut fill = Vec::new();
        while let Ok(connected) = tokio::time::timeout(PATIENCE, TcpStream::connect(address)).await
        {
            fill.push(connected.unwrap());
        }
        (address, (listener, fill))
    }

    /// An address that refuses.
    async fn refusing() -> SocketAddr {
        TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
    }

    #[tokio::test]
    async fn neither_a_silent_nor_a_refusing_address_keeps_from_the_one_that_works() {
        let (silent, _queue) = silent().await;
        let works = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addresses = [silent, refusing().await, silent, works.local_addr().unwrap()];
        let last = Cell::new(0);
        let (address, tcp) = connect(&addresses, &last).await.unwrap();
        assert_eq!((last.get(), address), (3, addresses[3]));
        assert_eq!(tcp.peer_addr().unwrap(), address);
    }

    #[tokio::test]
    async fn the_address_that_worked_last_is_tried_first_and_one_after_the_other_follows() {
        let both = [
            TcpListener::bind("127.0.0.1:0").await.unwrap(),
            TcpListener::bind("127.0.0.1:0").await.unwrap(),
        ];
        let mut addresses = both.each_ref().map(|listener| listener.local_addr().unwrap());
        let last = Cell::new(1);
        assert!(connect(&addresses, &last).await.is_ok());
        assert_eq!(last.get(), 1);
        addresses[1] = refusing().await;
        assert!(connect(&addresses, &last).await.is_ok());
        assert_eq!(last.get(), 0);
        let none = [refusing().await, refusing().await];
        let error = connect(&none, &Cell::new(1)).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }
}
