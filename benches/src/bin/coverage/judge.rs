//! What plimsoll makes of a run: the only file that knows by which of its parts verdicts are made.
//! It is the product's own path: a recorder counts, its snapshots go to the monitor, and the monitor
//! judges.

use std::time::Duration;

use plimsoll_domain::schedule::Profile;
use plimsoll_domain::{Class, Key, Limits, Moment, Names, Outcome, Recorder, Sample, StageName};
use plimsoll_monitor::{Amount, Judgement, Monitor, MonitorConfig, Objective, Verdict, limits};

use crate::process::Request;

/// What is asked of a run.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// A percentile below the limit, or an error rate below its own.
    pub(crate) objective: Objective,
    /// The value that the objective is about, as it truly is, in the objective's unit.
    pub(crate) truth: f64,
}

/// What came of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answer {
    pub(crate) verdict: Verdict,
    /// Whether the interval that is shown holds the truth, to the histogram's resolution.
    pub(crate) inside: bool,
}

/// The answers to all that is asked of a run, at each confidence. Requests count in the second in
/// which they arrived.
pub(crate) fn judge(run: &[Request], asked: &[Asked], confidences: &[f64]) -> Vec<Vec<Answer>> {
    let objectives: Vec<Objective> = asked.iter().map(|asked| asked.objective.clone()).collect();
    let limits = limits(&objectives, []);
    let end =
        run.last().map_or(Duration::ZERO, |last| Duration::from_secs(last.arrived as u64 + 1));
    let monitor = |confidence: &f64| {
        Monitor::new(MonitorConfig {
            objectives: objectives.clone(),
            alerts: Vec::new(),
            confidence: *confidence,
            profile: Profile::hold(100.0, end),
        })
    };
    let mut monitors: Vec<Monitor> = confidences.iter().map(monitor).collect();
    let mut recorder = recorder(limits);
    for second in run.chunk_by(|one, next| one.arrived as u64 == next.arrived as u64) {
        for request in second {
            record(&mut recorder, request);
        }
        let index = second[0].arrived as u64;
        let (from, to) = (Duration::from_secs(index), Duration::from_secs(index + 1));
        let snapshot = recorder.take(index, from, to);
        for monitor in &mut monitors {
            monitor.observe(&snapshot);
        }
    }
    let reports: Vec<_> = monitors.into_iter().map(Monitor::finish).collect();
    let answers = |index: usize| {
        let of = reports.iter().map(|report| answer(&report.judgements[index], asked[index].truth));
        of.collect()
    };
    (0..asked.len()).map(answers).collect()
}

fn recorder(limits: Limits) -> Recorder {
    let stage = StageName { name: "hold".to_owned(), warmup: false };
    Recorder::new(Names::new(vec![stage], vec!["score".to_owned()], []), limits)
}

fn record(recorder: &mut Recorder, request: &Request) {
    let key = Key::default();
    let due = Moment::from_nanos(0);
    let failed = request.took.is_infinite();
    let took = if failed { Duration::ZERO } else { Duration::from_secs_f64(request.took) };
    recorder.offer(key);
    recorder.send(key);
    let outcome = if failed { Outcome::of(Class::Closed) } else { Outcome::status(200) };
    recorder.record(key, &Sample::new(due, due + took, outcome));
}

fn answer(judgement: &Judgement, truth: f64) -> Answer {
    let ends = judgement.evidence.as_ref().map(|evidence| evidence.interval);
    let inside = ends.is_some_and(|(low, high): (Amount, Amount)| {
        low.number * 0.999 <= truth && truth <= high.number * 1.001
    });
    Answer { verdict: judgement.verdict, inside }
}
