//! What a forecast asks for: its highest and lowest rate, and how far the rate rises while an instance
//! starts.

use std::collections::VecDeque;

use serde::Serialize;

/// A forecast in three numbers, requests per second.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Forecast {
    /// The highest rate.
    pub peak_rps: f64,
    /// The lowest rate.
    pub trough_rps: f64,
    /// How far the rate rises at most within the time that an instance takes to start.
    pub rise_rps: f64,
}

impl Forecast {
    /// Of mean rates over spans of one length, in their order, where an instance takes `lead` such spans to
    /// start, rounded up. `None` without a rate above 0.
    ///
    /// A rise is counted from any span to the highest one of the `lead` spans after it: an
    /// autoscaler that sees the one has the instances for the other no earlier.
    pub fn of(rates: &[f64], lead: usize) -> Option<Self> {
        let peak_rps = rates.iter().copied().fold(0.0, f64::max);
        let trough_rps = rates.iter().copied().fold(peak_rps, f64::min);
        let mut rise_rps: f64 = 0.0;
        // Indices of the spans that may be the lowest of the last `lead`, rates rising.
        let mut lowest: VecDeque<usize> = VecDeque::new();
        for (index, rate) in rates.iter().enumerate() {
            while lowest.front().is_some_and(|first| index - first > lead) {
                lowest.pop_front();
            }
            rise_rps = lowest.front().map_or(rise_rps, |first| rise_rps.max(rate - rates[*first]));
            while lowest.back().is_some_and(|last| rates[*last] >= *rate) {
                lowest.pop_back();
            }
            lowest.push_back(index);
        }
        (peak_rps > 0.0).then_some(Self { peak_rps, trough_rps, rise_rps })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_rise_counts_only_within_the_time_to_start() {
        let rates = [10.0, 20.0, 40.0, 30.0, 50.0, 5.0];
        let of = |lead| Forecast::of(&rates, lead).unwrap();
        assert_eq!((of(1).peak_rps, of(1).trough_rps), (50.0, 5.0));
        assert_eq!((of(1).rise_rps, of(2).rise_rps, of(4).rise_rps), (20.0, 30.0, 40.0));
        assert_eq!(Forecast::of(&[0.0, 0.0], 1), None);
        assert_eq!(Forecast::of(&[], 1), None);
    }

    proptest! {
        /// The rise is the largest difference from a span to one of the `lead` spans after it.
        #[test]
        fn the_rise_is_the_one_that_trying_all_finds(
            rates in proptest::collection::vec(0u32..50, 1..40),
            lead in 1usize..8,
        ) {
            let rates: Vec<f64> = rates.into_iter().map(f64::from).collect();
            let mut most: f64 = 0.0;
            for (from, low) in rates.iter().enumerate() {
                most = rates[from..].iter().take(lead + 1).fold(most, |most, high| most.max(high - low));
            }
            if let Some(forecast) = Forecast::of(&rates, lead) {
                prop_assert!((forecast.rise_rps - most).abs() < 1e-9);
            }
        }
    }
}
