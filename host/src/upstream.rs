//! What is asked of an instance: a caller's request over a leased connection, and the probe.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};

use super::connection::connect;
use super::pool::Lease;

/// Why an instance gave no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// It was never reached, so another instance may be asked: here is the request again.
    NotSent(Box<Request<Incoming>>),
    /// It broke off, perhaps in the middle of its work.
    Broken,
}

/// Sends a request over the lease's connection, or a new one.
pub(super) async fn send(
    lease: &mut Lease,
    mut request: Request<Incoming>,
) -> Result<Response<Incoming>, Failure> {
    if let Some(mut kept) = lease.connection.take()
        && kept.ready().await.is_ok()
    {
        lease.clean = false;
        match kept.try_send_request(request).await {
            Ok(response) => {
                lease.connection = Some(kept);
                return Ok(response);
            }
            // The instance closed the kept connection first: nothing was sent.
            Err(mut error) => request = error.take_message().ok_or(Failure::Broken)?,
        }
    }
    let Ok(mut fresh) = connect(lease.address).await else {
        return Err(Failure::NotSent(Box::new(request)));
    };
    lease.clean = false;
    match fresh.try_send_request(request).await {
        Ok(response) => {
            lease.connection = Some(fresh);
            Ok(response)
        }
        Err(mut error) => match error.take_message() {
            Some(request) => Err(Failure::NotSent(Box::new(request))),
            None => Err(Failure::Broken),
        },
    }
}

/// Whether `GET /` is answered with 200 in time: what both probes ask.
pub(super) async fn probe(address: SocketAddr, timeout: Duration) -> bool {
    let ask = async {
        let mut connection = connect::<Empty<Bytes>>(address).await?;
        let request = Request::get("/")
            .header("host", "localhost")
            .header("connection", "close")
            .body(Empty::new())
            .map_err(io::Error::other)?;
        connection.send_request(request).await.map_err(io::Error::other)
    };
    matches!(tokio::time::timeout(timeout, ask).await, Ok(Ok(answer)) if answer.status() == StatusCode::OK)
}
