//! What a request costs the load generator: loads a URL with one worker and prints the processor
//! time of this process per request. `benches/peers` runs it beside other tools.
//!
//! `load-cost URL RATE SECONDS CONNECTIONS`: POSTs of 200 bytes of JSON, evenly spaced. At a rate
//! above what one thread can send every connection always has a next request, as in a closed loop;
//! nothing is dropped, and the run lasts until all are sent. Prints one line: microseconds of
//! processor time per request (user and system), requests per second, and the release lag at p50 in
//! microseconds.

use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::time::Duration;

use nix::sys::resource::{Usage, UsageWho, getrusage};
use plimsoll_domain::schedule::Profile;
use plimsoll_domain::{Lags, Tally};
use plimsoll_loadgen::{Limits, LoadPlan, NamedRequest, Request, Target};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The length of the body.
const BODY: usize = 200;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, rate, seconds, connections] = arguments.as_slice() else {
        return Err("usage: load-cost URL RATE SECONDS CONNECTIONS".into());
    };
    let seconds = Duration::from_secs_f64(seconds.parse()?);
    let body = format!("{{\"data\": [[{}]]}}", "1".repeat(BODY - 14));
    let request = NamedRequest::new("score", Request::post(vec![body.into()]));
    let plan = LoadPlan {
        limits: Limits {
            max_connections: Some(connections.parse()?),
            // All are sent, however slow the machine is.
            request_timeout: Duration::from_mins(5),
            drain: Duration::from_mins(5),
            ..Limits::default()
        },
        workers: NonZeroUsize::new(1),
        ..LoadPlan::new(url, request, Profile::hold(rate.parse()?, seconds))
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(load(plan))
}

async fn load(plan: LoadPlan) -> Result<()> {
    let target = Target::resolve(&plan.url, &plan.tls).await?;
    let (sender, mut snapshots) = mpsc::channel(16);
    let running = plan.start(target, sender, CancellationToken::new()).await?;
    let before = processor_time()?;
    let (mut all, mut lags, mut took) = (Tally::default(), Lags::default(), Duration::ZERO);
    while let Some(snapshot) = snapshots.recv().await {
        all.merge(&snapshot.all());
        lags.merge(&snapshot.lags(|_| true));
        took = snapshot.end;
    }
    running.finished().await?;
    let used = processor_time()?.saturating_sub(before);
    let ok = all.outcomes.ok().max(1) as f64;
    let lag = lags.release.quantile(0.5).unwrap_or_default();
    writeln!(
        io::stdout(),
        "{:.3} {:.0} {}",
        used.as_secs_f64() * 1e6 / ok,
        ok / took.as_secs_f64(),
        lag.as_micros()
    )?;
    Ok(())
}

/// User and system time of this process.
fn processor_time() -> Result<Duration> {
    let usage: Usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let micros = |time: nix::sys::time::TimeVal| {
        Duration::new(time.tv_sec() as u64, time.tv_usec() as u32 * 1_000)
    };
    Ok(micros(usage.user_time()) + micros(usage.system_time()))
}
