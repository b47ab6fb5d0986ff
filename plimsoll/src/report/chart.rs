//! A chart as the page shows it: an SVG that stretches to the width it gets, under axis labels that
//! are text of the page and so never shrink.
//!
//! The SVG holds only numbers and class names of ours; every name from outside is a label that the
//! template escapes. Its coordinates are 0 to 1000 both ways; strokes do not scale. Lines differ in
//! dash as well as in colour.

use std::fmt::Write;

use super::scale::{Scale, Tick};

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

    /// Draws a line through `points` (shares of the axes), broken where there is no value.
    pub(super) fn line(
        &mut self,
        class: &'static str,
        text: &str,
        points: impl Iterator<Item = (f64, Option<f64>)>,
    ) {
        let path = line_path(points);
        if !path.is_empty() {
            self.path(class, &path);
            self.legend.push(Legend { class, text: text.to_owned() });
        }
    }

    /// Draws a dashed line at a threshold and names it at its end.
    pub(super) fn threshold(&mut self, scale: Scale, value: f64, text: String) {
        if scale.holds(value) {
            let at = scale.at(value);
            self.path("threshold", &format!("M0 {}H{SIZE}", coordinate(SIZE - at * SIZE)));
            self.labels.push(Label { at: at * 100.0, text });
        }
    }

    /// Marks stretches (shares of the x axis) along the upper edge.
    pub(super) fn upper_marks(&mut self, text: &str, stretches: impl Iterator<Item = (f64, f64)>) {
        let mut path = String::new();
        for (from, to) in stretches {
            let _ = write!(path, "M{} 4H{}", coordinate(from * SIZE), coordinate(to * SIZE));
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

fn line_path(points: impl Iterator<Item = (f64, Option<f64>)>) -> String {
    let mut path = String::new();
    let mut pen_down = false;
    for (x, y) in points {
        let Some(y) = y else {
            pen_down = false;
            continue;
        };
        let (x, y) = (coordinate(x * SIZE), coordinate(SIZE - y * SIZE));
        // A lone point is a dot: a line without length has round ends.
        let _ = if pen_down { write!(path, "L{x} {y}") } else { write!(path, "M{x} {y}h0") };
        pen_down = true;
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

    #[test]
    fn a_line_breaks_where_there_is_no_value() {
        let points = [(0.0, Some(0.0)), (0.25, Some(0.5)), (0.5, None), (1.0, Some(1.0))];
        assert_eq!(line_path(points.into_iter()), "M0 1000h0L250 500M1000 0h0");
    }
}
