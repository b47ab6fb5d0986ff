//! The text of a first scenario.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use plimsoll_deploy::files::{read_deployment, read_endpoint};
use plimsoll_document::{Document, Problems};

use super::{Args, folder};
use crate::scenario::Address;

/// Names that people give to a request's body.
const SAMPLES: [&str; 4] =
    ["sample-request.json", "sample_request.json", "request.json", "sample-request.jsonl"];

/// What a scenario is about.
#[derive(Debug)]
pub(super) enum Start {
    /// An endpoint that exists.
    Url(Address),
    /// One that a run brings up.
    Files { endpoint: PathBuf, deployments: Vec<PathBuf> },
}

impl Start {
    /// Where the scenario goes, if nobody says.
    pub(super) fn folder(&self) -> &Path {
        match self {
            Self::Url(_) => Path::new("."),
            Self::Files { endpoint, .. } => folder(endpoint),
        }
    }

    /// The text of a scenario that lies in `place`.
    ///
    /// # Errors
    /// What is missing, and how it is given.
    pub(super) fn compose(&self, place: &Path, args: &Args) -> Result<String, String> {
        let mut text = String::from(
            "# A first scenario, written by `plimsoll init`. `plimsoll check` tells what is wrong \
             with it,\n# scenarios/README.md and `plimsoll help objectives` what else it can say.\n",
        );
        let name = self.name();
        let _ = writeln!(text, "name: {}\nseed: 1", quoted(&name));
        match self {
            Self::Url(url) => {
                let _ = writeln!(text, "target:\n  url: {}", quoted(url));
                if let Some(key) = &args.key_env {
                    let _ = writeln!(text, "  key_env: {}", quoted(key));
                }
            }
            Self::Files { endpoint, deployments } => {
                let _ = writeln!(text, "endpoint: {}", quoted(&within(place, endpoint)));
                text.push_str("deployments:\n");
                for file in deployments {
                    let _ = writeln!(text, "  - {}", quoted(&within(place, file)));
                }
                if let Some(traffic) = traffic(endpoint, deployments) {
                    let _ = writeln!(text, "traffic: {{{traffic}}}");
                }
            }
        }
        text.push_str(&self.request(place, args)?);
        let _ = write!(
            text,
            "load:\n  arrivals: poisson # independent users; `constant` for equal gaps\n  stages:\n    - \
             {{name: warm-up, duration: 10s, from_rps: 0, to_rps: {rate}, warmup: true}} # shown, not \
             judged\n    - {{name: hold, duration: 60s, rps: {rate}}}\nobjectives:\n  - p95 < 1s\n  - error \
             rate < 5%\n",
            rate = args.rate
        );
        Ok(text)
    }

    /// The endpoint's name, or the host's, as a scenario may be named.
    fn name(&self) -> String {
        let name = match self {
            Self::Url(url) => {
                let (_, rest) = url.split_once("://").unwrap_or_default();
                let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
                let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
                host.split(':').next().unwrap_or_default().to_owned()
            }
            Self::Files { endpoint, .. } => {
                let document = Document::open(endpoint).ok();
                let spec = document.and_then(|file| read_endpoint(&file, &mut Problems::new()));
                spec.map(|spec| spec.name).unwrap_or_default()
            }
        };
        let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let name: String = name.chars().map(|c| if fits(c) { c } else { '-' }).take(64).collect();
        let name = name.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
        if name.is_empty() { "first".to_owned() } else { name.to_owned() }
    }

    fn request(&self, place: &Path, args: &Args) -> Result<String, String> {
        let found = || match self {
            Self::Url(_) => None,
            Self::Files { endpoint, deployments } => {
                let folders = [endpoint].into_iter().chain(deployments).map(|file| folder(file));
                let mut samples =
                    folders.flat_map(|folder| SAMPLES.iter().map(move |name| folder.join(name)));
                samples.find(|path| path.is_file())
            }
        };
        let text = |body: &Path| {
            format!("request:\n  body: {}\n  timeout: 10s\n", quoted(&within(place, body)))
        };
        match (args.body.clone().or_else(found), self) {
            (Some(body), _) => Ok(text(&body)),
            (None, Self::Url(_)) => {
                Ok("request:\n  method: GET # or `body: request.json`, which is \
                                        posted\n  timeout: 10s\n"
                    .to_owned())
            }
            (None, Self::Files { .. }) => Err(format!(
                "a request needs a body that the model answers: give it with --body, or put it \
                 beside the files as {}",
                SAMPLES[0]
            )),
        }
    }
}

/// How the requests are spread over several deployments: as the endpoint says, if that fits, else
/// all to the first.
fn traffic(endpoint: &Path, deployments: &[PathBuf]) -> Option<String> {
    let name = |file: &PathBuf| {
        let mut document = Document::open(file).ok()?;
        document.supply("endpoint_name", "any");
        Some(read_deployment(&document, folder(file), &mut Problems::new())?.name)
    };
    let names: Vec<String> = deployments.iter().filter_map(name).collect();
    if names.len() < 2 {
        return None;
    }
    let document = Document::open(endpoint).ok()?;
    let given = read_endpoint(&document, &mut Problems::new())?.traffic;
    let given: BTreeMap<_, _> = given.into_iter().filter(|(_, share)| *share > 0).collect();
    let sum: u32 = given.values().map(|share| u32::from(*share)).sum();
    let fits = sum == 100 && given.keys().all(|name| names.contains(name));
    let share = |index: usize, name: &String| match (fits, index) {
        (true, _) => given.get(name).copied().unwrap_or(0),
        (false, 0) => 100,
        (false, _) => 0,
    };
    let each =
        names.iter().enumerate().map(|(i, name)| format!("{}: {}", quoted(name), share(i, name)));
    Some(each.collect::<Vec<_>>().join(", "))
}

/// A file as a scenario in `place` names it: from there, if it lies below, else from the root.
fn within(place: &Path, file: &Path) -> String {
    let (Ok(place), Ok(file)) = (place.canonicalize(), file.canonicalize()) else {
        return file.display().to_string();
    };
    file.strip_prefix(&place).unwrap_or(&file).display().to_string()
}

/// A text as YAML reads it back, in quotes only where it needs them.
pub(in crate::commands) fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    let is_word = ["true", "false", "null", "yes", "no", "on", "off"]
        .contains(&text.to_ascii_lowercase().as_str());
    if begins && !is_word && text.chars().all(is_plain) {
        return text.to_owned();
    }
    serde_json::to_string(text).expect("a string is JSON")
}
