//! A generator that cannot keep up says so.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use plimsoll_domain::schedule::Profile;

use crate::run::{plan, run};
use crate::server::{Mode, Server};

/// The URL of a server with a thread for each connection, which does next to nothing for an answer.
fn fast() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let serve = |tcp| drop(thread::spawn(|| answer(tcp)));
    thread::spawn(move || listener.incoming().flatten().for_each(serve));
    url
}

fn answer(mut tcp: TcpStream) {
    let mut request = [0; 1024];
    while tcp.read(&mut request).is_ok_and(|count| count > 0) {
        if tcp.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn what_a_worker_cannot_send_is_in_its_release_lags() {
    // More than one thread can send on any machine.
    let mut plan = plan(&fast(), Profile::hold(300_000.0, Duration::from_millis(100)));
    // All are sent, however late.
    plan.limits.request_timeout = Duration::from_secs(50);
    plan.limits.drain = Duration::from_secs(50);
    plan.limits.max_connections = Some(64);
    let result = run(plan).await;
    let lag = result.lags.release.quantile(0.5).unwrap();
    assert!(lag > Duration::from_millis(20), "p50 of the release lag is {lag:?}");
    let busiest = result.snapshots.iter().filter_map(|s| s.generator.cpu_busiest).reduce(f64::max);
    assert!(busiest > Some(0.0), "{busiest:?}");
}

#[tokio::test]
async fn a_worker_that_keeps_up_is_not_late() {
    let server = Server::start(Mode::Answer(Duration::ZERO));
    let result = run(plan(&server.url(), Profile::hold(100.0, Duration::from_secs(2)))).await;
    // Half of all, so that a blink of the machine does not matter; and where others take the
    // processor for longer, no worker keeps up.
    let lag = result.lags.release.quantile(0.5).unwrap();
    let starved = result.snapshots.iter().any(|s| s.generator.cpu_wait > Some(0.1));
    assert!(starved || lag < Duration::from_millis(20), "p50 of the release lag is {lag:?}");
}
