//! Requests that were recorded or listed, and the mix that they are.

use std::collections::{BTreeMap, BTreeSet};

/// Names of headers that a connection or a client makes for itself.
const OWN: [&str; 11] = [
    "host",
    "content-length",
    "connection",
    "keep-alive",
    "transfer-encoding",
    "te",
    "upgrade",
    "proxy-connection",
    "accept-encoding",
    "expect",
    "trailer",
];
/// Names of headers that hold secrets.
const SECRET: [&str; 7] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "x-api-key",
    "api-key",
    "x-functions-key",
    "ocp-apim-subscription-key",
];

/// One request as a tool tells it.
#[derive(Default, Clone)]
pub(super) struct Sent {
    pub(super) method: String,
    pub(super) url: String,
    /// By lower-case name.
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Option<Vec<u8>>,
}

/// Requests that differ in their body alone.
pub(super) struct Request {
    pub(super) name: String,
    pub(super) method: String,
    /// With its query.
    pub(super) path: String,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) bodies: Vec<Vec<u8>>,
    pub(super) count: u64,
}

/// What is sent to one origin.
pub(super) struct Mix {
    /// Scheme and authority.
    pub(super) origin: String,
    pub(super) requests: Vec<Request>,
    /// What was left out.
    pub(super) notes: Vec<String>,
}

impl Sent {
    /// Several of one name are one, as HTTP allows.
    pub(super) fn add_header(&mut self, name: &str, value: &str) {
        let kept = self.headers.entry(name.to_ascii_lowercase()).or_default();
        if !kept.is_empty() {
            kept.push_str(", ");
        }
        kept.push_str(value);
    }

    pub(super) fn has_header(&self, name: &str) -> bool {
        self.headers.contains_key(name)
    }
}

impl Request {
    /// Of its bodies' files.
    pub(super) fn extension(&self) -> &'static str {
        let kind = self.headers.get("content-type").map_or("application/json", String::as_str);
        if kind.contains("json") { "json" } else { "bin" }
    }
}

impl Mix {
    /// Of what was sent to the wanted origin, or to the only one there is.
    ///
    /// # Errors
    /// There are several origins, or nothing is left.
    pub(super) fn new(all: Vec<Sent>, wanted: Option<&str>) -> Result<Self, String> {
        let wanted = wanted.map(|url| place(url).map(|(origin, _)| origin)).transpose()?;
        let (mut notes, mut by_origin) =
            (Notes::default(), BTreeMap::<String, Vec<(Sent, String)>>::new());
        for sent in all {
            let (origin, path) = place(&sent.url)?;
            notes.passwords += u64::from(authority(&sent.url).contains('@'));
            by_origin.entry(origin).or_default().push((sent, path));
        }
        let listed = |found: &BTreeMap<String, Vec<(Sent, String)>>| {
            let each = found.iter().map(|(origin, sent)| format!("{origin} ({})", sent.len()));
            each.collect::<Vec<_>>().join(", ")
        };
        let origin = match (wanted, by_origin.len()) {
            (Some(wanted), _) => wanted,
            (None, 0) => return Err("there is no request in it".to_owned()),
            (None, 1) => by_origin.keys().next().expect("there is one").clone(),
            (None, _) => {
                let listed = listed(&by_origin);
                return Err(format!(
                    "it has requests to several origins, and a scenario has one: choose with --origin: {listed}"
                ));
            }
        };
        let Some(sent) = by_origin.remove(&origin) else {
            return Err(format!("there is no request to {origin}, but to {}", listed(&by_origin)));
        };
        if !by_origin.is_empty() {
            notes.told.push(format!("left out: requests to other origins: {}", listed(&by_origin)));
        }
        let requests = grouped(sent, &mut notes);
        if requests.is_empty() {
            return Err(format!("nothing of it can be sent: {}", notes.told().join("; ")));
        }
        Ok(Self { origin, requests, notes: notes.told() })
    }
}

/// What was left out.
#[derive(Default)]
struct Notes {
    told: Vec<String>,
    passwords: u64,
    secrets: BTreeSet<String>,
    bodiless: u64,
}

impl Notes {
    fn told(self) -> Vec<String> {
        let mut told = self.told;
        if !self.secrets.is_empty() {
            let names: Vec<String> = self.secrets.into_iter().collect();
            told.push(format!(
                "left out: the headers {}, which may hold secrets; give the endpoint's key with --key-env",
                names.join(", ")
            ));
        }
        if self.passwords > 0 {
            told.push("left out: user and password in URLs".to_owned());
        }
        if self.bodiless > 0 {
            told.push(format!("left out: {} POST requests without a body", self.bodiless));
        }
        told.push(
            "requests are drawn by weight, as often as they occur; neither their order nor when they were sent is kept"
                .to_owned(),
        );
        told
    }
}

/// Requests that differ in their body alone, in the order of the first of each.
fn grouped(all: Vec<(Sent, String)>, notes: &mut Notes) -> Vec<Request> {
    let mut requests: Vec<Request> = Vec::new();
    for (mut sent, path) in all {
        if sent.method == "POST" && sent.body.as_ref().is_none_or(Vec::is_empty) {
            notes.bodiless += 1;
            continue;
        }
        sent.headers.retain(|name, _| !name.starts_with(':') && !OWN.contains(&name.as_str()));
        let secret = |name: &String| SECRET.contains(&name.as_str());
        notes.secrets.extend(sent.headers.keys().filter(|name| secret(name)).cloned());
        sent.headers.retain(|name, _| !secret(name));
        let is_json = |body: &[u8]| serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok();
        if sent.body.as_deref().is_some_and(|body| !is_json(body))
            && !sent.has_header("content-type")
        {
            sent.add_header("content-type", "application/octet-stream");
        }
        let is_same = |one: &Request| {
            (&one.method, &one.path, &one.headers) == (&sent.method, &path, &sent.headers)
                && one.bodies.is_empty() == sent.body.is_none()
        };
        let place = requests.iter().position(is_same).unwrap_or_else(|| {
            let name = name(&path, &requests);
            let (method, headers) = (sent.method.clone(), sent.headers.clone());
            requests.push(Request { name, method, path, headers, bodies: Vec::new(), count: 0 });
            requests.len() - 1
        });
        requests[place].count += 1;
        requests[place].bodies.extend(sent.body);
    }
    requests
}

/// The last part of a path, as a name that no other has.
fn name(path: &str, others: &[Request]) -> String {
    let last = path
        .split('?')
        .next()
        .unwrap_or_default()
        .trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or_default();
    let fits = |c: &char| c.is_ascii_alphanumeric() || "-_.".contains(*c);
    let name: String = last.chars().filter(fits).take(48).collect();
    let name = name.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    let name = if name.is_empty() { "root" } else { name };
    let is_free = |wanted: &str| others.iter().all(|other| other.name != wanted);
    let numbered = (2..).map(|number| format!("{name}-{number}"));
    std::iter::once(name.to_owned())
        .chain(numbered)
        .find(|name| is_free(name))
        .expect("numbers have no end")
}

fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}

/// Where a URL leads: scheme and host without a user, and the path with its query.
fn place(url: &str) -> Result<(String, String), String> {
    let shown = url.split('?').next().unwrap_or_default().rsplit('@').next().unwrap_or_default();
    let Some((scheme, rest)) = url
        .split_once("://")
        .filter(|(scheme, _)| ["http", "https"].contains(&scheme.to_ascii_lowercase().as_str()))
    else {
        return Err(format!(
            "`{shown}` is no URL of `http://` or `https://`, and nothing else can be loaded"
        ));
    };
    let scheme = scheme.to_ascii_lowercase();
    let whole = authority(url);
    let host = whole.rsplit_once('@').map_or(whole, |(_, host)| host).to_ascii_lowercase();
    let usual = if scheme == "https" { ":443" } else { ":80" };
    let host = host.strip_suffix(usual).unwrap_or(&host);
    if host.is_empty() {
        return Err(format!("`{shown}` names no host"));
    }
    let path = rest[whole.len()..].split('#').next().unwrap_or_default();
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    Ok((format!("{scheme}://{host}"), path))
}
