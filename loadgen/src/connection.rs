//! One open HTTP/1.1 connection: opening it, one exchange after another, and noticing when its
//! server closes it.
//!
//! The connection's own work (reading, writing, parsing) is polled in the task that waits for the
//! answer, so an answer costs one wake-up; see [`relay`]. A connection that is over is dropped at
//! once: HTTP's client would otherwise keep a request that is queued on it for ever.

use std::cell::Cell;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::HeaderMap;
use hyper_util::rt::TokioIo;
use plimsoll_domain::{Class, Moment};

pub(crate) use answer::Answer;
use connect::connect;
pub(crate) use failure::Failure;
use relay::Relay;
use wire::{Stamp, Stamped, Wire};

use crate::Target;
use crate::request::Outgoing;

mod answer;
mod connect;
mod failure;
mod relay;
#[cfg(test)]
mod tests;
mod wire;

type Driver = http1::Connection<TokioIo<Wire>, Full<Bytes>>;

/// An open connection.
pub(crate) struct Connection {
    address: SocketAddr,
    sender: SendRequest<Full<Bytes>>,
    driver: Option<Pin<Box<Driver>>>,
    stamp: Stamp,
    relay: Relay,
    /// The empty head of the last answer, for the next request.
    spare: HeaderMap,
}

/// How an exchange ended.
#[derive(Debug)]
pub(crate) enum End<Stop> {
    /// With a whole answer.
    Answered(Answer),
    Failed(Failure),
    /// By whoever waits for it.
    Stopped(Stop),
}

/// How far an attempt to open a connection has come: the class of its failure if it is given up.
pub(crate) type Progress = Cell<Class>;

impl Connection {
    /// Opens a connection to one of the target's addresses, first of all to the one that last
    /// worked. It waits as long as it takes.
    pub(crate) async fn open(
        target: &Target,
        last: &Cell<usize>,
        progress: &Progress,
    ) -> Result<Self, Failure> {
        progress.set(Class::Connect);
        let connected = connect(&target.addresses, last).await;
        let (address, tcp) = connected.map_err(|error| Failure::connect(&error))?;
        let stamp = Stamp::default();
        let stream = Stamped::new(tcp, stamp.clone());
        let wire = match &target.tls {
            None => Wire::Plain(stream),
            Some((connector, name)) => {
                progress.set(Class::Tls);
                let shaken = connector.connect(name.clone(), stream).await;
                Wire::Tls(Box::new(shaken.map_err(|error| Failure::tls(&error))?))
            }
        };
        let handshake = http1::Builder::new().writev(false).handshake(TokioIo::new(wire));
        let (sender, driver) = handshake.await.map_err(|error| Failure::exchange(&error))?;
        let driver = Some(Box::pin(driver));
        Ok(Self {
            address,
            sender,
            driver,
            stamp,
            relay: Relay::default(),
            spare: HeaderMap::new(),
        })
    }

    /// Sends a request and waits for the end of its answer, or until `stopped` says so. Calls
    /// `on_sent` when the first bytes of the request have gone to the kernel.
    pub(crate) async fn exchange<Stop>(
        &mut self,
        request: impl FnOnce(HeaderMap) -> Outgoing,
        mut stopped: impl FnMut() -> Option<Stop>,
        on_sent: impl FnOnce(),
    ) -> End<Stop> {
        let Self { sender, driver, stamp, relay, spare, .. } = self;
        stamp.clear();
        let sending = relay.quietly(|| sender.send_request(request(std::mem::take(spare))));
        let mut answer = pin!(Some(answer::whole(sending)));
        let mut on_sent = Some(on_sent);
        let end = poll_fn(|cx| {
            if let Some(stop) = stopped() {
                return Poll::Ready(End::Stopped(stop));
            }
            relay.poll(cx, |cx| {
                drive(driver, relay, stamp, cx);
                if stamp.sent().is_some()
                    && let Some(on_sent) = on_sent.take()
                {
                    on_sent();
                }
                let answer = answer.as_mut().as_pin_mut().expect("it is polled until it is ready");
                // Only the connection's work wakes it, and is followed by a look at it anyway.
                Poll::Ready(match ready!(answer.poll(&mut Context::from_waker(Waker::noop()))) {
                    Ok((answer, head)) => {
                        *spare = head;
                        End::Answered(answer)
                    }
                    Err(error) => End::Failed(Failure::exchange(&error)),
                })
            })
        })
        .await;
        relay.quietly(|| answer.set(None));
        end
    }

    /// Where it leads.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// When the first bytes of the last request went to the kernel, if any did.
    pub(crate) fn sent(&self) -> Option<Moment> {
        self.stamp.sent()
    }

    /// Whether another request can be sent; `false` if never again. A server that closes after its
    /// answer is no failure.
    pub(crate) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let Self { driver, sender, relay, stamp, .. } = self;
        // As a rule it is, since its work was last done; whoever polls it next sees what has come
        // of it since.
        if driver.is_some() && sender.is_ready() {
            return Poll::Ready(true);
        }
        relay.poll(cx, |cx| {
            if drive(driver, relay, stamp, cx) {
                sender.poll_ready(cx).map(|ready| ready.is_ok())
            } else {
                Poll::Ready(false)
            }
        })
    }

    /// Whether the server has closed the connection, which is idle.
    pub(crate) fn is_closed(&mut self, cx: &mut Context<'_>) -> bool {
        if self.relay.was_woken() {
            let Self { driver, relay, stamp, .. } = self;
            let _ = relay.poll(cx, |cx| {
                if drive(driver, relay, stamp, cx) { Poll::Pending } else { Poll::Ready(()) }
            });
        }
        self.driver.is_none()
    }
}

/// Does the connection's work; whether there is more to come.
fn drive(
    driver: &mut Option<Pin<Box<Driver>>>,
    relay: &Relay,
    stamp: &Stamp,
    cx: &mut Context<'_>,
) -> bool {
    if relay.was_stirred() {
        stamp.stirred();
    }
    if driver.as_mut().is_some_and(|driver| driver.as_mut().poll(cx).is_ready()) {
        *driver = None;
    }
    driver.is_some()
}
