//! Measures how often plimsoll's verdicts and intervals are right, on processes whose truth is known.
//!
//! Runs of 4,000, 10,000 and 100,000 requests at 200/s are simulated and judged with the limit at
//! the truth: then every decided verdict is a false one, and what is left is the coverage. Prints
//! per cent at 95 % and at the default confidence. Ends with exit code 1 if p99 (or an error rate)
//! is falsely met in more than 2.5 %, or covered in less than 93 %, at the default confidence,
//! outside the three documented limits; with 2 if it cannot understand its arguments.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints a table")]

mod judge;
mod process;
mod table;
mod truth;

use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rand::SeedableRng;
use rand_pcg::Pcg64;

use crate::judge::{Asked, judge};
use crate::process::{ALL, FAILING, Process};
use crate::table::{Counts, PERCENTILES, Row};

const SIZES: [usize; 3] = [4_000, 10_000, 100_000];
/// The level of the literature, and plimsoll's default.
const CONFIDENCES: [f64; 2] = [0.95, 0.99];
const DEFAULT: usize = 1;
/// Runs that one thread makes at a time.
const CHUNK: u64 = 25;

const USAGE: &str = "\
Usage: benches/coverage [--replications 1000] [--threads N] [--only NAME]

  --replications  runs of each process at 4,000 and 10,000 requests; a quarter of it at 100,000
  --threads       threads; as many as there are cores unless said
  --only          only processes whose name contains this";

fn main() -> ExitCode {
    let options = match Options::from(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("{problem}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let rows = measure(&options);
    println!(
        "{} runs of 4,000 and 10,000 requests, {} of 100,000, at 200/s; per cent.\n\
         p50 to p99.9: the truth is covered; false: the limit is the truth.",
        options.replications_of(SIZES[0]),
        options.replications_of(SIZES[2]),
    );
    for (level, confidence) in CONFIDENCES.iter().enumerate() {
        println!("\n## At {} %\n\n{}", confidence * 100.0, table::markdown(&rows, level));
        let (most, place) = table::disagreement(&rows, &SIZES, level);
        println!(
            "Verdict and shown interval differ in coverage by at most {most:.1} points ({place})."
        );
    }
    let failed = table::failed(&rows, &SIZES, DEFAULT);
    for what in &failed {
        println!("must not be: {what}");
    }
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

struct Options {
    replications: u64,
    threads: usize,
    only: String,
}

impl Options {
    fn from(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let mut options = Self { replications: 1_000, threads, only: String::new() };
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
            let number = || value.parse().ok().filter(|number| *number > 0);
            let wrong = || format!("{name} needs a number above 0, not {value}");
            match name.as_str() {
                "--replications" => options.replications = number().ok_or_else(wrong)?,
                "--threads" => options.threads = number().ok_or_else(wrong)? as usize,
                "--only" => options.only = value,
                _ => return Err(format!("unknown option {name}")),
            }
        }
        Ok(options)
    }

    /// Long runs are fewer: they cost ten times as much.
    fn replications_of(&self, size: usize) -> u64 {
        if size > 10_000 { self.replications.div_ceil(4) } else { self.replications }
    }
}

/// Some of the runs of one cell.
struct Task {
    row: usize,
    size: usize,
    runs: std::ops::Range<u64>,
}

/// Runs and judges everything; the result does not depend on the number of threads.
fn measure(options: &Options) -> Vec<Row> {
    let chosen = ALL.into_iter().filter(|process| process.name().contains(&options.only));
    let questions =
        |process: Process| vec![vec![Counts::default(); CONFIDENCES.len()]; asked(process).len()];
    let rows = chosen.map(|process| Row { process, cells: vec![questions(process); SIZES.len()] });
    let rows: Vec<Row> = rows.collect();
    let mut tasks = Vec::new();
    for row in 0..rows.len() {
        for (size, requests) in SIZES.iter().enumerate() {
            let runs = options.replications_of(*requests);
            let chunks = (0..runs).step_by(CHUNK as usize);
            tasks.extend(chunks.map(|from| Task {
                row,
                size,
                runs: from..(from + CHUNK).min(runs),
            }));
        }
    }
    let processes: Vec<Process> = rows.iter().map(|row| row.process).collect();
    let (next, rows) = (AtomicUsize::new(0), Mutex::new(rows));
    let work = || {
        while let Some(task) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
            let counts = replicate(processes[task.row], task);
            let mut rows = rows.lock().expect("no thread panics while it holds this");
            let cell = &mut rows[task.row].cells[task.size];
            for (sums, more) in cell.iter_mut().flatten().zip(counts.iter().flatten()) {
                sums.merge(more);
            }
            if u64::from(cell[0][0].runs) == options.replications_of(SIZES[task.size]) {
                eprintln!("{}, {} requests: done", processes[task.row].name(), SIZES[task.size]);
            }
        }
    };
    thread::scope(|scope| (0..options.threads).for_each(|_| drop(scope.spawn(work))));
    rows.into_inner().expect("no thread panics while it holds this")
}

fn replicate(process: Process, task: &Task) -> Vec<Vec<Counts>> {
    let (asked, requests) = (asked(process), SIZES[task.size]);
    let mut counts = vec![vec![Counts::default(); CONFIDENCES.len()]; asked.len()];
    for run in task.runs.clone() {
        let seed = seed(&format!("{} {requests} {run}", process.name()));
        let requests = process.run(requests, &mut Pcg64::seed_from_u64(seed));
        let answers = judge(&requests, &asked, &CONFIDENCES);
        for (count, answer) in counts.iter_mut().flatten().zip(answers.into_iter().flatten()) {
            count.add(answer);
        }
    }
    counts
}

/// A run's seed, whatever else is measured beside it (FNV-1a; neighbouring streams of one generator
/// would be related).
fn seed(name: &str) -> u64 {
    let step = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    name.bytes().fold(0xcbf2_9ce4_8422_2325, step)
}

/// What is asked of a process, in the order that the table wants. The limit is the truth, or a
/// tenth below it.
fn asked(process: Process) -> Vec<Asked> {
    let read = |text: String| text.parse().expect("the objective is valid");
    if process.fails() {
        let ask = |limit: f64| Asked {
            objective: read(format!("error rate < {limit:.10}")),
            truth: limit,
        };
        return [FAILING.0, FAILING.0 / 1.1].map(ask).to_vec();
    }
    let ask = |quantile: f64, part: f64| {
        let limit = (process.quantile(quantile) * part * 1e9).round();
        Asked {
            objective: read(format!("p{:.4} < {limit}ns", quantile * 100.0)),
            truth: limit / 1e6,
        }
    };
    let mut asked = PERCENTILES.map(|quantile| ask(quantile, 1.0)).to_vec();
    asked.push(ask(0.99, 1.0 / 1.1));
    asked
}
