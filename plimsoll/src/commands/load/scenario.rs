//! The scenario that the flags describe.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use plimsoll_deploy::shift::Shift;
use plimsoll_domain::schedule::{ArrivalProcess, Profile, Stage};
use plimsoll_loadgen::{Request as LoadRequest, Target};

use super::{Args, Arrivals, Header};
use crate::scenario::{
    DEFAULT_GIVE_UP, Existing, Headers, LONGEST_STAGE, Load, Place, Quota, Request, Scenario,
    bodies, payloads,
};
use crate::session::Printing;

/// What can be said of the flags without asking the network.
fn check(args: &Args) -> Result<(), String> {
    let length = duration(args);
    if length.is_zero() {
        return Err("--duration must be longer than 0".to_owned());
    }
    if args.timeout < Duration::from_millis(1) {
        return Err("--timeout must be at least 1ms".to_owned());
    }
    if length.max(args.warmup.unwrap_or_default()) > LONGEST_STAGE {
        return Err("--duration and --warmup are at most 30 days".to_owned());
    }
    if let Some(file) = args.ca_file.as_ref().filter(|file| !file.is_file()) {
        return Err(format!("--ca-file: there is no file {}", file.display()));
    }
    Target::check(&args.url).map_err(|error| error.to_string())?;
    let mut probe = LoadRequest::get();
    if let Some(method) = &args.method {
        probe = probe.with_method(method).map_err(|error| error.to_string())?;
    }
    let mut names = BTreeSet::new();
    for Header { name, value } in &args.headers {
        probe = probe.with_header(name, value).map_err(|error| error.to_string())?;
        if !names.insert(name.to_ascii_lowercase()) {
            return Err(format!("--header `{name}` is given twice; keep one of them"));
        }
    }
    for (index, objective) in args.objectives.iter().enumerate() {
        if args.objectives[..index].contains(objective) {
            return Err(format!("--objective `{objective}` is given twice; keep one of them"));
        }
    }
    Ok(())
}

fn stages(rate: f64, warmup: Option<Duration>, duration: Duration) -> Vec<Stage> {
    let hold = Stage::hold("hold", rate, duration);
    let warmup = warmup.filter(|warmup| !warmup.is_zero());
    let warmup = warmup.map(|duration| Stage::hold("warm-up", rate, duration).as_warmup());
    warmup.into_iter().chain([hold]).collect()
}

/// One body from the command line.
fn inline(data: &str, headers: &Headers) -> Result<Vec<Bytes>, String> {
    let body = payloads(headers).text(Path::new("--data"), data.as_bytes().to_vec());
    body.map_err(|error| error.to_string())
}

fn method(given: Option<&str>, has_body: bool) -> String {
    match given {
        Some(method) => method.to_ascii_uppercase(),
        None if has_body => "POST".to_owned(),
        None => "GET".to_owned(),
    }
}

/// How long is measured at least; with `--until-decided` alone that is a moment.
fn duration(args: &Args) -> Duration {
    args.duration.unwrap_or(Duration::from_secs(1))
}

pub(super) fn scenario(args: Args) -> Result<(Scenario, Printing), String> {
    check(&args)?;
    let stages = stages(args.rate, args.warmup, duration(&args));
    let headers = args.headers.into_iter().map(|Header { name, value }| (name, value));
    let headers: Headers = headers.collect();
    let bodies = match (&args.data, &args.body) {
        (Some(data), _) => Some(inline(data, &headers)?),
        (None, Some(body)) => Some(bodies(body, &headers).map_err(|error| error.to_string())?),
        (None, None) => None,
    };
    let method = method(args.method.as_deref(), bodies.is_some());
    if bodies.is_none() && method == "POST" {
        return Err(
            "a POST request needs --data, or --body: a JSON file, a .jsonl file, a folder of \
                    them, or - for standard input"
                .to_owned(),
        );
    }
    let mut scenario = Scenario {
        name: "load".to_owned(),
        description: None,
        seed: args.seed,
        file: None,
        place: Place::Existing(Existing {
            url: args.url,
            key_env: args.key_env,
            ca_file: args.ca_file,
            insecure: args.insecure,
        }),
        requests: vec![Request {
            name: "score".to_owned(),
            weight: 1.0,
            path: None,
            bodies,
            method,
            headers,
            deployment: None,
        }],
        timeout: args.timeout,
        load: Load {
            arrivals: match args.arrivals {
                Arrivals::Poisson => ArrivalProcess::Poisson,
                Arrivals::Constant => ArrivalProcess::Constant,
            },
            profile: Profile { stages },
            shift: Shift::default(),
            trace: None,
            max_connections: args.max_connections,
            workers: args.workers,
            ceiling_rps: None,
            drain: args.timeout,
            give_up_after: Some(DEFAULT_GIVE_UP),
        },
        objectives: args.objectives,
        autoscale: None,
        until_decided: false,
        alerts: Vec::new(),
        quota: Quota { is_asked: false, region: "local".to_owned(), limits: None },
        folder: None,
        otlp: None,
    };
    if let Some(most) = args.until_decided {
        scenario.until_decided(most).map_err(|wrong| format!("--until-decided {wrong}"))?;
    }
    if let Some((objective, what, hint)) = scenario.misfit() {
        return Err(format!("--objective `{objective}`: {what}; {hint}"));
    }
    let printing = args.outputs.override_in(&mut scenario);
    Ok((scenario, printing))
}
