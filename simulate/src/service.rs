//! How long things take: service times and the starts of instances.

use std::time::Duration;

use plimsoll_deploy::service_time::ServiceTimes;
use plimsoll_deploy::spec::ServiceTime;
use plimsoll_domain::Latencies;
use rand::Rng;
use rand_distr::Distribution;
use rand_distr::weighted::WeightedAliasIndex;

use crate::Error;

/// A distribution of times: given by its form, or as it was measured.
#[derive(Debug, Clone)]
pub struct Service(Form);

#[derive(Debug, Clone)]
enum Form {
    Given(ServiceTimes),
    Measured { middles: Vec<u64>, draw: WeightedAliasIndex<f64> },
}

impl Service {
    /// The distribution that a deployment's `synthetic:` settings describe.
    ///
    /// # Errors
    /// Settings that nothing can be drawn from.
    pub fn given(settings: &ServiceTime) -> Result<Self, Error> {
        ServiceTimes::new(settings).map(|times| Self(Form::Given(times))).map_err(Error::Service)
    }

    /// Always the same.
    ///
    /// # Panics
    /// Never: every duration can be drawn.
    pub fn constant(time: Duration) -> Self {
        let settings = ServiceTime::Constant { ms: time.as_secs_f64() * 1e3 };
        Self::given(&settings).expect("a duration is finite and not negative")
    }

    /// The times that were measured, each as often as it was. The form is not guessed: the tail is
    /// that of the measurement.
    ///
    /// # Errors
    /// Nothing was measured.
    pub fn measured(times: &Latencies) -> Result<Self, Error> {
        let (middles, counts): (Vec<_>, Vec<_>) =
            times.buckets().map(|(middle, count)| (middle, count as f64)).unzip();
        let draw = WeightedAliasIndex::new(counts)
            .map_err(|_| Error::Service("no service times were measured".to_owned()))?;
        Ok(Self(Form::Measured { middles, draw }))
    }

    /// The next time, in nanoseconds.
    pub(crate) fn draw(&self, random: &mut impl Rng) -> u64 {
        match &self.0 {
            Form::Given(times) => times.draw(random),
            Form::Measured { middles, draw } => middles[draw.sample(random)],
        }
    }
}

#[cfg(test)]
mod tests {
    use rand_pcg::Pcg64;

    use super::*;

    #[test]
    fn what_was_measured_comes_again_as_often() {
        let mut times = Latencies::new();
        for (millis, count) in [(10, 700), (20, 200), (400, 100)] {
            (0..count).for_each(|_| times.record(Duration::from_millis(millis)));
        }
        let service = Service::measured(&times).unwrap();
        let mut random = Pcg64::new(1, 1);
        let mut drawn = Latencies::new();
        (0..100_000).for_each(|_| drawn.record(Duration::from_nanos(service.draw(&mut random))));
        let at = |share| drawn.quantile(share).unwrap().as_secs_f64() * 1e3;
        for (share, millis) in
            [(0.5, 10.0), (0.69, 10.0), (0.71, 20.0), (0.89, 20.0), (0.91, 400.0)]
        {
            assert!((at(share) / millis - 1.0).abs() < 2e-3, "{share}: {}", at(share));
        }
    }

    #[test]
    fn nothing_measured_is_no_distribution() {
        let error = Service::measured(&Latencies::new()).unwrap_err().to_string();
        assert!(error.contains("no service times"), "{error}");
        assert!(Service::given(&ServiceTime::Constant { ms: -1.0 }).is_err());
    }
}
