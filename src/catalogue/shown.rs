//! Messages as the log may show them.

use super::Members;
use crate::catalogue::is_secret;
use crate::json::Value;

/// The members with keys, tokens and codes blotted out.
pub fn shown(members: &Members) -> String {
    blotted(members).to_string()
}

fn blotted(members: &Members) -> Members {
    members.iter().map(|(name, value)| (name, if is_secret(name) { "***".into() } else { plain(value) })).collect()
}

fn plain(value: &Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(blotted(members)),
        Value::Array(items) => Value::Array(items.iter().map(plain).collect()),
        value => value.clone(),
    }
}
