//! Reading members of a message the way the platforms read them.

use serde_json::{Map, Number, Value};

/// The members of a message.
pub type Members = Map<String, Value>;

/// A number member holds something that is no number: the platform's thread dies and nothing is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotANumber;

/// A member as text: text as it is, numbers in normal form, null and absent as nothing.
pub fn text(data: &Members, name: &str) -> Option<String> {
    value_text(data.get(name)?)
}

/// The text that the platform signs of a value; `None` when a number has none.
pub fn normal(value: &Value) -> Option<String> {
    parklink::wire::normal::text(&value.clone().into()).ok()
}

/// A value as text, in the platform's own spelling.
pub fn value_text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => normal(other),
    }
}

/// The platform's idea of empty: absent, only blanks, or the text `null`.
pub fn is_empty(text: Option<&str>) -> bool {
    text.is_none_or(|text| text.trim().is_empty() || text == "null")
}

/// A member that is not empty, as text.
pub fn filled(data: &Members, name: &str) -> Option<String> {
    text(data, name).filter(|text| !is_empty(Some(text)))
}

/// A whole number. Fractions are cut off; the empty text means absent.
pub fn whole(data: &Members, name: &str) -> Result<Option<i64>, NotANumber> {
    match data.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(number)) => cut(number.as_str()).map(Some),
        Some(Value::String(text)) if text.is_empty() || text == "null" => Ok(None),
        Some(Value::String(text)) => text.parse().map(Some).map_err(|_| NotANumber),
        Some(_) => Err(NotANumber),
    }
}

/// Whether a member is a decimal number, a text of one, or absent.
pub fn check_decimal(data: &Members, name: &str) -> Result<(), NotANumber> {
    match data.get(name) {
        None | Some(Value::Null | Value::Number(_)) => Ok(()),
        Some(Value::String(text)) if text.is_empty() || text == "null" => Ok(()),
        Some(Value::String(text)) => {
            let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
            let (mantissa, exponent) = digits.split_once(['e', 'E']).unwrap_or((digits, "0"));
            let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            let digit = |c: char| c.is_ascii_digit();
            let fine = mantissa.chars().any(digit)
                && mantissa.chars().all(|c| digit(c) || c == '.')
                && mantissa.matches('.').count() < 2
                && !exponent.is_empty()
                && exponent.chars().all(digit);
            if fine { Ok(()) } else { Err(NotANumber) }
        }
        Some(_) => Err(NotANumber),
    }
}

fn cut(number: &str) -> Result<i64, NotANumber> {
    if let Ok(whole) = number.parse() {
        return Ok(whole);
    }
    let plain = number.contains('.') && !number.contains(['e', 'E']);
    let whole = if plain { number.split('.').next().unwrap_or_default().parse().ok() } else { None };
    // Exponents are rare enough for a double.
    whole.or_else(|| number.parse::<f64>().ok().map(|value| value as i64)).ok_or(NotANumber)
}

/// Money text in fen, rounded half up; nothing when it is no money.
pub fn fen(text: &str) -> Option<i64> {
    let (negative, digits) = match text.trim().strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.trim()),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    // Twelve digits leave room for any sum.
    if !(1..=12).contains(&whole.len()) || !whole.chars().chain(fraction.chars()).all(|c| c.is_ascii_digit()) {
        return None;
    }
    let mut cents = [0_i64; 3];
    for (place, digit) in cents.iter_mut().zip(fraction.bytes()) {
        *place = i64::from(digit - b'0');
    }
    let round = i64::from(cents[2] >= 5);
    let fen = whole.parse::<i64>().ok()?.checked_mul(100)?.checked_add(cents[0] * 10 + cents[1] + round)?;
    Some(if negative { -fen } else { fen })
}

/// A money member in fen; absent counts as nothing.
pub fn member_fen(data: &Members, name: &str) -> i64 {
    text(data, name).and_then(|text| fen(&text)).unwrap_or(0)
}

/// Fen as yuan text with two decimals.
pub fn yuan(fen: i64) -> String {
    format!("{}{}.{:02}", if fen < 0 { "-" } else { "" }, fen.abs() / 100, fen.abs() % 100)
}

/// Fen as a JSON number in yuan.
pub fn yuan_number(fen: i64) -> Value {
    number(&yuan(fen))
}

/// A JSON number with exactly these digits.
pub fn number(digits: &str) -> Value {
    digits.parse::<Number>().map_or(Value::Null, Value::Number)
}

/// An object from name and value pairs; null members are left out, as the platforms do.
pub fn object<const N: usize>(pairs: [(&str, Value); N]) -> Members {
    pairs.into_iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.to_owned(), value)).collect()
}

/// An optional text as a value.
pub fn maybe(text: Option<String>) -> Value {
    text.map_or(Value::Null, Value::String)
}
