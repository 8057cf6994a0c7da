//! Writing, without blanks.

use super::{Members, Value};
use std::convert::Infallible;
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
        if self.is_literal() {
            let Ok(()) = literal(out, self.iter(), |out, value| {
                value.write(out);
                Ok::<(), Infallible>(())
            });
            return;
        }
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

/// Bytes that do not stand for themselves in a text: control characters and some more.
struct Odd([bool; 256]);

impl Odd {
    /// Control characters and these; made when the library is built.
    const fn and(more: &[u8]) -> Odd {
        let mut odd = [false; 256];
        let mut at = 0;
        while at < 0x20 {
            odd[at] = true;
            at += 1;
        }
        at = 0;
        while at < more.len() {
            odd[more[at] as usize] = true;
            at += 1;
        }
        Odd(odd)
    }

    /// Whether one of them is there. All are looked at: to ask after each takes longer.
    #[inline]
    fn is_in(&self, bytes: &[u8]) -> bool {
        bytes.iter().fold(false, |odd, byte| odd | self.0[usize::from(*byte)])
    }

    /// Where the first of them is.
    #[inline]
    fn find(&self, bytes: &[u8]) -> Option<usize> {
        let (fours, _) = bytes.as_chunks::<4>();
        let mut at = 0;
        while fours.get(at).is_some_and(|four| !self.is_in(four)) {
            at += 1;
        }
        at *= 4;
        while !self.0[usize::from(*bytes.get(at)?)] {
            at += 1;
        }
        Some(at)
    }
}

/// What JSON names.
static ODD: Odd = Odd::and(b"\"\\");

/// The place of the quote behind a text; none when a byte before it does not stand for itself.
#[inline(never)]
pub(super) fn unescaped(text: &[u8]) -> Option<usize> {
    ODD.find(text).filter(|at| text[*at] == b'"')
}

/// The place of the first quote.
#[inline]
pub(super) fn quote(text: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    let mut passed = 0;
    while let Some(eight) = text.get(passed..).and_then(|rest| rest.first_chunk()) {
        // The lowest bit that is set is of the first byte that is 0 (and some of those behind it that are 1).
        let other = u64::from_le_bytes(*eight) ^ (ONES * b'"' as u64);
        let zeros = other.wrapping_sub(ONES) & !other & (ONES << 7);
        if zeros != 0 {
            return Some(passed + zeros.trailing_zeros() as usize / 8);
        }
        passed += 8;
    }
    text[passed..].iter().position(|byte| *byte == b'"').map(|at| passed + at)
}

/// Also the bytes with which a character begins that some server escapes.
static ANYWHERE_ODD: Odd = Odd::and(b"\"\\\x7f\xc2\xe2");

/// Whether a text stands for itself in every form that we write or sign.
pub fn is_literal(text: &str) -> bool {
    !ANYWHERE_ODD.is_in(text.as_bytes())
}

/// The same of each text inside a document, where a quote without a backslash before it ends a text.
pub(super) fn is_literal_inside(document: &str) -> bool {
    // Not by a table: so many bytes are looked at at once.
    let is_odd = |byte: u8| (byte < 0x20) | (byte == b'\\') | (byte == 0x7f) | (byte == 0xc2) | (byte == 0xe2);
    !document.bytes().fold(false, |odd, byte| odd | is_odd(byte))
}

/// Appends a text in quotes.
pub fn string(out: &mut String, text: &str) {
    if !ODD.is_in(text.as_bytes()) {
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

/// Appends an object whose names and texts stand for themselves. Its other values are written as `write` does.
pub fn literal<'a, E>(
    out: &mut String,
    mut members: impl Iterator<Item = (&'a str, &'a Value)>,
    mut write: impl FnMut(&mut String, &Value) -> Result<(), E>,
) -> Result<(), E> {
    let mut is_empty = true;
    members.try_for_each(|(name, value)| {
        out.push_str(if std::mem::take(&mut is_empty) { "{\"" } else { ",\"" });
        out.push_str(name);
        let Value::String(text) = value else {
            out.push_str("\":");
            return write(out, value);
        };
        out.push_str("\":\"");
        out.push_str(text);
        out.push('"');
        Ok(())
    })?;
    out.push_str(if is_empty { "{}" } else { "}" });
    Ok(())
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
