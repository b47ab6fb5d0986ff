//! Kubernetes' notation of amounts: `500m`, `1.5`, `2Gi`, `1e3`.
//!
//! Grammar and suffixes: k8s.io/apimachinery v0.37.2, `pkg/api/resource/quantity.go` and `suffix.go`.

/// The suffixes, with what each stands for.
const SUFFIXES: [(&str, f64); 15] = [
    ("Ki", 1024.0),
    ("Mi", 1_048_576.0),
    ("Gi", 1_073_741_824.0),
    ("Ti", 1_099_511_627_776.0),
    ("Pi", 1_125_899_906_842_624.0),
    ("Ei", 1_152_921_504_606_846_976.0),
    ("n", 1e-9),
    ("u", 1e-6),
    ("m", 1e-3),
    ("k", 1e3),
    ("M", 1e6),
    ("G", 1e9),
    ("T", 1e12),
    ("P", 1e15),
    ("E", 1e18),
];

/// Reads an amount: the number that is meant, in the unit without suffix.
///
/// # Errors
/// What is wrong with it, in a sentence without its end.
pub fn parse(text: &str) -> Result<f64, String> {
    let wrong = || format!("`{text}` is not an amount such as `500m`, `1.5` or `2Gi`");
    let end = text.find(|c: char| !matches!(c, '0'..='9' | '.' | '+' | '-')).unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (number, scale) = match suffix {
        "" => (number, 1.0),
        "K" => return Err(format!("`{text}`: the suffix of a thousand is `k`")),
        _ if is_exponent(suffix) => (text, 1.0),
        _ => {
            let known = SUFFIXES.iter().find(|(name, _)| *name == suffix);
            (number, known.ok_or_else(wrong)?.1)
        }
    };
    let value: f64 = number.parse().map_err(|_| wrong())?;
    let value = value * scale;
    if value.is_finite() { Ok(value) } else { Err(format!("`{text}` is too large")) }
}

/// Whether it is an exponent such as `e3` or `E-3`; `E` alone is a suffix.
fn is_exponent(suffix: &str) -> bool {
    let digits = suffix.strip_prefix(['e', 'E']);
    digits.is_some_and(|digits| digits.strip_prefix('+').unwrap_or(digits).parse::<i32>().is_ok())
}

/// An amount in thousandths, rounded up to the next whole one (away from zero if it is negative), as
/// every autoscaler of Kubernetes keeps it (`Quantity.MilliValue`).
///
/// What lies within a billionth of a whole one counts as that: `0.07` is 70 thousandths, although
/// its nearest binary fraction times 1000 is a little more.
pub fn milli(value: f64) -> i64 {
    let scaled = value * 1000.0;
    let nearest = scaled.round();
    let near = (scaled - nearest).abs() <= 1e-9 * nearest.abs().max(1.0);
    let whole = match (near, scaled < 0.0) {
        (true, _) => nearest,
        (false, true) => scaled.floor(),
        (false, false) => scaled.ceil(),
    };
    whole as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_as_kubernetes_reads_them() {
        for (text, thousandths) in [
            ("1", 1_000),
            ("500m", 500),
            ("1.5", 1_500),
            ("+2", 2_000),
            ("-1", -1_000),
            (".5", 500),
            ("2.", 2_000),
            ("1k", 1_000_000),
            ("1e3", 1_000_000),
            ("1E3", 1_000_000),
            ("1e-3", 1),
            ("1E", i64::MAX),
            ("1Ki", 1_024_000),
            ("0.5Gi", 536_870_912_000),
            ("100u", 1),
            ("1n", 1),
            ("0.07", 70),
            ("0", 0),
        ] {
            assert_eq!(parse(text).map(milli), Ok(thousandths), "{text}");
        }
    }

    #[test]
    fn what_is_no_amount_is_told() {
        for text in
            ["", "m", "1 m", "1K", "ten", "1.2.3", "--1", "1Zi", "1mm", "NaN", "inf", "1e999"]
        {
            assert!(parse(text).is_err(), "{text}: {:?}", parse(text));
        }
        assert!(parse("1K").is_err_and(|told| told.contains("`k`")));
    }
}
