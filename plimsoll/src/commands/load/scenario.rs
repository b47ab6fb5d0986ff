//! The scenario that the flags describe.

use std::collections::BTreeSet;
use std::time::Duration;

use plimsoll_domain::schedule::{ArrivalProcess, Profile, Stage};
use plimsoll_loadgen::{Request as LoadRequest, Target};

use super::{Args, Arrivals, Header};
use crate::scenario::{
    Existing, Headers, LONGEST_STAGE, Load, Place, Quota, Request, Scenario, bodies,
};

/// What can be said of the flags without asking the network.
fn check(args: &Args) -> Result<(), String> {
    if args.duration.is_zero() {
        return Err("--duration must be longer than 0".to_owned());
    }
    if args.timeout < Duration::from_millis(1) {
        return Err("--timeout must be at least 1ms".to_owned());
    }
    if args.duration.max(args.warmup.unwrap_or_default()) > LONGEST_STAGE {
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

pub(super) fn scenario(args: Args) -> Result<Scenario, String> {
    check(&args)?;
    let method = match (&args.method, &args.body) {
        (Some(method), _) => method.to_ascii_uppercase(),
        (None, Some(_)) => "POST".to_owned(),
        (None, None) => "GET".to_owned(),
    };
    let headers = args.headers.into_iter().map(|Header { name, value }| (name, value));
    let headers: Headers = headers.collect();
    if let Some(body) = &args.body {
        bodies(body, &headers).map_err(|error| error.to_string())?;
    } else if method == "POST" {
        return Err("a POST request needs --body: a JSON file, a .jsonl file, or a folder of them"
            .to_owned());
    }
    let stage = |name: &str, duration: Duration, warmup: bool| Stage {
        name: name.to_owned(),
        duration,
        from_rps: args.rate,
        to_rps: args.rate,
        warmup,
    };
    let warmup = args.warmup.filter(|warmup| !warmup.is_zero()).map(|d| stage("warm-up", d, true));
    let stages = warmup.into_iter().chain([stage("hold", args.duration, false)]).collect();
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
            body: args.body,
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
            max_connections: args.max_connections,
            workers: args.workers,
            ceiling_rps: None,
            drain: args.timeout,
        },
        objectives: args.objectives,
        alerts: Vec::new(),
        quota: Quota { region: "local".to_owned(), limits: None },
        folder: None,
        otlp: None,
    };
    if let Some((objective, what, hint)) = scenario.misfit() {
        return Err(format!("--objective `{objective}`: {what}; {hint}"));
    }
    args.outputs.override_in(&mut scenario);
    Ok(scenario)
}
