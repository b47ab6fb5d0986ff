//! A small HTTP/1.1 server for the tests: its own thread, its own port, exact behaviour.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use plimsoll_domain::{Moment, clock};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;

/// What the server does with each request.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mode {
    /// Answers after a delay.
    Answer(Duration),
    /// Answers at once, but from the request after `answered` on stalls once: until so many requests
    /// wait for their answer, and for at least `length`.
    Stall { answered: u64, waiting: u64, length: Duration },
    /// Answers, says so, and closes.
    AnswerAndClose,
    /// The same, one connection after the other: the next is accepted when one is done with.
    OneAtATime,
    /// The same, but a connection is kept until its client closes it or nothing comes for so long.
    KeepOne { work: Duration, idle: Duration },
    /// Answers, and closes what is idle for so long.
    CloseIdle(Duration),
    /// Answers, and says which deployment did: `/b…` is of `blue`, anything else of a copy of `green`.
    Deployments,
    /// Answers and closes without having said so, now and then.
    CloseSilently,
    /// Answers with another status.
    Status(&'static str),
    /// Reads the request and closes.
    Close,
    /// Closes as soon as it is connected to.
    CloseAtOnce,
    /// Reads the request and resets the connection.
    Reset,
    /// Answers with something that is not HTTP, whatever it reads first.
    Garbage,
    /// Promises more than it sends.
    CutOff,
    /// Reads and is silent.
    Silent,
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) accepted: Arc<AtomicU64>,
    pub(crate) requests: Arc<AtomicU64>,
    stall: Arc<Stall>,
    stop: CancellationToken,
}

/// The stall of [`Mode::Stall`]: what was read after its beginning is answered after its end.
#[derive(Default)]
struct Stall {
    began: OnceLock<Moment>,
    ended: OnceLock<Moment>,
    over: CancellationToken,
}

impl Stall {
    /// Lasts so long, and until requests enough wait.
    async fn hold(&self, length: Duration, are_enough: impl Fn() -> bool) {
        let _ = self.began.set(clock::now());
        tokio::time::sleep(length).await;
        while !are_enough() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let _ = self.ended.set(clock::now());
        self.over.cancel();
    }
}

impl Server {
    pub(crate) fn start(mode: Mode) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let listener = {
            let _context = runtime.enter();
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
            socket.listen(4096).unwrap()
        };
        let address = listener.local_addr().unwrap();
        let (accepted, requests) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let (stall, stop) = (Arc::<Stall>::default(), CancellationToken::new());
        let (stopped, counts) = (stop.clone(), (Arc::clone(&accepted), Arc::clone(&requests)));
        let stalls = Arc::clone(&stall);
        thread::spawn(move || {
            runtime.block_on(stopped.run_until_cancelled(accept(listener, mode, counts, stalls)))
        });
        Self { address, accepted, requests, stall, stop }
    }

    /// From when to when it stalled.
    pub(crate) fn stalled(&self) -> (Moment, Moment) {
        let moment = |at: &OnceLock<Moment>| *at.get().expect("it has stalled");
        (moment(&self.stall.began), moment(&self.stall.ended))
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/score", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A port that nothing listens on.
pub(crate) fn refused() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}/score", listener.local_addr().unwrap())
}

async fn accept(
    listener: TcpListener,
    mode: Mode,
    counts: (Arc<AtomicU64>, Arc<AtomicU64>),
    stall: Arc<Stall>,
) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        counts.0.fetch_add(1, Ordering::Relaxed);
        let (requests, stall) = (Arc::clone(&counts.1), Arc::clone(&stall));
        let served = tokio::spawn(async move {
            let _ = serve(stream, mode, &stall, &requests).await;
        });
        if matches!(mode, Mode::OneAtATime | Mode::KeepOne { .. }) {
            let _ = served.await;
        }
    }
}

async fn serve(
    mut stream: TcpStream,
    mode: Mode,
    stall: &Stall,
    requests: &AtomicU64,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    match mode {
        Mode::CloseAtOnce => return Ok(()),
        Mode::Garbage => {
            stream.read_buf(&mut Vec::new()).await?;
            return stream.write_all(b"I am not HTTP at all\r\n\r\n").await;
        }
        _ => {}
    }
    let mut buffer = Vec::new();
    loop {
        let idle = match mode {
            Mode::KeepOne { idle, .. } | Mode::CloseIdle(idle) => idle,
            _ => Duration::from_hours(1),
        };
        let Ok(read) = tokio::time::timeout(idle, read_request(&mut stream, &mut buffer)).await
        else {
            return Ok(());
        };
        let Some(path) = read? else { return Ok(()) };
        let number = requests.fetch_add(1, Ordering::Relaxed);
        match mode {
            Mode::CloseIdle(_) => answer(&mut stream, "200 OK", "").await?,
            Mode::Deployments => answer(&mut stream, "200 OK", who_answers(&path)).await?,
            Mode::Answer(delay) | Mode::KeepOne { work: delay, .. } => {
                tokio::time::sleep(delay).await;
                answer(&mut stream, "200 OK", "").await?;
            }
            Mode::Stall { answered, waiting, length } => {
                if number == answered {
                    let are_enough = || requests.load(Ordering::Relaxed) - answered >= waiting;
                    stall.hold(length, are_enough).await;
                } else if number > answered {
                    stall.over.cancelled().await;
                }
                answer(&mut stream, "200 OK", "x-ms-run-fn-exec-ms: 0.25\r\n").await?;
            }
            Mode::AnswerAndClose | Mode::OneAtATime => {
                return answer(&mut stream, "200 OK", "Connection: close\r\n").await;
            }
            Mode::CloseSilently => {
                answer(&mut stream, "200 OK", "").await?;
                if number.is_multiple_of(3) {
                    return Ok(());
                }
            }
            Mode::Status(status) => answer(&mut stream, status, "").await?,
            Mode::Close | Mode::CloseAtOnce | Mode::Garbage => return Ok(()),
            Mode::Reset => {
                stream.set_zero_linger()?;
                return Ok(());
            }
            Mode::CutOff => {
                let part = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this";
                stream.write_all(part).await?;
                return Ok(());
            }
            Mode::Silent => std::future::pending().await,
        }
    }
}

/// The header of one of two deployments, which say who they are in two ways.
fn who_answers(path: &str) -> &'static str {
    if path.starts_with("/b") {
        "azureml-model-deployment: blue\r\n"
    } else {
        "azureml-model-session: green-77\r\n"
    }
}

async fn answer(stream: &mut TcpStream, status: &str, header: &str) -> std::io::Result<()> {
    let text = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{header}Content-Length: 8\r\n\r\n{{\"y\": 1}}"
    );
    stream.write_all(text.as_bytes()).await
}

/// Reads one request with its body: its path; `None` at the end of the connection.
async fn read_request(
    stream: &mut TcpStream,
    buffer: &mut Vec<u8>,
) -> std::io::Result<Option<String>> {
    loop {
        let head = buffer.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(head) = head {
            let text = String::from_utf8_lossy(&buffer[..head]).to_ascii_lowercase();
            let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
            let length: usize = length.map_or(0, |n| n.trim().parse().unwrap());
            if buffer.len() >= head + 4 + length {
                buffer.drain(..head + 4 + length);
                return Ok(text.split(' ').nth(1).map(str::to_owned));
            }
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
}
