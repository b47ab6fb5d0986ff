//! Searches on servers that are formulas: what is bad of a rate is known, and what is seen of it is
//! drawn, as of so many independent requests.

use plimsoll_monitor::Verdict;
use plimsoll_monitor::interval::effective_share_interval;
use rand_distr::{Binomial, Distribution};
use rand_pcg::Pcg64;

use super::*;

/// Seconds that a step settles.
const SETTLE: f64 = 10.0;

/// A queue whose share of bad requests grows by the factor e with every 20/s, from 1 % at `edge`.
struct Server {
    edge: f64,
    /// At the edge, how many times as many requests tell as much as one independent request as they
    /// would in one queue.
    effect: f64,
    /// From this rate on the backlog only grows.
    full: f64,
    /// What an overload leaves of the edge.
    after_overload: f64,
    /// Above this rate the generator is lost.
    generator: f64,
    random: Pcg64,
}

impl Server {
    fn new(edge: f64, seed: u64) -> Self {
        Self {
            edge,
            effect: 1.0,
            full: 1.3 * edge,
            after_overload: 1.0,
            generator: f64::INFINITY,
            random: Pcg64::new(seed.into(), 7),
        }
    }

    /// The step that the search asks for.
    fn step(&mut self, search: &Search) -> Seen {
        let mut load = search.next().expect("it goes on");
        if load.rate_rps > self.generator {
            return seen(&load, 32, State::Limited("too fast".into()), None);
        }
        if load.rate_rps > self.full {
            self.edge *= self.after_overload;
            return seen(&load, 0, State::Overloaded, None);
        }
        let share = (0.01 * ((load.rate_rps - self.edge) / 20.0).exp()).min(1.0);
        let load_share = load.rate_rps / (1.35 * self.edge);
        let effect = (self.effect / (1.0 - load_share).powi(2)).max(1.0);
        let (mut at, mut requests, mut bad) = (0, 0.0, 0);
        loop {
            let more = (load.until_s - at) as f64 * load.rate_rps / effect;
            let draw = Binomial::new(more as u64, share).unwrap();
            (at, requests, bad) =
                (load.until_s, requests + more.floor(), bad + draw.sample(&mut self.random));
            let (low, high) = effective_share_interval(bad as f64, requests, load.confidence);
            let verdict = match (low > 0.01, high < 0.01) {
                (true, _) => Verdict::Breached,
                (_, true) => Verdict::Met,
                _ => Verdict::Inconclusive,
            };
            let asked = Asked {
                verdict,
                allowed: 0.01,
                bad: bad as f64 / requests,
                effective: requests,
                more_s: (verdict == Verdict::Inconclusive).then_some(at as f64),
            };
            let seen = seen(&load, at, State::Judged, Some(asked));
            match search.more(&load, &seen) {
                Some(more) => load = more,
                None => return seen,
            }
        }
    }
}

fn seen(load: &Load, measured_s: u64, state: State, asked: Option<Asked>) -> Seen {
    Seen {
        measured_s,
        load_s: SETTLE + measured_s as f64,
        confidence: load.confidence,
        state,
        objectives: asked.into_iter().collect(),
        point: Point::default(),
        used: None,
    }
}

fn search(server: &mut Server, settings: Settings) -> Answer {
    let mut search = Search::new(settings);
    while search.next().is_some() {
        let seen = server.step(&search);
        search.observe(seen);
    }
    search.answer()
}

fn settings() -> Settings {
    Settings { ceiling_rps: 1_000.0, ..Settings::default() }
}

#[test]
fn the_interval_holds_the_truth_and_is_narrow() {
    let (mut widths, mut knees) = (Vec::new(), 0);
    for seed in 0..200 {
        let start_rps = 10.0 + seed as f64 * 3.0;
        let answer = search(&mut Server::new(200.0, seed), Settings { start_rps, ..settings() });
        assert_eq!(answer.ending, Ending::Found, "{answer:?}");
        let (low, high) = answer.interval().unwrap();
        assert!(low <= 200.0 && 200.0 <= high, "{low} to {high}");
        let knee = answer.knee.unwrap();
        knees += u32::from(knee.low_rps <= 200.0 && 200.0 <= knee.high_rps);
        assert!(answer.load_s < 3_600.0 + 600.0);
        assert_ne!(answer.confirmation.unwrap().verdict, Verdict::Breached);
        widths.push(high / low - 1.0);
    }
    widths.sort_by(f64::total_cmp);
    assert!(widths[100] < 0.15, "{}", widths[100]);
    assert!(knees > 180, "{knees}");
}

#[test]
fn what_is_met_up_to_the_ceiling_has_no_high_end() {
    let low_ceiling = Settings { ceiling_rps: 80.0, ..settings() };
    let answer = search(&mut Server::new(200.0, 1), low_ceiling);
    assert_eq!(answer.ending, Ending::Ceiling { met: true });
    assert_eq!((answer.low_rps, answer.high_rps, answer.interval()), (Some(80.0), None, None));
    assert!(answer.steps.iter().all(|step| step.rate_rps <= 80.0));
}

#[test]
fn what_is_never_met_has_no_low_end() {
    let mut server = Server { full: 0.0, ..Server::new(1.0, 1) };
    let answer = search(&mut server, Settings { floor_rps: 2.0, ..settings() });
    assert_eq!(answer.ending, Ending::NeverHolds);
    assert_eq!((answer.low_rps, answer.high_rps), (None, Some(2.0)));
}

#[test]
fn where_the_generator_is_the_bound_there_is_no_number() {
    let mut server = Server { generator: 100.0, ..Server::new(200.0, 1) };
    let answer = search(&mut server, settings());
    let Ending::Generator { rate_rps, .. } = answer.ending else { panic!("{answer:?}") };
    assert!(rate_rps > 100.0);
    assert_eq!(answer.interval(), None);
    let limited = answer.steps.iter().filter(|step| step.is_limited()).count();
    assert_eq!(limited, 2, "a pause of the machine is given a second chance");
}

#[test]
fn an_endpoint_that_an_overload_has_broken_is_told() {
    let mut server = Server { after_overload: 0.2, ..Server::new(200.0, 1) };
    let answer = search(&mut server, Settings { start_rps: 100.0, ..settings() });
    let Ending::Degraded { rate_rps } = answer.ending else { panic!("{:?}", answer.ending) };
    assert!((100.0..200.0).contains(&rate_rps));
    assert_eq!(answer.interval(), None);
    let mut server =
        Server { after_overload: 0.2, effect: 0.2, full: 220.0, ..Server::new(200.0, 1) };
    let without = Settings { start_rps: 100.0, recheck: false, ..settings() };
    let answer = search(&mut server, without);
    assert!(matches!(answer.ending, Ending::NotConfirmed { .. }), "{:?}", answer.ending);
    assert_eq!(answer.interval(), None);
}

#[test]
fn a_search_that_is_cut_keeps_what_it_knows() {
    let mut search = Search::new(Settings { start_rps: 100.0, ..settings() });
    let mut server = Server::new(200.0, 3);
    let first = server.step(&search);
    search.observe(first);
    let load = search.next().unwrap();
    search.observe(seen(&load, 7, State::Cut, None));
    assert_eq!(search.next(), None);
    let answer = search.answer();
    assert_eq!((answer.ending.clone(), answer.low_rps), (Ending::Interrupted, Some(100.0)));
    assert_eq!(answer.curve().len(), 1);
}

#[test]
fn a_search_ends_when_its_time_is_spent() {
    let mut server = Server { effect: 100.0, ..Server::new(200.0, 3) };
    let short = Settings { start_rps: 150.0, load_s: 600.0, ..settings() };
    let answer = search(&mut server, short);
    let confirmation = answer.steps.iter().filter(|step| step.purpose == Purpose::Confirm);
    let confirmation: f64 = confirmation.map(|step| step.seen.load_s).sum();
    assert!(answer.load_s - confirmation <= 600.0 + SETTLE, "{}", answer.load_s);
}
