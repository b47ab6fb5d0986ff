//! A chart as the page shows it: an SVG that stretches to the width it gets, under axis labels that
//! are text of the page and so never shrink.
//!
//! The SVG holds only numbers and class names of ours; every name from outside is a label that the
//! template escapes. Its coordinates are 0 to 1000 both ways; strokes do not scale. Lines differ in
//! dash as well as in colour.

use std::fmt::Write;

use super::lanes::Lane;
use super::scale::{Scale, Tick};

/// The height that a label takes, in percent of a chart's.
const LABEL: f64 = 7.5;

/// The size of the drawing in its own coordinates.
pub(super) const SIZE: f64 = 1000.0;

/// A chart.
#[derive(Debug, Default)]
pub(super) struct Chart {
    /// Unique on the page.
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    /// What it says, in a sentence.
    pub(super) lead: String,
    /// What it shows, for those who cannot see it.
    pub(super) description: String,
    pub(super) x: Vec<Tick>,
    pub(super) y: Vec<Tick>,
    pub(super) x_name: &'static str,
    pub(super) y_name: &'static str,
    /// The drawing: safe, see above.
    pub(super) svg: String,
    pub(super) legend: Vec<Legend>,
    /// Text at a height on the right, such as a threshold's name.
    pub(super) labels: Vec<Label>,
    /// What is shown under the pointer: the places of the points on the axis, and their names,
    /// each list in one text.
    pub(super) places: String,
    pub(super) moments: String,
    /// What happened meanwhile, along the same axis.
    pub(super) lanes: Vec<Lane>,
    /// Names of stretches of time.
    pub(super) bands: Vec<Band>,
    /// A last word, such as how it was thinned.
    pub(super) note: String,
}

/// A line's name.
#[derive(Debug)]
pub(super) struct Legend {
    pub(super) class: &'static str,
    pub(super) text: String,
}

/// Text at a height.
#[derive(Debug)]
pub(super) struct Label {
    /// In percent from the bottom.
    pub(super) at: f64,
    pub(super) text: String,
}

/// A point of a line, in shares of the axes.
#[derive(Debug, Clone)]
pub(super) struct Point {
    pub(super) x: f64,
    /// `None` where there is no value.
    pub(super) y: Option<f64>,
    /// The value as it is read.
    pub(super) text: String,
    /// Whether it stands for itself, and no line leads to it.
    pub(super) apart: bool,
}

/// A named stretch of time.
#[derive(Debug, Clone)]
pub(super) struct Band {
    /// In percent from the left.
    pub(super) at: f64,
    /// In percent.
    pub(super) width: f64,
    pub(super) text: String,
    pub(super) warmup: bool,
}

impl Chart {
    /// Draws grid lines at the ticks.
    pub(super) fn grid(&mut self) {
        let mut path = String::new();
        for tick in &self.y {
            let _ = write!(path, "M0 {}H{SIZE}", coordinate(SIZE - tick.at * SIZE / 100.0));
        }
        for tick in self.x.iter().filter(|tick| tick.at > 0.01) {
            let _ = write!(path, "M{} 0V{SIZE}", coordinate(tick.at * SIZE / 100.0));
        }
        self.path("grid", &path);
    }

    /// Shades warm-ups, parts the stages, and keeps their names for the labels.
    pub(super) fn bands(&mut self, bands: &[Band]) {
        for band in bands.iter().filter(|band| band.warmup) {
            let (x, width) = (band.at * SIZE / 100.0, band.width * SIZE / 100.0);
            let _ = write!(
                self.svg,
                r#"<rect class="warmup" x="{}" y="0" width="{}" height="1000"/>"#,
                coordinate(x),
                coordinate(width)
            );
        }
        let mut edges = String::new();
        for band in &bands[1.min(bands.len())..] {
            let _ = write!(edges, "M{} 0V{SIZE}", coordinate(band.at * SIZE / 100.0));
        }
        self.path("edge", &edges);
        self.bands = bands.to_vec();
    }

    /// Names the points of every line: where they are (shares of the axis) and what stands there.
    pub(super) fn name_points(&mut self, points: impl Iterator<Item = (f64, String)>) {
        let (places, moments): (Vec<_>, Vec<_>) =
            points.map(|(x, text)| (coordinate(x * SIZE), text)).unzip();
        (self.places, self.moments) = (places.join("|"), moments.join("|"));
    }

    /// Draws a line through `points`, broken where there is no value.
    pub(super) fn line(
        &mut self,
        class: &'static str,
        text: &str,
        points: impl Iterator<Item = Point>,
    ) {
        let points: Vec<Point> = points.collect();
        let path = line_path(&points);
        if !path.is_empty() {
            let values: Vec<&str> = points.iter().map(|point| point.text.as_str()).collect();
            let _ = write!(
                self.svg,
                r#"<path class="{class}" data-n="{text}" data-v="{}" d="{path}"/>"#,
                values.join("|")
            );
            self.legend.push(Legend { class, text: text.to_owned() });
        }
    }

    /// Draws a dashed line at each threshold and names it at its end. Names that would hide each
    /// other move apart; one line has one name.
    pub(super) fn thresholds(&mut self, scale: Scale, all: impl Iterator<Item = (f64, String)>) {
        let mut all: Vec<_> = all.filter(|(value, _)| scale.holds(*value)).collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (mut path, mut last) = (String::new(), f64::NAN);
        for (value, text) in all {
            let at = scale.at(value) * 100.0;
            if (at - last).abs() < 0.05
                && let Some(label) = self.labels.last_mut()
            {
                label.text = format!("{} · {text}", label.text);
                continue;
            }
            last = at;
            let _ = write!(path, "M0 {}H{SIZE}", coordinate(SIZE - at * SIZE / 100.0));
            let free = self.labels.last().map_or(at, |label| at.max(label.at + LABEL));
            self.labels.push(Label { at: free, text });
        }
        self.path("threshold", &path);
        let mut most = 100.0 - LABEL / 2.0;
        for label in self.labels.iter_mut().rev() {
            label.at = label.at.min(most);
            most = label.at - LABEL;
        }
    }

    /// Draws what a percentile must stay below: a gate at its place on the axis.
    pub(super) fn gate(&mut self, x: f64, y: f64) {
        let (from, to) = ((x - 0.025).max(0.0), (x + 0.025).min(1.0));
        let [x, from, to] = [x, from, to].map(|share| coordinate(share * SIZE));
        let y = coordinate(SIZE - y * SIZE);
        self.path("gate", &format!("M{from} {y}H{to}M{x} {y}V0"));
    }

    /// Shades stretches (shares of the x axis) over the whole height.
    pub(super) fn shade(&mut self, text: &str, stretches: impl Iterator<Item = (f64, f64)>) {
        let mut path = String::new();
        for (from, to) in stretches {
            let (from, to) = (coordinate(from * SIZE), coordinate(to * SIZE));
            let _ = write!(path, "M{from} 0H{to}V{SIZE}H{from}z");
        }
        if !path.is_empty() {
            self.path("infinite", &path);
            self.legend.push(Legend { class: "infinite", text: text.to_owned() });
        }
    }

    fn path(&mut self, class: &str, path: &str) {
        if !path.is_empty() {
            let _ = write!(self.svg, r#"<path class="{class}" d="{path}"/>"#);
        }
    }
}

fn line_path(points: &[Point]) -> String {
    let mut path = String::new();
    let mut pen_down = false;
    for Point { x, y, apart, .. } in points {
        let Some(y) = y else {
            pen_down = false;
            continue;
        };
        let (x, y) = (coordinate(x * SIZE), coordinate(SIZE - y * SIZE));
        // A lone point is a dot: a line without length has round ends.
        let is_led_to = pen_down && !apart;
        let _ = if is_led_to { write!(path, "L{x} {y}") } else { write!(path, "M{x} {y}h0") };
        pen_down = !apart;
    }
    path
}

/// A coordinate with one decimal at most.
pub(super) fn coordinate(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(x: f64, y: Option<f64>, apart: bool) -> Point {
        Point { x, y, text: "v".to_owned(), apart }
    }

    #[test]
    fn a_line_breaks_where_there_is_no_value_and_before_what_stands_apart() {
        let points = [(0.0, Some(0.0)), (0.25, Some(0.5)), (0.5, None), (1.0, Some(1.0))];
        let points = points.map(|(x, y)| point(x, y, false));
        assert_eq!(line_path(&points), "M0 1000h0L250 500M1000 0h0");
        let points = [(0.0, false), (0.5, false), (1.0, true)];
        let points = points.map(|(x, apart)| point(x, Some(0.0), apart));
        assert_eq!(line_path(&points), "M0 1000h0L500 1000M1000 1000h0");
    }

    #[test]
    fn thresholds_at_one_height_share_a_name_and_near_ones_move_apart() {
        let scale = Scale::around([1.0, 1000.0].into_iter()).unwrap();
        let all = [(200.0, "a"), (200.0, "b"), (205.0, "c"), (990.0, "d"), (995.0, "e")];
        let mut chart = Chart::default();
        chart.thresholds(scale, all.into_iter().map(|(value, text)| (value, text.to_owned())));
        let texts: Vec<_> = chart.labels.iter().map(|label| label.text.as_str()).collect();
        assert_eq!(texts, ["a · b", "c", "d", "e"]);
        for pair in chart.labels.windows(2) {
            assert!(pair[1].at - pair[0].at >= LABEL - 1e-9, "{:?}", chart.labels);
        }
        assert!(chart.labels.iter().all(|label| (0.0..=100.0).contains(&label.at)));
    }
}
