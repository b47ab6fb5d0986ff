//! Measures how often `plimsoll capacity` holds the truth: searches on simulated servers of known
//! capacity, by the product's own search, monitor and simulation.
//!
//! For each server: how often the interval [highest met, lowest breached] holds the true rate, its
//! width and the seconds of load it took, and the same of the fitted knee. Then how often a run at the true
//! rate itself is called met when it is looked at all the time and ends once it is decided, at 99 %.
//!
//! Ends with exit code 1 if a bar is not held: the interval holds the truth in fewer than 90 % of
//! searches, its median width is above 20 % or takes more than an hour, or more than 1 % of runs at the limit are met;
//! with 2 if it cannot understand its arguments.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints a table")]

mod limit;
mod search;
mod server;
mod truth;

use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crate::search::Tried;
use crate::server::Server;

const USAGE: &str = "\
Usage: benches/capacity [--searches 500] [--limit 1000] [--threads N] [--only NAME] [--truth N]

  --searches  searches of each server
  --limit     runs at the true rate of each server; 0 for none
  --threads   threads; as many as there are cores unless said
  --only      only servers whose name contains this
  --truth     only find the true rates again, by a simulation of so many requests of each (20000000 or more)";

/// The bars.
const HELD: f64 = 90.0;
const WIDTH: f64 = 20.0;
const SECONDS: f64 = 3600.0;
const FALSE_PASSES: f64 = 1.0;

struct Options {
    searches: u64,
    limit: u64,
    threads: usize,
    only: String,
    truth: Option<u64>,
}

fn main() -> ExitCode {
    let options = match options(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("{problem}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let servers = Server::all().into_iter().filter(|server| server.name.contains(&options.only));
    let servers: Vec<_> = servers.collect();
    if let Some(requests) = options.truth {
        println!("| server | true rate | found |\n|---|---|---|");
        for server in &servers {
            let found = truth::rate(server, requests);
            println!("| {} | {:.2} | {found:.2} |", server.name, server.truth_rps);
        }
        return ExitCode::SUCCESS;
    }
    println!(
        "Held, low end too high, high end too low: per cent of searches. Width: of the interval, as per cent of its\n\
         low end. Seconds: of load, then with the confirmation.\n\n\
         | server | true rate | searches | held | low too high | high too low | no interval | width | seconds | confirmed | steps | knee held | knee width | bars |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|---|---|"
    );
    let mut held = true;
    for server in &servers {
        let tried = every(options.searches, options.threads, |number| search::run(server, number));
        held &= row(server, &tried);
    }
    if options.limit > 0 {
        println!(
            "\nRuns at the true rate, up to 10 minutes, looked at until decided at 99 %: per cent met, and breached.\n\n\
             | server | runs | met | breached | bar |\n|---|---|---|---|---|"
        );
        for server in &servers {
            let runs = every(options.limit, options.threads, |number| limit::run(server, number));
            held &= limit::row(server, &runs, FALSE_PASSES);
        }
    }
    if held { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

fn row(server: &Server, tried: &[Tried]) -> bool {
    let truth = server.truth_rps;
    let percent = |is: &dyn Fn(&Tried) -> bool| {
        tried.iter().filter(|one| is(one)).count() as f64 * 100.0 / tried.len() as f64
    };
    let held = percent(&|one| one.ends.is_some_and(|(low, high)| low <= truth && truth <= high));
    let width = median(tried.iter().map(|one| one.width() * 100.0));
    let seconds = median(tried.iter().map(|one| one.search_s));
    let is_held = held >= HELD && width <= WIDTH && seconds <= SECONDS;
    println!(
        "| {} | {truth:.1} | {} | {held:.1} | {:.1} | {:.1} | {:.1} | {width:.1} | {seconds:.0}, {:.0} | {:.1} | {:.1} | {:.1} | {:.1} | {} |",
        server.name,
        tried.len(),
        percent(&|one| one.ends.is_some_and(|(low, _)| low > truth)),
        percent(&|one| one.ends.is_some_and(|(_, high)| high < truth)),
        percent(&|one| one.ends.is_none()),
        median(tried.iter().map(|one| one.all_s)),
        percent(&|one| one.confirmed),
        tried.iter().map(|one| f64::from(one.steps)).sum::<f64>() / tried.len() as f64,
        percent(&|one| one.knee.is_some_and(|(low, high)| low <= truth && truth <= high)),
        median(
            tried.iter().filter_map(|one| one.knee).map(|(low, high)| (high / low - 1.0) * 100.0)
        ),
        if is_held { "yes" } else { "**no**" },
    );
    is_held
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// What comes of so many numbers; the result does not depend on the number of threads.
fn every<T: Send>(count: u64, threads: usize, of: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let (next, found) = (AtomicU64::new(0), Mutex::new(Vec::new()));
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return;
            }
            let one = of(number);
            found.lock().expect("no thread panics while it holds this").push(one);
        }
    };
    thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    found.into_inner().expect("no thread panics while it holds this")
}

fn options(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let mut options =
        Options { searches: 500, limit: 1_000, threads, only: String::new(), truth: None };
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
        let number =
            value.parse::<u64>().map_err(|_| format!("{name} needs a number, not {value}"));
        match name.as_str() {
            "--searches" => options.searches = number?.max(1),
            "--limit" => options.limit = number?,
            "--threads" => options.threads = number?.max(1) as usize,
            "--truth" => options.truth = Some(number?.max(1_000)),
            "--only" => options.only = value,
            _ => return Err(format!("unknown option {name}")),
        }
    }
    Ok(options)
}
