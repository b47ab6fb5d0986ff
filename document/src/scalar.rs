//! What a scalar without quotes means: to us (YAML 1.2, core schema), and to readers that still
//! follow YAML 1.1, such as Python's, where `yes` is a switch, `0755` is 493 and `12:30` is 750.

use super::Value;

/// What YAML 1.2 makes of a plain scalar.
pub(super) fn core(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Value::Float(f64::NAN),
        _ => {}
    }
    let (sign, unsigned) = signed(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        return Value::Float(sign * f64::INFINITY);
    }
    let radix = |prefix: &str, radix: u32| {
        let digits = text.strip_prefix(prefix)?;
        let digits = (!digits.starts_with(['+', '-'])).then_some(digits)?;
        i128::from_str_radix(digits, radix).ok()
    };
    if let Some(number) = radix("0o", 8).or_else(|| radix("0x", 16)) {
        return Value::Int(number);
    }
    if !unsigned.is_empty() && unsigned.bytes().all(|b| b.is_ascii_digit()) {
        return whole(text);
    }
    if decimal(unsigned) {
        return Value::Float(text.parse().unwrap_or(f64::NAN));
    }
    Value::Text(text.to_owned())
}

/// A number of digits only; what is larger than 127 bits is no longer exact.
fn whole(text: &str) -> Value {
    let exact = text.parse().map(Value::Int);
    exact.unwrap_or_else(|_| Value::Float(text.parse().unwrap_or(f64::INFINITY)))
}

/// Digits with a point or an exponent, as in `1.5`, `.5`, `1e3`.
fn decimal(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(signed(exponent).1)),
        None => (text, None),
    };
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let some = !before.is_empty() || !after.is_empty();
    some && digits(before) && digits(after) && exponent.is_none_or(|e| !e.is_empty() && digits(e))
}

fn signed(text: &str) -> (f64, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    }
}

/// What a reader of YAML 1.1 makes of a plain scalar.
#[derive(Debug, Clone, PartialEq)]
pub enum Old {
    /// Nothing.
    Null,
    /// Also `yes`, `no`, `on` and `off`.
    Bool(bool),
    /// Also `0755` (octal), `0b1`, `1_000` and `12:30` (base 60).
    Int(i128),
    /// A number with a point.
    Float(f64),
    /// A day, perhaps with a time.
    Date,
    /// Anything else.
    Text,
}

/// What a reader of YAML 1.1 makes of a plain scalar (yaml.org/type, as Python's reader has it).
pub fn yaml_1_1(text: &str) -> Old {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Old::Null,
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Old::Bool(true);
        }
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Old::Bool(false);
        }
        ".nan" | ".NaN" | ".NAN" => return Old::Float(f64::NAN),
        _ => {}
    }
    let (sign, unsigned) = signed(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        return Old::Float(sign * f64::INFINITY);
    }
    if let Some(number) = old_int(unsigned) {
        return if sign < 0.0 { Old::Int(-number) } else { Old::Int(number) };
    }
    if let Some(number) = old_float(unsigned) {
        return Old::Float(sign * number);
    }
    if date(text) { Old::Date } else { Old::Text }
}

fn old_int(text: &str) -> Option<i128> {
    let clean = text.replace('_', "");
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if let Some(binary) = clean.strip_prefix("0b") {
        return i128::from_str_radix(binary, 2).ok();
    }
    if let Some(hexadecimal) = clean.strip_prefix("0x") {
        return i128::from_str_radix(hexadecimal, 16).ok();
    }
    if let Some((first, rest)) = clean.split_once(':') {
        let parts: Vec<&str> = rest.split(':').collect();
        let fits = |part: &&str| {
            digits(part)
                && (part.len() == 1
                    || part.len() == 2 && part.starts_with(['0', '1', '2', '3', '4', '5']))
        };
        let fits = digits(first) && !first.starts_with('0') && parts.iter().all(fits);
        let first: i128 = fits.then(|| first.parse().ok()).flatten()?;
        return parts
            .iter()
            .try_fold(first, |sum, part| sum.checked_mul(60)?.checked_add(part.parse().ok()?));
    }
    if !text.starts_with(|c: char| c.is_ascii_digit()) || !digits(&clean) {
        return None;
    }
    match clean.strip_prefix('0') {
        Some(octal) if !octal.is_empty() => i128::from_str_radix(octal, 8).ok(),
        _ => Some(clean.parse().unwrap_or(i128::MAX)),
    }
}

/// Only with a point; an exponent only with its sign, as in `1.0e+3`.
fn old_float(text: &str) -> Option<f64> {
    let (before, after) = text.split_once('.')?;
    if before.is_empty() && !after.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    if !before.is_empty() && !before.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let mantissa = match after.split_once(['e', 'E']) {
        Some((digits, exponent)) if exponent.starts_with(['+', '-']) => {
            let sized = exponent.len() > 1 && exponent[1..].bytes().all(|b| b.is_ascii_digit());
            sized.then_some(digits)?
        }
        Some(_) => return None,
        None => after,
    };
    let allowed = |part: &str| part.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    if let Some((hours, minutes)) = before.rsplit_once(':') {
        let whole = old_int(before)?;
        let plain = allowed(mantissa) && !hours.is_empty() && !minutes.is_empty();
        return plain.then(|| format!("{whole}.{}", mantissa.replace('_', "")).parse().ok())?;
    }
    if !allowed(before) || !allowed(mantissa) {
        return None;
    }
    text.replace('_', "").parse().ok()
}

/// `2024-01-31`, perhaps with a time behind it.
fn date(text: &str) -> bool {
    let day = |bytes: &[u8]| {
        bytes.iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        })
    };
    let bytes = text.as_bytes();
    match bytes.len() {
        10 => day(bytes),
        11.. if day(&bytes[..10]) && matches!(bytes[10], b'T' | b't' | b' ') => {
            text.get(11..).is_some_and(|time| time.trim_start().split(':').count() >= 3)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_are_read_as_yaml_1_2() {
        for (text, value) in [
            ("", Value::Null),
            ("Null", Value::Null),
            ("true", Value::Bool(true)),
            ("yes", Value::Text("yes".to_owned())),
            ("-12", Value::Int(-12)),
            ("0755", Value::Int(755)),
            ("0o17", Value::Int(15)),
            ("0x1F", Value::Int(31)),
            ("18446744073709551615", Value::Int(u64::MAX.into())),
            ("1.50", Value::Float(1.5)),
            (".5", Value::Float(0.5)),
            ("1e3", Value::Float(1000.0)),
            ("-.inf", Value::Float(f64::NEG_INFINITY)),
            ("1_000", Value::Text("1_000".to_owned())),
            ("12:30", Value::Text("12:30".to_owned())),
            ("1.2.3", Value::Text("1.2.3".to_owned())),
            ("-", Value::Text("-".to_owned())),
            (".", Value::Text(".".to_owned())),
            ("1e", Value::Text("1e".to_owned())),
        ] {
            assert_eq!(core(text), value, "{text}");
        }
        assert_eq!(core(&"9".repeat(60)), Value::Float(1e60), "no longer exact");
    }

    /// Each as Python's reader gives it.
    #[test]
    fn plain_scalars_mean_more_to_yaml_1_1() {
        for (text, value) in [
            ("~", Old::Null),
            ("on", Old::Bool(true)),
            ("No", Old::Bool(false)),
            ("y", Old::Text),
            ("0755", Old::Int(493)),
            ("0o17", Old::Text),
            ("08", Old::Text),
            ("0b101", Old::Int(5)),
            ("-0x10", Old::Int(-16)),
            ("1_000", Old::Int(1000)),
            ("12:30", Old::Int(750)),
            ("1:30:00", Old::Int(5400)),
            ("12:61", Old::Text),
            ("1.10", Old::Float(1.1)),
            ("2.", Old::Float(2.0)),
            (".5", Old::Float(0.5)),
            ("1e3", Old::Text),
            ("1.0e3", Old::Text),
            ("1.0e+3", Old::Float(1000.0)),
            ("1.2.3", Old::Text),
            ("2024-01-31", Old::Date),
            ("2024-01-31T10:00:00Z", Old::Date),
            ("2024-1", Old::Text),
            ("v2", Old::Text),
        ] {
            assert_eq!(yaml_1_1(text), value, "{text}");
        }
    }
}
