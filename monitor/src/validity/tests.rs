use ValidityState::{Degraded, Invalid, Valid};
use plimsoll_domain::{Limits, Outcome};

use super::*;
use crate::testing::{MEASURED, WARMUP, answered, late, second, second_of};

const LENGTH: Duration = Duration::from_secs(10);
const TEN_MS: Duration = Duration::from_millis(10);
const PLANNED: Planned =
    Planned { until: LENGTH, length: LENGTH, tolerated: Duration::from_millis(5) };

/// Ten seconds of a hundred answers after 10 ms each, every second changed by `change`.
fn run(change: impl Fn(&mut Snapshot)) -> (Observed, Tally, Lags) {
    let (mut observed, mut totals, mut lags) =
        (Observed::default(), Tally::default(), Lags::default());
    for index in 0..10 {
        let mut snapshot = second(index, answered(100, TEN_MS, &Limits::default()));
        change(&mut snapshot);
        if snapshot.index != u64::MAX {
            observed.add(&snapshot, Duration::ZERO);
            totals.merge(&snapshot.measured());
            lags.merge(&snapshot.measured_lags());
        }
    }
    (observed, totals, lags)
}

fn judge(change: impl Fn(&mut Snapshot)) -> Validity {
    let (observed, totals, lags) = run(change);
    observed.judge(&totals, &lags, PLANNED)
}

fn lagging(snapshot: &mut Snapshot, lag: Duration) {
    snapshot.lags.insert(MEASURED.stage, late(100, lag, &Limits::default()));
}

/// Of the hundred, so many end otherwise.
fn instead(snapshot: &mut Snapshot, class: Class, count: u64) {
    let mut tally = answered(100 - count, TEN_MS, &Limits::default());
    tally.offered = 100;
    tally.sent = 100;
    tally.outcomes.add(Outcome::of(class), count);
    snapshot.tallies.insert(MEASURED, tally);
}

#[test]
fn a_generator_that_keeps_up_is_valid() {
    let validity = judge(|_| {});
    assert_eq!((validity.state, validity.reasons, validity.notes), (Valid, vec![], vec![]));
}

#[test]
fn lateness_is_measured_against_what_the_objectives_ask() {
    let (observed, totals, lags) = run(|snapshot| lagging(snapshot, Duration::from_millis(9)));
    let state = |objectives: &[&str]| {
        let objectives: Vec<Objective> = objectives.iter().map(|o| o.parse().unwrap()).collect();
        let planned = Planned { tolerated: tolerated_lag(&objectives), ..PLANNED };
        observed.judge(&totals, &lags, planned).state
    };
    assert_eq!(state(&["p99 < 400ms"]), Valid, "9 ms of 400 ms");
    assert_eq!(state(&["p99 < 200ms"]), Degraded, "9 ms of 200 ms");
    assert_eq!(state(&["p99 < 50ms", "error rate < 1%"]), Invalid, "9 ms of 50 ms");
    assert_eq!(state(&["goodput > 99% within 50ms"]), Invalid);
    assert_eq!(state(&["p99 of send lag < 50ms"]), Invalid);
    assert_eq!(state(&["p99 of service time < 20ms"]), Valid, "it does not include the lag");
    assert_eq!(state(&[]), Degraded);
}

#[test]
fn few_requests_decide_nothing() {
    let of = |requests: u64, late_ones: u64, lost: u64| {
        let mut totals = answered(requests - lost, TEN_MS, &Limits::default());
        totals.offered = requests;
        totals.outcomes.add(Outcome::of(Class::ClientFault), lost);
        let mut lags = late(requests - late_ones, Duration::ZERO, &Limits::default());
        lags.merge(&late(late_ones, Duration::from_secs(1), &Limits::default()));
        let mut observed = Observed::default();
        let mut snapshot = second(0, totals.clone());
        snapshot.end = LENGTH;
        observed.add(&snapshot, Duration::ZERO);
        observed.judge(&totals, &lags, PLANNED).state
    };
    for requests in [1, 15, 40, 100] {
        assert_eq!(of(requests, 1, 0), Valid, "one late of {requests}");
        assert_eq!(of(requests.max(2), 0, 1), Degraded, "one lost of {requests}");
    }
    assert_eq!(of(15, 8, 0), Invalid, "half of them");
    assert_eq!(of(40, 0, 8), Invalid, "a fifth of them");
    assert_eq!(of(1000, 30, 0), Invalid, "3 % of many");
}

#[test]
fn a_rate_that_the_generator_cannot_reach_is_invalid_whatever_is_asked() {
    let (observed, totals, lags) = run(|snapshot| {
        if snapshot.index > 0 {
            lagging(snapshot, Duration::from_millis(300));
        }
    });
    let error_rate: Objective = "error rate < 1%".parse().unwrap();
    for tolerated in [tolerated_lag([&error_rate]), tolerated_lag([])] {
        let validity = observed.judge(&totals, &lags, Planned { tolerated, ..PLANNED });
        assert_eq!(validity.state, Invalid);
        let said = validity.reasons.join("\n");
        assert!(said.contains("generator itself was saturated in 9 of 10"), "{said}");
        assert!(said.contains("held is 100/s"), "{said}");
    }
}

#[test]
fn a_worker_at_the_end_of_its_core_is_saturated_before_it_is_very_late() {
    let busy = |share| {
        judge(move |snapshot| {
            lagging(snapshot, Duration::from_millis(2));
            snapshot.generator.cpu_busiest = Some(share);
        })
    };
    assert!(busy(0.99).reasons[0].contains("saturated"), "{:?}", busy(0.99));
    assert!(!busy(0.5).reasons.join("").contains("saturated"));
    // A worker that spins for precision uses its core and is not late.
    assert_eq!(judge(|s| s.generator.cpu_busiest = Some(1.0)).state, Valid);
}

/// The generator did not run for a while in the fifth second.
fn pause(s: &mut Snapshot, from_ms: u64, ms: u64) {
    let (start, length) = (Duration::from_millis(from_ms), Duration::from_millis(ms));
    if s.index == 4 {
        s.generator.pause(Pause { start, length });
    }
}

#[test]
fn every_reason_says_how_much_and_what_to_do() {
    type Change = fn(&mut Snapshot);
    let cases: [(&str, Change, ValidityState, &str); 14] = [
        ("late below the floor", |s| lagging(s, Duration::from_micros(900)), Valid, ""),
        ("late", |s| lagging(s, Duration::from_millis(2)), Degraded, "2ms, 20 % of the p99"),
        ("too late", |s| lagging(s, Duration::from_millis(6)), Invalid, "more cores"),
        ("capped", |s| instead(s, Class::Capped, 1), Degraded, "10 of 1000 arrivals (1 %)"),
        ("capped much", |s| instead(s, Class::Capped, 2), Invalid, "raise the ceiling"),
        ("no sockets", |s| instead(s, Class::ClientFault, 2), Invalid, "ulimit -n"),
        (
            "lost",
            |s| s.tallies.get_mut(&MEASURED).unwrap().offered += 1,
            Degraded,
            "not accounted for",
        ),
        ("a lost worker", |s| s.generator.lost_workers = 1, Invalid, "without their last report"),
        ("starved", |s| s.generator.cpu_wait = Some(0.3), Degraded, "at worst 30 %"),
        ("seldom starved", |s| s.generator.cpu_wait = Some(0.1), Valid, ""),
        // Both workers tell of the same pause.
        (
            "paused",
            |s| [4200, 4210].into_iter().for_each(|at| pause(s, at, 300)),
            Degraded,
            "310ms of 10s",
        ),
        ("paused for long", |s| pause(s, 4200, 600), Invalid, "600ms of 10s (6 %)"),
        (
            "stalled",
            |s| {
                if s.index == 4 {
                    s.index = u64::MAX;
                }
            },
            Invalid,
            "1s of 10s (10 %)",
        ),
        (
            "stopped",
            |s| {
                if s.index > 5 {
                    s.index = u64::MAX;
                }
            },
            Invalid,
            "4s of 10s (40 %)",
        ),
    ];
    for (name, change, state, part) in cases {
        let validity = judge(change);
        assert_eq!(validity.state, state, "{name}: {validity:?}");
        let said = validity.reasons.join("\n");
        assert!(said.contains(part), "{name}: {said}");
        assert_eq!(said.is_empty(), state == Valid, "{name}: {said}");
    }
}

#[test]
fn a_run_that_goes_on_has_a_validity_and_loses_nothing_in_flight() {
    let so_far = |change: fn(&mut Snapshot)| {
        let (observed, totals, lags) = run(change);
        observed.so_far(&totals, &lags, PLANNED.tolerated)
    };
    let in_flight = so_far(|s| s.tallies.get_mut(&MEASURED).unwrap().offered += 50);
    assert_eq!(in_flight, Some(Valid));
    assert_eq!(so_far(|s| lagging(s, Duration::from_millis(6))), Some(Invalid));
    assert_eq!(so_far(|s| instead(s, Class::Capped, 2)), Some(Invalid));
    assert_eq!(so_far(|s| s.tallies.clear()), None);
}

#[test]
fn the_warm_up_does_not_count() {
    let (mut observed, from) = (Observed::default(), Duration::from_secs(1));
    let totals = answered(100, TEN_MS, &Limits::default());
    let mut warm_up = second_of(0, WARMUP, answered(100, TEN_MS, &Limits::default()));
    warm_up.generator.cpu_wait = Some(1.0);
    warm_up.lags.insert(WARMUP.stage, late(100, Duration::from_secs(1), &Limits::default()));
    observed.add(&warm_up, from);
    let measured = second(1, totals.clone());
    observed.add(&measured, from);
    let planned = Planned { until: Duration::from_secs(2), length: from, ..PLANNED };
    let validity = observed.judge(&totals, &measured.measured_lags(), planned);
    assert_eq!(validity.state, Valid, "{validity:?}");
}

#[test]
fn a_moment_of_drain_is_no_interval_to_judge_a_machine_by() {
    let (mut observed, totals, lags) = run(|_| {});
    let mut drain = second(10, Tally::default());
    drain.end = drain.start + Duration::from_millis(3);
    drain.generator.cpu_wait = Some(0.85);
    for _ in 0..5 {
        observed.add(&drain, Duration::ZERO);
    }
    assert_eq!(observed.judge(&totals, &lags, PLANNED).state, Valid);
}

#[test]
fn nothing_due_is_invalid() {
    let validity = judge(|s| s.tallies.clear());
    assert_eq!(validity.state, Invalid);
    assert!(validity.reasons[0].contains("no arrival"), "{validity:?}");
}

#[test]
fn the_limit_on_connections_is_a_note() {
    let validity = judge(|snapshot| {
        let tally = snapshot.tallies.get_mut(&MEASURED).unwrap();
        tally.offered += 5;
        tally.outcomes.add(Outcome::of(Class::Dropped), 5);
        let lags = snapshot.lags.get_mut(&MEASURED.stage).unwrap();
        lags.send = Latencies::new();
        (0..100).for_each(|_| lags.send.record(Duration::from_millis(8)));
    });
    assert_eq!(validity.state, Valid, "{validity:?}");
    assert!(validity.notes[0].contains("50 of 1050 arrivals"), "{validity:?}");
    assert!(validity.notes[1].contains("waited for a free connection"), "{validity:?}");
}
