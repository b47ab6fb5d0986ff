//! The heat map: how many right answers took how long, over time; failures in a strip above.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::Run;
use super::chart::{Band, SIZE, coordinate};
use super::rate_charts::{bands, duration};
use super::recorded::{FIRST_ROW_NS, Heat, ROWS_PER_DECADE};
use super::scale::{Tick, time_ticks};
use super::words;
use crate::results::timeline::Row;

/// Shades, from few to many.
pub(super) const SHADES: u64 = 8;

/// The heat map as the page shows it.
#[derive(Debug)]
pub(super) struct HeatMap {
    pub(super) columns: usize,
    pub(super) rows: u16,
    pub(super) svg: String,
    /// The strip of failures; empty if nothing failed.
    pub(super) failures: String,
    pub(super) x: Vec<Tick>,
    pub(super) y: Vec<Tick>,
    pub(super) bands: Vec<Band>,
    pub(super) most: String,
    pub(super) column: String,
}

/// The heat map; `None` if nothing was answered.
pub(super) fn heat_map(run: &Run) -> Option<HeatMap> {
    let heat = &run.recorded.heat;
    let (low, high) = row_range(heat)?;
    let most = heat.cells.values().flatten().copied().max().filter(|most| *most > 0)?;
    let seconds = heat.width_s * heat.columns as f64;
    let shown = duration(&run.rows).min(seconds) / seconds;
    Some(HeatMap {
        columns: heat.columns,
        rows: high - low,
        svg: cells(heat, low, high, most),
        failures: failures(heat, &run.rows),
        x: time_ticks(seconds),
        y: ticks(low, high),
        bands: bands(&run.rows)
            .into_iter()
            .map(|band| Band { at: band.at * shown, width: band.width * shown, ..band })
            .collect(),
        most: words::counted(most, "request"),
        column: words::span(heat.width_s),
    })
}

/// The rows in use and one of air on each side, at least a factor of ten.
fn row_range(heat: &Heat) -> Option<(u16, u16)> {
    let (first, last) = (*heat.cells.keys().next()?, *heat.cells.keys().next_back()?);
    let low = first.saturating_sub(1);
    Some((low, (last + 2).max(low + ROWS_PER_DECADE as u16)))
}

/// One path per shade; neighbours of the same shade in a row are one rectangle.
fn cells(heat: &Heat, low: u16, high: u16, most: u64) -> String {
    let mut paths: BTreeMap<u64, String> = BTreeMap::new();
    for (row, counts) in &heat.cells {
        let y = high - 1 - (*row).max(low);
        let mut column = 0;
        while column < counts.len() {
            let shade = shade(counts[column], most);
            let run = counts[column..].iter().take_while(|c| self::shade(**c, most) == shade);
            let width = run.count();
            if shade > 0 {
                let path = paths.entry(shade).or_default();
                let _ = write!(path, "M{column} {y}h{width}v1h-{width}z");
            }
            column += width;
        }
    }
    let mut svg = String::new();
    for (shade, path) in paths {
        let _ = write!(svg, r#"<path class="h{shade}" d="{path}"/>"#);
    }
    svg
}

/// 1 for a single request up to [`SHADES`] for the fullest cell, by logarithm; 0 for none.
fn shade(count: u64, most: u64) -> u64 {
    if count == 0 {
        return 0;
    }
    let share = if most > 1 { (count as f64).ln() / (most as f64).ln() } else { 1.0 };
    1 + (share * (SHADES - 1) as f64).round() as u64
}

fn failures(heat: &Heat, rows: &[Row]) -> String {
    let mut ended = vec![(0u64, 0u64); heat.columns];
    for row in rows {
        let column = ((row.start_s() / heat.width_s) as usize).min(heat.columns - 1);
        ended[column].0 += row.failed + row.dropped;
        ended[column].1 += row.ok + row.failed + row.dropped;
    }
    let mut svg = String::new();
    for (column, (failed, all)) in ended.into_iter().enumerate().filter(|(_, (f, _))| *f > 0) {
        // The taller, the more of them failed; never so low that it cannot be seen.
        let height = (failed as f64 / all as f64).max(0.15) * SIZE;
        let _ = write!(
            svg,
            r#"<rect class="fail" x="{column}" y="{}" width="1" height="{}"/>"#,
            coordinate(SIZE - height),
            coordinate(height)
        );
    }
    svg
}

fn ticks(low: u16, high: u16) -> Vec<Tick> {
    let height = f64::from(high - low);
    let decades = height / ROWS_PER_DECADE;
    let factors: &[f64] = if decades <= 3.0 { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let mut ticks = Vec::new();
    for power in 0..10 {
        for factor in factors {
            let ns = factor * 10f64.powi(power) * FIRST_ROW_NS;
            let row = (ns / FIRST_ROW_NS).log10() * ROWS_PER_DECADE;
            let at = (row - f64::from(low)) / height * 100.0;
            if (0.0..=100.0).contains(&at) {
                let minor = *factor > 1.0 && decades > 1.5;
                ticks.push(Tick { at, text: words::ms(ns / 1e6), minor });
            }
        }
    }
    ticks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_request_is_seen_and_the_fullest_cell_is_darkest() {
        assert_eq!([0, 1, 1000].map(|count| shade(count, 1000)), [0, 1, SHADES]);
        assert_eq!(shade(1, 1), SHADES);
    }

    #[test]
    fn neighbours_of_one_shade_are_one_rectangle() {
        let cells_of = BTreeMap::from([(20u16, vec![5, 5, 0, 5])]);
        let heat = Heat { width_s: 1.0, columns: 4, cells: cells_of };
        let svg = cells(&heat, 19, 35, 5);
        assert_eq!(svg, r#"<path class="h8" d="M0 14h2v1h-2zM3 14h1v1h-1z"/>"#);
    }
}
