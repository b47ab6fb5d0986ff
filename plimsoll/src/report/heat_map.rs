//! The heat map: how many right answers took how long, over time; failures in a strip above.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::Run;
use super::chart::{Band, SIZE, coordinate};
use super::rate_charts::bands;
use super::recorded::{FIRST_ROW_NS, Heat, ROWS_PER_DECADE};
use super::scale::{Tick, time_ticks};
use super::words;
use crate::results::timeline::Row;

/// Shades, from few to many.
pub(super) const SHADES: u64 = 8;

/// The heat map as the page shows it.
#[derive(Debug)]
pub(super) struct HeatMap {
    /// Columns, of which the last may be cut: the axis is that of the other charts.
    pub(super) columns: f64,
    pub(super) rows: u16,
    pub(super) svg: String,
    /// The strip of failures; empty if nothing failed.
    pub(super) failures: String,
    pub(super) x: Vec<Tick>,
    pub(super) y: Vec<Tick>,
    pub(super) bands: Vec<Band>,
    /// What is shown under the pointer: places on the axis, what stands there, and the counts.
    pub(super) places: String,
    /// The counts of each column's cells; see [`filled`].
    pub(super) filled: String,
    /// The response times of each row, from the top.
    pub(super) ranges: String,
    pub(super) moments: String,
    pub(super) answers: String,
    pub(super) failed: String,
    pub(super) most: String,
    pub(super) column: String,
}

/// The heat map; `None` if nothing was answered.
pub(super) fn heat_map(run: &Run) -> Option<HeatMap> {
    let heat = &run.recorded.heat;
    let (low, high) = row_range(heat)?;
    let most = heat.cells.values().flatten().copied().max().filter(|most| *most > 0)?;
    let seconds = heat.duration_s;
    let (answers, failed) = counts(heat, &run.rows);
    let list = |counts: &[u64]| {
        let each = counts.iter().map(|count| words::count(*count));
        each.collect::<Vec<_>>().join("|")
    };
    Some(HeatMap {
        columns: heat.duration_s / heat.width_s,
        rows: high - low,
        svg: cells(heat, low, high, most),
        failures: failures(heat, &run.rows),
        x: time_ticks(seconds),
        y: ticks(low, high),
        bands: bands(&run.rows),
        places: places(heat),
        filled: filled(heat, high),
        ranges: ranges(low, high),
        moments: moments(heat),
        answers: list(&answers),
        failed: list(&failed),
        most: words::counted(most, "request"),
        column: words::span(heat.width_s),
    })
}

/// When a column begins, in seconds.
fn edge(heat: &Heat, column: usize) -> f64 {
    (column as f64 * heat.width_s).min(heat.duration_s)
}

/// The middles of the columns, in coordinates.
fn places(heat: &Heat) -> String {
    let middle = |column| edge(heat, column).midpoint(edge(heat, column + 1)) / heat.duration_s;
    let each = (0..heat.columns).map(|column| coordinate(middle(column) * SIZE));
    each.collect::<Vec<_>>().join("|")
}

/// The counts of each column's cells: the row of the first that is not empty, from the top, and from
/// there on each row's count; nothing between two blanks is an empty cell.
fn filled(heat: &Heat, high: u16) -> String {
    let column = |column: usize| {
        let mut text = String::new();
        let mut next = None;
        for (row, cells) in heat.cells.iter().rev().filter(|(_, cells)| cells[column] > 0) {
            let row = high - 1 - row;
            let blanks = match next {
                None => {
                    let _ = write!(text, "{row}");
                    1
                }
                Some(next) => row - next + 1,
            };
            let _ = write!(text, "{}{}", " ".repeat(usize::from(blanks)), cells[column]);
            next = Some(row + 1);
        }
        text
    };
    (0..heat.columns).map(column).collect::<Vec<_>>().join("|")
}

/// The response times of each row.
fn ranges(low: u16, high: u16) -> String {
    let edge =
        |row: u16| words::ms(FIRST_ROW_NS * 10f64.powf(f64::from(row) / ROWS_PER_DECADE) / 1e6);
    let each = (low..high).rev().map(|row| format!("{} to {}", edge(row), edge(row + 1)));
    each.collect::<Vec<_>>().join("|")
}

/// The time of each column.
fn moments(heat: &Heat) -> String {
    let edge = |column| words::span(edge(heat, column));
    let each = (0..heat.columns).map(|column| format!("{} to {}", edge(column), edge(column + 1)));
    each.collect::<Vec<_>>().join("|")
}

/// Right answers and failures in each column.
fn counts(heat: &Heat, rows: &[Row]) -> (Vec<u64>, Vec<u64>) {
    let mut answers = vec![0; heat.columns];
    for cells in heat.cells.values() {
        answers.iter_mut().zip(cells).for_each(|(all, count)| *all += count);
    }
    let mut failed = vec![0; heat.columns];
    for row in rows {
        failed[column(heat, row)] += row.failed + row.dropped;
    }
    (answers, failed)
}

fn column(heat: &Heat, row: &Row) -> usize {
    ((row.start_s() / heat.width_s) as usize).min(heat.columns - 1)
}

/// The rows in use and one of air on each side, at least a factor of ten.
fn row_range(heat: &Heat) -> Option<(u16, u16)> {
    let (first, last) = (*heat.cells.keys().next()?, *heat.cells.keys().next_back()?);
    let low = first.saturating_sub(1);
    Some((low, (last + 2).max(low + ROWS_PER_DECADE as u16)))
}

/// One path per shade; neighbours of the same shade in a row are one line, as thick as a row is high.
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
                let _ = write!(path, "M{column} {y}h{width}");
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
        let column = column(heat, row);
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
    fn each_cell_has_its_count_and_its_times() {
        let cells_of =
            BTreeMap::from([(20, vec![5, 0, 2]), (21, vec![7, 0, 0]), (24, vec![0, 0, 9])]);
        let heat = Heat { cells: cells_of, ..Heat::new(3.0) };
        assert_eq!(filled(&heat, 35), "13 7 5||10 9    2");
        let ranges = ranges(16, 33);
        assert_eq!(ranges.split('|').count(), 17);
        assert!(ranges.ends_with(&format!("|{} to {}", words::ms(0.01), words::ms(0.011_548))));
    }

    // The last column of 3.5 s is half as wide, and the axis ends with it.
    #[test]
    fn the_axis_is_that_of_the_other_charts() {
        let heat = Heat::new(3.5);
        assert_eq!((heat.columns, places(&heat).as_str()), (4, "142.9|428.6|714.3|928.6"));
        assert!(moments(&heat).ends_with("3\u{a0}s to 3.5\u{a0}s"), "{}", moments(&heat));
    }

    #[test]
    fn neighbours_of_one_shade_are_one_line() {
        let cells_of = BTreeMap::from([(20u16, vec![5, 5, 0, 5])]);
        let heat = Heat { cells: cells_of, ..Heat::new(4.0) };
        let svg = cells(&heat, 19, 35, 5);
        assert_eq!(svg, r#"<path class="h8" d="M0 14h2M3 14h1"/>"#);
    }
}
