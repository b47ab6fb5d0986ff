//! No scale-in that a scale-out rule would undo at once.
//!
//! Source: *Autoscale flapping*: before a scale-in, the value of every scale-out rule is projected to
//! the count that is meant, as `value · present count / count meant`. If one would fire, counts between
//! the one meant and the present one are tried, the smallest first; the first at which none would fire
//! is taken (activity log: `FlappingOccurred`), and if there is none, nothing is done (`Flapping`).
//! A scale-out is never checked. That page's example "30 to 27" breaks its own rule
//! (65 % · 30 / 27 = 72.2 % is above 70 %); the rule, which gives 28, is what holds here.

use super::Rule;

/// What the search for a count came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Guarded {
    /// The count that is meant is fine.
    AsMeant,
    /// A count between is fine: the scale-in is smaller.
    Partly {
        /// That count.
        count: u32,
        /// The scale-out rule that would have fired at the count that is meant.
        rule: usize,
        /// Its projected value there.
        projected: f64,
    },
    /// None is: there is no scale-in.
    Deferred {
        /// The scale-out rule that would have fired at the count that is meant.
        rule: usize,
        /// Its projected value there.
        projected: f64,
    },
}

/// The value of a rule if `count` instances shared what `current` have now.
pub(super) fn projected(value: f64, current: u32, count: u32) -> f64 {
    value * f64::from(current) / f64::from(count)
}

/// Searches the count of a scale-in from `current` to `meant`, given the scale-out rules with their
/// places and values.
pub fn guard<'a, I>(out: &I, current: u32, meant: u32) -> Guarded
where
    I: Iterator<Item = (usize, &'a Rule, f64)> + Clone,
{
    let firing = |count: u32| {
        out.clone().find_map(|(place, rule, value)| {
            let at = projected(value, current, count);
            // Nothing is left to share the load: whatever there is, is too much.
            let fires =
                if count == 0 { value > 0.0 } else { rule.operator.holds(at, rule.threshold) };
            fires.then_some((place, at))
        })
    };
    let Some((rule, projected)) = firing(meant) else { return Guarded::AsMeant };
    match (meant + 1..current).find(|count| firing(*count).is_none()) {
        Some(count) => Guarded::Partly { count, rule, projected },
        None => Guarded::Deferred { rule, projected },
    }
}
