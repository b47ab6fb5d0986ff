use std::ops::Range;

use plimsoll_domain::schedule::Stage;
use plimsoll_domain::{Class, Key, LimitCounts, Outcome, Pause, StageName};

use super::*;
use crate::alert::{AlertState, Severity};
use crate::testing::{MEASURED, WARMUP, both, ended, late, second, second_of};
use crate::{ValidityState, WindowCounts};

/// A warm-up until the measured time, of one stage.
fn profile(measured: Range<u64>) -> Profile {
    let hold = |name, from, to| Stage::hold(name, 100.0, Duration::from_secs(to - from));
    let warmup = hold("warm-up", 0, measured.start).as_warmup();
    Profile::new(vec![warmup, hold("hold", measured.start, measured.end)])
}

/// A monitor, and the limits that its recorders count.
struct Run {
    monitor: Monitor,
    limits: Limits,
    at: u64,
}

impl Run {
    fn new(objectives: &[&str], measured: Range<u64>) -> Self {
        Self::with_alerts(objectives, Vec::new(), measured)
    }

    fn with_alerts(objectives: &[&str], alerts: Vec<AlertRule>, measured: Range<u64>) -> Self {
        Self::of(objectives, alerts, profile(measured))
    }

    fn of(objectives: &[&str], alerts: Vec<AlertRule>, profile: Profile) -> Self {
        let objectives: Vec<Objective> =
            objectives.iter().map(|text| text.parse().unwrap()).collect();
        let limits = limits(&objectives, &alerts);
        let config = MonitorConfig { objectives, alerts, confidence: 0.95, profile };
        Self { monitor: Monitor::new(config), limits, at: 0 }
    }

    fn answers(&self, count: u64, millis: u64) -> Tally {
        ended(count, Outcome::status(200), Duration::from_millis(millis), &self.limits)
    }

    fn fast(&self, count: u64) -> Tally {
        self.answers(count, 10)
    }

    fn slow(&self, count: u64) -> Tally {
        self.answers(count, 500)
    }

    /// The next second.
    fn second(&mut self, tally: Tally) -> Vec<AlertEvent> {
        self.at += 1;
        self.monitor.observe(&second(self.at - 1, tally))
    }

    fn seconds(mut self, tallies: impl IntoIterator<Item = Tally>) -> Self {
        tallies.into_iter().for_each(|tally| drop(self.second(tally)));
        self
    }

    fn finish(self) -> Report {
        self.monitor.finish()
    }
}

fn verdicts(report: &Report) -> Vec<Verdict> {
    report.judgements.iter().map(|judgement| judgement.verdict).collect()
}

fn windows(report: &Report, index: usize) -> WindowCounts {
    report.judgements[index].windows.expect("an objective in windows")
}

#[test]
fn a_bad_second_breaches_a_window_and_not_the_run() {
    let run = Run::new(&["p99 < 200ms in every 2s", "p99 < 200ms"], 0..40);
    let (good, bad) = (run.fast(1000), both(run.fast(950), &run.slow(50)));
    let report =
        run.seconds((0..40).map(|at| if at == 7 { bad.clone() } else { good.clone() })).finish();
    assert_eq!(verdicts(&report), [Verdict::Breached, Verdict::Met]);
    assert_eq!(report.verdict, Some(Verdict::Breached));
    let counted = windows(&report, 0);
    assert_eq!((counted.planned, counted.judged, counted.wrong, counted.breached), (39, 39, 2, 2));
    assert_eq!(counted.worst_at, Some(Duration::from_secs(8)));
    assert_eq!(report.judgements[0].samples, 2_000);
    assert!(report.judgements[0].value.unwrap().number > 499.0);
    let evidence = report.judgements[1].evidence.as_ref().unwrap();
    assert!(evidence.design_effect > 10.0, "one event, not fifty: {evidence:?}");
    assert_eq!((evidence.batches, evidence.confidence), (40, 0.95));
}

#[test]
fn warm_up_is_never_judged() {
    let mut run = Run::new(&["p99 < 200ms in every 2s", "error rate < 2%"], 5..20);
    let (timeout, second) = (Outcome::of(Class::ClientTimeout), Duration::from_secs(1));
    for index in 0..20 {
        let (key, tally) = if index < 5 {
            (WARMUP, ended(500, timeout, second, &run.limits))
        } else {
            (MEASURED, run.fast(500))
        };
        run.monitor.observe(&second_of(index, key, tally));
    }
    let report = run.finish();
    assert_eq!(verdicts(&report), [Verdict::Met, Verdict::Met]);
    assert_eq!((windows(&report, 0).planned, windows(&report, 0).judged), (14, 14));
    assert_eq!((report.totals.offered, report.whole.warmup().offered), (7_500, 2_500));
    assert_eq!(report.measured_time, Duration::from_secs(15));
}

#[test]
fn what_ends_after_the_measured_time_counts_in_the_run() {
    let run = Run::new(&["p90 < 200ms", "p99 < 200ms in every 1s"], 0..10);
    let mut tail = run.slow(2_000);
    tail.offered = 0;
    let good = run.fast(1000);
    let report =
        run.seconds((0..12).map(|at| if at < 10 { good.clone() } else { tail.clone() })).finish();
    assert_eq!(verdicts(&report), [Verdict::Inconclusive, Verdict::Met]);
    let judgement = &report.judgements[0];
    assert!(judgement.value.unwrap().number > 499.0, "{judgement:?}");
    assert_eq!(judgement.samples, 14_000);
    assert_eq!(judgement.evidence.as_ref().unwrap().batches, 10, "the drain is no batch");
    assert_eq!(windows(&report, 1).judged, 10);
    assert_eq!(report.measured_time, Duration::from_secs(10));
}

#[test]
fn without_samples_nothing_is_met_and_without_objectives_nothing_judged() {
    let objectives = ["p99 < 200ms", "error rate < 1% in every 2s", "goodput > 5/s within 1s"];
    let report = Run::new(&objectives, 0..5).seconds((0..5).map(|_| Tally::default())).finish();
    assert_eq!(verdicts(&report), [Verdict::Inconclusive; 3]);
    assert!(report.judgements.iter().all(|judgement| judgement.undecided.is_some()));
    assert_eq!(report.validity.state, ValidityState::Invalid);
    let run = Run::new(&[], 0..5);
    let good = run.fast(10);
    assert_eq!(run.seconds((0..5).map(|_| good.clone())).finish().verdict, None);
}

#[test]
fn windows_that_could_not_be_judged_are_told() {
    // Two seconds lack in the middle: five of ten windows of 3 s cannot be judged.
    let mut run = Run::new(&["p99 < 1s in every 3s"], 0..12);
    for index in (0..12).filter(|index| ![5, 6].contains(index)) {
        let good = run.fast(1000);
        run.monitor.observe(&second(index, good));
    }
    let report = run.finish();
    assert_eq!(verdicts(&report), [Verdict::Inconclusive]);
    assert_eq!((windows(&report, 0).planned, windows(&report, 0).judged), (10, 6));
    let said = report.judgements[0].undecided.as_ref().unwrap();
    assert!(said.contains("only 6 of 10 windows") && said.contains("4 lack"), "{said}");
}

#[test]
fn the_last_half_second_is_in_a_window() {
    let mut run = Run::new(&["p99 < 200ms in every 2s"], 0..11);
    run.monitor.cut_off(Duration::from_millis(10_500));
    let (good, bad) = (run.fast(1000), both(run.fast(400), &run.slow(100)));
    let report =
        run.seconds((0..11).map(|at| if at == 10 { bad.clone() } else { good.clone() })).finish();
    assert_eq!(verdicts(&report), [Verdict::Breached]);
    assert_eq!((windows(&report, 0).planned, windows(&report, 0).judged), (10, 10));
}

#[test]
fn goodput_per_second_sees_a_stall_but_not_the_first_answers_delay() {
    let with = |stalled: u64| {
        let mut run = Run::new(&["goodput >= 90/s within 300ms in every 1s"], 0..10);
        for at in 0..10 {
            // The first second lacks what is still in flight at its end.
            let count = if at == stalled { 0 } else { 100 - 30 * u64::from(at == 0) };
            let mut tally = run.fast(count);
            tally.offered = 100;
            run.second(tally);
        }
        run.finish()
    };
    assert_eq!(windows(&with(99), 0).wrong, 0);
    let stalled = with(4);
    assert_eq!(verdicts(&stalled), [Verdict::Breached]);
    assert_eq!(stalled.judgements[0].value, Some(Amount::per_second(0.0)));
}

/// A generator that stopped for half a second: what was due then was sent late and answered late.
fn paused(mut run: Run, seconds: u64, at: u64) -> Report {
    let half = Duration::from_millis(500);
    for index in 0..seconds {
        let mut snapshot = second(index, run.fast(100));
        if index == at {
            let mut sample = crate::testing::sample(Outcome::status(200), half);
            sample.released = sample.due + Duration::from_millis(490);
            let mut tally = run.fast(50);
            tally.offered = 100;
            tally.sent = 100;
            (0..50).for_each(|_| tally.record(&sample, &run.limits));
            snapshot.tallies.insert(MEASURED, tally);
            snapshot.lags.insert(MEASURED.stage, late(50, half, &run.limits));
            snapshot.generator.pause(Pause { start: Duration::from_secs(index), length: half });
        }
        run.monitor.observe(&snapshot);
    }
    run.finish()
}

#[test]
fn a_pause_of_the_generator_breaches_nothing() {
    let objectives = ["p99 < 200ms in every 10s", "p99.5 < 200ms", "p50 < 200ms"];
    let report = paused(Run::new(&objectives, 0..60), 60, 30);
    assert_eq!(verdicts(&report), [Verdict::Inconclusive, Verdict::Inconclusive, Verdict::Met]);
    let counted = windows(&report, 0);
    assert_eq!((counted.planned, counted.wrong, counted.late), (51, 0, 10));
    for judgement in &report.judgements[..2] {
        let said = judgement.undecided.as_ref().unwrap();
        assert!(said.contains("load generator's own"), "{said}");
    }
    assert!(report.validity.notes.iter().any(|note| note.contains("did not run for 500ms")));
    assert_eq!(report.validity.state, ValidityState::Degraded);
    // The same half second at the target's door is a breach.
    let run = Run::new(&objectives, 0..60);
    let (good, bad) = (run.fast(100), both(run.fast(50), &run.slow(50)));
    let report =
        run.seconds((0..60).map(|at| if at == 30 { bad.clone() } else { good.clone() })).finish();
    assert_eq!(verdicts(&report)[0], Verdict::Breached);
}

#[test]
fn our_own_losses_breach_nothing() {
    let losses = |class| {
        let run = Run::new(&["error rate < 0.1%", "p99.9 < 1s in every 10s"], 0..40);
        let lost = ended(5, Outcome::of(class), Duration::ZERO, &run.limits);
        let second = both(run.fast(995), &lost);
        run.seconds((0..40).map(|_| second.clone())).finish()
    };
    for class in [Class::ClientFault, Class::Capped, Class::Missed] {
        let report = losses(class);
        assert_eq!(verdicts(&report), [Verdict::Inconclusive; 2], "{class:?}");
        assert_eq!(report.validity.state, ValidityState::Degraded);
    }
    assert_eq!(verdicts(&losses(Class::Connect)), [Verdict::Breached; 2]);
}

fn rule(objective: &str, for_s: u64) -> AlertRule {
    let objective = objective.parse().unwrap();
    let for_ = Duration::from_secs(for_s);
    AlertRule::try_new("slow", objective, for_, Duration::ZERO, Severity::Warning).unwrap()
}

#[test]
fn alerts_and_standings_follow_the_newest_window() {
    let objective = "p99 < 200ms in every 1s";
    let alerts = vec![rule(objective, 0)];
    let mut run = Run::with_alerts(&[objective, "p99 < 200ms"], alerts, 1..5);
    let mut states = Vec::new();
    for tally in [run.slow(500), run.fast(500), run.slow(500), run.fast(500)] {
        let events = run.second(tally);
        states.extend(events.into_iter().map(|event| (event.at.as_secs(), event.to)));
    }
    assert_eq!(states, [(3, AlertState::Firing), (4, AlertState::Resolved)]);
    let standing = run.monitor.current();
    assert!(standing[0].value.unwrap().number < 11.0, "the newest window");
    assert!(standing[1].value.unwrap().number > 499.0, "the run so far");
    assert_eq!(standing[0].verdict, Verdict::Breached, "a breach stays one");
    assert_eq!(standing[1].verdict, Verdict::Inconclusive, "no look before its time");
    assert_eq!(standing[1].next_look_s, Some(32));
}

#[test]
fn a_total_stall_fires_while_it_lasts() {
    let objective = "p99 < 200ms in every 1s";
    let alerts = vec![rule(objective, 2)];
    let mut run = Run::with_alerts(&[objective], alerts, 0..20);
    let mut fired = None;
    for at in 0..12u64 {
        let mut tally = run.fast(if at < 3 { 100 } else { 0 });
        tally.offered = 100;
        if at >= 3 {
            // Nothing ends, and ever more arrivals are overdue.
            tally.limits = vec![LimitCounts { overdue: 100 * (at - 2), ..LimitCounts::default() }];
        }
        let events = run.second(tally);
        let firing = events.iter().find(|event| event.to == AlertState::Firing);
        fired = fired.or(firing.map(|event| (event.at.as_secs(), event.value.number)));
    }
    assert_eq!(fired, Some((6, f64::INFINITY)), "two seconds after the first overdue one");
    let ended = run.monitor.end_alerts();
    assert_eq!(ended.len(), 1, "it ends with the run: {ended:?}");
    assert!(ended[0].run_ended);
    let report = run.finish();
    assert_eq!(report.judgements[0].verdict, Verdict::Breached);
}

#[test]
fn a_cut_off_run_is_judged_by_what_there_was() {
    let run = Run::new(&["goodput >= 90/s within 1s"], 0..60);
    let good = run.fast(100);
    let mut run = run.seconds((0..12).map(|_| good.clone()));
    run.monitor.cut_off(Duration::from_secs(12));
    let report = run.finish();
    assert_eq!(report.measured_time, Duration::from_secs(12));
    assert_eq!(verdicts(&report), [Verdict::Met]);
    assert_eq!(report.validity.state, ValidityState::Valid);
}

#[test]
fn an_objective_can_be_about_one_deployment() {
    let mut run = Run::new(&["p99 of green < 200ms", "p99 of blue < 200ms"], 0..30);
    for index in 0..30 {
        let mut snapshot = second(index, Tally::default());
        snapshot.tallies.clear();
        for (name, tally) in [("blue", run.fast(100)), ("green", run.slow(100))] {
            let deployment = snapshot.names.deployment(name);
            snapshot.tallies.insert(Key { deployment, ..MEASURED }, tally);
        }
        run.monitor.observe(&snapshot);
    }
    let report = run.finish();
    assert_eq!(verdicts(&report), [Verdict::Breached, Verdict::Met]);
    let keys: Vec<_> =
        report.whole.tallies.keys().map(|key| report.whole.names.of(*key).2).collect();
    assert_eq!(keys, ["blue", "green"]);
}

/// Ten seconds of `hold`, then thirty of `peak`, which are slower and half as many.
fn two_stages(objectives: &[&str], alerts: Vec<AlertRule>) -> (Report, Vec<AlertEvent>) {
    let stage = |name, rps, s| Stage::hold(name, rps, Duration::from_secs(s));
    let profile = Profile::new(vec![stage("hold", 100.0, 10), stage("peak", 50.0, 30)]);
    let mut run = Run::of(objectives, alerts, profile);
    let name = |name: &str| StageName { name: name.to_owned(), warmup: false };
    let mut told = Vec::new();
    for index in 0..40 {
        let is_hold = index < 10;
        let tally = if is_hold { run.fast(100) } else { run.answers(50, 100) };
        let stage = u16::from(!is_hold);
        let mut snapshot = second_of(index, Key { stage, ..MEASURED }, tally);
        snapshot.names.stages = vec![name("hold"), name("peak")];
        told.extend(run.monitor.observe(&snapshot));
    }
    (run.finish(), told)
}

#[test]
fn an_objective_about_a_stage_is_judged_in_its_time() {
    let objectives = [
        "p90 of hold < 50ms",
        "p90 of hold < 50ms in every 5s",
        "p90 of stage peak < 50ms in every 5s",
        "goodput of peak >= 45/s within 200ms",
    ];
    let (report, _) = two_stages(&objectives, Vec::new());
    let (met, breached) = (Verdict::Met, Verdict::Breached);
    assert_eq!(verdicts(&report), [met, met, breached, met]);
    let evidence = |index: usize| report.judgements[index].evidence.as_ref().unwrap();
    assert_eq!(evidence(0).batches, 10, "a second of another stage is no batch");
    let counts = |index| (windows(&report, index).planned, windows(&report, index).judged);
    assert_eq!((counts(1), counts(2)), ((6, 6), (26, 26)));
    assert_eq!(report.judgements[3].value, Some(Amount::per_second(50.0)));
    assert_eq!(evidence(3).batches, 30);
}

#[test]
fn an_alert_about_a_stage_looks_at_whole_windows_of_it() {
    let (_, told) = two_stages(&[], vec![rule("p90 of peak < 50ms in every 5s", 0)]);
    let told: Vec<_> = told.iter().map(|event| (event.at.as_secs(), event.to)).collect();
    assert_eq!(told, [(15, AlertState::Firing)]);
}

// Whoever stops at the first verdict has looked several times, and must not believe one more.
#[test]
fn the_verdict_of_a_look_is_final_in_a_run_that_ends_with_it() {
    let mut run = Run::new(&["p99 < 200ms", "p95 < 200ms in every 2s"], 0..600);
    run.monitor = run.monitor.until_decided();
    let (good, bad) = (run.fast(1000), run.slow(1000));
    for at in 0..33 {
        assert!(!run.monitor.is_decided(), "after {at} s");
        run.second(good.clone());
    }
    assert!(run.monitor.is_decided());
    run.monitor.cut_off(Duration::from_secs(33));
    let mut drain = bad.clone();
    drain.offered = 0;
    run.second(drain);
    let report = run.finish();
    assert_eq!(report.judgements[0].verdict, Verdict::Met);
    let evidence = report.judgements[0].evidence.as_ref().unwrap();
    assert!((evidence.confidence - 0.975).abs() < 1e-9, "the first look's: {evidence:?}");
}

#[test]
fn a_run_that_no_look_decides_is_judged_as_by_the_next() {
    let mut run = Run::new(&["p99 < 200ms"], 0..70);
    run.monitor = run.monitor.until_decided();
    let close = both(run.fast(990), &run.slow(10));
    let mut run = run.seconds((0..70).map(|_| close.clone()));
    assert!(!run.monitor.is_decided());
    run.at = 70;
    let report = run.finish();
    assert_eq!(report.judgements[0].verdict, Verdict::Inconclusive);
    let evidence = report.judgements[0].evidence.as_ref().unwrap();
    let wanted = crate::looks::spend(0.95, 2);
    assert!((evidence.confidence - wanted).abs() < 1e-9, "the third look's: {evidence:?}");
}

#[test]
fn one_breach_decides_a_run() {
    let mut run = Run::new(&["p99 < 200ms", "p99.9 < 100ms"], 0..600);
    run.monitor = run.monitor.until_decided();
    let close = both(run.fast(990), &run.slow(10));
    let mut seconds = 0;
    while !run.monitor.is_decided() && seconds < 100 {
        run.second(close.clone());
        seconds += 1;
    }
    assert_eq!(seconds, 33, "p99.9 is far above");
    assert_eq!(verdicts(&run.finish()), [Verdict::Inconclusive, Verdict::Breached]);
}

#[test]
fn what_is_told_before_a_run_is_what_decides_it() {
    for (objective, rate) in [("p99 < 200ms", 20), ("p95 < 200ms", 30), ("error rate < 1%", 100)] {
        let parsed = objective.parse().unwrap();
        let needed = crate::few::least_time(&parsed, rate as f64, 0.95).unwrap().as_secs();
        let verdict = |seconds: u64| {
            let run = Run::new(&[objective], 0..seconds);
            let good = run.fast(rate);
            verdicts(&run.seconds((0..seconds).map(|_| good.clone())).finish())[0]
        };
        assert_eq!(verdict(needed), Verdict::Met, "{objective} in {needed} s");
        assert_eq!(verdict(needed - 1), Verdict::Inconclusive, "{objective} in {needed} s");
    }
}
