//! The requests of a scenario: one, or several that are drawn by weight.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use plimsoll_domain::units::parse_duration;
use plimsoll_loadgen::{Request as LoadRequest, STDIN};

use super::parts::Reader;
use super::raw::{RawRequest, RawRequests};
use super::{DEFAULT_TIMEOUT, Headers, Place, Request, bodies};

/// The name of a request that has none.
const ONLY: &str = "score";

/// Weights are at most this, so that none rounds away beside another.
const HEAVIEST: f64 = 1e6;

impl Reader<'_> {
    /// The requests, and the timeout that all of them have.
    pub(super) fn requests(
        &mut self,
        raw: Option<RawRequests>,
        place: Option<&Place>,
    ) -> (Vec<Request>, Duration) {
        let (raw, is_list) = match raw {
            Some(RawRequests::Several(list)) => (list, true),
            Some(RawRequests::One(one)) => (vec![one], false),
            None => (vec![RawRequest::default()], false),
        };
        let path =
            |index| if is_list { format!("/request/{index}") } else { "/request".to_owned() };
        let timeout = self.timeout(&raw, path);
        let mut requests: Vec<Request> = Vec::new();
        for (index, raw) in raw.into_iter().enumerate() {
            let is_named = raw.name.is_some();
            let request = self.request(&path(index), raw, is_list, place);
            if is_named && requests.iter().any(|other| other.name == request.name) {
                let message = format!("there are two requests named `{}`", request.name);
                self.push(&format!("{}/name", path(index)), &message);
            }
            requests.push(request);
        }
        if requests.is_empty() {
            self.push("/request", "the list of requests is empty");
        } else if is_list && requests.iter().all(|request| request.weight == 0.0) {
            self.push("/request", "at least one request needs a `weight` above 0");
        }
        (requests, timeout)
    }

    /// One timeout for all: it also bounds how long an arrival may wait, whatever it asks.
    fn timeout(&mut self, raw: &[RawRequest], path: impl Fn(usize) -> String) -> Duration {
        let given = raw.iter().enumerate().filter_map(|(index, raw)| {
            let timeout = parse_duration(raw.timeout.as_ref()?).ok()?;
            Some((index, timeout))
        });
        let given: Vec<_> = given.collect();
        let timeout = given.first().map_or(DEFAULT_TIMEOUT, |(_, timeout)| *timeout);
        for (index, other) in &given {
            let place = format!("{}/timeout", path(*index));
            if *other < Duration::from_millis(1) {
                self.push(&place, "a request timeout must be at least 1ms");
            } else if *other != timeout {
                self.push(&place, "all requests of a scenario have one timeout; give the same");
            }
        }
        timeout
    }

    /// What the file named by `body` holds.
    fn bodies(&mut self, path: &str, raw: &RawRequest) -> Option<Vec<Bytes>> {
        let named = raw.body.as_deref()?;
        let file = if named == STDIN { PathBuf::from(STDIN) } else { self.folder.join(named) };
        let read = bodies(&file, raw.headers.as_ref().unwrap_or(&Headers::default()));
        read.map_err(|error| self.push(&format!("{path}/body"), &error.to_string())).ok()
    }

    fn request(
        &mut self,
        path: &str,
        raw: RawRequest,
        is_list: bool,
        place: Option<&Place>,
    ) -> Request {
        let method =
            raw.method.as_ref().map_or_else(|| "POST".to_owned(), |m| m.to_ascii_uppercase());
        if let Err(error) = LoadRequest::get().with_method(&method) {
            self.push(&format!("{path}/method"), &error.to_string());
        }
        for (name, value) in raw.headers.iter().flat_map(|headers| headers.iter()) {
            if let Err(error) = LoadRequest::get().with_header(name, value) {
                self.push(&format!("{path}/headers"), &error.to_string());
            }
        }
        let bodies = self.bodies(path, &raw);
        if raw.body.is_none() && method == "POST" {
            self.push(
                path,
                "a POST request needs `body`: a JSON file, a .jsonl file, or a folder of them",
            );
        }
        if raw.path.as_ref().is_some_and(|path| !path.starts_with('/')) {
            self.push(&format!("{path}/path"), "a path begins with `/`");
        }
        if let (Some(name), Some(Place::Deployed(deployed))) = (&raw.deployment, place)
            && !deployed.deployments.iter().any(|deployment| deployment.name == *name)
        {
            let message = format!("there is no deployment named `{name}`");
            self.push(&format!("{path}/deployment"), &message);
        }
        // One that is no name has been told already.
        if is_list && self.document.find(path).child("name").is_none() {
            self.push(path, "each of several requests needs a `name`");
        }
        let weight = raw.weight.unwrap_or(1.0);
        if !(0.0..=HEAVIEST).contains(&weight) {
            self.push(&format!("{path}/weight"), "a weight is a number from 0 to 1000000");
        }
        Request {
            name: raw.name.unwrap_or_else(|| ONLY.to_owned()),
            weight,
            path: raw.path,
            bodies,
            method,
            headers: raw.headers.unwrap_or_default(),
            deployment: raw.deployment,
        }
    }
}
