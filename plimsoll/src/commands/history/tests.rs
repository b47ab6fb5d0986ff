//! Nights added, listed, forgotten, drawn, and compared with.

use std::fs;
use std::path::PathBuf;

use clap::Parser;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::commands::compare;
use crate::results::folder;
use crate::results::recording::Recording;
use crate::results::tests::synthetic::{Shape, write_run};

/// Results folders, and a history beside them.
struct Nights(TempDir);

#[derive(Parser)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Parser)]
struct CompareLine {
    #[command(flatten)]
    args: compare::Args,
}

impl Nights {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs a night, whose service times are so much longer.
    fn run(&self, night: u32, shape: &Shape) -> PathBuf {
        let path = self.path(&format!("run-{night}"));
        let (results, mut summary) = write_run(&path, shape);
        summary.run.id = format!("id-{night}");
        summary.run.started = format!("2026-{:02}-{:02}T02:30:00Z", 1 + night / 28, 1 + night % 28);
        summary.run.complete = true;
        summary.exit_code = Some(0);
        summary.verdict = Some(plimsoll_monitor::Verdict::Met);
        summary.run.machine.processor = "A CPU".to_owned();
        results.finish(&summary).expect("the folder takes it");
        path
    }

    fn change(&self, night: u32, change: impl FnOnce(&mut Value)) {
        let path = self.path(&format!("run-{night}")).join(folder::SUMMARY);
        let mut summary: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        change(&mut summary);
        fs::write(path, summary.to_string()).unwrap();
    }

    /// Words that name something in the folder become its path.
    fn words(&self, line: &str) -> Vec<String> {
        let word = |word: &str| match word.strip_prefix('@') {
            Some(name) => self.path(name).display().to_string(),
            None => word.to_owned(),
        };
        line.split(' ').map(word).collect()
    }

    fn history(&self, line: &str) -> Exit {
        let line = Line::try_parse_from(self.words(&format!("history {line}"))).unwrap();
        run(line.command).expect("files can be written")
    }

    fn compare(&self, line: &str) -> Exit {
        let line = CompareLine::try_parse_from(self.words(&format!("compare {line}"))).unwrap();
        compare::run(&line.args).expect("files can be written")
    }

    /// Nights of a service that is slower by a factor, which differs by a few percent.
    fn add(&self, nights: std::ops::Range<u32>, factor: f64) {
        for night in nights {
            let wobble = 1.0 + 0.02 * (f64::from(night * 7 % 5) - 2.0);
            self.run(night, &Shape { factor: factor * wobble, ..shape() });
            let line = format!("add @history @run-{night} --commit {night:040x}");
            assert_eq!(self.history(&line), Exit::Success);
        }
    }

    fn files(&self) -> usize {
        fs::read_dir(self.path("history")).unwrap().count()
    }
}

fn shape() -> Shape {
    Shape { seconds: 12, ..Shape::small("nightly") }
}

#[test]
fn a_night_is_read_as_it_was_added() {
    let nights = Nights::new();
    let run = Recording::read(&nights.run(0, &Shape { bad: 5..7, ..shape() })).unwrap();
    assert_eq!(nights.history("add @history @run-0 --commit abc"), Exit::Success);
    let history = History::read(&nights.path("history")).unwrap();
    let [night] = &history.nights[..] else { panic!("one night") };
    assert_eq!((night.commit.as_deref(), night.day()), (Some("abc"), "2026-01-01"));
    let read = night.recordings().unwrap().remove(0);
    assert_eq!(read.summary, run.summary);
    for metric in plimsoll_study::compare::Metric::ALL {
        assert_eq!(read.run.per_block(metric), run.run.per_block(metric), "{metric}");
        let near = match (night.value(metric), run.run.value(metric)) {
            (Some(one), Some(other)) => (one - other).abs() <= 1e-9 * other.abs(),
            (one, other) => one == other,
        };
        assert!(near, "{metric}: {:?}", night.value(metric));
    }
    assert!(crate::commands::unlike(&read, &run).is_none(), "its load is known");
    let size = night.path.metadata().unwrap().len();
    println!("a run of 12 s at 200/s takes {size} bytes");
    assert!(size < 60_000, "{size} bytes");
    // The same run again, and runs that do not count, are refused by name.
    assert_eq!(nights.history("add @history @run-0"), Exit::Usage);
    nights.run(1, &shape());
    nights.change(1, |summary| summary["run"]["interrupted"] = json!(true));
    assert_eq!(nights.history("add @history @run-1"), Exit::Usage);
    nights.run(2, &Shape { rps: 100, ..shape() });
    nights.run(3, &shape());
    assert_eq!(nights.history("add @history @run-2 @run-3"), Exit::Usage, "two loads");
    assert_eq!(nights.files(), 1);
    assert_eq!(nights.history("list @history"), Exit::Success);
    assert_eq!(nights.history("list @history --json"), Exit::Success);
}

#[test]
fn nights_of_the_same_second_are_both_kept() {
    let nights = Nights::new();
    nights.add(0..1, 1.0);
    nights.run(1, &shape());
    nights.change(1, |summary| summary["run"]["started"] = json!("2026-01-01T02:30:00Z"));
    let line = format!("add @history @run-1 --commit {:040x}", 0);
    assert_eq!(nights.history(&line), Exit::Success);
    assert_eq!(nights.files(), 2);
    let history = History::read(&nights.path("history")).unwrap();
    let ids: Vec<_> =
        history.nights.iter().map(|night| night.runs[0].summary.run.id.as_str()).collect();
    assert_eq!(ids, ["id-0", "id-1"]);
}

#[test]
fn old_nights_are_forgotten_and_others_stay() {
    let nights = Nights::new();
    nights.add(0..4, 1.0);
    nights.run(9, &Shape { name: "other".to_owned(), ..shape() });
    assert_eq!(nights.history("add @history @run-9 --commit c"), Exit::Success);
    nights.run(4, &shape());
    assert_eq!(nights.history("add @history @run-4 --commit c --keep 2"), Exit::Success);
    let history = History::read(&nights.path("history")).unwrap();
    let left: Vec<(&str, &str)> =
        history.nights.iter().map(|night| (night.scenario(), night.day())).collect();
    let expected = [("nightly", "2026-01-04"), ("nightly", "2026-01-05"), ("other", "2026-01-10")];
    assert_eq!(left, expected);
    // Two scenarios: it must be said which.
    assert_eq!(nights.history("trend @history"), Exit::Usage);
    assert_eq!(nights.history("trend @history --scenario other"), Exit::Success);
    assert_eq!(nights.history("trend @history --scenario none"), Exit::Usage);
    assert_eq!(nights.history("trend @nothing"), Exit::Usage);
}

#[test]
fn a_change_is_drawn_and_told() {
    let nights = Nights::new();
    nights.add(0..10, 1.0);
    nights.add(10..16, 1.3);
    assert_eq!(nights.history("trend @history --html @trend.html --json"), Exit::Success);
    let html = fs::read_to_string(nights.path("trend.html")).unwrap();
    assert!(html.contains("2026-01-11") && html.contains("worse"), "{html}");
    for id in ["p50", "p95", "error-rate"] {
        assert!(html.contains(&format!("id=\"{id}-h\"")), "{id}");
    }
    for outside in ["href=", "src=", "url(", "<script", "<link"] {
        assert!(!html.contains(outside), "{outside}");
    }
    let history = History::read(&nights.path("history")).unwrap();
    let values: Vec<_> = history
        .nights
        .iter()
        .map(|night| night.value(plimsoll_study::compare::Metric::P50))
        .collect();
    let trend = plimsoll_study::history::trend(plimsoll_study::compare::Metric::P50, &values, 0.05);
    assert_eq!(trend.changes.iter().map(|change| change.night).collect::<Vec<_>>(), [10]);
}

#[test]
fn a_night_is_compared_with_the_last_good_ones() {
    let nights = Nights::new();
    nights.add(0..2, 1.0);
    nights.run(20, &Shape { factor: 1.4, ..shape() });
    let baseline = "@run-20 --baseline @history --metric p50";
    assert_eq!(nights.compare(baseline), Exit::Usage, "two nights are too few");
    nights.add(2..12, 1.0);
    assert_eq!(nights.compare(&format!("{baseline} --html @out.html")), Exit::Breached);
    let html = fs::read_to_string(nights.path("out.html")).unwrap();
    assert!(html.contains("The base is 12 nights"), "{html}");
    nights.run(21, &Shape { factor: 1.01, ..shape() });
    let same = "@run-21 --baseline @history --metric p50 --margin p50=20%";
    assert_eq!(nights.compare(same), Exit::Success);
    // A night that is in the history already is none to compare with it.
    assert_eq!(nights.compare("@run-11 --baseline @history"), Exit::Usage);
    // Nights of another machine or load, and breached ones, are no base.
    nights.change(20, |summary| summary["run"]["machine"]["processor"] = json!("another"));
    assert_eq!(nights.compare(baseline), Exit::Usage);
    nights.run(22, &Shape { rps: 100, ..shape() });
    assert_eq!(nights.compare("@run-22 --baseline @history"), Exit::Usage);
    for night in 30..34 {
        nights.run(night, &Shape { factor: 3.0, ..shape() });
        nights.change(night, |summary| summary["verdict"] = json!("breached"));
        let line = format!("add @history @run-{night} --commit c");
        assert_eq!(nights.history(&line), Exit::Success);
    }
    assert_eq!(nights.compare(same), Exit::Success, "they are left out");
}

#[test]
fn what_is_no_night_is_named() {
    let nights = Nights::new();
    nights.add(0..1, 1.0);
    let read = || History::read(&nights.path("history")).map(|history| history.nights.len());
    fs::write(nights.path("history/README.md"), "nights").unwrap();
    assert_eq!(read().unwrap(), 1);
    for (text, told) in [
        ("{", "no night that can be read"),
        (r#"{"schema": "plimsoll.night/v9"}"#, "`plimsoll.night/v9`"),
        (r#"{"schema": "plimsoll.night/v1", "commit": null, "values": {}, "runs": []}"#, "no run"),
    ] {
        fs::write(nights.path("history/a.json"), text).unwrap();
        let error = read().unwrap_err().to_string();
        assert!(error.contains(told) && error.contains("a.json"), "{told}: {error}");
    }
}
