//! What rules were worth, as results have it.

use std::time::Duration;

use plimsoll_autoscale::verdict::Findings;
use plimsoll_autoscale::verdict::lateness::{Lateness, Part};
use plimsoll_autoscale::verdict::objective::{Judged, Objective};
use plimsoll_monitor::Verdict;

use crate::results::summary as file;

/// What rules were worth.
#[derive(Debug)]
pub(in crate::session) struct Worth {
    /// The deployment that they scale.
    pub(in crate::session) deployment: String,
    /// How many times faster they went.
    pub(in crate::session) compression: u32,
    /// The figures.
    pub(in crate::session) findings: Findings,
    /// The objectives on them.
    pub(in crate::session) judged: Vec<(Objective, Judged)>,
}

impl Worth {
    /// The verdict of all objectives on rules together; `None` without any.
    pub(in crate::session) fn verdict(&self) -> Option<Verdict> {
        let verdicts = || self.judged.iter().map(|(_, judged)| verdict(*judged));
        let worst = [Verdict::Breached, Verdict::Inconclusive, Verdict::Met];
        worst.into_iter().find(|worst| verdicts().any(|verdict| verdict == *worst))
    }
}

impl Worth {
    /// As results have it.
    pub(in crate::session) fn result(&self) -> file::Autoscale {
        let wait = |(part, time): &(Part, Duration)| file::Wait {
            part: part.words().to_owned(),
            seconds: time.as_secs_f64(),
        };
        let seconds = |at: Duration| at.as_secs_f64();
        let objective = |(objective, judged): &(Objective, Judged)| {
            let (value, shown) = match *judged {
                Judged::Met(value) | Judged::Breached(value) => {
                    (Some(value).filter(|value| value.is_finite()), objective.show(value))
                }
                Judged::Undecided(why) => (None, why.to_owned()),
            };
            let verdict = verdict(*judged);
            file::RuleObjective { name: objective.to_string(), verdict, value, shown }
        };
        let scale_out = |lateness: &Lateness| file::ScaleOut {
            t_s: seconds(lateness.since),
            decided_t_s: lateness.decided.map(seconds),
            ready_t_s: lateness.came.map(seconds),
            from: lateness.from,
            to: lateness.to,
            waits: lateness.parts.iter().map(wait).collect(),
        };
        let scale_in = |lateness: &Lateness| file::ScaleIn {
            t_s: seconds(lateness.since),
            decided_t_s: lateness.decided.map(seconds),
            gone_t_s: lateness.came.map(seconds),
            from: lateness.from,
            to: lateness.to,
            waits: lateness.parts.iter().map(wait).collect(),
        };
        let back_under = |(objective, time, ended): &(String, Duration, bool)| file::BackUnder {
            objective: objective.clone(),
            seconds: seconds(*time),
            ended: *ended,
        };
        let of = &self.findings;
        file::Autoscale {
            deployment: self.deployment.clone(),
            time_compression: self.compression,
            objectives: self.judged.iter().map(objective).collect(),
            scale_outs: of.scale_outs.iter().map(scale_out).collect(),
            scale_ins: of.scale_ins.iter().map(scale_in).collect(),
            culprit: of.culprit.as_ref().map(wait),
            violation_s: seconds(of.violation),
            back_under: of.back_under.iter().map(back_under).collect(),
            refused: of.refused.0,
            answered: of.refused.1,
            overshoot: of.overshoot,
            undershoot: of.undershoot,
            flaps: of.flaps,
            instance_hours: of.instance_hours,
            largest_step: of.largest_step,
            changes: of.changes,
        }
    }
}

/// The verdict on one objective.
fn verdict(judged: Judged) -> Verdict {
    match judged {
        Judged::Met(_) => Verdict::Met,
        Judged::Breached(_) => Verdict::Breached,
        Judged::Undecided(_) => Verdict::Inconclusive,
    }
}
