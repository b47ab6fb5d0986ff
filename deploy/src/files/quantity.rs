//! Amounts in the spelling of Kubernetes: `500m`, `0.5`, `200Mi`, `1Gi`, `1e3`.

/// The number that is meant, in the unit without suffix.
pub(super) fn parse(text: &str) -> Option<f64> {
    const SUFFIXES: [(&str, f64); 16] = [
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
        ("", 1.0),
    ];
    let split = |(suffix, factor)| Some((text.strip_suffix(suffix)?, factor));
    let (digits, factor) = SUFFIXES.into_iter().find_map(split)?;
    let signed = |c: char| c.is_ascii_digit() || matches!(c, '.' | '+' | '-' | 'e' | 'E');
    if !digits.chars().all(signed) {
        return None;
    }
    let number: f64 = digits.parse().ok()?;
    (number.is_finite() && number >= 0.0).then_some(number * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_multiply() {
        for (text, number) in [
            ("0.5", 0.5),
            ("500m", 0.5),
            ("2", 2.0),
            ("1Gi", 1_073_741_824.0),
            ("200M", 2e8),
            ("1Ei", 1_152_921_504_606_846_976.0),
            ("1e3", 1e3),
            ("500u", 5e-4),
            ("2E", 2e18),
            ("1E3", 1e3),
        ] {
            assert_eq!(parse(text), Some(number), "{text}");
        }
        for bad in ["", "Gi", "1GB", "-1", "1 Gi", "nan", "many"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
