//! What comparisons of a build with itself say of a machine, for a terminal.

use std::fmt::Write;

use plimsoll_study::calibrate::{Calibration, OfMetric};
use plimsoll_study::compare::{Comparison, Scale};

use super::words;

/// How often it cries wolf, and what it sees.
pub(crate) fn text(
    scenario: &str,
    calibration: Option<&Calibration>,
    undecided: usize,
    comparisons: &[Comparison],
) -> String {
    let not_counted = match undecided {
        0 => String::new(),
        count => format!("\n{} could not be compared.", words::counted(count as u64, "run")),
    };
    let Some(calibration) = calibration else {
        return format!(
            "{scenario}: no run counts, so nothing is known of this machine.{not_counted}"
        );
    };
    let share = |share: f64| words::percentage(share * 100.0);
    let Calibration { runs, false_alarms, rate, interval: [low, high], accepted, .. } = calibration;
    let mut text = format!(
        "{scenario}: {false_alarms} of {runs} comparisons of a build with itself told a change: {} \
         (95 % interval {} to {}); {} is accepted{}\n\n  {:<11} {:>12} {:>16} {:>22}\n",
        share(*rate),
        share(*low),
        share(*high),
        share(*accepted),
        if calibration.is_too_often() { ", and this is more" } else { "" },
        "",
        "false alarms",
        "largest made up",
        "seen four times in five",
    );
    for OfMetric { metric, scale, runs, false_alarms, largest, smallest } in &calibration.metrics {
        let size = |size: f64| match scale {
            Scale::Ratio => share(size),
            Scale::Difference => format!("{} points", words::number(size * 100.0)),
        };
        let alarms = format!("{false_alarms} of {runs}");
        let seen =
            smallest.map_or("not known".to_owned(), |smallest| format!("from {}", size(smallest)));
        let _ = writeln!(
            text,
            "  {:<11} {alarms:>12} {:>16} {seen:>22}",
            metric.name(),
            size(*largest)
        );
    }
    if let Some(one) = comparisons.first() {
        let _ = write!(
            text,
            "\nEach had {} pairs of blocks of {}; four times as many see half as small a change.",
            one.base_units,
            words::span(one.unit_s)
        );
    }
    text + &not_counted
}
