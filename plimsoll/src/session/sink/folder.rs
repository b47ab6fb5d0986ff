//! The results folder, written as the run goes.

use std::path::Path;

use plimsoll_domain::clock;

use super::{Failure, Interval, Output, Sink, alert_event};
use crate::results::{Error, Header, Results, Summary, new_default_dir, utc};
use crate::scenario::Scenario;

/// The folder of a run and its summary so far.
#[derive(Debug)]
pub(in crate::session) struct Folder {
    /// The folder.
    pub(in crate::session) results: Results,
    /// What its `summary.json` is to say.
    pub(in crate::session) summary: Summary,
}

impl Folder {
    /// Takes the folder that the scenario names, or a new one.
    pub(in crate::session) fn create(
        scenario: &Scenario,
        mut summary: Summary,
    ) -> Result<Self, Error> {
        let started = clock::wall();
        let path = if let Some(given) = &scenario.folder {
            given.clone()
        } else {
            let kind = if summary.is_simulated() { "-simulated" } else { "" };
            let name = format!("{}{kind}", scenario.name);
            new_default_dir(Path::new("results"), &name, started)?
        };
        let (run, name) = (summary.run.clone(), summary.scenario.clone());
        let simulated = summary.is_simulated();
        let results = Results::create(&path, Header { run, scenario: name, started, simulated })?;
        summary.run.started = utc(started);
        Ok(Self { results, summary })
    }

    fn interval(&mut self, interval: &Interval<'_>) {
        let Interval { snapshot, all, info, generator, monitor, .. } = *interval;
        self.results.interval(snapshot, all, info);
        // A simulation that is killed has lost nothing that could not be had again at once.
        if self.summary.is_simulated() {
            return;
        }
        self.summary.generator.clone_from(generator);
        self.summary.measure(monitor.totals(), monitor.lags(), monitor.measured_time());
        self.results.summary(&self.summary);
    }
}

impl Sink for Folder {
    fn take(&mut self, output: &Output<'_>) -> Result<(), Failure> {
        match output {
            Output::Begun { first_due } => {
                self.results.begin(*first_due);
                self.summary.run.started = utc(*first_due);
            }
            Output::Interval(interval) => self.interval(interval),
            Output::Event(event) => self.results.event(event),
            Output::Alert(alert) => self.results.event(&alert_event(alert)),
            Output::Evaluation { line } => self.results.evaluation(line),
        }
        Ok(())
    }
}
