//! A metric history from CSV: `time,metric,value`, and `instance`, `resource`, `dimension=NAME` if there
//! are any.
//!
//! Times are moments (`2026-11-28T10:00:00Z`) or seconds since a start that the caller gives. A sample
//! stands for the grain that starts at its time. What cannot be a history is refused with its line;
//! gaps are told, never filled.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use plimsoll_document::{Problem, Problems};

use crate::{Metric, Point};

/// A history, and what there is to say of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Samples {
    /// Every series, its points ordered by time.
    pub series: Vec<Metric>,
    /// Whether its times are offsets from the start that was given.
    pub offsets: bool,
    /// Gaps, in sentences.
    pub gaps: Vec<String>,
}

/// The columns of a file.
struct Columns {
    time: usize,
    metric: usize,
    value: usize,
    instance: Option<usize>,
    resource: Option<usize>,
    dimensions: Vec<(usize, String)>,
}

/// Where a file is wrong.
struct Places {
    file: Arc<str>,
    source: Arc<str>,
}

impl Places {
    /// A problem with the line that starts at or before this byte.
    fn problem(&self, byte: u64, message: String) -> Problem {
        let start = usize::try_from(byte).unwrap_or(0).min(self.source.len());
        let rest = self.source.get(start..).unwrap_or_default();
        let blank = rest.len() - rest.trim_start_matches(['\n', '\r']).len();
        let line = rest[blank..].find('\n').unwrap_or(rest.len() - blank);
        Problem::new(&self.file, &self.source, start + blank..start + blank + line, message)
    }
}

impl Samples {
    /// Reads `text`, which is that of `file`. Offsets count from `start`.
    ///
    /// # Errors
    /// All lines that are no samples, or that there is none.
    pub fn read(file: &str, text: &str, start: Timestamp) -> Result<Self, Problems> {
        let places = Places { file: Arc::from(file), source: Arc::from(text) };
        let mut problems = Problems::new();
        let mut reader = csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .comment(Some(b'#'))
            .from_reader(text.as_bytes());
        let columns = match reader.headers() {
            Ok(header) => columns(header, &places, &mut problems),
            Err(error) => {
                problems.push(places.problem(0, format!("this is no CSV: {error}")));
                None
            }
        };
        let Some(columns) = columns else { return Err(problems) };
        let mut samples = Self { series: Vec::new(), offsets: false, gaps: Vec::new() };
        for record in reader.into_records() {
            match record {
                Ok(record) => samples.add(&columns, &record, start, &places, &mut problems),
                Err(error) => {
                    let byte = error.position().map_or(0, csv::Position::byte);
                    problems.push(places.problem(byte, format!("this is no sample: {error}")));
                }
            }
        }
        if samples.series.is_empty() && problems.is_empty() {
            problems.push(Problem::of_file(file, "the history is empty: there is no sample in it"));
        }
        samples.gaps = samples.series.iter().filter_map(gap).collect();
        problems.or(Some(samples))
    }

    fn add(
        &mut self,
        columns: &Columns,
        record: &csv::StringRecord,
        start: Timestamp,
        places: &Places,
        problems: &mut Problems,
    ) {
        let byte = record.position().map_or(0, csv::Position::byte);
        let mut wrong = |message: String| problems.push(places.problem(byte, message));
        let cell = |index: usize| record.get(index).unwrap_or_default();
        let optional = |index: Option<usize>| {
            index.map(cell).filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let (text, name) = (cell(columns.time), cell(columns.metric));
        let Some((time, is_offset)) = moment(text, start) else {
            wrong(format!("`{text}` is neither a moment nor a number of seconds"));
            return;
        };
        if self.series.is_empty() {
            self.offsets = is_offset;
        } else if self.offsets != is_offset {
            wrong("moments and offsets are mixed in one file".to_owned());
            return;
        }
        let value = match cell(columns.value).parse::<f64>() {
            Ok(value) if value.is_finite() => value,
            Ok(value) => return wrong(format!("{value} is no value: leave the line out")),
            Err(_) => return wrong(format!("`{}` is no number", cell(columns.value))),
        };
        if name.is_empty() {
            return wrong("the metric has no name".to_owned());
        }
        let resource = optional(columns.resource);
        let dimensions: BTreeMap<String, String> = columns
            .dimensions
            .iter()
            .filter(|(index, _)| !cell(*index).is_empty())
            .map(|(index, name)| (name.clone(), cell(*index).to_owned()))
            .collect();
        let point = Point { time, value, instance: optional(columns.instance) };
        let found = self.series.iter_mut().find(|series| {
            series.name == name && series.resource == resource && series.dimensions == dimensions
        });
        let Some(series) = found else {
            let (name, points) = (name.to_owned(), vec![point]);
            self.series.push(Metric { name, resource, dimensions, value: None, points });
            return;
        };
        if series.points.last().is_some_and(|last| point.time < last.time) {
            return wrong(format!("time goes back here for `{name}`: order the lines by time"));
        }
        series.points.push(point);
    }

    /// The first and the last moment of a sample.
    pub fn span(&self) -> Option<(Timestamp, Timestamp)> {
        let times = || self.series.iter().flat_map(|series| &series.points).map(|point| point.time);
        times().min().zip(times().max())
    }

    /// What can be seen at `now` of the last `lookback_s` seconds.
    pub fn visible(&self, now: Timestamp, lookback_s: i64) -> Vec<Metric> {
        let from = now.as_second().saturating_sub(lookback_s);
        let visible = |series: &Metric| {
            let points = &series.points;
            let start = points.partition_point(|point| point.time.as_second() < from);
            let end = points.partition_point(|point| point.time < now);
            Metric { points: points[start..end.max(start)].to_vec(), ..without_points(series) }
        };
        self.series.iter().map(visible).filter(|series| !series.points.is_empty()).collect()
    }
}

fn without_points(series: &Metric) -> Metric {
    let Metric { name, resource, dimensions, value, .. } = series;
    let (name, resource, dimensions) = (name.clone(), resource.clone(), dimensions.clone());
    Metric { name, resource, dimensions, value: *value, points: Vec::new() }
}

fn columns(
    header: &csv::StringRecord,
    places: &Places,
    problems: &mut Problems,
) -> Option<Columns> {
    let position = |name: &str| header.iter().position(|cell| cell.eq_ignore_ascii_case(name));
    let mut need = |name: &str| {
        let found = position(name);
        if found.is_none() {
            let message = format!("the column `{name}` is missing in the first line");
            let hint = "time,metric,value[,instance][,resource][,dimension=NAME]";
            problems.push(places.problem(0, message).hint(hint));
        }
        found
    };
    let (time, metric, value) = (need("time"), need("metric"), need("value"));
    let mut dimensions = Vec::new();
    for (index, cell) in header.iter().enumerate() {
        let known = ["time", "metric", "value", "instance", "resource"];
        if known.iter().any(|name| name.eq_ignore_ascii_case(cell)) {
            continue;
        }
        if let Some(name) = cell.strip_prefix("dimension=").filter(|name| !name.is_empty()) {
            dimensions.push((index, name.to_owned()));
        } else {
            let problem = places.problem(0, format!("the column `{cell}` is not known"));
            problems.push(problem.hint("a dimension's column is named `dimension=NAME`"));
        }
    }
    let (instance, resource) = (position("instance"), position("resource"));
    let (time, metric, value) = (time?, metric?, value?);
    problems.is_empty().then_some(Columns { time, metric, value, instance, resource, dimensions })
}

/// A moment, and whether it was written as an offset.
fn moment(text: &str, start: Timestamp) -> Option<(Timestamp, bool)> {
    if let Ok(offset) = text.parse::<f64>() {
        if !offset.is_finite() || offset < 0.0 {
            return None;
        }
        let offset = std::time::Duration::try_from_secs_f64(offset).ok()?;
        return Some((start.checked_add(offset).ok()?, true));
    }
    text.parse().ok().map(|moment| (moment, false))
}

/// The longest gap of a series: longer than twice its usual step.
fn gap(series: &Metric) -> Option<String> {
    let mut times: Vec<i64> = series.points.iter().map(|point| point.time.as_second()).collect();
    times.dedup();
    let mut steps: Vec<(i64, i64)> =
        times.windows(2).map(|two| (two[1] - two[0], two[0])).collect();
    let longest = steps.iter().copied().max()?;
    let count = steps.len();
    steps.sort_unstable();
    // Of two in the middle the shorter: a gap is no usual step.
    let usual = steps[(count - 1) / 2].0.max(60);
    let gaps = steps.iter().filter(|(step, _)| *step > 2 * usual).count();
    (gaps > 0).then(|| {
        let at =
            Timestamp::from_second(longest.1).map_or_else(|_| String::new(), |t| t.to_string());
        format!("`{}` has {gaps} gaps, the longest of {} s after {at}", series.name, longest.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Samples, Problems> {
        Samples::read("m.csv", text, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_history_is_read_with_its_series_and_gaps() {
        let text = "time,metric,value,instance,dimension=deployment\n\
                    0,Cpu,50,a,\n0,Cpu,60,b,\n60,Cpu,70,a,\n120,Cpu,70,a,\n600,Cpu,1e1,a,\n60,Rps,3,,blue\n";
        let samples = read(text).unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!((samples.series.len(), samples.offsets), (2, true));
        assert_eq!(samples.series[0].points[1].instance.as_deref(), Some("b"));
        assert_eq!(samples.series[1].dimensions["deployment"], "blue");
        assert!(samples.gaps[0].contains("480 s") && samples.gaps.len() == 1, "{:?}", samples.gaps);
        let at = |second| Timestamp::from_second(second).expect("in range");
        assert_eq!(samples.span(), Some((at(0), at(600))));
        let visible = samples.visible(at(120), 60);
        assert_eq!((visible.len(), visible[0].points.len()), (2, 1));
        // Two steps, of which one is the gap.
        let short = read("time,metric,value\n0,Cpu,1\n60,Cpu,1\n1200,Cpu,1\n").expect("right");
        assert!(short.gaps[0].contains("1140 s"), "{:?}", short.gaps);
        let iso = read("time,metric,value\n2026-11-28T10:00:00Z,Cpu,1\n").expect("right");
        assert!(!iso.offsets);
    }

    #[test]
    fn what_is_no_history_is_refused_with_its_line() {
        let table = [
            ("time,metric\n0,Cpu\n", "column `value` is missing"),
            ("time,metric,value,pod\n0,Cpu,1,a\n", "`pod` is not known"),
            ("time,metric,value\n", "the history is empty"),
            ("time,metric,value\n0,Cpu,NaN\n", "NaN is no value"),
            ("time,metric,value\n0,Cpu,inf\n", "inf is no value"),
            ("time,metric,value\n0,Cpu,x\n", "`x` is no number"),
            ("time,metric,value\nsoon,Cpu,1\n", "`soon` is neither"),
            ("time,metric,value\n-1,Cpu,1\n", "`-1` is neither"),
            ("time,metric,value\n60,Cpu,1\n0,Cpu,1\n", "time goes back here"),
            ("time,metric,value\n60,Cpu,1\n2026-11-28T10:00:00Z,Cpu,1\n", "mixed in one file"),
            ("time,metric,value\n60,Cpu\n", "no sample"),
        ];
        for (text, words) in table {
            let problems = read(text).expect_err(text).to_string();
            assert!(problems.contains(words), "{text}: {problems}");
        }
        let problems = read("time,metric,value\n0,Cpu,1\n60,Cpu,x\n120,Cpu,y\n").expect_err("two");
        assert_eq!(problems.len(), 2);
        assert!(problems.to_string().contains("m.csv:3:1"), "{problems}");
    }
}
