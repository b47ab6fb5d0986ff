//! Whole comparisons of folders as a run writes them.

use std::fs;
use std::slice::from_ref;

use clap::Parser;
use serde_json::{Value, json};
use tempfile::TempDir;

use plimsoll_study::compare::Unit;

use super::*;
use crate::results::folder;
use crate::results::tests::synthetic::{Shape, write_run};

/// What is done to a summary.
type Change = fn(&mut Value);

/// Folders of runs, each with a name of its own.
struct Runs(TempDir);

impl Runs {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, shape: &Shape) -> PathBuf {
        let path = self.path(name);
        let (results, mut summary) = write_run(&path, shape);
        summary.run.id = name.to_owned();
        summary.run.complete = true;
        summary.exit_code = Some(0);
        results.finish(&summary).expect("the folder takes it");
        path
    }

    /// Changes the summary of a run.
    fn change(&self, name: &str, change: impl FnOnce(&mut Value)) {
        let path = self.path(name).join(folder::SUMMARY);
        let mut summary: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        change(&mut summary);
        fs::write(path, summary.to_string()).unwrap();
    }

    fn compare(&self, args: &[&str]) -> Exit {
        run(self.args(args)).expect("files can be written")
    }

    /// Names become folders, and what begins with `@` a file beside them.
    fn args(&self, args: &[&str]) -> Args {
        #[derive(Parser)]
        struct Line {
            #[command(flatten)]
            args: Args,
        }
        let place = |arg: &&str| match arg.strip_prefix('@') {
            Some(file) => self.path(file).display().to_string(),
            None if self.path(arg).is_dir() => self.path(arg).display().to_string(),
            None => (*arg).to_owned(),
        };
        let line = std::iter::once("compare".to_owned()).chain(args.iter().map(place));
        Line::try_parse_from(line).unwrap_or_else(|error| panic!("{error}")).args
    }

    /// Why the second cannot be compared with the first.
    fn refusal(&self, base: &str, new: &str) -> String {
        let read = |name: &str| Recording::read(&self.path(name));
        match (read(base), read(new)) {
            (Ok(base), Ok(new)) => alike::check(&[base], &[new]).expect_err("they are not alike"),
            (base, new) => base.err().or(new.err()).map(|error| error.to_string()).unwrap(),
        }
    }
}

fn shape() -> Shape {
    Shape { seconds: 42, ..Shape::small("nightly") }
}

fn slower() -> Shape {
    Shape { factor: 1.3, ..shape() }
}

#[test]
fn a_regression_is_told_in_every_way() {
    let runs = Runs::new();
    runs.write("base", &shape());
    runs.write("new", &slower());
    let outputs = ["--markdown", "@out.md", "--junit", "@out.xml", "--html", "@out.html"];
    assert_eq!(runs.compare(&[&["base", "new"], &outputs[..]].concat()), Exit::Breached);
    let read = |name: &str| fs::read_to_string(runs.path(name)).unwrap();
    let markdown = read("out.md");
    assert!(markdown.starts_with("### nightly: regressed"), "{markdown}");
    assert!(markdown.contains("| p99 |") && markdown.contains("**regressed**"), "{markdown}");
    assert!(markdown.contains("differences between two runs of the same build"), "{markdown}");
    let xml = read("out.xml");
    assert!(xml.contains("<failure") && xml.contains("name=\"p99\""), "{xml}");
    let html = read("out.html");
    for id in ["spectrum", "timeline", "blocks"] {
        assert!(html.contains(&format!("id=\"{id}-h\"")), "{id}");
    }
    assert!(html.contains("class=\"beam\"") && html.contains("path class=\"dots new\""));
    for outside in ["href=", "src=", "url(", "<script", "<link"] {
        assert!(!html.contains(outside), "{outside}");
    }
    // The other way round it is an improvement, which is a success.
    assert_eq!(runs.compare(&["new", "base", "--metric", "p50", "--json"]), Exit::Success);
}

#[test]
fn what_is_within_the_margin_is_no_change_and_what_is_open_inconclusive() {
    let runs = Runs::new();
    runs.write("base", &shape());
    runs.write("new", &slower());
    let p50 = ["base", "new", "--metric", "p50", "--margin"];
    assert_eq!(runs.compare(&[&p50[..], &["p50=80%"]].concat()), Exit::Success);
    assert_eq!(runs.compare(&[&p50[..], &["p50=30%"]].concat()), Exit::Inconclusive);
    assert_eq!(runs.compare(&[&p50[..], &["p50=5%"]].concat()), Exit::Breached);
    // So few requests show no p99.9, and it was asked for.
    assert_eq!(runs.compare(&["base", "new", "--metric", "p99.9"]), Exit::Usage);
    let both = ["base", "new", "--metric", "p99.9", "--metric", "error-rate"];
    assert_eq!(runs.compare(&both), Exit::Inconclusive);
}

#[test]
fn several_runs_are_the_unit() {
    let runs = Runs::new();
    for index in 0..3 {
        let factor = 1.0 + 0.01 * f64::from(index);
        runs.write(&format!("b{index}"), &Shape { factor, ..shape() });
        runs.write(&format!("n{index}"), &Shape { factor: factor * 1.5, ..shape() });
    }
    let all = ["b0", "b1", "b2", "--new", "n0", "n1", "n2", "--metric", "p95"];
    assert_eq!(runs.compare(&all), Exit::Breached);
    assert_eq!(runs.compare(&["b0", "b1", "--new", "n0", "n1"]), Exit::Usage);
    assert_eq!(runs.compare(&["b0", "b1", "b2"]), Exit::Usage);
    assert_eq!(runs.compare(&[&all[..], &["--paired"]].concat()), Exit::Usage);
}

#[test]
fn the_json_is_stable() {
    let runs = Runs::new();
    let [base, new] = [("base", shape()), ("new", slower())]
        .map(|(name, shape)| Recording::read(&runs.write(name, &shape)).unwrap());
    let settings = Settings { metrics: vec![Metric::P99], ..Settings::default() };
    let comparison = compare(from_ref(&base.run), from_ref(&new.run), &settings).unwrap();
    let (base, new) = (vec![base], vec![new]);
    let compared = Compared { base, new, pairs: None, comparison, exit_code: 3 };
    let json = serde_json::to_value(compared.json()).unwrap();
    assert_eq!(json["schema"], "plimsoll.comparison/v1");
    assert_eq!((&json["answer"], &json["unit"]), (&json!("regressed"), &json!("blocks")));
    assert_eq!((&json["new"][0]["run"], &json["exit_code"]), (&json!("new"), &json!(3)));
    let finding = &json["findings"][0];
    assert_eq!((&finding["metric"], &finding["scale"]), (&json!("p99"), &json!("ratio")));
    assert!(finding["effect"]["low"].as_f64().unwrap() > 1.0, "{finding}");
}

#[test]
fn blocks_hold_all_that_the_summary_tells() {
    let runs = Runs::new();
    let failing = Shape { bad: 20..30, stall_ms: 300, ..shape() };
    let recording = Recording::read(&runs.write("bad", &failing)).unwrap();
    let summary = &recording.summary;
    let [p50, p99] = recording.run.percentiles(&[0.5, 0.99])[..] else { panic!("two") };
    let near =
        |one: Option<f64>, other: Option<f64>| (one.unwrap() / other.unwrap() - 1.0).abs() < 0.002;
    assert!(near(p50, summary.latency_ms.response.p50), "{p50:?}");
    assert_eq!(p99.is_none(), summary.latency_ms.response.p99.is_none(), "over 1 % failed");
    assert!((recording.run.seconds() - summary.load.duration_s).abs() < 1e-6);
}

#[test]
fn what_does_not_count_is_refused_by_name() {
    let runs = Runs::new();
    runs.write("base", &shape());
    let cases: [(&str, Change); 9] = [
        ("did not end", |summary| summary["run"]["complete"] = json!(false)),
        ("was interrupted", |summary| summary["run"]["interrupted"] = json!(true)),
        ("went away in mid-run", |summary| summary["exit_code"] = json!(5)),
        ("is invalid (too late)", |summary| {
            summary["validity"] = json!({"state": "invalid", "reasons": ["too late"], "notes": []});
        }),
        ("`plimsoll.summary/v1`", |summary| summary["schema"] = json!("plimsoll.summary/v1")),
        ("simulated", |summary| summary["schema"] = json!("plimsoll.simulated-summary/v2")),
        ("different scenarios", |summary| summary["scenario"]["name"] = json!("other")),
        ("objectives differ", |summary| summary["objectives"] = json!([])),
        ("given already", |summary| summary["run"]["id"] = json!("base")),
    ];
    let summary = runs.write("new", &shape()).join(folder::SUMMARY);
    let whole = fs::read(&summary).unwrap();
    for (expected, change) in cases {
        fs::write(&summary, &whole).unwrap();
        runs.change("new", change);
        let told = runs.refusal("base", "new");
        assert!(told.contains(expected) && told.contains("new`"), "{expected}: {told}");
        assert_eq!(runs.compare(&["base", "new"]), Exit::Usage, "{expected}");
    }
}

#[test]
fn other_load_and_cut_off_folders_are_refused() {
    let runs = Runs::new();
    runs.write("base", &shape());
    runs.write("faster", &Shape { rps: 220, ..shape() });
    assert!(runs.refusal("base", "faster").contains("load differs"));
    runs.write("mix", &Shape { requests: vec!["score".into(), "explain".into()], ..shape() });
    assert!(runs.refusal("base", "mix").contains("requests differ"));
    // One steady stage may be longer.
    runs.write("longer", &Shape { seconds: 60, ..shape() });
    assert_ne!(runs.compare(&["base", "longer"]), Exit::Usage);
    let short = Shape { seconds: 8, ..shape() };
    runs.write("short", &short);
    assert_eq!(runs.compare(&["base", "short"]), Exit::Usage, "six blocks");
    let cut = runs.write("cut", &shape());
    for file in [folder::HLOG, folder::TIMELINE] {
        let path = cut.join(file);
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        let told = runs.refusal("base", "cut");
        assert!(told.contains("the folder is cut off"), "{file}: {told}");
        fs::remove_file(&path).unwrap();
        assert!(runs.refusal("base", "cut").contains(file), "{file}");
        fs::write(&path, &bytes).unwrap();
    }
}

#[test]
fn margins_are_read_and_nonsense_is_not() {
    let read = |text: &str| text.parse::<Margin>();
    assert_eq!(read("p99=5%"), Ok(Margin { metric: Metric::P99, share: 0.05 }));
    assert_eq!(read("error-rate = 0.1 %").map(|margin| margin.metric), Ok(Metric::ErrorRate));
    for wrong in ["p99", "p99=5", "p99=0%", "p99=-1%", "p99=nan%", "p98=5%", "p99=101%"] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
    assert!(confidence("0.99").is_ok() && confidence("99").is_err());
}

/// What makes an ordinary folder one of a side that took turns by request, in blocks of 4 s.
fn take_turns(runs: &Runs, name: &str, side: &str) {
    runs.change(name, |summary| {
        let blocks: Vec<[f64; 2]> = (0..10)
            .map(|block| [2.0 + 4.0 * f64::from(block), 6.0 + 4.0 * f64::from(block)])
            .collect();
        summary["interleaved"] =
            json!({"job": "1", "side": side, "by": "request", "blocks_s": blocks});
    });
}

#[test]
fn sides_that_took_turns_are_compared_pair_by_pair() {
    let runs = Runs::new();
    for (name, shape) in [("base", shape()), ("new", slower())] {
        runs.write(name, &shape);
        take_turns(&runs, name, name);
    }
    let told = || {
        let [base, new] = ["base", "new"].map(|name| Recording::read(&runs.path(name)).unwrap());
        compared(vec![base], vec![new], Settings::default())
    };
    let pairs = told().unwrap();
    assert_eq!((pairs.comparison.unit, pairs.comparison.base_units), (Unit::Pairs, 10));
    assert_eq!(pairs.exit_code, 3);
    let changes: [(&str, &str, Change); 6] = [
        ("of one `plimsoll ab`", "new", |summary| summary["interleaved"]["job"] = json!("2")),
        ("of one `plimsoll ab`", "new", |summary| summary["interleaved"]["side"] = json!("base")),
        ("in another way", "new", |summary| summary["interleaved"] = json!(null)),
        // What one side answered while it was the other's turn, and that is always.
        ("still being answered", "new", |summary| {
            summary["interleaved"]["by"] = json!("block");
        }),
        ("ended or was restarted", "new", |summary| {
            summary["instances"] = json!([
                {"deployment": "new", "name": "new-0", "ready": true, "restarts": 1}
            ]);
        }),
        ("the generator was late", "new", |summary| {
            summary["generator"]["release_lag_ms"]["p99"] = json!(1e3);
        }),
    ];
    for (said, name, change) in changes {
        let path = runs.path(name).join(folder::SUMMARY);
        let whole = fs::read(&path).unwrap();
        runs.change(name, change);
        if said == "still being answered" {
            runs.change("base", change);
        }
        let why = told().expect_err(said);
        assert!(why.contains(said), "{said}: {why}");
        fs::write(path, whole).unwrap();
        runs.change("base", |summary| summary["interleaved"]["by"] = json!("request"));
    }
    // An instance that was away for a second.
    let path = runs.path("new").join(folder::TIMELINE);
    let rows = fs::read_to_string(&path).unwrap();
    let fewer = rows.replacen(",2,2,0,", ",1,2,0,", 1);
    assert_ne!(rows, fewer);
    fs::write(path, fewer).unwrap();
    assert!(told().unwrap_err().contains("fewer instances"));
}
