//! What is asked of an instance: a caller's request over a leased connection, and the probe.

use std::error::Error as _;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{Empty, LengthLimitError};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::{Request, Response, StatusCode};

use super::connection::{Connection, Sent};
use super::pool::Lease;

/// Why an instance gave no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// It was never reached, so another instance may be asked: here is the request again.
    NotSent(Box<Request<Sent>>),
    /// It broke off, perhaps in the middle of its work.
    Broken,
    /// The caller's body was longer than the gateway's limit, and was broken off there.
    TooLarge,
}

impl Failure {
    fn of(mut error: TrySendError<Request<Sent>>) -> Self {
        match error.take_message() {
            Some(request) => Self::NotSent(Box::new(request)),
            None if is_too_large(error.error()) => Self::TooLarge,
            None => Self::Broken,
        }
    }
}

/// Whether the body's limit is among the causes.
fn is_too_large(error: &hyper::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.is::<LengthLimitError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Sends a request over the lease's connection, or a new one.
pub(super) async fn send(
    lease: &mut Lease,
    mut request: Request<Sent>,
) -> Result<Response<Incoming>, Failure> {
    if let Some(mut kept) = lease.connection.take()
        && kept.is_still_open().await
    {
        lease.clean = false;
        match kept.ask(request).await {
            Ok(response) => {
                lease.connection = Some(kept);
                return Ok(response);
            }
            // The instance closed the kept connection first: nothing was sent.
            Err(error) => match Failure::of(error) {
                Failure::NotSent(again) => request = *again,
                failure => return Err(failure),
            },
        }
    }
    let Ok(mut fresh) = Connection::open(lease.address).await else {
        return Err(Failure::NotSent(Box::new(request)));
    };
    lease.clean = false;
    match fresh.ask(request).await {
        Ok(response) => {
            lease.connection = Some(fresh);
            Ok(response)
        }
        Err(error) => Err(Failure::of(error)),
    }
}

/// Asks `GET /`, as both probes do: 200 in time is well, anything else the error says.
pub(super) async fn probe(address: SocketAddr, timeout: Duration) -> Result<(), String> {
    let ask = async {
        let mut connection = Connection::<Empty<Bytes>>::open(address).await?;
        let request = Request::get("/")
            .header("host", "localhost")
            .header("connection", "close")
            .body(Empty::new())
            .map_err(io::Error::other)?;
        connection.ask(request).await.map_err(|error| io::Error::other(error.into_error()))
    };
    match tokio::time::timeout(timeout, ask).await {
        Ok(Ok(answer)) if answer.status() == StatusCode::OK => Ok(()),
        Ok(Ok(answer)) => Err(format!("was answered with status {}", answer.status().as_u16())),
        Ok(Err(error)) => Err(format!("failed ({error})")),
        Err(_) => Err(format!("had no answer within {timeout:?}")),
    }
}
