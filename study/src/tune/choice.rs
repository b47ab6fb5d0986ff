//! Which candidate of a front to take.

use super::Cost;

/// What was taken, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// Its place on the front.
    pub place: usize,
    /// Why this one.
    pub reason: Reason,
}

/// Why a candidate was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The fewest instance-hours of those that violate no longer than is allowed.
    Cheapest,
    /// All violate longer than is allowed: the one that does so least.
    LeastViolation,
}

/// The choice from a front, whose costs are those of candidates on what they were *not* searched on, where there is
/// that; `None` of an empty one.
pub fn choose(costs: &[Cost], allowed_violation_s: f64) -> Option<Choice> {
    let places = || 0..costs.len();
    let allowed = places().filter(|&place| costs[place].violation_s <= allowed_violation_s);
    let cheapest = allowed.min_by(|&a, &b| {
        let (a, b) = (costs[a], costs[b]);
        a.instance_h.total_cmp(&b.instance_h).then(a.violation_s.total_cmp(&b.violation_s))
    });
    if let Some(place) = cheapest {
        return Some(Choice { place, reason: Reason::Cheapest });
    }
    let least = places().min_by(|&a, &b| {
        let (a, b) = (costs[a], costs[b]);
        a.violation_s.total_cmp(&b.violation_s).then(a.instance_h.total_cmp(&b.instance_h))
    });
    least.map(|place| Choice { place, reason: Reason::LeastViolation })
}
