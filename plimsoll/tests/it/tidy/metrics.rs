//! Every metric that a dashboard or a Prometheus rule names is one that the exporter exports.
//!
//! A dashboard that asks for a metric under an old name shows an empty panel, and nobody notices before the night it is needed.
//! Names are compared after the translation that Prometheus does for OTLP: dots become underscores, and the unit and `_total`
//! are appended. Labels that begin as our metrics do are compared in the same way.

use std::collections::BTreeSet;

use super::repository::{self, has_extension};
use super::{Finding, assert_tidy, source};

/// What the names of exported metrics begin with.
const PREFIXES: &[&str] = &["plimsoll.", "http.client."];

/// What Prometheus and recording rules append to a translated name.
const SUFFIXES: &[&str] =
    &["_total", "_seconds", "_per_second", "_ratio", "_bucket", "_count", "_sum"];

/// The metric names among the string literals of a source file.
fn exported(source: &str) -> BTreeSet<String> {
    let literals = source::strings(source);
    let is_name = |text: &String| {
        PREFIXES.iter().any(|prefix| text.starts_with(prefix))
            && text.chars().all(|c| c.is_ascii_lowercase() || matches!(c, '.' | '_'))
    };
    literals.into_iter().filter(is_name).map(|name| name.replace('.', "_")).collect()
}

/// The words of a dashboard that look like our metrics, with their lines.
fn named(text: &str) -> Vec<(usize, &str)> {
    let mut names = Vec::new();
    for (index, line) in text.lines().enumerate() {
        // `plimsoll:…` is what a recording rule defines; its colon keeps it one word.
        let words = line.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | ':')));
        let ours =
            words.filter(|word| word.starts_with("plimsoll_") || word.starts_with("http_client_"));
        names.extend(ours.map(|word| (index + 1, word)));
    }
    names
}

fn is_exported(name: &str, exported: &BTreeSet<String>) -> bool {
    exported.contains(name)
        || SUFFIXES
            .iter()
            .filter_map(|suffix| name.strip_suffix(suffix))
            .any(|stem| is_exported(stem, exported))
}

fn check(path: &str, text: &str, exported: &BTreeSet<String>) -> Vec<Finding> {
    let unknown = named(text).into_iter().filter(|(_, name)| !is_exported(name, exported));
    let why = "monitor/src/otlp exports no such metric: the panel would be empty";
    unknown
        .map(|(line, name)| Finding::new(path, line, format!("no metric `{name}`"), why))
        .collect()
}

#[test]
fn dashboards_name_metrics_that_exist() {
    let files = repository::text_files();
    let sources = files.iter().filter(|file| file.path.starts_with("monitor/src/otlp"));
    let names: BTreeSet<String> = sources.flat_map(|file| exported(&file.text)).collect();
    assert!(names.len() > 5, "only {names:?} found among the literals of monitor/src/otlp");
    let dashboards = files.iter().filter(|file| {
        file.path.starts_with("dashboards/")
            && ["json", "yml"].iter().any(|extension| has_extension(&file.path, extension))
    });
    let mut findings = Vec::new();
    let mut count = 0;
    for file in dashboards {
        count += named(&file.text).len();
        findings.extend(check(&file.path, &file.text, &names));
    }
    assert!(count > 5, "the dashboards name only {count} metrics");
    assert_tidy(&findings);
}

#[test]
fn an_unknown_metric_is_found() {
    let names = exported(
        r#"counter("plimsoll.requests.sent", "{request}"); histogram("plimsoll.send.lag"); "plimsoll.phase" "plimsoll.X""#,
    );
    assert_eq!(names.len(), 3);
    let text = "rate(plimsoll_requests_sent_total[1m])\nplimsoll_send_lag_seconds{plimsoll_phase=\"measured\"}";
    assert_eq!(check("dashboards/a.yml", text, &names), []);
    let found = check("dashboards/a.yml", "x\nrate(plimsoll_requests_gone_total[1m])", &names);
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].line, found[0].rule.as_str()),
        (2, "no metric `plimsoll_requests_gone_total`")
    );
}
