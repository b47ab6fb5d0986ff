//! The forecast: rates that are given, or a trace, which is read as it streams by.

use std::time::Duration;

use plimsoll_domain::schedule::Trace;
use plimsoll_study::plan::Forecast;

use super::Args;
use crate::scenario::read_trace;

/// Over which the rates of a trace are averaged: autoscale rules see no less.
pub(super) const SPAN: Duration = Duration::from_mins(1);

/// A trace, and its rate in each minute.
#[derive(Debug)]
pub(super) struct Traced {
    pub(super) file: String,
    pub(super) trace: Trace,
    pub(super) rates: Vec<f64>,
}

/// What is to be carried, and the trace that it is from.
pub(super) fn read(args: &Args) -> Result<(Forecast, Option<Traced>), String> {
    let Some(path) = &args.trace else {
        let peak_rps = args.rate.ok_or("give a forecast: --rate RPS or --trace FILE")?;
        let trough_rps = args.trough.unwrap_or(peak_rps);
        if trough_rps > peak_rps {
            return Err("--trough is above --rate".to_owned());
        }
        let rise_rps = args.ramp.unwrap_or(0.0) / 60.0 * args.provisioning.as_secs_f64();
        return Ok((Forecast { peak_rps, trough_rps, rise_rps }, None));
    };
    let trace = read_trace(path)?.scaled(args.scale.unwrap_or(1.0));
    let rates = rates(&trace);
    let lead = args.provisioning.as_secs_f64() / SPAN.as_secs_f64();
    let forecast = Forecast::of(&rates, (lead.ceil() as usize).max(1))
        .ok_or_else(|| format!("{}: it has no arrival", path.display()))?;
    Ok((forecast, Some(Traced { file: path.display().to_string(), trace, rates })))
}

/// The mean rate of each whole minute, or of a trace that is shorter.
fn rates(trace: &Trace) -> Vec<f64> {
    let (mut course, end) = (trace.course(), trace.duration());
    let (mut at, mut before) = (Duration::ZERO, 0.0);
    let mut rates = Vec::new();
    while at < end {
        let span = SPAN.min(end.saturating_sub(at));
        if span < SPAN && !rates.is_empty() {
            break;
        }
        at += span;
        let now = course.by(at);
        rates.push((now - before) / span.as_secs_f64());
        before = now;
    }
    rates
}
