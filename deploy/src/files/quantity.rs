//! Amounts in the spelling of Kubernetes: `500m`, `0.5`, `200Mi`, `1Gi`.

/// The number that is meant, in the unit without suffix.
pub(super) fn parse(text: &str) -> Option<f64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match &text[digits.len()..] {
        "m" => 1e-3,
        "" => 1.0,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "Ki" => 1024.0,
        "Mi" => 1024.0_f64.powi(2),
        "Gi" => 1024.0_f64.powi(3),
        "Ti" => 1024.0_f64.powi(4),
        _ => return None,
    };
    let number: f64 = digits.parse().ok()?;
    (number.is_finite() && number >= 0.0).then_some(number * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_multiply() {
        for (text, number) in
            [("0.5", 0.5), ("500m", 0.5), ("2", 2.0), ("1Gi", 1_073_741_824.0), ("200M", 2e8)]
        {
            assert_eq!(parse(text), Some(number), "{text}");
        }
        for bad in ["", "Gi", "1GB", "-1", "1 Gi", "nan", "many"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
