//! The page: everything that the template shows, in its order.

use askama::Template;

use super::chart::Chart;
use super::figures::{Banner, Figure, banner, figures};
use super::heat_map::{HeatMap, SHADES, heat_map};
use super::latency_charts::percentiles_chart;
use super::objectives::{self, ObjectiveRow};
use super::rate_charts::{lag_chart, rate_chart};
use super::rules::{self, Rules};
use super::spectrum::spectrum_chart;
use super::tables::{self, EventRow, Group, InstanceRow, Split, TableRow};
use super::{Run, words};
use crate::results::summary::{Otlp, Quota, Summary};

/// The page.
#[derive(Debug, Template)]
#[template(path = "report.html")]
pub(super) struct Page<'a> {
    summary: &'a Summary,
    banner: Banner,
    figures: Vec<Figure>,
    objectives: Vec<ObjectiveRow>,
    rate: Option<Chart>,
    scaling: Option<Chart>,
    rules: Option<Rules>,
    percentiles: Option<Chart>,
    heat: Option<HeatMap>,
    spectrum: Option<Chart>,
    lag: Option<Chart>,
    split: Option<Split>,
    latencies: Vec<TableRow>,
    outcomes: Vec<TableRow>,
    statuses: String,
    groups: Vec<Group>,
    keys: Vec<TableRow>,
    instances: Vec<InstanceRow>,
    machine: String,
    links: Vec<(&'static str, &'static str)>,
    offered: String,
    events: Vec<EventRow>,
    events_left_out: usize,
    shades: std::ops::RangeInclusive<u64>,
    otlp: String,
    quota: String,
    generator: String,
}

impl<'a> Page<'a> {
    pub(super) fn new(run: &'a Run) -> Self {
        let summary = &run.summary;
        let mut page = Self {
            summary,
            banner: banner(summary),
            figures: figures(summary),
            objectives: summary.objectives.iter().map(objectives::row).collect(),
            rate: (!run.rows.is_empty()).then(|| rate_chart(run)),
            scaling: rules::chart(run),
            rules: summary.autoscale.as_ref().map(rules::rules),
            percentiles: percentiles_chart(run),
            heat: heat_map(run),
            spectrum: spectrum_chart(run),
            lag: lag_chart(run),
            split: tables::split(summary),
            latencies: tables::latencies(summary),
            outcomes: tables::outcomes(summary),
            statuses: tables::statuses(summary),
            groups: tables::groups(summary),
            keys: tables::keys(summary),
            instances: tables::instances(summary),
            machine: tables::machine(&summary.run.machine),
            links: Vec::new(),
            offered: words::count(summary.load.offered),
            events: tables::events(&run.events),
            events_left_out: run.events.len().saturating_sub(tables::MOST_EVENTS),
            shades: 1..=SHADES,
            otlp: summary.otlp.as_ref().map(otlp).unwrap_or_default(),
            quota: summary.quota.as_ref().map(quota).unwrap_or_default(),
            generator: generator(summary),
        };
        page.links = page.parts();
        page
    }

    /// The parts that there are: what each is called at its start, and in a link to it.
    fn parts(&self) -> Vec<(&'static str, &'static str)> {
        let all = [
            ("objectives", "Objectives", true),
            ("rate", "Load", self.rate.is_some()),
            ("scaling", "Instances over time", self.scaling.is_some()),
            ("rules", "Autoscale rules", self.rules.is_some()),
            ("percentiles", "Response time", self.percentiles.is_some()),
            ("heat", "Heat map", self.heat.is_some()),
            ("spectrum", "Spectrum", self.spectrum.is_some()),
            ("lag", "Send lag", self.lag.is_some()),
            ("latency", "Latencies", true),
            ("outcomes", "Outcomes", true),
            ("groups", "By stage and deployment", !self.groups.is_empty()),
            ("instances", "Instances", !self.instances.is_empty()),
            ("deployments", "Deployments", !self.summary.deployments.is_empty()),
            ("events", "Events", true),
            ("how", "How it was measured", true),
        ];
        let there = all.into_iter().filter(|(.., is_there)| *is_there);
        there.map(|(id, name, _)| (id, name)).collect()
    }
}

fn otlp(otlp: &Otlp) -> String {
    let lost = otlp.points_lost + otlp.logs_lost + otlp.rejected;
    let end = match lost {
        0 => "nothing was lost".to_owned(),
        _ => format!(
            "{} and {} were lost, {} refused",
            words::counted(otlp.points_lost, "point"),
            words::counted(otlp.logs_lost, "log record"),
            words::count(otlp.rejected)
        ),
    };
    format!(
        "Exported {}: {} and {}; {end}.",
        otlp.receiver,
        words::counted(otlp.points_sent, "data point"),
        words::counted(otlp.logs_sent, "log record"),
    )
}

fn quota(quota: &Quota) -> String {
    match quota.fits {
        Some(true) => "The plan fits the subscription's limits.".to_owned(),
        Some(false) => "The plan does not fit the subscription's limits.".to_owned(),
        None => "The subscription's limits are not known, so nothing was refused.".to_owned(),
    }
}

fn generator(summary: &Summary) -> String {
    let state = &summary.generator;
    let lag = &state.release_lag_ms;
    let cpu = state.cpu_cores_max.map_or("not measured".to_owned(), |cores| {
        format!("{} of a core", words::percentage(cores * 100.0))
    });
    let wait = state
        .cpu_wait_max
        .map_or("not measured".to_owned(), |wait| words::percentage(wait * 100.0));
    format!(
        "Release lag p99 {}, longest {}; at the ends of intervals at most {}, {} in flight and \
         {} waiting for a connection; processor at most {cpu}, wait for it at most {wait} of an interval.",
        words::percentile(lag, lag.p99),
        lag.max.map_or("–".to_owned(), words::ms),
        words::counted(state.connections_max, "connection"),
        words::counted(state.in_flight_max, "request"),
        words::count(state.backlog_max),
    )
}
