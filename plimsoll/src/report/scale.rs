//! Axes: where a value lies, and which ticks a person would have chosen.

use super::words;

/// An axis.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scale {
    /// Equal steps.
    Linear {
        /// The value at the start.
        low: f64,
        /// The value at the end.
        high: f64,
    },
    /// Equal factors.
    Log {
        /// The value at the start, above zero.
        low: f64,
        /// The value at the end.
        high: f64,
        /// The share of the axis that finite values take; infinity is at its end.
        finite: f64,
    },
}

/// The share of an axis that finite values take where some are infinite.
const FINITE: f64 = 0.9;

/// A labelled place on an axis.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tick {
    /// Its place in percent of the axis.
    pub(super) at: f64,
    pub(super) text: String,
    /// May be left out where space is short.
    pub(super) minor: bool,
}

impl Scale {
    /// An axis from zero that holds `highest`, and some air above it.
    pub(super) fn from_zero(highest: f64) -> Self {
        let highest = if highest > 0.0 { highest } else { 1.0 };
        let step = human_step(highest * 1.04 / 4.0);
        Self::Linear { low: 0.0, high: (highest * 1.04 / step).ceil() * step }
    }

    /// An axis of equal steps close around values, which need not begin at zero; `None` without any.
    pub(super) fn near(values: impl Iterator<Item = f64>) -> Option<Self> {
        let finite = values.filter(|value| value.is_finite());
        let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        if low > high {
            return None;
        }
        let size = high.abs().max(low.abs());
        let reach = (high - low).max(size * 0.1).max(1e-6);
        let step = human_step(reach / 4.0);
        let first = ((low - reach * 0.1) / step).floor() * step;
        let low = if low >= 0.0 { first.max(0.0) } else { first };
        Some(Self::Linear { low, high: ((high + reach * 0.1) / step).ceil() * step })
    }

    /// A logarithmic axis around positive values: at least a factor of ten, ends on 1, 2 or 5. If
    /// some are infinite, they have a place above all others.
    pub(super) fn around(values: impl Iterator<Item = f64>) -> Option<Self> {
        let mut finite = 1.0;
        let (low, high) = values
            .inspect(|value| finite = if value.is_infinite() { FINITE } else { finite })
            .filter(|value| value.is_finite() && *value > 0.0)
            .fold((f64::INFINITY, 0.0f64), |(low, high), v| (low.min(v), high.max(v)));
        if high == 0.0 {
            return None;
        }
        let low = round_down(low * 0.9);
        let high = -round_down(-high * 1.15);
        Some(Self::Log { low, high: high.max(low * 10.0), finite })
    }

    /// The share of the axis below `value`, kept within 0 to 1.
    pub(super) fn at(self, value: f64) -> f64 {
        let share = match self {
            Self::Linear { low, high } => (value - low) / (high - low),
            Self::Log { .. } if value == f64::INFINITY => 1.0,
            Self::Log { low, high, finite } => {
                finite * ((value.max(low) / low).ln() / (high / low).ln()).min(1.0)
            }
        };
        if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) }
    }

    /// Whether `value` lies on the axis.
    pub(super) fn holds(self, value: f64) -> bool {
        let (Self::Linear { low, high } | Self::Log { low, high, .. }) = self;
        (low..=high).contains(&value)
    }

    /// The ticks, written by `text`.
    pub(super) fn ticks(self, text: impl Fn(f64) -> String) -> Vec<Tick> {
        let values: Vec<(f64, bool)> = match self {
            Self::Linear { low, high } => {
                let step = human_step((high - low) / 4.0);
                let count = ((high - low) / step + 1e-9).floor() as u32;
                (0..=count).map(|i| (low + f64::from(i) * step, false)).collect()
            }
            Self::Log { low, high, finite } => {
                let above = (finite < 1.0).then_some((f64::INFINITY, false));
                log_ticks(low, high).into_iter().chain(above).collect()
            }
        };
        values
            .into_iter()
            .map(|(value, minor)| Tick { at: self.at(value) * 100.0, text: text(value), minor })
            .collect()
    }
}

/// Ticks of a time axis of so many seconds.
pub(super) fn time_ticks(duration_s: f64) -> Vec<Tick> {
    const STEPS: [f64; 18] = [
        0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0,
        3600.0, 7200.0, 14400.0,
    ];
    let wanted = duration_s / 10.0;
    let step = STEPS.into_iter().find(|step| *step >= wanted).unwrap_or(86_400.0);
    let count = (duration_s / step + 1e-9).floor() as u32;
    (0..=count)
        .map(|i| {
            let second = f64::from(i) * step;
            let text = words::clock(second, duration_s);
            Tick { at: second / duration_s * 100.0, text, minor: i % 2 == 1 }
        })
        .collect()
}

/// The smallest of 1, 2, 2.5 and 5 times a power of ten that is at least `wanted`.
fn human_step(wanted: f64) -> f64 {
    let power = 10f64.powf(wanted.max(f64::MIN_POSITIVE).log10().floor());
    [1.0, 2.0, 2.5, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| *step >= wanted * (1.0 - 1e-9))
        .unwrap_or(10.0 * power)
}

/// The nearest 1, 2 or 5 times a power of ten at or below `value`; for a negative one, of its
/// magnitude at or above.
fn round_down(value: f64) -> f64 {
    let size = value.abs();
    let power = 10f64.powf(size.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
    if value < 0.0 {
        -steps.into_iter().find(|step| *step >= size * (1.0 - 1e-9)).unwrap_or(10.0 * power)
    } else {
        steps.into_iter().rev().find(|step| *step <= size * (1.0 + 1e-9)).unwrap_or(power)
    }
}

fn log_ticks(low: f64, high: f64) -> Vec<(f64, bool)> {
    let decades = (high / low).log10();
    let factors: &[f64] = if decades <= 3.0 { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let first = low.log10().floor() as i32;
    let last = high.log10().ceil() as i32;
    (first..=last)
        .flat_map(|power| factors.iter().map(move |factor| (factor * 10f64.powi(power), *factor)))
        .filter(|(value, _)| (low * 0.999..=high * 1.001).contains(value))
        .map(|(value, factor)| (value, factor > 1.0 && decades > 1.5))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(ticks: &[Tick]) -> Vec<String> {
        ticks.iter().map(|tick| tick.text.replace('\u{a0}', " ")).collect()
    }

    #[test]
    fn linear_axes_end_on_a_whole_step() {
        let scale = Scale::from_zero(487.0);
        assert_eq!(texts(&scale.ticks(|v| format!("{v}"))), ["0", "200", "400", "600"]);
        assert!(scale.holds(487.0));
        assert!((Scale::from_zero(0.0).at(0.0)).abs() < 1e-12);
    }

    #[test]
    fn an_axis_near_values_shows_how_they_differ() {
        let scale = Scale::near([50.0, 55.0].into_iter()).unwrap();
        assert_eq!(texts(&scale.ticks(|v| format!("{v}"))), ["48", "50", "52", "54", "56"]);
        let zero = Scale::near([0.0, 0.0].into_iter()).unwrap();
        assert!(zero.at(0.0).abs() < 1e-12 && zero.holds(0.0), "{zero:?}");
        assert!(Scale::near([f64::INFINITY].into_iter()).is_none());
    }

    #[test]
    fn logarithmic_axes_have_ticks_on_one_two_and_five() {
        let scale = Scale::around([2.3, 80.0].into_iter()).unwrap();
        assert_eq!(texts(&scale.ticks(|v| format!("{v}"))), ["2", "5", "10", "20", "50", "100"]);
        assert!(Scale::around([0.0, f64::INFINITY].into_iter()).is_none());
    }

    #[test]
    fn infinity_has_a_place_above_all_others() {
        let scale = Scale::around([2.3, 80.0, f64::INFINITY].into_iter()).unwrap();
        let ticks = scale.ticks(words::ms);
        let last = ticks.last().unwrap();
        assert_eq!((last.text.as_str(), last.at), ("∞", 100.0));
        assert!(ticks[..ticks.len() - 1].iter().all(|tick| tick.at <= 90.0 + 1e-9), "{ticks:?}");
        assert!(scale.at(f64::INFINITY) > scale.at(1e9));
    }

    #[test]
    fn time_axes_have_about_ten_ticks_of_human_steps() {
        assert_eq!(texts(&time_ticks(20.0))[..3], ["0 s", "2 s", "4 s"]);
        assert_eq!(texts(&time_ticks(600.0))[..3], ["0:00", "1:00", "2:00"]);
        assert_eq!(texts(&time_ticks(7200.0))[..3], ["0:00 h", "0:15 h", "0:30 h"]);
        for duration in [0.3, 1.0, 7.0, 33.0, 61.0, 1000.0, 86_400.0] {
            let ticks = time_ticks(duration).len();
            assert!((2..=12).contains(&ticks), "{ticks} ticks for {duration} s");
        }
    }
}
