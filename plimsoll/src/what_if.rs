//! What a recorded run would have been under other autoscale rules, in virtual time.
//!
//! Of the run are its arrivals (so many in each second, spread at random within it) and how its
//! deployment behaved, [as it is fitted](crate::fit) from what was measured. What a folder does not
//! hold (slots, limits, provisioning) is the scenario's. How far the model can be believed is told by
//! the same simulation under the rules that the run had, beside what was measured.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use plimsoll_autoscale::Rules;
use plimsoll_study::tune::Cost;
use serde::Serialize;

use crate::fit::{Fit, Measured, Wrong};
use crate::scenario::Scenario;
use crate::session::measured_trial;

/// Seeds that the arrivals are spread with.
const SEEDS: u64 = 5;

/// A recorded run, and the scenario that it was of.
#[derive(Debug)]
pub(crate) struct Recorded {
    scenario: Scenario,
    fit: Fit,
    measured: Cost,
    simulated: bool,
}

/// The answer: means over the seeds, and the least and the most of violation.
#[derive(Debug, Serialize)]
pub(crate) struct Answer {
    schema: &'static str,
    scenario: String,
    /// Whether what was recorded was a simulation itself.
    recorded_is_simulated: bool,
    /// How the deployment behaved.
    fit: Fit,
    measured: Cost,
    /// Under the rules that the run had.
    same_rules: Predicted,
    new_rules: Predicted,
}

/// What the model says.
#[derive(Debug, Serialize)]
struct Predicted {
    mean: Cost,
    violation_s: (f64, f64),
}

impl Recorded {
    /// Reads the folder of a run of this scenario.
    ///
    /// # Errors
    /// A folder that tells too little, or is of another scenario.
    pub(crate) fn read(path: &Path, scenario: Scenario) -> Result<Self> {
        let run = Measured::read(path, &[scenario], true)?;
        let said = path.display();
        let Some(of) = &run.summary.autoscale else {
            bail!(
                "`{said}` is a run without autoscale rules, so that there is nothing to compare with"
            );
        };
        let measured = Cost { violation_s: of.violation_s, instance_h: of.instance_hours };
        let fit = Fit::of(&[&run]).with_context(|| format!("`{said}`"))?;
        let rows = run.rows.iter().filter(|row| row.phase != "drain");
        let (mut text, mut warmup) = ("start_s,rate_rps\n".to_owned(), 0);
        for (second, row) in rows.enumerate() {
            let _ = writeln!(text, "{second},{}", row.offered);
            warmup += u64::from(row.phase == "warmup");
        }
        let simulated = run.summary.is_simulated();
        let mut scenario = run.scenario;
        scenario
            .replay_text(text, Duration::from_secs(warmup))
            .map_err(anyhow::Error::msg)
            .with_context(|| format!("the arrivals of `{said}`"))?;
        Ok(Self { scenario, fit, measured, simulated })
    }

    /// What it would have been under other rules.
    ///
    /// # Errors
    /// What cannot be simulated.
    pub(crate) fn under(&self, rules: &Rules) -> Result<Answer> {
        let same = self.scenario.autoscale.as_ref().map(|of| &of.rules).context("it has rules")?;
        Ok(Answer {
            schema: "plimsoll.simulated-what-if/v1",
            scenario: self.scenario.name.clone(),
            recorded_is_simulated: self.simulated,
            fit: self.fit.clone(),
            measured: self.measured,
            same_rules: self.predict(same)?,
            new_rules: self.predict(rules)?,
        })
    }

    fn predict(&self, rules: &Rules) -> Result<Predicted> {
        let mut costs = Vec::new();
        for number in 0..SEEDS {
            let mut scenario = self.scenario.clone();
            scenario.seed = scenario.seed.wrapping_add(number << 32);
            if let Some(autoscale) = &mut scenario.autoscale {
                autoscale.rules = rules.clone();
            }
            let behaviour = self.fit.behaviour(scenario.seed, Wrong::NONE)?;
            let trial = measured_trial(&scenario, &behaviour, &|| false)
                .map_err(|reasons| anyhow::anyhow!(reasons.join("; ")))?
                .context("nobody stops it")?;
            costs.push(Cost {
                violation_s: trial.violation.as_secs_f64(),
                instance_h: trial.instance_hours,
            });
        }
        let violation = || costs.iter().map(|cost| cost.violation_s);
        Ok(Predicted {
            mean: Cost::mean(&costs).context("there are seeds")?,
            violation_s: (
                violation().fold(f64::INFINITY, f64::min),
                violation().fold(0.0, f64::max),
            ),
        })
    }
}

/// What a terminal shows.
pub(crate) fn text(answer: &Answer) -> String {
    let line = |what: &str, cost: Cost, range: Option<(f64, f64)>| {
        let range = range.map_or(String::new(), |(least, most)| {
            format!(" ({least:.0} to {most:.0} s over {SEEDS} seeds)")
        });
        let Cost { violation_s, instance_h } = cost;
        format!(
            "  {what:<28} {instance_h:>8.2} instance-hours, violated for {violation_s:.0} s{range}\n"
        )
    };
    let Answer { measured, same_rules, new_rules, .. } = answer;
    let error = |ours: f64, theirs: f64| {
        if theirs > 0.0 {
            format!("{:+.1} %", (ours / theirs - 1.0) * 100.0)
        } else {
            format!("{ours:+.1}")
        }
    };
    let kind = if answer.recorded_is_simulated { "recorded (a simulation)" } else { "measured" };
    format!(
        "{}: what if, simulated with {} recorded service times\n{}{}{}  the model's error under the same rules: \
         instance-hours {}, violation {:+.0} s\n",
        answer.scenario,
        answer.fit.service_times,
        line(kind, *measured, None),
        line("the same rules, simulated", same_rules.mean, Some(same_rules.violation_s)),
        line("the new rules, simulated", new_rules.mean, Some(new_rules.violation_s)),
        error(same_rules.mean.instance_h, measured.instance_h),
        same_rules.mean.violation_s - measured.violation_s,
    )
}
