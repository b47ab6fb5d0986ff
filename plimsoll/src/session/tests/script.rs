//! A source that reads a script, and what becomes of it.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};

use plimsoll_domain::{Key, Moment, Names, Outcome, Recorder, Sample, Snapshot};
use tempfile::TempDir;

use crate::exit::Exit;
use crate::scenario::{self, Scenario};
use crate::session::sink::{Folder, Output, Sink};
use crate::session::source::{Event, Instances, Source};
use crate::session::{Failure, Printing, Session, conclude, drive, run as composer};

const SCENARIO: &str = "
name: scripted
seed: 7
target: {url: 'http://127.0.0.1:1/score'}
request: {method: GET}
load:
  arrivals: constant
  stages:
    - {name: warm-up, duration: 2s, rps: 100, warmup: true}
    - {name: hold, duration: 8s, rps: 100}
objectives: [p95 < 50ms in 70% of 1s windows, error rate < 20%]
alerts:
  - {name: slow answers, objective: p95 < 50ms in every 1s, for: 1s, severity: critical}
";

/// Two seconds of warm-up and eight of measuring, at 100 requests a second.
pub(in crate::session) fn scenario() -> Scenario {
    scenario_of(SCENARIO)
}

/// The scenario of this text.
pub(in crate::session) fn scenario_of(text: &str) -> Scenario {
    scenario::read_text(text).unwrap()
}

/// Tells what the script says, and does something before its last event.
pub(in crate::session) struct Scripted {
    events: VecDeque<Event>,
    before_last: Box<dyn FnMut()>,
}

impl Scripted {
    /// A run of these events, begun on 23 November 2026.
    pub(in crate::session) fn new(events: impl IntoIterator<Item = Event>) -> Self {
        let first_due = SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_405_200_250);
        let begun = Event::Begun { first_due };
        let events = [begun].into_iter().chain(events).collect();
        Self { events, before_last: Box::new(|| {}) }
    }

    /// Does this before the last event.
    pub(in crate::session) fn and_then(mut self, before_last: impl FnMut() + 'static) -> Self {
        self.before_last = Box::new(before_last);
        self
    }
}

impl Source for Scripted {
    /// What has not been told yet is not told any more but the last event.
    fn stop(&mut self) {
        let last = self.events.pop_back();
        self.events.clear();
        self.events.extend(last);
    }

    async fn next(&mut self) -> Event {
        let event = self.events.pop_front().expect("a script ends with a last event");
        if event.is_last() {
            (self.before_last)();
        }
        event
    }
}

/// How one arrival is answered.
#[derive(Debug, Clone, Copy)]
pub(in crate::session) struct Answer {
    /// What it asks: the number of the scenario's request.
    pub(in crate::session) request: u16,
    /// Who says that it answered.
    pub(in crate::session) deployment: &'static str,
    /// From the sending to the end of the answer.
    pub(in crate::session) took: Duration,
    /// From when it was due to when it was released and sent.
    pub(in crate::session) lag: Duration,
    /// With which status.
    pub(in crate::session) status: u16,
}

/// A second of 100 arrivals, answered by their number.
pub(in crate::session) fn second_of(
    scenario: &Scenario,
    index: u64,
    answer: impl Fn(u64) -> Answer,
) -> Snapshot {
    let start = Duration::from_secs(index);
    let profile = &scenario.load.profile;
    let asked = scenario.requests.iter().map(|request| request.name.clone()).collect();
    let limits = plimsoll_monitor::limits(&scenario.objectives, &scenario.alerts);
    let mut recorder = Recorder::new(Names::new(profile.names(), asked, []), limits);
    let stage = profile.stage_at(start).map(|stage| &stage.name);
    let stage = profile.stages.iter().position(|other| Some(&other.name) == stage).unwrap() as u16;
    for number in 0..100 {
        let Answer { request, deployment, took, lag, status } = answer(number);
        let key = Key { stage, request, deployment: 0 };
        recorder.offer(key);
        recorder.send(key);
        let due = Moment::from_nanos(0) + start + Duration::from_millis(10 * number);
        let sent = due + lag;
        let sample = Sample::new(due, sent + took, Outcome::status(status));
        let deployment = recorder.deployment(deployment);
        recorder.record(Key { deployment, ..key }, &Sample { released: sent, sent, ..sample });
    }
    recorder.take(index, start, start + Duration::from_secs(1))
}

/// A second in which every request takes `took`, and is released `lag` after it was due.
pub(in crate::session) fn second(index: u64, took: Duration, lag: Duration) -> Event {
    let answer = |_| Answer { request: 0, deployment: "", took, lag, status: 200 };
    let mut snapshot = second_of(&scenario(), index, answer);
    snapshot.generator.connections = index;
    Event::Interval(Box::new(snapshot))
}

/// A second in which every answer comes soon.
pub(in crate::session) fn calm(index: u64) -> Event {
    second(index, Duration::from_millis(10), Duration::ZERO)
}

/// A second in which every answer comes late.
pub(in crate::session) fn slow(index: u64) -> Event {
    second(index, Duration::from_millis(400), Duration::ZERO)
}

/// The end.
pub(in crate::session) fn ended(stopped_early: bool) -> Event {
    Event::Ended { stopped_early }
}

/// How many instances are ready and starting.
pub(in crate::session) fn counted(at_ms: u64, counts: &[(&str, u32, u32)]) -> Event {
    let instances = counts.iter().map(|(deployment, ready, starting)| Instances {
        deployment: (*deployment).to_owned(),
        ready: *ready,
        wanted: ready + starting,
        starting: *starting,
    });
    Event::Instances { at: Duration::from_millis(at_ms), instances: instances.collect() }
}

/// What became of a script.
pub(in crate::session) struct Run {
    /// How it ended.
    pub(in crate::session) exit: Exit,
    /// What every sink was told.
    pub(in crate::session) told: Vec<String>,
    folder: TempDir,
}

impl Run {
    /// The text of a file.
    pub(in crate::session) fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).expect(name)
    }

    /// The files.
    pub(in crate::session) fn folder_names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

/// Keeps what it is told, in a line each.
struct Recording(Vec<String>);

impl Sink for Recording {
    fn take(&mut self, output: &Output<'_>) -> Result<(), Failure> {
        let kind =
            |event: &crate::results::Event| format!("{} {}", event.kind.label(), event.message);
        self.0.push(match output {
            Output::Begun { first_due } => {
                format!("begun {}", humantime::format_rfc3339_millis(*first_due))
            }
            Output::Interval(interval) => {
                let all = interval.all.offered;
                assert_eq!(all, interval.snapshot.all().offered, "merged, and once");
                format!("interval {:?}", interval.snapshot.end)
            }
            Output::Event(event) => kind(event),
            Output::Alert(alert) => format!("alert {}: {}", alert.rule, alert.to.name()),
            Output::Evaluation { .. } => "evaluation".to_owned(),
        });
        Ok(())
    }
}

/// Runs a script to its end.
pub(in crate::session) fn run(events: impl IntoIterator<Item = Event>) -> Run {
    run_in(tempfile::tempdir().unwrap(), Scripted::new(events))
}

/// Runs a script to its end, with results in this folder.
pub(in crate::session) fn run_in(folder: TempDir, source: Scripted) -> Run {
    run_of(scenario(), folder, source)
}

/// Runs a script of another scenario to its end, with results in this folder.
pub(in crate::session) fn run_of(
    mut scenario: Scenario,
    folder: TempDir,
    mut source: Scripted,
) -> Run {
    scenario.folder = Some(folder.path().to_owned());
    let mut results = Folder::create(&scenario, composer::begun(&scenario)).unwrap();
    let (mut session, mut recording) = (Session::new(&scenario), Recording(Vec::new()));
    let mut sinks: [&mut dyn Sink; 2] = [&mut results, &mut recording];
    at_once(drive(&mut source, &mut session, &mut sinks)).unwrap();
    let exit = conclude::conclude(
        &scenario.name,
        &Ok(session.finish()),
        results,
        Printing::default(),
        |_| {},
    );
    Run { exit, told: recording.0, folder }
}

/// The result of a future that waits for nothing.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a script waits for nothing"),
    }
}
