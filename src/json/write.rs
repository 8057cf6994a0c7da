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

/// Bytes that do not stand for themselves in a text.
static ODD: [bool; 256] = {
    let mut odd = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        odd[byte] = true;
        byte += 1;
    }
    odd[b'"' as usize] = true;
    odd[b'\\' as usize] = true;
    odd
};

/// Appends a text in quotes.
pub fn string(out: &mut String, text: &str) {
    // Nearly every text goes out as it is.
    if text.bytes().any(|byte| ODD[usize::from(byte)]) {
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
