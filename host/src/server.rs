//! Serves HTTP/1.1 on a listener until it is told to stop, whatever callers do.
//!
//! At its [`Gate`] a connection is let in, or closed at once. A listener has so many *places*. When all are taken, the connection that has been without a request for the
//! longest time is closed for the next one: callers that say nothing, or never end what they began, lock out nobody.
//! If every connection has a request, the next caller waits in the listener's backlog. A connection without a whole
//! request head for a minute is closed, and so is one whose caller reads nothing of its answer for a minute.

mod patient;
mod places;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use plimsoll_domain::clock;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::gate::{Entered, Gate};
use patient::Patient;
use places::{Place, Places};

/// After the stop, connections may finish the answer that they are in.
const LINGER: Duration = Duration::from_secs(1);

/// For the head of a request, from the start of the connection or the end of the last answer.
const HEAD_TIME: Duration = Duration::from_mins(1);

/// For a caller to read on, once no more of its answer can be sent.
const READ_TIME: Duration = Duration::from_mins(1);

/// Between tries to accept a connection, after the first failure and at most.
const PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Between two messages about connections that could not be accepted.
const SAY_EVERY: Duration = Duration::from_secs(10);

/// Accepts connections that `gate` lets in, as many as there are `places` at a time, and answers their requests with
/// `answer`.
pub(super) async fn serve<A, F, B>(
    listener: TcpListener,
    gate: Arc<Gate>,
    tls: Option<TlsAcceptor>,
    places: usize,
    stop: CancellationToken,
    tasks: TaskTracker,
    answer: A,
) where
    A: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let places = Places::new(places, HEAD_TIME, stop.clone());
    let mut closing_silent = std::pin::pin!(places.close_silent());
    let next = async |failures: &mut Failures| loop {
        let stream = accept(&listener, &places, failures).await;
        // One that is not let in is closed.
        if let Some(entered) = gate.enter() {
            return (stream, Seated { place: places.take().await, entered });
        }
    };
    let mut failures = Failures::default();
    loop {
        let (stream, seat) = tokio::select! {
            () = stop.cancelled() => return,
            never = closing_silent.as_mut() => never,
            next = next(&mut failures) => next,
        };
        let _ = stream.set_nodelay(true);
        let (tls, stop, answer) = (tls.clone(), stop.clone(), answer.clone());
        tasks.spawn(async move {
            let Some(tls) = tls else {
                return converse(Either::Left(stream), seat, stop, answer).await;
            };
            let greeted = tokio::select! {
                greeted = tokio::time::timeout(HEAD_TIME, tls.accept(stream)) => greeted,
                () = seat.place.given_up() => return,
            };
            // One that does not trust us, or is too slow, is its own business.
            if let Ok(Ok(stream)) = greeted {
                converse(Either::Right(Box::new(stream)), seat, stop, answer).await;
            }
        });
    }
}

/// A connection, encrypted or not: one type, so that what serves it is compiled once.
type Stream = Either<TcpStream, Box<TlsStream<TcpStream>>>;

/// A connection's place, and its being inside.
struct Seated {
    place: Place,
    entered: Entered,
}

/// One connection, to its end.
async fn converse<A, F, B>(stream: Stream, seat: Seated, stop: CancellationToken, answer: A)
where
    A: Fn(Request<Incoming>) -> F,
    F: Future<Output = Response<B>>,
    B: Body + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let Seated { place, entered } = seat;
    let service = service_fn(|request| {
        let request_under_way = place.busy();
        let answering = answer(request);
        async move {
            let answer = answering.await;
            Ok::<_, Infallible>(answer.map(|body| request_under_way.with(body)))
        }
    });
    let mut http = http1::Builder::new();
    // The places see to it that no connection is silent for too long.
    http.header_read_timeout(None);
    // Head and body in one piece, as to the instances.
    http.writev(false);
    let stream = TokioIo::new(Patient::new(stream, entered.gate(), READ_TIME));
    let mut connection = std::pin::pin!(http.serve_connection(stream, service));
    tokio::select! {
        biased;
        // A caller that breaks off is the caller's business.
        _ = connection.as_mut() => return,
        () = place.given_up() => {}
    }
    if !stop.is_cancelled() {
        return;
    }
    connection.as_mut().graceful_shutdown();
    let _ = tokio::time::timeout(LINGER, connection).await;
}

/// The next connection. Out of descriptors, a place is given up for it.
async fn accept(listener: &TcpListener, places: &Places, failures: &mut Failures) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                failures.pause = Duration::ZERO;
                return stream;
            }
            Err(error) => {
                places.give_one_up();
                tokio::time::sleep(failures.after(&error, clock::now())).await;
            }
        }
    }
}

/// Connections that could not be accepted: counted, and told of now and then.
#[derive(Debug, Default)]
struct Failures {
    unsaid: u64,
    said: Option<clock::Moment>,
    pause: Duration,
}

impl Failures {
    /// Counts one, and returns the pause until the next try.
    fn after(&mut self, error: &std::io::Error, now: clock::Moment) -> Duration {
        self.unsaid += 1;
        if self.said.is_none_or(|said| now.since(said) >= SAY_EVERY) {
            let failures = self.unsaid;
            tracing::warn!(%error, failures, "connections could not be accepted");
            (self.unsaid, self.said) = (0, Some(now));
        }
        self.pause = (2 * self.pause).clamp(PAUSE, LONGEST_PAUSE);
        self.pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_counted_told_of_now_and_then_and_tried_ever_more_slowly() {
        let error = std::io::Error::other("too many open files");
        let mut failures = Failures::default();
        let start = clock::now();
        let mut now = start;
        let mut tries = 0;
        while now.since(start) < SAY_EVERY {
            now = now + failures.after(&error, now);
            tries += 1;
        }
        assert!(tries < 20, "{tries} tries in ten seconds");
        assert_eq!(failures.unsaid, tries - 1, "the first is told of at once");
        failures.after(&error, now);
        assert_eq!(failures.unsaid, 0);
    }
}
