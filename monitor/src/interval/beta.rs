//! The regularized incomplete beta function and its inverse, for real parameters.
//!
//! Lentz's continued fraction (Press et al., *Numerical Recipes*, section 6.4) times the density's
//! leading factor. The factor as differences of ln Γ loses its digits as the parameters grow (at
//! 10⁸ each ln Γ is some 10⁹), so it is taken in the form of Loader (2000): the distance of x from
//! the mean, which is small, and Stirling's remainders, which are smaller. The inverse is Newton's
//! method on the logarithm, kept within a bracket that halves whenever a step leaves it.
//!
//! Limits: some √(a + b) terms are summed, 10⁴ of them at 10⁸.

use std::f64::consts::PI;

use statrs::function::gamma::ln_gamma;

/// More terms than are ever summed below a + b = 10¹¹.
const MOST_TERMS: u32 = 1_000_000;

/// The probability that a Beta(a, b) variable is at most x, for a, b > 0.
pub(super) fn at_most(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        0.0
    } else if x >= 1.0 {
        1.0
    } else if x < (a + 1.0) / (a + b + 2.0) {
        (leading(x, a, b) / a * fraction(x, a, b)).min(1.0)
    } else {
        1.0 - (leading(x, a, b) / b * fraction(1.0 - x, b, a)).min(1.0)
    }
}

/// The x below which a Beta(a, b) variable lies with this probability, which is above 0 and at
/// most a half: so the tail is the small side, and keeps its digits.
pub(super) fn quantile(probability: f64, a: f64, b: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    let mut x = a / (a + b);
    for _ in 0..200 {
        let tail = at_most(x, a, b);
        if tail > probability {
            high = x;
        } else {
            low = x;
        }
        // d ln I / dx = x^(a−1) (1−x)^(b−1) / B(a, b) / I.
        let slope = leading(x, a, b) / (x * (1.0 - x)) / tail;
        let step = (tail / probability).ln() / slope;
        let mut next = x - step;
        // Also when the step is not a number, far out where the tail is zero.
        if !(low < next && next < high) {
            next = f64::midpoint(low, high);
        }
        if (next - x).abs() <= 1e-15 * x || high - low <= 1e-18 {
            return next;
        }
        x = next;
    }
    x
}

/// x^a (1 − x)^b / B(a, b).
fn leading(x: f64, a: f64, b: f64) -> f64 {
    let n = a + b;
    let away = x * n - a;
    // The linear terms of both logarithms cancel exactly, so they are left out of both.
    let exponent = a * ln_1p_less_linear(away / a) + b * ln_1p_less_linear(-away / b);
    let remainders = stirling_remainder(n) - stirling_remainder(a) - stirling_remainder(b);
    (a * (b / n) / (2.0 * PI)).sqrt() * (exponent + remainders).exp()
}

/// ln(1 + u) − u, without cancellation for small u.
fn ln_1p_less_linear(u: f64) -> f64 {
    if u.abs() > 0.3 {
        return u.ln_1p() - u;
    }
    // ln(1 + u) = 2 artanh r with r = u / (2 + u), and 2 r − u = −u r.
    let r = u / (2.0 + u);
    let square = r * r;
    let (mut power, mut sum) = (r * square, 0.0);
    for odd in (3..40).step_by(2) {
        sum += power / f64::from(odd);
        power *= square;
    }
    2.0 * sum - u * r
}

/// ln Γ(z) less Stirling's (z − ½) ln z − z + ½ ln 2π.
fn stirling_remainder(z: f64) -> f64 {
    if z < 15.0 {
        return ln_gamma(z) - ((z - 0.5) * z.ln() - z + 0.5 * (2.0 * PI).ln());
    }
    let square = z * z;
    let last = 1.0 / 1_680.0 - 1.0 / (1_188.0 * square);
    let inner = 1.0 / 360.0 - (1.0 / 1_260.0 - last / square) / square;
    (1.0 / 12.0 - inner / square) / z
}

/// Lentz's continued fraction; it converges fast for x below the mean.
fn fraction(x: f64, a: f64, b: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away_from_zero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut upper = 1.0;
    let mut lower = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut product = lower;
    for term in 1..MOST_TERMS {
        let term = f64::from(term);
        let doubled = a + 2.0 * term;
        let even = term * (b - term) * x / ((doubled - 1.0) * doubled);
        let odd = -(a + term) * (a + b + term) * x / (doubled * (doubled + 1.0));
        for step in [even, odd] {
            lower = 1.0 / away_from_zero(1.0 + step * lower);
            upper = away_from_zero(1.0 + step / upper);
            product *= lower * upper;
        }
        if (lower * upper - 1.0).abs() < 1e-15 {
            break;
        }
    }
    product
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_are_those_of_thirty_digits() {
        // From the series of positive terms, summed with 30 digits by an independent program.
        let cases = [
            (0.5, 0.5, 0.5, 0.5),
            (0.3, 2.0, 3.0, 0.348_3),
            (0.01, 1.7, 250.3, 0.787_717_400_729_44),
            (0.9, 30.5, 2.25, 0.206_315_963_425_147),
            (0.02, 0.04, 3.5, 0.911_919_015_776_767),
            (0.95, 31.0, 0.5, 0.075_706_219_632_852_6),
            (0.009_8, 10_000.5, 990_000.5, 0.021_425_917_944_168_3),
            (0.010_2, 10_000.5, 990_000.5, 0.976_996_724_830_114),
            (0.009_97, 1_000_000.25, 98_999_999.75, 0.001_272_133_963_194_17),
            (0.989_97, 98_999_999.75, 1_000_000.25, 0.001_296_760_838_740_66),
        ];
        for (x, a, b, exact) in cases {
            let got = at_most(x, a, b);
            assert!((got / exact - 1.0).abs() < 1e-10, "I_{x}({a}, {b}) = {got}, not {exact}");
        }
    }

    proptest! {
        // The inverse undoes the function, and the two tails are one another's mirror image.
        #[test]
        fn the_inverse_undoes_the_function(
            a in -2.0f64..5.0, b in -2.0f64..5.0, probability in 0.0001f64..0.5,
        ) {
            let (a, b) = (10f64.powf(a), 10f64.powf(b));
            let x = quantile(probability, a, b);
            // A quantile closer to zero or one than numbers are dense there cannot be undone.
            prop_assume!((1e-6..1.0 - 1e-6).contains(&x));
            prop_assert!((at_most(x, a, b) / probability - 1.0).abs() < 1e-8);
            let mirrored = 1.0 - at_most(1.0 - x, b, a);
            prop_assert!((at_most(x, a, b) - mirrored).abs() < 1e-9);
        }
    }
}
