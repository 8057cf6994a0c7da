//! Messages and values as a log, an error or a dump may show them.

use super::value::is_secret;
use crate::json::{self, Members, Value};
use std::borrow::Cow;
use std::fmt;

/// A message as it is on the wire, to be written as [`shown`]. It is looked into when it is written, not before.
pub struct Shown<'a>(pub &'a [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match json::received_bytes(self.0) {
            Ok(value) => blotted(&value).fmt(f),
            Err(_) => f.write_str(until_secret(String::from_utf8_lossy(self.0).trim_end()).as_ref()),
        }
    }
}

/// What is no JSON, as a message of which a part is missing: up to the first name of what may not be shown.
fn until_secret(text: &str) -> Cow<'_, str> {
    let mut end = 0;
    for piece in text.split('"') {
        end += piece.len();
        if is_secret(piece.trim_end_matches('\\')) {
            return format!("{}: ***", &text[..end]).into();
        }
        end += 1;
    }
    text.into()
}

/// The members with keys, tokens and codes blotted out.
pub fn shown(members: &Members) -> String {
    blotted_members(members).to_string()
}

/// The same of any value, and of the JSON text that a text is.
pub fn blotted(value: &Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(blotted_members(members)),
        Value::Array(items) => Value::Array(items.iter().map(blotted).collect()),
        Value::String(text) if text.trim_start().starts_with(['{', '[']) => match json::received(text) {
            Ok(inner) => Value::from(blotted(&inner).to_string()),
            Err(_) => Value::from(until_secret(text).as_ref()),
        },
        value => value.clone(),
    }
}

fn blotted_members(members: &Members) -> Members {
    members.iter().map(|(name, value)| (name, if is_secret(name) { "***".into() } else { blotted(value) })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_was_cut_off_shows_no_secret() {
        let shown = |text: &str| Shown(text.as_bytes()).to_string();
        assert_eq!(shown(r#"{"state":1,"token":"8d88348a7eed","service_na"#), r#"{"state":1,"token: ***"#);
        assert_eq!(shown(r#"{"data":"{\"auth_code\":\"1"#), r#"{"data":"{\"auth_code\: ***"#);
        assert_eq!(shown(r#"k":"8d88348a7eed","token"#), r#"k":"8d88348a7eed","token: ***"#);
        assert_eq!(shown(r#"{"a":1,"data":"{\"token\":\"8d8"}"#), r#"{"a":1,"data":"{\"token: ***"}"#);
        assert_eq!(shown("<html>\"no\" token</html>\n"), "<html>\"no\" token</html>");
    }
}
