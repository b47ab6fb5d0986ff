//! Benjamini and Hochberg's (1995) step-up procedure, as adjusted p-values: those at or below α are
//! the changes that are told, and of these at most a share of α is false on average.

/// The adjusted p-values, in the order of `p`.
pub(super) fn adjust(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|one, other| p[*other].total_cmp(&p[*one]));
    let (count, mut least) = (p.len() as f64, 1.0f64);
    let mut adjusted = vec![1.0; p.len()];
    for (from_largest, index) in order.into_iter().enumerate() {
        let rank = count - from_largest as f64;
        least = least.min(p[index] * (count / rank));
        adjusted[index] = least;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    // R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "BH").
    #[test]
    fn as_r_adjusts() {
        let adjusted = adjust(&[0.01, 0.04, 0.03, 0.005]);
        for (got, exact) in adjusted.iter().zip([0.02, 0.04, 0.04, 0.02]) {
            assert!((got - exact).abs() < 1e-12, "{adjusted:?}");
        }
        assert!(adjust(&[]).is_empty());
    }

    proptest! {
        // Never smaller than the p-value itself nor larger than Bonferroni's, and in the same order.
        #[test]
        fn between_nothing_and_bonferroni(p in prop::collection::vec(0.0f64..=1.0, 1..9)) {
            let adjusted = adjust(&p);
            for (one, of) in p.iter().zip(&adjusted) {
                prop_assert!(*of >= *one && *of <= (one * p.len() as f64).min(1.0) + 1e-12);
                for (other, than) in p.iter().zip(&adjusted) {
                    prop_assert!(one > other || of <= than);
                }
            }
        }
    }
}
