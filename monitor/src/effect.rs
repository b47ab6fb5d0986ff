//! The design effect: how many requests of this run tell as much as one independent request.
//!
//! Requests that wait in the same queue are slow together, so the share of slow ones varies more
//! from stretch to stretch than independent requests would make it. The effect is that variance
//! over the binomial one (Kish's design effect), from batch means: e = bad − share · requests of
//! each batch, and V = Σe² · B / (B − 1) · (1 + r) / (1 − r), where r is the correlation of
//! neighbouring batches; the last factor is the adjustment of a first-order autoregression that
//! Skart (Tafazzoli and Wilson, 2011) and Sequest (2019) use.
//!
//! **Walk.** Where only a few slow requests were seen, their clustering cannot be seen either, and
//! the effect comes out too small exactly in the lucky runs. Lower quantiles of the same run see
//! the same queue with more events; so while a level has seen fewer than twenty clusters (bad
//! requests over the largest effect yet), the next lower one is asked too, and the largest effect
//! counts. An objective's own limit never ends the walk: of a server with several slots most slow
//! requests are slow by themselves and the rest in rare clumps, so that a calm stretch finds an
//! effect of 1 to 5 and many "clusters", where the truth is 50. With the limit at the true p99 of
//! M/M/4 at 80 % load 12 % of runs were met at some look at 99 % while it could; 0 % since.
//!
//! Limits: a level that drifts with a time constant τ needs some 50 τ of run; below 32 batches, or
//! 12 effective ones, the effect is weak evidence.

/// Levels of the run that are asked where the tail has too few events.
const LEVELS: [f64; 5] = [0.99, 0.95, 0.9, 0.75, 0.5];
/// So many clusters of bad requests tell their own effect.
const ENOUGH_CLUSTERS: f64 = 20.0;
/// Fewer batches, or effective batches, than this do not tell a variance.
pub const LEAST_BATCHES: f64 = 8.0;
/// A stronger correlation is not told from a run that is too short to have one.
const MOST_CORRELATION: f64 = 0.9;

/// How much batches vary together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dependence {
    /// The variance of the sum of all residuals.
    pub variance: f64,
    /// Of a batch with the one after it, 0 to 0.9.
    pub correlation: f64,
    /// How many independent batches they are worth.
    pub batches: f64,
}

impl Dependence {
    /// Of the batches' residuals, in the order of time; `None` below two.
    pub fn of(residuals: &[f64]) -> Option<Self> {
        if residuals.len() < 2 {
            return None;
        }
        let count = residuals.len() as f64;
        let squares: f64 = residuals.iter().map(|e| e * e).sum();
        let neighbours: f64 = residuals.windows(2).map(|pair| pair[0] * pair[1]).sum();
        // An estimate from B batches is too low by some 1 / B.
        let estimate = if squares > 0.0 { neighbours / squares + 1.0 / count } else { 0.0 };
        let correlation = estimate.clamp(0.0, MOST_CORRELATION);
        let factor = (1.0 + correlation) / (1.0 - correlation);
        let variance = squares * count / (count - 1.0) * factor;
        Some(Self { variance, correlation, batches: count / factor })
    }
}

/// The design effect at one limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Effect {
    /// How many requests tell as much as one independent request; at least 1.
    pub size: f64,
    /// Of a batch with the one after it.
    pub correlation: f64,
    /// How many independent batches there are.
    pub batches: f64,
    /// How many clusters of bad requests were seen.
    pub clusters: f64,
}

impl Effect {
    /// Of the requests and the bad ones among them in each batch. `None` where nothing or
    /// everything is bad, and below two batches: then nothing varies.
    pub fn of(counts: &[(u64, u64)]) -> Option<Self> {
        let (requests, bad) = totals(counts);
        if bad == 0 || bad == requests {
            return None;
        }
        let share = bad as f64 / requests as f64;
        let residuals: Vec<f64> =
            counts.iter().map(|(n, b)| *b as f64 - share * *n as f64).collect();
        let dependence = Dependence::of(&residuals)?;
        let independent = requests as f64 * share * (1.0 - share);
        let size = (dependence.variance / independent).max(1.0);
        Some(Self {
            size,
            correlation: dependence.correlation,
            batches: dependence.batches,
            clusters: bad as f64 / size,
        })
    }
}

/// The effect at the objective's own limit, and what the walk to lower levels made of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Walk {
    /// The effect of the own limit alone.
    pub own: f64,
    /// The largest effect seen.
    pub design_effect: f64,
    /// The correlation where the effect was largest.
    pub correlation: f64,
    /// The fewest effective batches of all levels asked.
    pub effective_batches: f64,
    /// Whether the run is long enough against its own correlation to tell its effect.
    pub sure: bool,
}

impl Walk {
    /// From the objective's own counts to `lower` levels, in falling order, at least one and as far
    /// as needed. Levels at which nothing varies say nothing and are passed over.
    pub fn from(own: &[(u64, u64)], lower: impl IntoIterator<Item = Option<Effect>>) -> Self {
        Self::along(own, lower, f64::INFINITY)
    }

    /// The same from a limit that is the quantile itself, which as many requests are above as its
    /// level says, whether the run was calm or not: with twenty clusters it need not be left.
    pub(crate) fn from_quantile(
        own: &[(u64, u64)],
        lower: impl IntoIterator<Item = Option<Effect>>,
    ) -> Self {
        Self::along(own, lower, ENOUGH_CLUSTERS)
    }

    fn along(
        own: &[(u64, u64)],
        lower: impl IntoIterator<Item = Option<Effect>>,
        enough_at_own: f64,
    ) -> Self {
        let count = own.len() as f64;
        let own = Effect::of(own);
        let mut walk = Self {
            own: own.map_or(1.0, |effect| effect.size),
            design_effect: 1.0,
            correlation: 0.0,
            effective_batches: count,
            sure: false,
        };
        let lower = lower.into_iter().flatten().map(|effect| (effect, ENOUGH_CLUSTERS));
        for (effect, enough) in own.map(|effect| (effect, enough_at_own)).into_iter().chain(lower) {
            if effect.size >= walk.design_effect {
                walk.design_effect = effect.size;
                walk.correlation = effect.correlation;
            }
            walk.effective_batches = walk.effective_batches.min(effect.batches);
            if effect.clusters * effect.size / walk.design_effect >= enough {
                break;
            }
        }
        walk.sure = walk.effective_batches >= LEAST_BATCHES;
        walk
    }
}

/// The levels below `quantile`, in falling order.
pub(crate) fn levels_below(quantile: f64) -> impl Iterator<Item = f64> {
    LEVELS.into_iter().filter(move |level| *level < quantile - 1e-9)
}

/// The requests and the bad ones of all batches.
pub(crate) fn totals(counts: &[(u64, u64)]) -> (u64, u64) {
    counts.iter().fold((0, 0), |(n, b), (requests, bad)| (n + requests, b + bad))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::RngExt;
    use rand_pcg::Pcg64;

    /// `batches` batches of 1,000 requests of which clumps of `clump` are bad together, each clump
    /// with probability 0.01.
    fn clumps(batches: u64, clump: u64, seed: u64) -> Vec<(u64, u64)> {
        let mut random = Pcg64::new(u128::from(seed), 1);
        let batch = |_| {
            let bad = (0..1_000 / clump).filter(|_| random.random_bool(0.01)).count() as u64;
            (1_000, bad * clump)
        };
        (0..batches).map(batch).collect()
    }

    #[test]
    fn residuals_by_hand() {
        // Alternating: neighbours correlate by −1 + 1/4 + 1/4, which counts as nothing.
        let alternating = Dependence::of(&[1.0, -1.0, 1.0, -1.0]).expect("four batches");
        assert_eq!((alternating.variance, alternating.correlation), (4.0 * 4.0 / 3.0, 0.0));
        // In two halves: (1 − 1 + 1) / 4 + 1 / 4.
        let halves = Dependence::of(&[1.0, 1.0, -1.0, -1.0]).expect("four batches");
        assert_eq!((halves.correlation, halves.batches), (0.5, 4.0 / 3.0));
        assert!((halves.variance - 4.0 * 4.0 / 3.0 * 3.0).abs() < 1e-12);
        let drift: Vec<f64> = (0..40).map(|i| f64::from(i) - 19.5).collect();
        let correlation = Dependence::of(&drift).map(|dependence| dependence.correlation);
        assert_eq!(correlation, Some(MOST_CORRELATION));
        assert_eq!(Dependence::of(&[1.0]), None);
    }

    #[test]
    fn the_effect_of_clumps_is_their_size() {
        for clump in [1, 5, 20] {
            let mean: f64 = (0..200)
                .filter_map(|seed| Effect::of(&clumps(40, clump, seed)))
                .map(|effect| effect.size)
                .sum::<f64>()
                / 200.0;
            // A bit more, since a correlation is never counted below zero.
            let expected = clump as f64;
            assert!((0.95 * expected..1.25 * expected).contains(&mean), "{clump}: {mean}");
        }
    }

    #[test]
    fn where_nothing_varies_there_is_no_effect() {
        assert_eq!(Effect::of(&[(10, 0), (10, 0)]), None);
        assert_eq!(Effect::of(&[(10, 10), (10, 10)]), None);
        assert_eq!(Effect::of(&[(10, 3)]), None, "one batch");
        assert_eq!(Effect::of(&[]), None);
        let even = Effect::of(&[(10, 3); 9]).expect("some are bad");
        assert_eq!((even.size, even.batches, even.clusters), (1.0, 9.0, 27.0));
    }

    fn effect(size: f64, clusters: f64, batches: f64) -> Effect {
        Effect { size, correlation: 0.1, batches, clusters }
    }

    #[test]
    fn the_walk_goes_on_until_there_are_clusters() {
        let calm = [(1_000, 0); 40];
        let walk =
            Walk::from(&calm, [Some(effect(9.0, 5.0, 20.0)), None, Some(effect(30.0, 25.0, 30.0))]);
        assert_eq!((walk.own, walk.design_effect, walk.effective_batches), (1.0, 30.0, 20.0));
        assert!(walk.sure);
        let stops =
            Walk::from(&calm, [Some(effect(3.0, 25.0, 20.0)), Some(effect(9.0, 25.0, 30.0))]);
        assert!(stops.design_effect < 4.0, "the first level had clusters enough");
        // Fifty bad requests by themselves, evenly spread: own effect 1, and so fifty "clusters".
        let alone: Vec<_> = (0..50).map(|_| (1_000, 1)).collect();
        let next = [Some(effect(20.0, 25.0, 30.0)), Some(effect(30.0, 25.0, 30.0))];
        let effects = |run: &[_], lower| {
            let walks = [Walk::from(run, lower), Walk::from_quantile(run, lower)];
            walks.map(|walk| walk.design_effect.round() as u64)
        };
        assert_eq!(effects(&alone, next), [20, 1], "at its own limit only a quantile is enough");
        // 390 bad requests are 39 clusters of their own effect, but 5 of the own limit's, about 80.
        let clumped: Vec<_> = (0..40).map(|i| (1_000, if i % 4 == 1 { 80 } else { 0 })).collect();
        let lower = [Some(effect(10.0, 39.0, 30.0)), Some(effect(200.0, 25.0, 30.0))];
        assert_eq!(effects(&clumped, lower), [200, 200]);
        assert_eq!(effects(&alone, lower), [10, 1]);
        let unsure =
            Walk::from(&calm, [Some(effect(3.0, 5.0, 7.9)), Some(effect(9.0, 25.0, 30.0))]);
        assert!(!unsure.sure, "every level asked must be sure");
        let nothing = Walk::from(&calm, [None, None]);
        assert_eq!((nothing.design_effect, nothing.sure), (1.0, true));
        assert!(!Walk::from(&calm[..7], [None]).sure, "seven batches");
    }

    #[test]
    fn levels_are_those_below_the_quantile() {
        assert_eq!(levels_below(0.999).count(), 5);
        assert_eq!(levels_below(0.99).next(), Some(0.95));
        assert_eq!(levels_below(1.0 - 0.05).next(), Some(0.9), "a hair beside 0.95 is 0.95");
        assert_eq!(levels_below(0.5).count(), 0);
    }

    proptest! {
        // The effect is never below one, there are never more effective batches than batches, and
        // where each request counts several times the effect is as many times as large.
        #[test]
        fn effects_are_bounded(
            bad in prop::collection::vec(0u64..=50, 2..64), scale in 1u64..20,
        ) {
            let counts: Vec<_> = bad.iter().map(|b| (50, *b)).collect();
            let scaled: Vec<_> = bad.iter().map(|b| (50 * scale, b * scale)).collect();
            if let (Some(one), Some(many)) = (Effect::of(&counts), Effect::of(&scaled)) {
                prop_assert!(one.size >= 1.0);
                prop_assert!(one.batches <= counts.len() as f64 && one.batches > 0.0);
                prop_assert!((0.0..=0.9).contains(&one.correlation));
                let expected = (many.size / scale as f64).max(1.0);
                prop_assert!(many.size <= 1.0
                    || (one.size - expected).abs() < 1e-9 * expected);
            }
        }
    }
}
