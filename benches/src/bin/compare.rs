//! Measures how often `plimsoll compare` cries wolf, and how often it sees a change that is there, on
//! processes whose truth is known. Runs of five minutes at 200/s, as the product's own histograms
//! hold them, seconds cut into its blocks, compared by its own `compare`.
//!
//! An alarm is what the product tells: a change that is significant and beyond its margin. Both are
//! printed. Stalls of a fixed period under arrivals of a constant rate differ from run to run by
//! their phase alone, by far less than a margin, and nothing within a run varies: there, significant
//! says nothing.
//!
//! Ends with exit code 1 if a bar is not held: any metric told to have changed in more than 5 % of A/A
//! pairs at 95 %, or less power than the algorithm has; with 2 if it cannot understand its arguments.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints a table")]

#[path = "coverage/process.rs"]
#[cfg_attr(not(test), expect(dead_code, reason = "`coverage` also asks for the truth"))]
mod process;
#[path = "coverage/truth.rs"]
mod truth;

use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use plimsoll_domain::Latencies;
use plimsoll_study::compare::{Answer, Comparison, Metric, Run, Second, Settings, compare};
use rand::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use rand_pcg::Pcg64;

use crate::process::{Process, Request};

const USAGE: &str = "\
Usage: benches/compare [--pairs 1000] [--threads N] [--only NAME]

  --pairs    A/A pairs of each process; a fifth of it for each power
  --threads  threads; as many as there are cores unless said
  --only     only rows whose name contains this";

/// Requests of five minutes at 200/s.
const LONG: usize = 60_000;
/// Of one minute.
const SHORT: usize = 12_000;
/// How much runs of one build differ where there are several (standard deviation).
const BETWEEN_RUNS: f64 = 0.03;

/// One row: what is compared, how often, and what is asked of it.
struct Row {
    name: &'static str,
    process: Process,
    /// What every latency of the new side is multiplied by.
    factor: f64,
    /// Runs of each side; one is of five minutes, several are of one and differ.
    runs: usize,
    /// At most so many per cent of pairs with any alarm at 95 %, or at least so many in which p99 is
    /// seen at 99 %.
    bar: f64,
}

const fn row(name: &'static str, process: Process, factor: f64, runs: usize, bar: f64) -> Row {
    Row { name, process, factor, runs, bar }
}

const IID: Process = Process::Lognormal;
const AR: Process = Process::Autoregressive(0.9);
const QUEUE: Process = Process::Mm1(0.8);
const RARE: Process = Process::RandomStall;

/// The bars of power are those that the algorithm was measured to have.
const ROWS: [Row; 16] = [
    row("A/A iid lognormal", IID, 1.0, 1, 5.0),
    row("A/A AR(0.9) lognormal", AR, 1.0, 1, 5.0),
    row("A/A M/M/1 0.8", QUEUE, 1.0, 1, 5.0),
    row("A/A stall 0.5 s each 5 s", Process::PeriodicStall, 1.0, 1, 5.0),
    row("A/A stall 0.5 s, random gaps", RARE, 1.0, 1, 5.0),
    row("A/A iid, 8 runs of 60 s that differ by 3 %", IID, 1.0, 8, 5.0),
    row("+10 % AR(0.9) lognormal", AR, 1.1, 1, 38.0),
    row("+30 % AR(0.9) lognormal", AR, 1.3, 1, 100.0),
    row("+10 % M/M/1 0.8", QUEUE, 1.1, 1, 8.0),
    row("+30 % M/M/1 0.8", QUEUE, 1.3, 1, 80.0),
    row("+10 % stall, random gaps", RARE, 1.1, 1, 90.0),
    row("+30 % stall, random gaps", RARE, 1.3, 1, 100.0),
    row("+10 % iid, 8 runs of 60 s", IID, 1.1, 8, 90.0),
    row("+30 % iid, 8 runs of 60 s", IID, 1.3, 8, 99.0),
    row("+10 % M/M/1 0.5, 8 runs of 60 s", Process::Mm1(0.5), 1.1, 8, 40.0),
    row("+30 % M/M/1 0.8, 8 runs of 60 s", QUEUE, 1.3, 8, 50.0),
];

/// What came of a row's pairs.
#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    pairs: u64,
    /// Any metric told to have changed, at 95 % and at 99 %.
    told: [u64; 2],
    /// The same whatever the margin.
    significant: [u64; 2],
    /// p99 alone at 99 %: significant by itself, and told beside all metrics.
    p99: u64,
    p99_told: u64,
    /// p99 called unchanged at 99 %.
    p99_same: u64,
}

impl Counts {
    fn add(&mut self, looser: &Comparison, stricter: &Comparison) {
        self.pairs += 1;
        let is_told = |answer| matches!(answer, Answer::Regressed | Answer::Improved);
        for (index, comparison) in [looser, stricter].into_iter().enumerate() {
            let alpha = 1.0 - comparison.confidence;
            let findings = &comparison.findings;
            self.told[index] += u64::from(findings.iter().any(|one| is_told(one.answer)));
            self.significant[index] +=
                u64::from(findings.iter().any(|one| one.adjusted_p <= alpha));
        }
        let Some(p99) = stricter.findings.iter().find(|one| one.metric == Metric::P99) else {
            return;
        };
        self.p99 += u64::from(p99.p <= 0.01);
        self.p99_told += u64::from(is_told(p99.answer));
        self.p99_same += u64::from(p99.answer == Answer::NoChange);
    }

    fn percent(&self, count: u64) -> f64 {
        count as f64 * 100.0 / self.pairs as f64
    }
}

impl Row {
    fn is_null(&self) -> bool {
        self.factor <= 1.0
    }

    fn pairs(&self, asked: u64) -> u64 {
        if self.is_null() { asked } else { asked.div_ceil(5) }
    }

    fn holds(&self, counts: &Counts) -> bool {
        if self.is_null() {
            counts.percent(counts.told[0]) <= self.bar
        } else {
            counts.percent(counts.p99) >= self.bar
        }
    }

    fn side(&self, pair: u64, side: &str, factor: f64) -> Vec<Run> {
        let run = |index: usize| {
            let seed = seed(&format!("{} {pair} {side} {index}", self.name));
            let mut random = Pcg64::seed_from_u64(seed);
            let normal: f64 = StandardNormal.sample(&mut random);
            let (own, count) =
                if self.runs == 1 { (1.0, LONG) } else { ((BETWEEN_RUNS * normal).exp(), SHORT) };
            measured(&self.process.run(count, &mut random), factor * own)
        };
        (0..self.runs).map(run).collect()
    }

    fn compare(&self, pair: u64) -> [Comparison; 2] {
        let (base, new) = (self.side(pair, "base", 1.0), self.side(pair, "new", self.factor));
        [0.95, 0.99].map(|confidence| {
            let settings = Settings { confidence, ..Settings::default() };
            compare(&base, &new, &settings).expect("the runs are long enough")
        })
    }
}

/// The run as a results folder has it: a histogram of each second.
fn measured(requests: &[Request], factor: f64) -> Run {
    let mut run = Run::new();
    for second in requests.chunk_by(|one, next| one.arrived as u64 == next.arrived as u64) {
        let mut latencies = Latencies::new();
        for request in second {
            latencies.record(Duration::from_secs_f64(request.took * factor));
        }
        let (response, length) = (latencies.sparse(), Duration::from_secs(1));
        run.add(&Second { length, response, ..Second::default() });
    }
    run
}

/// A run's seed, whatever else is measured beside it (FNV-1a).
fn seed(name: &str) -> u64 {
    let step = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    name.bytes().fold(0xcbf2_9ce4_8422_2325, step)
}

fn main() -> ExitCode {
    let (pairs, threads, only) = match options(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("{problem}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    println!(
        "Per cent of pairs. Told: any metric beyond its margin. Significant: any metric, whatever the margin.\n\
         p99: at 99 %, by itself, and told beside all metrics; same: called unchanged.\n\n\
         | | pairs | told 95 | told 99 | significant 95 | significant 99 | p99 | p99 told | p99 same | bar | held |\n\
         |---|---|---|---|---|---|---|---|---|---|---|"
    );
    let mut held = true;
    for row in ROWS.iter().filter(|row| row.name.contains(&only)) {
        let counts = measure(row, pairs, threads);
        let share = |count| format!("{:.1}", counts.percent(count));
        let is_held = row.holds(&counts);
        held &= is_held;
        let sign = if row.is_null() { "told 95 ≤" } else { "p99 ≥" };
        println!(
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {sign} {} | {} |",
            row.name,
            counts.pairs,
            share(counts.told[0]),
            share(counts.told[1]),
            share(counts.significant[0]),
            share(counts.significant[1]),
            share(counts.p99),
            share(counts.p99_told),
            share(counts.p99_same),
            row.bar,
            if is_held { "yes" } else { "**no**" },
        );
    }
    if held { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

/// All pairs of a row; the result does not depend on the number of threads.
fn measure(row: &Row, asked: u64, threads: usize) -> Counts {
    let (next, counts) = (AtomicU64::new(0), Mutex::new(Counts::default()));
    let work = || {
        loop {
            let pair = next.fetch_add(1, Ordering::Relaxed);
            if pair >= row.pairs(asked) {
                return;
            }
            let [looser, stricter] = row.compare(pair);
            counts.lock().expect("no thread panics while it holds this").add(&looser, &stricter);
        }
    };
    thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    counts.into_inner().expect("no thread panics while it holds this")
}

fn options(mut arguments: impl Iterator<Item = String>) -> Result<(u64, usize, String), String> {
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let mut options = (1_000, threads, String::new());
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
        let number = || value.parse().ok().filter(|number| *number > 0);
        let wrong = || format!("{name} needs a number above 0, not {value}");
        match name.as_str() {
            "--pairs" => options.0 = number().ok_or_else(wrong)?,
            "--threads" => options.1 = number().ok_or_else(wrong)? as usize,
            "--only" => options.2 = value,
            _ => return Err(format!("unknown option {name}")),
        }
    }
    Ok(options)
}
