//! An instance of the builtin runtime by itself.

use std::num::NonZeroU32;
use std::time::Duration;

use plimsoll_deploy::spec::{ServiceTime, Synthetic};
use plimsoll_domain::clock;
use plimsoll_host::runtime::instance::{Options, Serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;

use super::harness::{fixture, until};

const REQUEST: &[u8] = b"POST /score HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n{}";
const ANNOUNCED: &[u8] =
    b"POST /score HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n";
const SERVICE: Duration = Duration::from_millis(500);

/// As a worker of the official server: it does not see its caller leave.
#[tokio::test]
async fn it_goes_on_with_what_nobody_waits_for_any_more() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let service_time = ServiceTime::Constant { ms: SERVICE.as_secs_f64() * 1e3 };
    let serve = Serve::Synthetic(Synthetic { service_time, error_rate: 0.0, start_ms: 0.0 });
    let argument = Options::new(serve, NonZeroU32::MIN).on(port, 1, "blue/0").to_argument();
    let mut command = Command::new(fixture());
    let mut instance = command.args(["instance", &argument]).kill_on_drop(true).spawn().unwrap();
    let connect = || TcpStream::connect(("127.0.0.1", port));
    until("it listens", || async { connect().await.is_ok() }).await;
    let mut leaving = connect().await.unwrap();
    let began = clock::now();
    leaving.write_all(ANNOUNCED).await.unwrap();
    // It says so when it begins to read the body, which is when it has the request.
    let mut word = [0; 25];
    leaving.read_exact(&mut word).await.unwrap();
    assert_eq!(&word, b"HTTP/1.1 100 Continue\r\n\r\n");
    leaving.write_all(b"{}").await.unwrap();
    leaving.shutdown().await.unwrap();
    // Until it has seen its caller leave.
    let _ = leaving.read_to_end(&mut Vec::new()).await;
    let mut staying = connect().await.unwrap();
    staying.write_all(REQUEST).await.unwrap();
    let mut start = [0; 15];
    staying.read_exact(&mut start).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 200 OK");
    let took = clock::now().since(began);
    assert!(took >= 2 * SERVICE, "the second is served after the first: {took:?}");
    instance.kill().await.unwrap();
}
