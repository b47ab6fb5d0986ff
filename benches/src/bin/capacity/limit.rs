//! Runs at the true rate, which nobody may call met.

use std::time::Duration;

use plimsoll_domain::schedule::{Profile, Stage};
use plimsoll_monitor::Verdict;
use plimsoll_simulate::Happening;

use crate::server::Server;

/// A run until it is decided.
pub(crate) fn run(server: &Server, number: u64) -> Verdict {
    let truth = server.truth_rps;
    let profile = Profile::new(vec![
        Stage::hold("settle", truth, Duration::from_secs(10)).as_warmup(),
        Stage::hold("hold", truth, Duration::from_mins(10)),
    ]);
    let mut monitor = server.monitor(&profile, 0.99).until_decided();
    let mut simulation = server.simulation(&profile, 1 << 40 | number);
    loop {
        match simulation.advance() {
            Happening::Interval(snapshot) => {
                monitor.observe(&snapshot);
                if monitor.is_decided() {
                    break;
                }
            }
            Happening::Instances { .. } => {}
            Happening::Ended => break,
        }
    }
    monitor.finish().judgements[0].verdict
}

/// Prints a row; returns whether its bar is held.
pub(crate) fn row(server: &Server, runs: &[Verdict], bar: f64) -> bool {
    let percent = |wanted| {
        let count = runs.iter().filter(|verdict| **verdict == wanted).count();
        count as f64 * 100.0 / runs.len() as f64
    };
    let (met, breached) = (percent(Verdict::Met), percent(Verdict::Breached));
    let is_held = met <= bar;
    let mark = if is_held { "yes" } else { "**no**" };
    println!("| {} | {} | {met:.1} | {breached:.1} | {mark} |", server.name, runs.len());
    is_held
}
