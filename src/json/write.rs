//! Writing, without blanks.

use super::{Members, Value};
use std::fmt;

impl Members {
    /// The object as text.
    pub fn text(&self) -> String {
        let mut text = String::with_capacity(256);
        self.write(&mut text);
        text
    }

    /// Appends the object.
    pub fn write(&self, out: &mut String) {
        out.push('{');
        for (at, (name, value)) in self.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            string(out, name);
            out.push(':');
            value.write(out);
        }
        out.push('}');
    }
}

impl Value {
    /// Appends the value.
    pub fn write(&self, out: &mut String) {
        match self {
            Value::Null => out.push_str("null"),
            Value::Bool(yes) => out.push_str(if *yes { "true" } else { "false" }),
            Value::Number(digits) => out.push_str(digits),
            Value::String(text) => string(out, text),
            Value::Array(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Value::Object(members) => members.write(out),
        }
    }
}

/// Bytes that do not stand for themselves in a text: control characters and these.
pub struct Odd<const N: usize>(pub [u8; N]);

/// A one in each of eight bytes.
const ONES: u64 = u64::from_le_bytes([1; 8]);

impl<const N: usize> Odd<N> {
    /// Where the first of them is.
    #[inline]
    pub fn find(&self, text: &str) -> Option<usize> {
        let (eights, rest) = text.as_bytes().as_chunks::<8>();
        for (place, eight) in eights.iter().enumerate() {
            if let Some(at) = self.first(u64::from_le_bytes(*eight)) {
                return Some(8 * place + at);
            }
        }
        // Blanks fill it up: they are not odd.
        let last = rest.iter().rev().fold(ONES * 0x20, |eight, byte| eight << 8 | u64::from(*byte));
        self.first(last).map(|at| 8 * eights.len() + at)
    }

    /// The first odd one among eight bytes.
    fn first(&self, eight: u64) -> Option<usize> {
        // The highest bits of the bytes below a bound; beyond the first of them there may be others.
        let below = |bytes: u64, bound: u64| bytes.wrapping_sub(ONES * bound) & !bytes;
        let is = |byte: &u8| below(eight ^ (ONES * u64::from(*byte)), 1);
        let marks = self.0.iter().fold(below(eight, 0x20), |marks, byte| marks | is(byte)) & (ONES << 7);
        (marks != 0).then(|| marks.trailing_zeros() as usize / 8)
    }

    /// Whether a text has none of them: nearly every one goes out as it is.
    #[inline]
    pub fn is_plain(&self, text: &str) -> bool {
        self.find(text).is_none()
    }
}

/// What JSON names.
pub(super) const ODD: Odd<2> = Odd([b'"', b'\\']);

/// Appends a text in quotes.
pub fn string(out: &mut String, text: &str) {
    if ODD.is_plain(text) {
        return quoted(out, text);
    }
    // A text always has a JSON form.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}

/// Appends a text that needs no escape, in quotes.
pub fn quoted(out: &mut String, text: &str) {
    out.reserve(text.len() + 2);
    out.push('"');
    out.push_str(text);
    out.push('"');
}

impl fmt::Display for Members {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text())
    }
}

impl fmt::Display for Value {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.write(&mut text);
        out.write_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use crate::json::parse;

    #[test]
    fn it_writes_what_serde_json_writes() {
        for text in [r#"{"a":[1,null,true,{}],"京\"\\\n\u0001":"x\ty","b":"","c":false}"#, "[]", "\"\""] {
            assert_eq!(parse(text).unwrap().to_string(), text);
        }
    }
}
