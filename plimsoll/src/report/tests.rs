//! The page of synthetic runs: whole, complete, safe and small.

use std::fs;

use plimsoll_monitor::ValidityState;
use quick_xml::events::Event as Xml;

use super::*;
use crate::results::tests::synthetic::{self, Shape, write_run};
use crate::results::{EventKind, Results};

mod browser;

fn page_of(shape: &Shape) -> (String, Summary) {
    let folder = tempfile::tempdir().unwrap();
    let (results, summary) = write_run(folder.path(), shape);
    conclude(folder.path(), results, &summary);
    (fs::read_to_string(folder.path().join(folder::REPORT)).unwrap(), summary)
}

/// Ends the run and reports on it.
fn conclude(dir: &Path, results: Results, summary: &Summary) {
    results.finish(summary).unwrap();
    write_page(dir, summary).unwrap();
    write_junit(dir, summary).unwrap();
}

/// The text of the page, and every attribute, once it has been found well-formed.
fn parse(html: &str) -> (String, Vec<(String, String)>) {
    let mut reader = quick_xml::Reader::from_str(html);
    let (mut text, mut attributes) = (String::new(), Vec::new());
    let mut open = 0;
    loop {
        match reader.read_event().expect("the page is well-formed") {
            Xml::Eof => break,
            Xml::Text(part) => text += &String::from_utf8_lossy(&part),
            Xml::GeneralRef(name) => {
                text += match &*name {
                    b"#60" | b"lt" => "<",
                    b"#62" | b"gt" => ">",
                    b"#38" | b"amp" => "&",
                    b"#34" | b"quot" => "\"",
                    b"#39" => "'",
                    _ => " ",
                }
            }
            event @ (Xml::Start(_) | Xml::Empty(_)) => {
                open += i32::from(matches!(event, Xml::Start(_)));
                let (Xml::Start(tag) | Xml::Empty(tag)) = event else { continue };
                for attribute in tag.attributes() {
                    let attribute = attribute.expect("attributes are quoted");
                    let name = String::from_utf8_lossy(attribute.key.as_ref()).into_owned();
                    attributes.push((name, String::from_utf8_lossy(&attribute.value).into_owned()));
                }
            }
            Xml::End(_) => open -= 1,
            _ => {}
        }
    }
    assert_eq!(open, 0, "every element is closed");
    (text, attributes)
}

#[test]
fn the_page_is_well_formed_and_holds_what_it_promises() {
    let requests = vec!["score".to_owned(), "explain".to_owned()];
    let (html, summary) = page_of(&Shape { bad: 6..9, requests, ..Shape::small("quickstart") });
    let (text, _) = parse(&html);
    for objective in &summary.objectives {
        assert!(text.contains(&objective.name), "{} is not on the page", objective.name);
    }
    for part in [
        "Objectives breached",
        "Load: target rate, sent, ok",
        "Response time over time",
        "Latency heat map",
        "Percentile spectrum",
        "Send lag",
        "Model time and the rest",
        "model error",
        "424 × ",
        "explain · blue",
        "score · nobody told",
        "hold",
        "warm-up (warm-up)",
        "wrong in 2 of 29 windows of 5\u{a0}s (1 beyond chance); 3 may be; 1 not judged; worst",
        "a fact, not an estimate",
        "worth 1,000 independent",
        "about 38min more at this rate would",
        "connection closed before message completed",
        "Standard_DS3_v2",
        "pending → firing",
        "plimsoll run scenarios/quickstart --seed 7",
        "∞",
    ] {
        assert!(text.contains(part), "`{part}` is not on the page");
    }
}

// What is about one request of one deployment is in the sums already.
#[test]
fn a_page_of_one_request_and_one_deployment_has_no_table_of_keys() {
    let shape = Shape { warmup: 0, ..Shape::small("quickstart") };
    let (text, _) = parse(&page_of(&shape).0);
    assert!(!text.contains("By request, deployment and stage"), "{text}");
}

#[test]
fn the_page_refers_to_nothing_outside_itself() {
    let (html, _) = page_of(&Shape::small("quickstart"));
    let (_, attributes) = parse(&html);
    for (name, value) in attributes {
        let is_within = name == "href" && value.starts_with('#');
        assert!(
            is_within || !["src", "href", "srcset", "data"].contains(&&*name),
            "{name}={value}"
        );
    }
    for part in ["url(", "@import", "<link", "<iframe", "fetch(", "XMLHttpRequest", "innerHTML"] {
        assert!(!html.contains(part), "`{part}` is on the page");
    }
    assert_eq!(html.matches("<script").count(), 1, "the one that shows values");
}

#[test]
fn hostile_names_stay_text() {
    let hostile = "<script>alert(1)</script>\"'&{{";
    let folder = tempfile::tempdir().unwrap();
    let (mut results, mut summary) = write_run(folder.path(), &Shape::small(hostile));
    summary.objectives[0].name = hostile.to_owned();
    summary.validity.reasons = vec![hostile.to_owned()];
    summary.deployments[0].name = hostile.to_owned();
    summary.outcomes.status.insert(hostile.to_owned(), 1);
    summary.outcomes.model_status.insert(hostile.to_owned(), 1);
    for (key, deployment) in summary.keys.iter_mut().zip(["green", hostile, "teal"]) {
        key.request = hostile.to_owned();
        key.deployment = Some(deployment.to_owned());
    }
    results.event(&Event::new(1.0, EventKind::Warning, hostile));
    conclude(folder.path(), results, &summary);
    let html = fs::read_to_string(folder.path().join(folder::REPORT)).unwrap();
    let (text, _) = parse(&html);
    assert!(!html.contains("<script>alert"));
    assert!(text.matches("<script>alert(1)</script>\"'&{{").count() >= 9, "{text}");
    let junit = fs::read_to_string(folder.path().join(folder::JUNIT)).unwrap();
    assert!(!junit.contains("<script"), "{junit}");
}

#[test]
fn every_drawing_has_a_title_and_every_reference_a_target() {
    let (html, _) = page_of(&Shape { bad: 6..9, ..Shape::small("quickstart") });
    let (_, attributes) = parse(&html);
    let ids: Vec<&str> =
        attributes.iter().filter(|(n, _)| n == "id").map(|(_, v)| v.as_str()).collect();
    let mut unique = ids.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), ids.len(), "an id is there twice: {ids:?}");
    let refers = |name: &str| ["aria-labelledby", "href"].contains(&name);
    for (_, value) in attributes.iter().filter(|(name, _)| refers(name)) {
        for id in value.split(' ').map(|id| id.trim_start_matches('#')) {
            assert!(ids.contains(&id), "nothing has the id `{id}`");
        }
    }
    let images = attributes.iter().filter(|(n, v)| n == "role" && v == "img").count();
    assert_eq!(html.matches("<title").count(), images + 1, "each image and the page has a title");
}

// An hour of rows, and a heat map in which no two neighbours are alike: the worst case.
#[test]
fn a_long_run_makes_a_small_page() {
    let folder = tempfile::tempdir().unwrap();
    let (_results, summary) = write_run(folder.path(), &Shape::small("long"));
    let text = fs::read_to_string(folder.path().join(folder::TIMELINE)).unwrap();
    let rows = timeline::read(&text);
    let hour = (0..3600u32).map(|second| timeline::Row {
        t_s: f64::from(second + 1),
        response_p99_ms: Some(20.0 + f64::from(second * 7919 % 101)),
        ..rows[second as usize % rows.len()].clone()
    });
    let rows: Vec<timeline::Row> = hour.collect();
    let mut recorded = Recorded::read(&[], &rows, &[]);
    assert_eq!(recorded.heat.columns, 300);
    for row in 60..110u16 {
        let cells = (0..300u64).map(|column| 1 << ((column * 7 + u64::from(row)) % 12));
        recorded.heat.cells.insert(row, cells.collect());
    }
    let run = Run { summary, rows, events: Vec::new(), recorded };
    let html = Page::new(&run).render().unwrap();
    assert!(html.len() < 600_000, "{} bytes", html.len());
    assert!(html.contains("Each point stands for 4 rows"));
}

#[test]
fn a_killed_run_is_reported_from_what_it_left() {
    let folder = tempfile::tempdir().unwrap();
    let (results, _) = write_run(folder.path(), &Shape::small("killed"));
    drop(results);
    let hlog = folder.path().join(folder::HLOG);
    let bytes = fs::read(&hlog).unwrap();
    fs::write(&hlog, &bytes[..bytes.len() - 40]).unwrap();
    let path = rebuild(folder.path()).unwrap();
    let (text, _) = parse(&fs::read_to_string(path).unwrap());
    assert!(text.contains("Incomplete run"), "{text}");
    assert!(text.contains("Percentile spectrum"));
    let junit = fs::read_to_string(folder.path().join(folder::JUNIT)).unwrap();
    assert!(junit.contains("the run did not end"), "{junit}");
}

// What is kept for its last files is not given away, and CI collects no verdict of half a run.
#[test]
fn a_run_that_goes_on_is_reported_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (results, _) = write_run(folder.path(), &Shape::small("running"));
    assert!(goes_on(folder.path()));
    let path = rebuild(folder.path()).unwrap();
    assert!(fs::read_to_string(path).unwrap().contains("Incomplete run"));
    assert!(folder.path().join(".reserve").exists());
    assert!(!folder.path().join(folder::JUNIT).exists());
    drop(results);
    assert!(!goes_on(folder.path()));
}

#[test]
fn a_run_that_measured_nothing_has_a_page_too() {
    let folder = tempfile::tempdir().unwrap();
    let header = synthetic::header(&Shape::small("nothing"));
    let begun = Summary::begun(header.run.clone(), header.scenario.clone());
    let results = Results::create(folder.path(), header).unwrap();
    conclude(folder.path(), results, &begun);
    let html = fs::read_to_string(folder.path().join(folder::REPORT)).unwrap();
    let (text, _) = parse(&html);
    assert!(text.contains("Incomplete run") && !html.contains("NaN"), "{text}");
}

#[test]
fn a_folder_without_a_summary_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let error = rebuild(folder.path()).unwrap_err().to_string();
    assert!(error.contains("there is no such file"), "{error}");
    let other = r#"{"schema": "plimsoll.summary/v9"}"#;
    fs::write(folder.path().join(folder::SUMMARY), other).unwrap();
    assert!(matches!(rebuild(folder.path()), Err(Error::NoSummary { .. })));
}

#[test]
fn the_junit_file_is_as_servers_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let shape = Shape { bad: 6..9, ..Shape::small("breach") };
    let (_results, mut summary) = write_run(folder.path(), &shape);
    insta::assert_snapshot!("breached", junit::junit(&summary).unwrap());
    summary.validity.state = ValidityState::Invalid;
    summary.validity.reasons = vec!["the generator was late; give it another core".to_owned()];
    insta::assert_snapshot!("invalid", junit::junit(&summary).unwrap());
}

#[test]
fn a_run_that_was_cut_short_does_not_pass_in_junit() {
    let folder = tempfile::tempdir().unwrap();
    let (_results, summary) = write_run(folder.path(), &Shape::small("quickstart"));
    let counts = |change: fn(&mut Summary)| {
        let mut summary = summary.clone();
        change(&mut summary);
        let text = junit::junit(&summary).unwrap();
        !(text.contains("type=\"incomplete\"") && text.contains("<skipped"))
    };
    assert!(counts(|_| {}));
    assert!(!counts(|summary| summary.run.interrupted = true));
    assert!(!counts(|summary| summary.exit_code = Some(5)));
}

#[test]
fn a_percentile_of_too_few_requests_is_not_shown() {
    let few = crate::results::summary::LatencyStats { count: 181, ..Default::default() };
    let p99_9 = Some(9.0);
    let of = |count| crate::results::summary::LatencyStats { count, p99_9, ..few.clone() };
    assert_eq!(words::at(&of(181), 0.999), "–");
    assert_ne!(words::at(&of(1000), 0.999), "–");
}

#[test]
fn what_is_judged_is_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let (_results, mut summary) = write_run(folder.path(), &Shape::small("quickstart"));
    let mut draws = |quantile, class: &str| {
        summary.objectives.truncate(1);
        summary.objectives[0].quantile = Some(quantile);
        summary.objectives[0].of = crate::results::summary::Series::Response;
        let page = write_page(folder.path(), &summary).unwrap();
        fs::read_to_string(page).unwrap().contains(&format!("class=\"{class}\" data-n"))
    };
    assert!(!draws(0.99, "p95") && !draws(0.99, "judged"));
    assert!(draws(0.95, "p95"));
    assert!(draws(0.999, "judged"), "the log knows what has no column");
}

// Every point of every line has its value, and every line as many as the chart has places.
#[test]
fn the_pointer_finds_a_value_at_every_point() {
    let (html, _) = page_of(&Shape { bad: 6..9, ..Shape::small("quickstart") });
    let (_, attributes) = parse(&html);
    let mut points = 0;
    let mut lines = 0;
    for (name, value) in &attributes {
        let count = value.split('|').count();
        match name.as_str() {
            "data-x" => points = count,
            "data-t" => assert_eq!(count, points),
            "data-v" => {
                assert_eq!(count, points, "{value}");
                lines += 1;
            }
            _ => {}
        }
    }
    assert!(lines >= 12, "{lines}");
}

#[test]
fn a_reader_learns_why_it_failed_and_where_it_ran() {
    let folder = tempfile::tempdir().unwrap();
    let (_results, mut summary) = write_run(folder.path(), &Shape::small("quickstart"));
    let log = vec!["Traceback".to_owned(), "ValueError: <no>".to_owned()];
    summary.instances = vec![
        crate::results::summary::InstanceResult {
            deployment: "blue".to_owned(),
            name: "blue-0".to_owned(),
            ready: true,
            exception: Some("ValueError: <no>".to_owned()),
            log,
            ..Default::default()
        },
        crate::results::summary::InstanceResult {
            name: "calm".to_owned(),
            ready: true,
            ..Default::default()
        },
    ];
    summary.run.insecure = true;
    summary.run.machine.architecture = "x86_64".to_owned();
    summary.run.machine.cores = 2;
    let page = write_page(folder.path(), &summary).unwrap();
    let (text, _) = parse(&fs::read_to_string(page).unwrap());
    for part in ["blue · blue-0", "Traceback\nValueError: <no>", "NOT verified", "2 cores of"] {
        assert!(text.contains(part), "`{part}` is not on the page");
    }
    assert!(!text.contains("calm"), "nothing is wrong with that one");
}

#[test]
fn stages_and_deployments_have_a_table_each() {
    let (html, summary) = page_of(&Shape::small("quickstart"));
    let names = |groups: &[crate::results::summary::GroupResult]| {
        groups.iter().map(|each| (each.name.clone(), each.ended)).collect::<Vec<_>>()
    };
    let groups = &summary.groups;
    let (warm, hold) = (("warm-up".to_owned(), 400), ("hold".to_owned(), 2000));
    assert_eq!(names(&groups.stages), [warm, hold]);
    assert_eq!(names(&groups.deployments), [("blue".to_owned(), 2000)]);
    let (text, _) = parse(&html);
    assert!(text.contains("By stage and deployment") && text.contains("warm-up, not judged"));
}
