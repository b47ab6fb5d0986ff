//! Where a row of numbers changes its mean.

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64;

/// The nights that a level must have lasted: one alone may be odd.
pub const LEAST_NIGHTS: usize = 2;
/// The chance of a cut in nights that are all alike, each time they are looked at.
pub const SIGNIFICANCE: f64 = 0.02;

/// Random orders that a cut is held against.
const ORDERS: u32 = 999;
/// Of every random order: the answer is one of the data alone.
const SEED: u64 = 0x9e37_79b9;

/// A place where the mean changes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Split {
    /// The index of the first value of the new level.
    pub at: usize,
    /// The share of random orders with so large a cut.
    pub p: f64,
}

/// All changes of the mean, in order.
pub fn splits(values: &[f64]) -> Vec<Split> {
    let mut found = Vec::new();
    divide(values, 0, &mut found);
    found
}

fn divide(values: &[f64], start: usize, found: &mut Vec<Split>) {
    let Some(Split { at, p }) = significant(values) else {
        return;
    };
    divide(&values[..at], start, found);
    found.push(Split { at: start + at, p });
    divide(&values[at..], start + at, found);
}

/// The largest cut, if it is rare among random orders of the same values.
fn significant(values: &[f64]) -> Option<Split> {
    let (at, size) = largest(values)?;
    let allowed = (SIGNIFICANCE * f64::from(ORDERS + 1)).floor() as u32;
    let mut random = Pcg64::seed_from_u64(SEED);
    let mut order = values.to_vec();
    // The order that was measured is one of them.
    let mut as_large = 1;
    for _ in 0..ORDERS {
        shuffle(&mut order, &mut random);
        // Sums of the same numbers in another order differ in their last digits.
        as_large += u32::from(largest(&order)?.1 >= size * (1.0 - 1e-9));
        if as_large > allowed {
            return None;
        }
    }
    Some(Split { at, p: f64::from(as_large) / f64::from(ORDERS + 1) })
}

fn shuffle(values: &mut [f64], random: &mut impl Rng) {
    values.shuffle(random);
}

/// The cut with the largest m·n / (m + n) · (difference of means)², and that; `None` where there are
/// too few values, or all are the same.
fn largest(values: &[f64]) -> Option<(usize, f64)> {
    let count = values.len();
    let all: f64 = values.iter().sum();
    let (mut best, mut before) = (None, 0.0);
    for (index, value) in values.iter().enumerate() {
        let (left, right) = (index as f64, (count - index) as f64);
        if index >= LEAST_NIGHTS && count - index >= LEAST_NIGHTS {
            let difference: f64 = before / left - (all - before) / right;
            let size = left * right / count as f64 * difference.powi(2);
            if best.is_none_or(|(_, largest)| size > largest) {
                best = Some((index, size));
            }
        }
        before += value;
    }
    let scale = values.iter().map(|value| value * value).sum::<f64>();
    best.filter(|(_, size)| *size > 1e-18 * scale)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn cuts_by_hand() {
        // Means 1 and 4 of three and two: 3·2/5 · 9 = 10.8.
        let (at, size) = largest(&[1.0, 1.0, 1.0, 4.0, 4.0]).unwrap();
        assert_eq!(at, 3);
        assert!((size - 10.8).abs() < 1e-12, "{size}");
        assert_eq!(largest(&[1.0, 2.0, 3.0]), None, "too few");
        assert_eq!(largest(&[0.1; 30]), None, "nothing varies");
        assert!(splits(&[]).is_empty());
    }

    /// Twenty nights around one level, twenty around another, and back.
    fn there_and_back() -> Vec<f64> {
        let level = |night: usize| if (20..40).contains(&night) { 0.1 } else { 0.0 };
        (0..60).map(|night| level(night) + 0.01 * ((night * 7 % 5) as f64 - 2.0)).collect()
    }

    #[test]
    fn a_change_and_its_end_are_both_found_at_their_place() {
        let found = splits(&there_and_back());
        let places: Vec<usize> = found.iter().map(|split| split.at).collect();
        assert_eq!(places, [20, 40]);
        assert!(found.iter().all(|split| split.p <= SIGNIFICANCE), "{found:?}");
        assert_eq!(found, splits(&there_and_back()), "the same data, the same answer");
    }

    #[test]
    fn one_odd_night_is_no_change_however_odd_it_is() {
        for place in [5, 30, 57, 58, 59] {
            let mut values: Vec<f64> =
                (0..60).map(|night| 0.01 * f64::from(night * 7 % 5)).collect();
            values[place] = 3.0;
            assert_eq!(splits(&values), [], "night {place}");
        }
    }

    proptest! {
        // Another unit, another level or the opposite direction changes no place; and every level
        // lasts for at least two nights.
        #[test]
        fn places_do_not_depend_on_the_unit(
            values in prop::collection::vec(-1.0f64..1.0, 0..40),
            step in -9.0f64..9.0,
        ) {
            let cut = values.len() / 2;
            let stepped = |index: usize| if index < cut { 0.0 } else { step };
            let values: Vec<f64> =
                values.iter().enumerate().map(|(index, value)| value + stepped(index)).collect();
            let other: Vec<f64> = values.iter().map(|value| 7.0 - 4.0 * value).collect();
            let places = |values: &[f64]| splits(values).iter().map(|one| one.at).collect::<Vec<_>>();
            let found = places(&values);
            prop_assert_eq!(&found, &places(&other));
            let edges = [&[0], &found[..], &[values.len()]].concat();
            if !found.is_empty() {
                prop_assert!(edges.windows(2).all(|pair| pair[1] - pair[0] >= LEAST_NIGHTS));
            }
        }
    }
}
