//! `plimsoll import`: a first scenario from what other tools have.
//!
//! *Traffic* becomes the mix of requests: targets of vegeta (both of its formats), or an HTTP archive (HAR).
//! Requests that differ in their body alone are one, which sends its bodies in turn; how often each
//! occurs is its weight. *Criteria* become objectives: thresholds of k6, fail criteria of Azure Load
//! Testing. Without traffic there is no scenario to write, and they are printed.
//!
//! What has no mapping is named, in the scenario too: nothing is left out in silence, and nothing is
//! turned into something that only looks the same. Secrets (keys, cookies, passwords in a URL) are never taken over.

mod criteria;
mod har;
mod traffic;
mod vegeta;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use plimsoll_document::Document;
use plimsoll_loadgen::Target;

use super::init::{Refusal, check, create, folder, quoted};
use crate::exit::Exit;
use crate::view;
use criteria::Criteria;
use traffic::{Mix, Sent};

/// `plimsoll import`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Targets of vegeta or an HTTP archive (HAR), and thresholds of k6 (its options as JSON) or fail
    /// criteria of Azure Load Testing (YAML): one of each sort, or either
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The scenario to write, which must not be there; the bodies go to the folder `bodies` beside it
    #[arg(short, long, value_name = "FILE", default_value = "scenario.yml")]
    pub out: PathBuf,
    /// Take only the requests to this origin, such as `https://shop.example`: a scenario has one
    #[arg(long, value_name = "URL")]
    pub origin: Option<String>,
    /// Environment variable that holds the endpoint's key or token
    #[arg(long, value_name = "VARIABLE")]
    pub key_env: Option<String>,
    /// Requests per second to begin with
    #[arg(short, long, value_name = "RPS", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub rate: u32,
}

pub(crate) fn run(args: &Args) -> Exit {
    match import(args) {
        Ok(Imported { text, notes }) => {
            for note in notes {
                view::note(&format!("note: {note}"));
            }
            view::output(&text);
            Exit::Success
        }
        Err(refusal) => refusal.told(),
    }
}

/// What is told of it.
#[derive(Debug)]
struct Imported {
    text: String,
    notes: Vec<String>,
}

/// What a file holds.
enum Content {
    Traffic(Vec<Sent>),
    Criteria(Criteria),
}

fn import(args: &Args) -> Result<Imported, Refusal> {
    let (mut sent, mut criteria) = (None, None);
    for path in &args.files {
        let twice = |sort: &str| {
            format!(
                "{} is a second file of {sort}; give one, and import the other apart",
                path.display()
            )
        };
        match read(path)? {
            Content::Traffic(_) if sent.is_some() => return Err(twice("requests").into()),
            Content::Criteria(_) if criteria.is_some() => return Err(twice("criteria").into()),
            Content::Traffic(found) => sent = Some(found),
            Content::Criteria(found) => criteria = Some(found),
        }
    }
    let Some(sent) = sent else {
        let criteria = criteria.expect("at least one file is given");
        let (objectives, notes) = criteria.objectives(&[]);
        if objectives.is_empty() {
            let notes = notes.join("; ");
            return Err(format!("nothing of it can be an objective: {notes}").into());
        }
        return Ok(Imported { text: listed(&objectives).trim_end().to_owned(), notes });
    };
    let mix = Mix::new(sent, args.origin.as_deref())?;
    let (objectives, told) = criteria.map_or_else(Default::default, |criteria| {
        let names: Vec<&str> = mix.requests.iter().map(|request| request.name.as_str()).collect();
        criteria.objectives(&names)
    });
    let notes: Vec<String> = mix.notes.iter().cloned().chain(told).collect();
    write(args, &mix, &objectives, &notes)?;
    let shown = args.out.display();
    let text = format!(
        "wrote {shown} ({} requests, {} objectives); `plimsoll check {shown}` checks it",
        mix.requests.len(),
        objectives.len()
    );
    Ok(Imported { text, notes })
}

/// Reads a file of any sort.
fn read(path: &Path) -> Result<Content, Refusal> {
    let shown = path.display();
    let text = fs::read_to_string(path).map_err(|error| format!("cannot read {shown}: {error}"))?;
    if vegeta::is_one(&text) {
        let place = folder(path);
        return Ok(Content::Traffic(
            vegeta::read(&text, place).map_err(|wrong| format!("{shown}:{wrong}"))?,
        ));
    }
    if har::is_one(&text) {
        return Ok(Content::Traffic(
            har::read(&text).map_err(|wrong| format!("{shown}: {wrong}"))?,
        ));
    }
    let document = Document::parse(&shown.to_string(), &text).map_err(Refusal::Problems)?;
    criteria::read(&document).map(Content::Criteria).ok_or_else(|| {
        format!(
            "{shown} is none of what can be imported: targets of vegeta (`POST https://…`, or JSON lines with \
             `method` and `url`), an HTTP archive (`log.entries`), options of k6 as JSON (`thresholds`; a script's \
             are told by `k6 inspect`), a test of Azure Load Testing (`failureCriteria`)"
        )
        .into()
    })
}

/// Writes the scenario and the bodies. It is checked where it will lie; if that fails, what was written is removed.
fn write(args: &Args, mix: &Mix, objectives: &[String], notes: &[String]) -> Result<(), Refusal> {
    let (path, place) = (&args.out, folder(&args.out));
    let bodies = place.join("bodies");
    for there in [path.as_path(), &bodies] {
        let is_needed = there == path || mix.requests.iter().any(|one| !one.bodies.is_empty());
        if is_needed && there.symlink_metadata().is_ok() {
            let shown = there.display();
            return Err(format!("{shown} is there already; write elsewhere with --out").into());
        }
    }
    let first = &mix.requests[0];
    let url = format!("{}{}", mix.origin, first.path);
    Target::check(&url).map_err(|error| error.to_string())?;
    let unwritten = |error: std::io::Error| format!("cannot write {}: {error}", bodies.display());
    for request in mix.requests.iter().filter(|request| !request.bodies.is_empty()) {
        let of_this = bodies.join(&request.name);
        fs::create_dir_all(&of_this).map_err(unwritten)?;
        for (number, body) in (1..).zip(&request.bodies) {
            let name = format!("{number:06}.{}", request.extension());
            fs::write(of_this.join(name), body).map_err(unwritten)?;
        }
    }
    let text = compose(args, mix, objectives, notes);
    let written = check(path, &text)
        .map_err(Refusal::Problems)
        .and_then(|()| create(path, &text).map_err(Refusal::Wrong));
    if written.is_err() && bodies.exists() {
        // What cannot be removed is left; the error that is told is the first.
        drop(fs::remove_dir_all(&bodies));
    }
    written
}

fn compose(args: &Args, mix: &Mix, objectives: &[String], notes: &[String]) -> String {
    let mut text = String::from(
        "# Written by `plimsoll import`; scenarios/README.md says what else it can say.\n",
    );
    for note in notes {
        let _ = writeln!(text, "# Note: {}", note.replace(['\n', '\r'], " "));
    }
    let first = &mix.requests[0];
    let _ = writeln!(
        text,
        "name: imported\nseed: 1\ntarget:\n  url: {}",
        quoted(&format!("{}{}", mix.origin, first.path))
    );
    if let Some(key) = &args.key_env {
        let _ = writeln!(text, "  key_env: {}", quoted(key));
    }
    text.push_str("request:\n");
    for request in &mix.requests {
        let _ =
            writeln!(text, "  - name: {}\n    weight: {}", quoted(&request.name), request.count);
        let _ =
            writeln!(text, "    method: {}\n    path: {}", request.method, quoted(&request.path));
        if !request.bodies.is_empty() {
            let _ = writeln!(text, "    body: {}", quoted(&format!("bodies/{}", request.name)));
        }
        if !request.headers.is_empty() {
            text.push_str("    headers:\n");
        }
        for (name, value) in &request.headers {
            let _ = writeln!(text, "      {}: {}", quoted(name), quoted(value));
        }
    }
    let _ = write!(
        text,
        "load:\n  arrivals: poisson # independent users; `constant` for equal gaps\n  stages:\n    - {{name: warm-up, \
         duration: 10s, from_rps: 0, to_rps: {rate}, warmup: true}} # shown, not judged\n    - {{name: hold, duration: \
         60s, rps: {rate}}}\n",
        rate = args.rate
    );
    if !objectives.is_empty() {
        text.push_str(&listed(objectives));
    }
    text
}

fn listed(objectives: &[String]) -> String {
    objectives
        .iter()
        .fold("objectives:\n".to_owned(), |text, one| text + "  - " + &quoted(one) + "\n")
}

#[cfg(test)]
mod tests;
