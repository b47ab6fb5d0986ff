//! The mix: which of several requests each arrival asks, by weight.

use rand::RngExt;
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

/// The stream of random numbers that the mix draws from; one stream per purpose.
const STREAM: u128 = 0x6d69_7800;

/// The weights of the requests, as rising sums up to 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mix {
    up_to: Vec<f64>,
}

impl Mix {
    /// Requests with these weights; `None` unless there is one, all are finite and not negative,
    /// and their sum is positive.
    pub fn new(weights: &[f64]) -> Option<Self> {
        let sum: f64 = weights.iter().sum();
        let right = weights.iter().all(|weight| weight.is_finite() && *weight >= 0.0);
        if !right || sum <= 0.0 || u16::try_from(weights.len()).is_err() {
            return None;
        }
        let mut so_far = 0.0;
        let mut up_to: Vec<f64> = Vec::with_capacity(weights.len());
        for weight in weights {
            so_far += weight / sum;
            up_to.push(so_far);
        }
        Some(Self { up_to })
    }

    /// The numbers of the requests, drawn one after another.
    pub fn draw(&self, seed: u64) -> Draw {
        Draw { up_to: self.up_to.clone(), random: Pcg64::new(u128::from(seed), STREAM) }
    }
}

impl Default for Mix {
    /// One request only.
    fn default() -> Self {
        Self { up_to: vec![1.0] }
    }
}

/// Draws requests from a mix.
#[derive(Debug, Clone)]
pub struct Draw {
    up_to: Vec<f64>,
    random: Pcg64,
}

impl Draw {
    /// The number of the next arrival's request.
    #[expect(clippy::should_implement_trait, reason = "it never ends, so it is no iterator")]
    pub fn next(&mut self) -> u16 {
        if self.up_to.len() == 1 {
            return 0;
        }
        let random: f64 = self.random.random();
        let last = self.up_to.len() - 1;
        // A request of weight 0 ends where the one before it does, so it is never the first above.
        self.up_to.iter().position(|up_to| random < *up_to).unwrap_or(last) as u16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_come_in_proportion_to_their_weights() {
        let mut draw = Mix::new(&[3.0, 0.0, 1.0]).unwrap().draw(7);
        let mut counts = [0u32; 3];
        (0..40_000).for_each(|_| counts[usize::from(draw.next())] += 1);
        assert_eq!(counts[1], 0);
        // Three standard deviations of a binomial count are 260.
        assert!(counts[0].abs_diff(30_000) < 260, "{counts:?}");
    }

    #[test]
    fn weights_that_say_nothing_are_refused() {
        for weights in [&[][..], &[0.0], &[-1.0, 2.0], &[f64::NAN], &[f64::INFINITY]] {
            assert!(Mix::new(weights).is_none(), "{weights:?}");
        }
    }
}
