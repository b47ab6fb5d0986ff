//! One search.

use std::time::Duration;

use plimsoll_domain::schedule::{Profile, Stage};
use plimsoll_monitor::Verdict;
use plimsoll_simulate::Happening;
use plimsoll_study::capacity::{Purpose, Search, Seen, Settings, Watch};

use crate::server::Server;

/// What every step settles for.
const SETTLE: Duration = Duration::from_secs(10);

/// What came of a search.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tried {
    /// The interval.
    pub(crate) ends: Option<(f64, f64)>,
    pub(crate) knee: Option<(f64, f64)>,
    /// Seconds of load without and with the confirmation.
    pub(crate) search_s: f64,
    pub(crate) all_s: f64,
    pub(crate) steps: u32,
    pub(crate) confirmed: bool,
}

impl Tried {
    /// Of the interval, as a share of its low end; infinite without one.
    pub(crate) fn width(&self) -> f64 {
        self.ends.map_or(f64::INFINITY, |(low, high)| high / low - 1.0)
    }
}

/// Search `number` of this server, which begins somewhere between a tenth and a half of the true rate.
pub(crate) fn run(server: &Server, number: u64) -> Tried {
    let part = 0.1 + 0.4 * ((number as f64) * 0.618_034).fract();
    let settings =
        Settings { start_rps: server.truth_rps * part, recheck: false, ..Settings::default() };
    let mut search = Search::new(settings);
    while search.next().is_some() {
        let seen = step(server, &search, number);
        search.observe(seen);
    }
    let answer = search.answer();
    let confirmation = answer.steps.iter().filter(|step| step.purpose == Purpose::Confirm);
    let confirmation: f64 = confirmation.map(|step| step.seen.load_s).sum();
    Tried {
        ends: answer.low_rps.zip(answer.high_rps),
        knee: answer.knee.map(|knee| (knee.low_rps, knee.high_rps)),
        search_s: answer.load_s - confirmation,
        all_s: answer.load_s,
        steps: answer.steps.len() as u32,
        confirmed: answer.confirmation.is_some_and(|run| run.verdict == Verdict::Met),
    }
}

fn step(server: &Server, search: &Search, number: u64) -> Seen {
    let mut watch = Watch::new(search);
    let load = *watch.load();
    // The last interval shows that the one before is whole.
    let length = Duration::from_secs(load.longest_s + 1);
    let profile = Profile::new(vec![
        Stage::hold("settle", load.rate_rps, SETTLE).as_warmup(),
        Stage::hold("hold", load.rate_rps, length),
    ]);
    let mut monitor = server.monitor(&profile, 0.99).looking_when_asked();
    let mut simulation = server.simulation(&profile, number << 16 | u64::from(load.step));
    loop {
        match simulation.advance() {
            Happening::Interval(snapshot) => {
                monitor.observe(&snapshot);
                if watch.interval(&snapshot, &mut monitor) {
                    return watch.finish(snapshot.end, &mut monitor, false);
                }
            }
            Happening::Instances { .. } => {}
            Happening::Ended => unreachable!("the longest look is before the end"),
        }
    }
}
