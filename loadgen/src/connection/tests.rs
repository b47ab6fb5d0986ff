//! How often a request has its task polled.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;

use plimsoll_domain::Class;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use super::{Connection, End, Progress};
use crate::request::Template;
use crate::{Request, Target, TlsOptions};

const REQUESTS: u64 = 20;

/// Accepts one connection and answers each request on it, in one piece.
async fn serve(listener: TcpListener) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut buffer = [0; 4096];
    while stream.read(&mut buffer).await.unwrap() > 0 {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
    }
}

/// The polls of a task that sends requests one after another: at once, or each when it is told to.
async fn polls(when_told: bool) -> u64 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let target = Target::resolve(&url, &TlsOptions::default()).await.unwrap();
    let template = Template::new(&Request::post(vec!["[1]".into()]), &target).unwrap();
    let server = tokio::spawn(serve(listener));
    let (address, progress) = (Cell::new(0), Progress::new(Class::Connect));
    let mut connection = Connection::open(&target, &address, &progress).await.unwrap();
    let (told, done) = (Notify::new(), Cell::new(0));
    let mut task = pin!(async {
        for number in 0..REQUESTS {
            if when_told {
                told.notified().await;
            }
            let request = |spare| template.request(number, spare);
            let end = connection.exchange(request, || None::<()>, || ()).await;
            assert!(matches!(end, End::Answered(_)), "{end:?}");
            assert!(poll_fn(|cx| connection.poll_ready(cx)).await);
            done.set(number + 1);
        }
    });
    let (mut polls, mut tells) = (0, 0);
    poll_fn(|cx| {
        polls += 1;
        let polled = task.as_mut().poll(cx);
        if polled.is_pending() && when_told && tells == done.get() {
            tells += 1;
            told.notify_one();
        }
        polled
    })
    .await;
    server.abort();
    polls
}

#[tokio::test]
async fn a_request_takes_one_poll_that_sends_it_and_one_that_reads_its_answer() {
    // And one that finds nothing to do yet.
    assert_eq!(polls(true).await, 2 * REQUESTS + 1);
}

#[tokio::test]
async fn the_poll_that_reads_an_answer_sends_the_next_request() {
    assert_eq!(polls(false).await, REQUESTS + 1);
}
