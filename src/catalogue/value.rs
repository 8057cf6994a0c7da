//! How the platforms' values compare: a number may be written as text and the other way round.

use crate::json::Value;
use std::borrow::Cow;

/// The text of a text or a number.
pub(super) fn text_of(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Borrowed(number.as_str())),
        _ => None,
    }
}

/// Not there, as the platforms read it.
pub(super) fn is_absent(value: Option<&Value>) -> bool {
    matches!(value, None | Some(Value::Null))
}

/// Whether two members mean the same: `1`, `"1"` and `1.0` do.
pub fn same_value(a: &Value, b: &Value) -> bool {
    match (text_of(a), text_of(b)) {
        (Some(a), Some(b)) => same_text(&a, &b),
        _ => a == b,
    }
}

/// Whether it is a number, or the text of one.
pub fn is_number(value: &Value) -> bool {
    text_of(value).is_some_and(|text| is_decimal(&text))
}

/// The same for texts.
pub(super) fn same_text(a: &str, b: &str) -> bool {
    a == b || matches!((decimal(a), decimal(b)), (Some(a), Some(b)) if a == b)
}

/// A decimal number as text: an optional sign, digits, perhaps a dot and digits.
pub(super) fn is_decimal(text: &str) -> bool {
    decimal(text).is_some()
}

/// Sign, whole part without leading zeros, fraction without trailing ones.
fn decimal(text: &str) -> Option<(bool, &str, &str)> {
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = match rest.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (rest, ""),
    };
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    let zero = whole.is_empty() && fraction.is_empty();
    Some((negative && !zero, whole, fraction))
}

/// Members whose values no log, error or dump may show: keys, tokens, and the codes that pay or open.
pub fn is_secret(path: &str) -> bool {
    let name = path.rsplit(['.', ']']).next().unwrap_or(path);
    const SECRETS: [&str; 14] = [
        "ukey",
        "ckey",
        "merchant_key",
        "private_key",
        "usb_key",
        "token",
        "sign",
        "signment",
        "auth_code",
        "authcode",
        "pay_info",
        "lock_key",
        "verify_code",
        "verificationInfo",
    ];
    SECRETS.iter().any(|secret| name.eq_ignore_ascii_case(secret)) || name.to_ascii_lowercase().contains("password")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::json;

    #[test]
    fn numbers_and_texts_that_mean_the_same() {
        for (a, b) in
            [(json!(1), json!("1")), (json!("6.50"), json!(6.5)), (json!("007"), json!(7)), (json!("-0.0"), json!(0))]
        {
            assert!(same_value(&a, &b), "{a} {b}");
        }
        for (a, b) in [
            (json!(1), json!("2")),
            (json!("A1"), json!("a1")),
            (json!("1."), json!(1)),
            (json!(""), json!(0)),
            (json!("-1"), json!(1)),
        ] {
            assert!(!same_value(&a, &b), "{a} {b}");
        }
    }

    #[test]
    fn secrets_by_their_last_name() {
        assert!(is_secret("data.token") && is_secret("auth_code") && is_secret("userPassword"));
        assert!(!is_secret("token_count") && !is_secret("design") && !is_secret("car_number"));
    }
}
