//! A measured run, as far as a model is fitted to it and judged by it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use plimsoll_autoscale::pipeline::Processor;
use plimsoll_deploy::spec::DeploymentSpec;
use plimsoll_domain::latencies::SparseLatencies;
use plimsoll_domain::schedule::Mix;
use plimsoll_domain::{Class, Latencies};
use plimsoll_study::compare::Run;

use super::line::Point;
use crate::results::recording::Recording;
use crate::results::summary::{Summary, Wait};
use crate::results::timeline::{Row, by_key};
use crate::results::{folder, hlog};
use crate::scenario::{Place, Scenario};

/// The tags of the interval log that hold model times.
pub(super) const MODEL: &[&str] = &["model", "warmup_model"];
/// Those that hold what answers took beyond.
pub(super) const OVERHEAD: &[&str] = &["overhead", "warmup_overhead"];

/// A measured run and the scenario that it was of.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) path: PathBuf,
    /// With the seed of the run.
    pub(crate) scenario: Scenario,
    pub(crate) summary: Summary,
    pub(crate) rows: Vec<Row>,
    pub(crate) run: Run,
    /// The seconds in which something ended.
    pub(super) points: Vec<Point>,
    pub(super) answered_right: u64,
    pub(super) answered_wrong: u64,
    pub(super) starts_s: Vec<f64>,
    pub(super) provisioning_s: Vec<f64>,
    pub(super) drains_s: Vec<f64>,
}

impl Measured {
    /// Reads the folder of a run of one of these scenarios. A simulated one is refused unless that is
    /// asked for.
    ///
    /// # Errors
    /// A folder that tells too little, or is of no scenario that was given.
    pub(crate) fn read(
        path: &Path,
        scenarios: &[Scenario],
        may_be_simulated: bool,
    ) -> Result<Self> {
        let Recording { summary, rows, run, .. } = Recording::read(path)?;
        let said = path.display();
        if summary.is_simulated() && !may_be_simulated {
            bail!(
                "`{said}` was simulated: nothing was measured in it, and a model that is fitted to a model \
                 always holds"
            );
        }
        let name = &summary.scenario.name;
        let Some(scenario) = scenarios.iter().find(|scenario| scenario.name == *name) else {
            let names: Vec<_> = scenarios.iter().map(|s| format!("`{}`", s.name)).collect();
            bail!("`{said}` is a run of `{name}`, not of {}", names.join(" or "));
        };
        let mut scenario = scenario.clone();
        scenario.seed = summary.scenario.seed;
        let spec = deployment(&scenario)?.clone();
        is_of(&summary, &spec).with_context(|| format!("`{said}`"))?;
        if let Some(autoscale) = &mut scenario.autoscale {
            // A simulated instance has slots, and no processor.
            autoscale.subject.machine.processor = Processor::SlotsAtWork;
        }
        let served = summary.outcomes.ok;
        let answered_wrong = summary.outcomes.of(Class::ModelError);
        let mut measured = Self {
            path: path.to_owned(),
            scenario,
            rows,
            run,
            points: Vec::new(),
            answered_right: served,
            answered_wrong,
            starts_s: Vec::new(),
            provisioning_s: Vec::new(),
            drains_s: Vec::new(),
            summary,
        };
        measured.waits();
        measured.points()?;
        Ok(measured)
    }

    /// Slots of an instance, as the scenario says.
    pub(crate) fn slots(&self) -> u32 {
        let spec = deployment(&self.scenario).expect("it was read with one");
        spec.request_settings.max_concurrent_requests_per_instance.get()
    }

    /// What scale-outs and scale-ins waited for.
    fn waits(&mut self) {
        let Some(of) = &self.summary.autoscale else { return };
        let named = |waits: &[Wait], part: &str| {
            waits.iter().find(|wait| wait.part == part).map(|wait| wait.seconds)
        };
        let compression = f64::from(of.time_compression.max(1));
        let outs = || of.scale_outs.iter().filter(|out| out.ready_t_s.is_some());
        self.starts_s =
            outs().filter_map(|out| named(&out.waits, "start")).map(|s| s / compression).collect();
        self.provisioning_s = outs().filter_map(|out| named(&out.waits, "provisioning")).collect();
        let ins = of.scale_ins.iter().filter(|one| one.gone_t_s.is_some());
        self.drains_s = ins.filter_map(|one| named(&one.waits, "drain")).collect();
    }

    fn points(&mut self) -> Result<()> {
        let said = self.path.display();
        if self.rows.iter().all(|row| row.instances.is_none()) {
            bail!(
                "`{said}` does not tell how many instances there were: it is of an endpoint that existed"
            );
        }
        let mut points = Vec::new();
        self.each_row(MODEL, &mut |row, times| {
            let length = Duration::from_secs_f64(row.length_s.max(0.0));
            let model: Latencies = times.clone().into();
            points.extend(Point::of(row.sent, row.instances.unwrap_or(0), length, &model));
        })?;
        if points.is_empty() {
            bail!(
                "`{said}` holds no service times: its answers did not tell how long the model took \
                 (`x-ms-run-fn-exec-ms` or `ms-azureml-model-time`)"
            );
        }
        self.points = points;
        Ok(())
    }

    /// Shows each second in which something ended, with its latencies of these tags.
    pub(super) fn each_second(
        &self,
        tags: &[&str],
        each: &mut dyn FnMut(&Point, &SparseLatencies),
    ) -> Result<()> {
        self.each_row(tags, &mut |row, times| {
            let length = Duration::from_secs_f64(row.length_s.max(0.0));
            let all: Latencies = times.clone().into();
            let point = Point::of(row.sent, row.instances.unwrap_or(0), length, &all);
            if let Some(point) = &point {
                each(point, times);
            }
        })
    }

    /// The log is read line by line; warm-up and measured time of one interval come apart.
    fn each_row(&self, tags: &[&str], each: &mut dyn FnMut(&Row, &SparseLatencies)) -> Result<()> {
        let ends = self.rows.iter().filter(|row| row.phase != "drain");
        let rows: BTreeMap<u64, &Row> = ends.map(|row| (by_key::interval(row.t_s), row)).collect();
        let log = self.path.join(folder::HLOG);
        let file =
            File::open(&log).with_context(|| format!("`{}` cannot be read", log.display()))?;
        let mut open: Option<(&Row, SparseLatencies)> = None;
        for interval in hlog::read_tagged(BufReader::new(file), tags) {
            let interval = interval?;
            let end = by_key::interval((interval.start + interval.length).as_secs_f64());
            // The log has start and length in whole milliseconds, so their sum is off by one at most.
            let near = rows.range(end.saturating_sub(2)..=end + 2).next();
            let Some((_, row)) = near else { continue };
            let times = interval.latencies;
            match &mut open {
                Some((last, all)) if last.t_s.to_bits() == row.t_s.to_bits() => all.merge(&times),
                _ => {
                    if let Some((row, all)) = open.replace((*row, times)) {
                        each(row, &all);
                    }
                }
            }
        }
        if let Some((row, all)) = open {
            each(row, &all);
        }
        Ok(())
    }
}

/// The one deployment of a scenario.
pub(super) fn deployment(scenario: &Scenario) -> Result<&DeploymentSpec> {
    let Place::Deployed(deployed) = &scenario.place else {
        bail!(
            "the scenario `{}` brings up no deployment, so that its slots are not known",
            scenario.name
        );
    };
    match deployed.deployments.as_slice() {
        [one] => Ok(one),
        _ => bail!(
            "the scenario `{}` has several deployments, and what each answered is not told apart",
            scenario.name
        ),
    }
}

/// Whether the run was of this deployment.
fn is_of(summary: &Summary, spec: &DeploymentSpec) -> Result<()> {
    let [run] = summary.deployments.as_slice() else {
        bail!("it is a run of {} deployments", summary.deployments.len());
    };
    let mut differs = Vec::new();
    let mut same = |what: &str, run: &str, own: &str| {
        if run != own {
            differs.push(format!("{what} `{run}` instead of `{own}`"));
        }
    };
    same("deployment", &run.name, &spec.name);
    same("instance_type", &run.instance_type, &spec.instance_type);
    let (count, own) = (run.instance_count.to_string(), spec.instance_count.to_string());
    same("instance_count", &count, &own);
    if !differs.is_empty() {
        bail!("it is a run of another deployment than the scenario's: {}", differs.join(", "));
    }
    Ok(())
}

/// Whether the load of a run is the scenario's: as many arrivals of the same seed.
pub(super) fn same_load(measured: &Measured) -> Result<()> {
    let Measured { scenario, summary, path, .. } = measured;
    let weights: Vec<_> = scenario.requests.iter().map(|request| request.weight).collect();
    let mix = Mix::new(&weights).context("no request has a weight above 0")?;
    let planned = scenario.load.arrivals(&mix, scenario.seed).count() as u64;
    let warmup = summary.warmup.as_ref().map_or(0, |warmup| warmup.offered);
    let offered = summary.load.offered + warmup;
    if planned != offered {
        bail!(
            "`{}` was offered {offered} arrivals, and the load of `{}` has {planned} with its seed: the \
             scenario has changed since, or the run was cut",
            path.display(),
            scenario.name
        );
    }
    Ok(())
}
