//! The folder as a whole: what a run leaves, and what stands in its way.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use super::*;
use synthetic::{Shape, header, write_run, write_run_on};

pub(crate) mod synthetic;

#[test]
fn a_run_leaves_its_four_files() {
    let folder = tempfile::tempdir().unwrap();
    let (results, summary) = write_run(folder.path(), &Shape::small("quickstart"));
    let kept = fs::metadata(folder.path().join(".reserve")).unwrap().len();
    assert!(kept > 8 * fs::metadata(folder.path().join(folder::SUMMARY)).unwrap().len());
    results.finish(&summary).unwrap();
    let mut names: Vec<String> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [folder::EVENTS, folder::HLOG, folder::SUMMARY, folder::BY_KEY, folder::TIMELINE]
    );
    let rows = timeline::read(&fs::read_to_string(folder.path().join(folder::TIMELINE)).unwrap());
    assert_eq!(rows.len(), 12);
    let measured = rows.iter().filter(|row| row.phase == "measured");
    assert_eq!(measured.map(|row| row.offered).sum::<u64>(), summary.load.offered);
    assert_eq!(summary.check_conservation(), Ok(()));
}

#[test]
fn the_interval_log_holds_what_the_summary_says() {
    let folder = tempfile::tempdir().unwrap();
    let (_results, summary) = write_run(folder.path(), &Shape::small("quickstart"));
    let log = fs::read(folder.path().join(folder::HLOG)).unwrap();
    let count = |tag: &str| -> u64 {
        hlog::read(&log).filter(|line| line.tag == tag).map(|line| line.latencies.count()).sum()
    };
    assert_eq!(count("response"), summary.latency_ms.response.count);
    assert_eq!(count("send_lag"), summary.latency_ms.send_lag.count);
    assert_eq!(count("warmup_response"), summary.warmup.as_ref().map_or(0, |w| w.ok));
}

// The sums stay what they are; each request has lines of its own beside them.
#[test]
fn the_interval_log_tells_requests_apart() {
    let folder = tempfile::tempdir().unwrap();
    let requests = vec!["score".to_owned(), "explain".to_owned()];
    let shape = Shape { requests, ..Shape::small("mix") };
    let (_results, summary) = write_run(folder.path(), &shape);
    let log = fs::read(folder.path().join(folder::HLOG)).unwrap();
    let count = |tag: &str| -> u64 {
        hlog::read(&log).filter(|line| line.tag == tag).map(|line| line.latencies.count()).sum()
    };
    let whole = summary.latency_ms.response.count;
    assert_eq!(count("response"), whole);
    assert_eq!(count("response/score/blue"), whole / 2);
    assert_eq!(count("response/explain/blue"), whole / 2);
    assert!(count("warmup_service/explain/blue") > 0);
}

// Another implementation reads the log: PyPI's hdrhistogram.
#[test]
fn the_interval_log_is_read_by_another_implementation() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let knows = |python: &PathBuf| {
        let asked = Command::new(python).args(["-c", "import hdrh"]).output();
        asked.is_ok_and(|output| output.status.success())
    };
    let pythons = [root.join(".cache/hdrh/bin/python"), "python3".into()];
    let Some(python) = pythons.into_iter().find(knows) else {
        println!("skipped: needs PyPI hdrhistogram (scripts/real/hdrh)");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (_results, summary) = write_run(folder.path(), &Shape::small("quickstart"));
    let script = "
import sys
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader
total = HdrHistogram(1000, 3600 * 10**9, 3)
reader = HistogramLogReader(sys.argv[1], total)
while True:
    interval = reader.get_next_interval_histogram()
    if interval is None:
        break
    if interval.get_tag() == 'response':
        total.add(interval)
print(total.get_total_count(), total.get_value_at_percentile(99))
";
    let log = folder.path().join(folder::HLOG);
    let output = Command::new(&python).args(["-c", script]).arg(&log).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let numbers: Vec<f64> = text.split_whitespace().map(|n| n.parse().unwrap()).collect();
    assert_eq!(numbers.len(), 2, "{}", String::from_utf8_lossy(&output.stderr));
    let response = &summary.latency_ms.response;
    assert!((numbers[0] - response.count as f64).abs() < 0.5, "{text}");
    let p99 = response.p99.unwrap();
    assert!((numbers[1] / 1e6 / p99 - 1.0).abs() < 0.002, "{text} against {p99}");
}

#[test]
fn a_full_disk_costs_one_file_and_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let timeline = folder.path().join(folder::TIMELINE);
    let full = |results: &mut Results| {
        results.timeline.file = Some(fs::File::options().write(true).open("/dev/full").unwrap());
    };
    let (results, summary) = write_run_on(folder.path(), &Shape::small("quickstart"), full);
    let [Loss { error: Error::Write { path, .. }, .. }] = results.losses() else {
        panic!("the timeline alone cannot be written: {:?}", results.losses());
    };
    assert_eq!(*path, timeline);
    results.finish(&summary).unwrap();
    let text = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    let told = events::read(&text(folder::EVENTS));
    let told = told.iter().filter(|event| event.kind == EventKind::Error);
    assert_eq!(told.count(), 1);
    let read: Summary = serde_json::from_str(&text(folder::SUMMARY)).unwrap();
    assert_eq!((read.run, read.outcomes), (summary.run, summary.outcomes));
    let log = fs::read(folder.path().join(folder::HLOG)).unwrap();
    assert!(hlog::read(&log).count() > 30);
}

#[test]
fn somebody_elses_folder_is_refused_and_an_earlier_result_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let shape = Shape::small("quickstart");
    fs::write(folder.path().join("thesis.tex"), "years of work").unwrap();
    let error = Results::create(folder.path(), header(&shape)).unwrap_err();
    assert!(matches!(error, Error::NotOurs { .. }));
    assert!(error.to_string().contains("--out"), "{error}");
    fs::write(folder.path().join(folder::SUMMARY), r#"{"schema": "plimsoll.summary/v2"}"#).unwrap();
    let error = Results::create(folder.path(), header(&shape)).unwrap_err().to_string();
    assert!(error.contains("`thesis.tex`"), "{error}");

    fs::remove_file(folder.path().join("thesis.tex")).unwrap();
    fs::write(folder.path().join(folder::REPORT), "old").unwrap();
    let results = Results::create(folder.path(), header(&shape)).unwrap();
    assert!(!results.dir().join(folder::REPORT).exists(), "an old report would mislead");
    let text = fs::read(folder.path().join(folder::SUMMARY)).unwrap();
    let begun: Summary = serde_json::from_slice(&text).unwrap();
    assert_eq!((begun.run.complete, begun.exit_code), (false, None));
    assert_eq!(begun.run.started, "2026-11-23T03:40:00Z");
}

#[test]
fn a_folder_in_use_is_refused_until_its_run_has_ended() {
    let folder = tempfile::tempdir().unwrap();
    let shape = Shape::small("quickstart");
    let first = Results::create(folder.path(), header(&shape)).unwrap();
    let error = Results::create(folder.path(), header(&shape)).unwrap_err();
    assert!(matches!(error, Error::InUse { .. }), "{error}");
    drop(first);
    Results::create(folder.path(), header(&shape)).unwrap();
}

#[test]
fn links_are_never_written_through() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (file, shape) = (other.path().join("file"), Shape::small("quickstart"));
    fs::write(&file, "somebody's").unwrap();
    drop(Results::create(folder.path(), header(&shape)).unwrap());
    let timeline = folder.path().join(folder::TIMELINE);
    fs::remove_file(&timeline).unwrap();
    symlink(&file, &timeline).unwrap();
    let error = Results::create(folder.path(), header(&shape)).unwrap_err();
    assert!(matches!(&error, Error::NotOurs { name, .. } if name == folder::TIMELINE), "{error}");
    fs::remove_file(&timeline).unwrap();
    fs::hard_link(&file, &timeline).unwrap();
    let mut results = Results::create(folder.path(), header(&shape)).unwrap();
    symlink(&file, folder.path().join(".summary.json.tmp")).unwrap();
    results.summary(&Summary::begun(Run::default(), ScenarioName::default()));
    assert!(results.losses().is_empty());
    assert_eq!(fs::read_to_string(&file).unwrap(), "somebody's");
}

#[test]
fn a_summary_that_cannot_be_replaced_for_a_while_is_no_loss() {
    let folder = tempfile::tempdir().unwrap();
    let mut results = Results::create(folder.path(), header(&Shape::small("quickstart"))).unwrap();
    let summary = Summary::begun(Run::default(), ScenarioName::default());
    let obstacle = folder.path().join(".summary.json.tmp");
    fs::create_dir(&obstacle).unwrap();
    results.summary(&summary);
    results.summary(&summary);
    fs::remove_dir(&obstacle).unwrap();
    results.summary(&summary);
    assert!(results.losses().is_empty());
    let told = fs::read_to_string(folder.path().join(folder::EVENTS)).unwrap();
    let told = events::read(&told);
    assert_eq!(told.iter().filter(|event| event.kind == EventKind::Warning).count(), 1);
    results.finish(&summary).unwrap();
}

#[test]
fn the_default_folder_is_named_by_scenario_and_time() {
    let parent = tempfile::tempdir().unwrap();
    let results = parent.path().join("results");
    let dir = || new_default_dir(&results, "../a b", header(&Shape::small("x")).started).unwrap();
    assert_eq!(dir(), results.join("-a-b-20261123T034000Z"));
    assert_eq!(dir(), results.join("-a-b-20261123T034000Z-2"), "never another run's folder");
}
