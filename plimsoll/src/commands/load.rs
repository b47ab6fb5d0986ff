//! `plimsoll load`: the same as a scenario, described by flags, on an endpoint that exists.

use std::time::Duration;

use anyhow::Result;
use plimsoll_loadgen::{ArrivalProcess, Profile, Stage};

use crate::cli::{Arrivals, LoadArgs};
use crate::exit::Exit;
use crate::scenario::{Existing, Load, Place, Quota, Request, Scenario};
use crate::{session, view};

pub(super) fn run(args: LoadArgs) -> Result<Exit> {
    let outputs = args.outputs.clone();
    match scenario(args) {
        Ok(scenario) => session::run(&scenario, &outputs),
        Err(message) => {
            view::note(&format!("error: {message}"));
            Ok(Exit::Usage)
        }
    }
}

fn scenario(args: LoadArgs) -> Result<Scenario, String> {
    if args.duration.is_zero() {
        return Err("--duration must be longer than 0".to_owned());
    }
    let method = match (&args.method, &args.body) {
        (Some(method), _) => method.to_ascii_uppercase(),
        (None, Some(_)) => "POST".to_owned(),
        (None, None) => "GET".to_owned(),
    };
    let headers = args.headers.into_iter().collect();
    if let Some(body) = &args.body {
        crate::scenario::bodies(body, &headers).map_err(|error| error.to_string())?;
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
    Ok(Scenario {
        name: "load".to_owned(),
        description: None,
        seed: args.seed,
        file: None,
        place: Place::Existing(Existing {
            url: args.url,
            key_env: args.key_env,
            ca_file: args.ca_file,
        }),
        request: Request {
            body: args.body,
            method,
            headers,
            timeout: args.timeout,
            deployment: None,
        },
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
    })
}
