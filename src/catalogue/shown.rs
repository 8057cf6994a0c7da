//! Messages and values as a log, an error or a dump may show them.

use super::value::is_secret;
use crate::json::{self, Members, Value};
use std::fmt;

/// A message as it is on the wire, to be written as [`shown`]. It is looked into when it is written, not before.
pub struct Shown<'a>(pub &'a [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match json::received_bytes(self.0) {
            Ok(value) => blotted(&value).fmt(f),
            Err(_) => f.write_str(String::from_utf8_lossy(self.0).trim_end()),
        }
    }
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
            Err(_) => value.clone(),
        },
        value => value.clone(),
    }
}

fn blotted_members(members: &Members) -> Members {
    members.iter().map(|(name, value)| (name, if is_secret(name) { "***".into() } else { blotted(value) })).collect()
}
