//! A whole run of load, as plain data: what to send where, when and within which limits.

use std::collections::BTreeSet;
use std::fmt;
use std::num::NonZeroUsize;

use plimsoll_domain::Names;
use plimsoll_domain::schedule::{ArrivalProcess, Arrivals, Mix, Profile, Trace};

use crate::target::shown;
use crate::{Error, Limits, NamedRequest, TlsOptions};

pub use travel::WithSecrets;

mod travel;

/// Stages or requests that a plan may have: a result's key has 16 bits for each.
const MOST_NAMES: usize = u16::MAX as usize;

/// Everything that a run of load needs to know. It is plain data: what it takes to reach the target
/// (addresses, certificates) is found by [`Target::resolve`](crate::Target::resolve) on the machine
/// that will send. It travels as [`WithSecrets`] and in no other way.
#[derive(Clone)]
pub struct LoadPlan {
    /// Where to: an `http` or `https` URL.
    pub url: String,
    /// How to trust the target.
    pub tls: TlsOptions,
    /// What, and in which proportions: at least one.
    pub requests: Vec<NamedRequest>,
    /// How much, when.
    pub profile: Profile,
    /// What is replayed, if anything: the profile is then [the trace's](Trace::profile).
    pub trace: Option<Trace>,
    /// How spaced.
    pub process: ArrivalProcess,
    /// Of everything random.
    pub seed: u64,
    /// What it may use, and how long it waits.
    pub limits: Limits,
    /// Worker threads. If not given: one on up to two cores, else half as many as there are cores.
    pub workers: Option<NonZeroUsize>,
    /// The limits that objectives name, which are counted exactly.
    pub counted: plimsoll_domain::Limits,
    /// The deployments that are known to answer, by name. Others are learnt from answers.
    pub deployments: Vec<String>,
    /// How far on in `requests` from what is drawn each stage asks, where versions of the same
    /// requests take turns; as drawn in stages that have none.
    pub turns: Vec<u16>,
}

impl fmt::Debug for LoadPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadPlan")
            .field("url", &shown(&self.url))
            .field("requests", &self.requests)
            .field("profile", &self.profile)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

impl LoadPlan {
    /// A plan of one request at these rates, with defaults for everything else.
    pub fn new(url: impl Into<String>, request: NamedRequest, profile: Profile) -> Self {
        Self {
            url: url.into(),
            tls: TlsOptions::default(),
            requests: vec![request],
            profile,
            trace: None,
            process: ArrivalProcess::default(),
            seed: 0,
            limits: Limits::default(),
            workers: None,
            counted: plimsoll_domain::Limits::default(),
            deployments: Vec::new(),
            turns: Vec::new(),
        }
    }

    /// Whether the plan contradicts itself, as far as that can be said without the network.
    ///
    /// # Errors
    /// The first contradiction.
    pub fn check(&self) -> Result<(), Error> {
        self.mix().map(drop)?;
        let refuse = |reason: String| Err(Error::Plan(reason));
        if self.profile.duration().is_zero() {
            return refuse("the profile has no stage, or only stages of no duration".to_owned());
        }
        if !self.process.is_possible() {
            return refuse(format!("arrivals cannot be drawn as {:?}", self.process));
        }
        if let Some(stage) = self.profile.stages.iter().find(|stage| !stage.is_possible()) {
            return refuse(format!("stage `{}` has a rate that is no number from 0", stage.name));
        }
        if self.profile.stages.len() > MOST_NAMES {
            return refuse(format!("the profile has more than {MOST_NAMES} stages"));
        }
        if self.limits.request_timeout.is_zero() {
            return refuse("a request timeout of 0 lets nothing be answered".to_owned());
        }
        if self.limits.max_connections == Some(0) {
            return refuse("at most 0 connections let nothing be sent".to_owned());
        }
        let weighed = self.requests.iter().rposition(|request| request.weight > 0.0).unwrap_or(0);
        let farthest = self.turns.iter().copied().max().unwrap_or_default();
        if weighed + usize::from(farthest) >= self.requests.len() {
            return refuse(format!(
                "a stage's turn is beyond the {} requests",
                self.requests.len()
            ));
        }
        let mut names = BTreeSet::new();
        if let Some(twice) = self.requests.iter().find(|request| !names.insert(&request.name)) {
            return refuse(format!("two requests have the name `{}`", twice.name));
        }
        self.requests.iter().try_for_each(|named| named.request.uri("/").map(drop))
    }

    /// The arrivals of the whole run.
    pub(crate) fn arrivals(&self) -> Result<Arrivals, Error> {
        let mix = self.mix()?;
        let arrivals = match &self.trace {
            Some(trace) => Arrivals::replay(trace, &self.profile, self.process, &mix, self.seed),
            None => Arrivals::new(&self.profile, self.process, &mix, self.seed),
        };
        Ok(arrivals.in_turns(&self.turns))
    }

    /// What the results' keys stand for.
    pub(crate) fn names(&self) -> Names {
        let requests = self.requests.iter().map(|request| request.name.clone()).collect();
        Names::new(self.profile.names(), requests, self.deployments.iter().cloned())
    }

    /// The worker threads, on a machine with so many cores.
    pub(crate) fn workers(&self, cores: usize) -> usize {
        let default = if cores <= 2 { 1 } else { cores / 2 };
        let wanted = self.workers.map_or(default, NonZeroUsize::get);
        wanted.min(self.limits.max_connections.unwrap_or(usize::MAX))
    }

    fn mix(&self) -> Result<Mix, Error> {
        let weights: Vec<_> = self.requests.iter().map(|request| request.weight).collect();
        Mix::new(&weights).ok_or_else(|| {
            let reason =
                "it needs a request, and weights that are numbers from 0, not all of them 0";
            Error::Plan(reason.to_owned())
        })
    }
}
