//! Models, and what comes of them.

use std::num::NonZeroU32;
use std::time::Duration;

use plimsoll_deploy::spec::ServiceTime;
use plimsoll_domain::schedule::{ArrivalProcess, Arrivals, Mix, Profile};
use plimsoll_domain::{Limits, Names, Snapshot};
use plimsoll_simulate::{Client, Counts, Deployment, Happening, Model, Service, Simulation};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);

pub(crate) fn millis(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(crate) fn count(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap()
}

pub(crate) fn exponential(mean_ms: f64) -> Service {
    Service::given(&ServiceTime::Exponential { mean_ms }).unwrap()
}

/// One deployment, `blue`, under this load.
pub(crate) fn model(profile: &Profile, process: ArrivalProcess, blue: Deployment) -> Model {
    Model {
        arrivals: Arrivals::new(profile, process, &Mix::default(), 7),
        length: profile.duration(),
        names: Names::new(profile.names(), vec!["score".to_owned()], []),
        counted: Limits::default(),
        routes: vec![None],
        client: Client {
            max_connections: 10_000,
            timeout: 10 * SECOND,
            drain: 10 * SECOND,
            ceiling_rps: None,
        },
        deployments: vec![blue],
        interval: SECOND,
        seed: 7,
    }
}

/// The same, of a queue without end before `slots` servers: as many connections as slots, and
/// nobody who gives up.
pub(crate) fn queue(
    profile: &Profile,
    process: ArrivalProcess,
    slots: u32,
    service: Service,
) -> Model {
    let blue = Deployment {
        timeout: HOUR,
        ..Deployment::new("blue", NonZeroU32::MIN, count(slots), service)
    };
    let mut model = model(profile, process, blue);
    model.client =
        Client { max_connections: slots as usize, timeout: HOUR, drain: HOUR, ceiling_rps: None };
    model.interval = 1000 * HOUR;
    model
}

/// All that a simulation tells.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) snapshots: Vec<Snapshot>,
    pub(crate) counts: Vec<(Duration, Vec<Counts>)>,
}

impl Told {
    pub(crate) fn of(model: Model) -> Self {
        let mut simulation = Simulation::new(model).unwrap();
        let mut told = Self::default();
        while told.take(simulation.advance()) {}
        told
    }

    /// Takes one thing; whether more comes.
    pub(crate) fn take(&mut self, happening: Happening) -> bool {
        match happening {
            Happening::Interval(snapshot) => self.snapshots.push(*snapshot),
            Happening::Instances { at, counts } => self.counts.push((at, counts)),
            Happening::Ended => return false,
        }
        true
    }

    pub(crate) fn whole(&self) -> Snapshot {
        let mut whole = self.snapshots[0].clone();
        self.snapshots[1..].iter().for_each(|snapshot| whole.append(snapshot));
        whole
    }

    /// Ready instances of the first deployment, and since which second.
    pub(crate) fn ready(&self) -> Vec<(f64, u32)> {
        self.counts.iter().map(|(at, counts)| (at.as_secs_f64(), counts[0].ready)).collect()
    }
}
