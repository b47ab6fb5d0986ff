//! The life of one connection, as one task: it opens, sends request after request, and ends when
//! its server closes it, a request fails on it, or the run is over.
//!
//! After a timeout the connection is closed, because the late answer would be taken for the next
//! request's. An arrival is given back to the pool only if none of it was written and the
//! connection had been idle or in use before: then its server had closed it in the meantime. On a
//! fresh connection the same counts as a failure, so that a server that accepts and closes cannot
//! make us reconnect for ever.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use plimsoll_domain::{Transport, clock};
use tokio::net::TcpStream;

pub(crate) use failure::Failure;
use link::{End, Exchanged, Link};
use wire::{Stamp, Stamped, Wire};

use crate::worker::pool::{Due, Job, Pool, Seat};

mod failure;
mod link;
mod wire;

/// Opens a connection and uses it up.
pub(crate) async fn run(pool: Rc<Pool>, seat: Rc<Seat>) {
    poll_fn(|cx| {
        seat.register(cx.waker());
        Poll::Ready(())
    })
    .await;
    let began = clock::now();
    match unless_aborted(&pool, open(&pool)).await {
        Some(Ok(link)) => {
            pool.connected();
            serve(&pool, &seat, link).await;
        }
        Some(Err(failure)) => pool.connect_failed(began, &failure),
        None => pool.end_connecting(),
    }
    pool.closed(&seat);
}

async fn serve(pool: &Rc<Pool>, seat: &Rc<Seat>, mut link: Link) {
    let mut fresh = true;
    loop {
        let job = match pool.next_job(seat) {
            Job::Park => {
                fresh = false;
                park(pool, seat, &mut link).await
            }
            job => job,
        };
        let Job::Send(due) = job else { return };
        let reusable = send(pool, &mut link, due, fresh).await;
        fresh = false;
        if !reusable || !link.is_ready(pool).await {
            return;
        }
    }
}

/// Waits for a job, while watching whether the server closes.
async fn park(pool: &Rc<Pool>, seat: &Rc<Seat>, link: &mut Link) -> Job {
    poll_fn(|cx| {
        if let Some(job) = seat.take_job() {
            return Poll::Ready(job);
        }
        if pool.is_aborting() || link.poll_over(cx) {
            pool.unpark(seat);
            return Poll::Ready(Job::Close);
        }
        Poll::Pending
    })
    .await
}

/// Sends one arrival's request and records how it ended; whether the connection can be used again.
async fn send(pool: &Rc<Pool>, link: &mut Link, due: Due, fresh: bool) -> bool {
    let taken = clock::now();
    let Exchanged { sent, end } = link.exchange(pool, &due, taken).await;
    let done = clock::now();
    if sent.is_none() {
        match &end {
            End::Aborted => {
                pool.abandon(due);
                return false;
            }
            End::Failed(_) if !fresh && pool.give_back(due) => return false,
            // It was tried, and so it was sent.
            _ => pool.sent(&due),
        }
    }
    let sent = sent.unwrap_or(taken);
    let outcome = end.outcome();
    match end {
        End::Failed(failure) => pool.fail(&due, sent, &failure),
        End::Answered { model_time, .. } => {
            let mut sample = due.ended(sent, done, outcome);
            sample.model_time = model_time;
            pool.finish(&due, &sample);
            return true;
        }
        End::Timeout | End::Aborted => pool.finish(&due, &due.ended(sent, done, outcome)),
    }
    false
}

/// Opens a connection, within the request timeout.
async fn open(pool: &Pool) -> Result<Link, Failure> {
    let timeout = pool.shared.timeout;
    let late = |kind, what| Failure::new(kind, format!("{what} within {timeout:?}"));
    let began = clock::now();
    let tcp = tokio::time::timeout(timeout, connect(pool)).await;
    let tcp = tcp.map_err(|_| late(Transport::Connect, "no connection"))?;
    let tcp = tcp.map_err(|error| Failure::connect(&error))?;
    let stamp = Stamp::default();
    let stream = Stamped::new(tcp, stamp.clone());
    let wire = match &pool.shared.target.tls {
        None => Wire::Plain(stream),
        Some((connector, name)) => {
            let left = timeout.saturating_sub(clock::now().since(began));
            let shaken = tokio::time::timeout(left, connector.connect(name.clone(), stream)).await;
            let shaken = shaken.map_err(|_| late(Transport::Tls, "no TLS handshake"))?;
            Wire::Tls(Box::new(shaken.map_err(|error| Failure::tls(&error))?))
        }
    };
    Link::new(wire, stamp, timeout).await.map_err(|error| Failure::exchange(&error))
}

/// Connects to the address that last worked, or else to the next that does.
async fn connect(pool: &Pool) -> io::Result<TcpStream> {
    let addresses = &pool.shared.target.addresses;
    let first = pool.address.get();
    let mut failed = io::Error::other("the target has no address");
    for index in (0..addresses.len()).map(|step| (first + step) % addresses.len()) {
        match TcpStream::connect(addresses[index]).await {
            Ok(tcp) => {
                pool.address.set(index);
                tcp.set_nodelay(true)?;
                return Ok(tcp);
            }
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

async fn unless_aborted<T>(pool: &Pool, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    poll_fn(
        |cx| {
            if pool.is_aborting() { Poll::Ready(None) } else { work.as_mut().poll(cx).map(Some) }
        },
    )
    .await
}
