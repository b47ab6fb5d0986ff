//! What autoscale rules were worth, as it is printed.

use std::time::Duration;

use plimsoll_autoscale::verdict;
use plimsoll_domain::units::three_digits;
use plimsoll_monitor::Verdict;

use crate::results::summary::{Autoscale, ScaleIn, ScaleOut, Wait};

/// Scale-outs that are printed, and scale-ins; the summary has all.
const MOST: usize = 6;

pub(super) fn lines(of: &Autoscale) -> Vec<String> {
    let mut lines: Vec<String> = of
        .objectives
        .iter()
        .map(|objective| {
            let mark = match objective.verdict {
                Verdict::Met => "met",
                Verdict::Breached => "BREACHED",
                Verdict::Inconclusive => "inconclusive",
            };
            format!("{mark:<12}  {:<34} {}", objective.name, objective.shown)
        })
        .collect();
    let faster = match of.time_compression {
        1 => String::new(),
        factor => format!("; their time goes {factor} times faster"),
    };
    lines.push(format!(
        "rules of {}: {} changes, largest step {}, {} instance hours, overshoot {}, undershoot {}, \
         flaps {}{faster}",
        of.deployment,
        of.changes,
        of.largest_step,
        three_digits(of.instance_hours),
        of.overshoot,
        of.undershoot,
        of.flaps
    ));
    lines.extend(of.scale_outs.iter().take(MOST).map(scale_out));
    lines.extend(left_out(of.scale_outs.len(), "scale-outs"));
    lines.extend(of.scale_ins.iter().take(MOST).map(scale_in));
    lines.extend(left_out(of.scale_ins.len(), "scale-ins"));
    if of.violation_s > 0.0 {
        let why = of.culprit.as_ref().map_or_else(
            || "no scale-out was on its way meanwhile".to_owned(),
            |wait| format!("most of the wait for instances meanwhile: {}", words(wait)),
        );
        lines.push(format!("rules: objectives violated for {}; {why}", span(of.violation_s)));
    }
    lines
}

fn left_out(count: usize, of: &str) -> Option<String> {
    let more = count.checked_sub(MOST).filter(|more| *more > 0)?;
    Some(format!("  and {more} more {of}, in summary.json"))
}

fn scale_out(of: &ScaleOut) -> String {
    let until = match (of.decided_t_s, of.ready_t_s) {
        (_, Some(_)) => "to the first extra ready instance",
        (Some(_), None) => "and no extra instance was ready",
        (None, None) => "and the rules had not acted",
    };
    change(of.from, of.to, &of.waits, until)
}

fn scale_in(of: &ScaleIn) -> String {
    let until = match (of.decided_t_s, of.gone_t_s) {
        (_, Some(_)) => "to the first instance fewer",
        (Some(_), None) => "and no instance went",
        (None, None) => "and the rules had not acted",
    };
    change(of.from, of.to, &of.waits, until)
}

fn change(from: u32, to: u32, waits: &[Wait], until: &str) -> String {
    let total: f64 = waits.iter().map(|wait| wait.seconds).sum();
    let waits: Vec<String> = waits.iter().map(words).collect();
    format!("  {from} → {to}: {} {until} ({})", span(total), waits.join(", "))
}

fn words(wait: &Wait) -> String {
    format!("{} {}", wait.part, span(wait.seconds))
}

fn span(seconds: f64) -> String {
    verdict::span(Duration::from_secs_f64(seconds.max(0.0)))
}
