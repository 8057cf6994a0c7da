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

/// Bytes that do not stand for themselves in a text: what JSON names, and more where a platform has its own.
pub struct Odd([bool; 256]);

impl Odd {
    /// The table; made when the library is built.
    pub const fn and(more: &[u8]) -> Odd {
        let mut odd = [false; 256];
        let mut at = 0;
        while at < 0x20 {
            odd[at] = true;
            at += 1;
        }
        odd[b'"' as usize] = true;
        odd[b'\\' as usize] = true;
        at = 0;
        while at < more.len() {
            odd[more[at] as usize] = true;
            at += 1;
        }
        Odd(odd)
    }

    /// Whether a text has none of them: nearly every one goes out as it is.
    pub fn is_plain(&self, text: &str) -> bool {
        !text.bytes().any(|byte| self.0[usize::from(byte)])
    }
}

static ODD: Odd = Odd::and(&[]);

/// Appends a text in quotes.
pub fn string(out: &mut String, text: &str) {
    if !ODD.is_plain(text) {
        // A text always has a JSON form.
        out.push_str(&serde_json::to_string(text).unwrap_or_default());
        return;
    }
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
