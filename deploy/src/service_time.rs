//! Service times drawn from a distribution: what the synthetic runtime holds a request for, and what
//! a simulation takes as its work. One rule for both.

use rand::Rng;
use rand_distr::{Distribution, Exp1, LogNormal};

use crate::spec::{ServiceTime, Synthetic};

/// The 99th percentile of the standard normal distribution.
const Z99: f64 = 2.326_347_874_040_841;

/// A distribution of service times, in nanoseconds.
#[derive(Debug, Clone)]
pub struct ServiceTimes(Draw);

#[derive(Debug, Clone)]
enum Draw {
    Constant(f64),
    Exponential(f64),
    LogNormal(LogNormal<f64>),
}

impl ServiceTimes {
    /// The distribution that these settings describe.
    ///
    /// # Errors
    /// A sentence that says what is wrong with them.
    pub fn new(settings: &ServiceTime) -> Result<Self, String> {
        const MS: f64 = 1e6;
        let draw = match *settings {
            ServiceTime::Constant { ms } if ms >= 0.0 && ms.is_finite() => Draw::Constant(ms * MS),
            ServiceTime::Exponential { mean_ms } if mean_ms > 0.0 && mean_ms.is_finite() => {
                Draw::Exponential(mean_ms * MS)
            }
            ServiceTime::LogNormal { p50_ms, p99_ms } if 0.0 < p50_ms && p50_ms <= p99_ms => {
                let sigma = (p99_ms / p50_ms).ln() / Z99;
                let normal = LogNormal::new((p50_ms * MS).ln(), sigma);
                Draw::LogNormal(normal.map_err(|error| error.to_string())?)
            }
            ref wrong => return Err(format!("{wrong:?} is no distribution of service times")),
        };
        Ok(Self(draw))
    }

    /// The next service time, in nanoseconds.
    pub fn draw(&self, random: &mut impl Rng) -> u64 {
        let nanos = match &self.0 {
            Draw::Constant(nanos) => *nanos,
            Draw::Exponential(mean) => {
                let unit: f64 = Exp1.sample(random);
                mean * unit
            }
            Draw::LogNormal(normal) => normal.sample(random),
        };
        // Rounded: what is drawn is not negative.
        (nanos + 0.5) as u64
    }
}

impl Synthetic {
    /// Whether the settings can be drawn from.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn check(&self) -> Result<(), String> {
        ServiceTimes::new(&self.service_time)?;
        if !(0.0..=1.0).contains(&self.error_rate) {
            return Err(format!("the error rate is {}, but must be from 0 to 1", self.error_rate));
        }
        if !(self.start_ms >= 0.0 && self.start_ms.is_finite()) {
            return Err(format!("`start_ms` is {}, but must be at least 0", self.start_ms));
        }
        Ok(())
    }
}
