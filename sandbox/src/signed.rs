//! Bodies with signed `data`: what was signed is exactly the text that was received.

use crate::json;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// The members of a body, each as it was received.
pub type Parts = BTreeMap<String, Box<RawValue>>;

/// A member as text; nothing when it is empty.
pub fn text(parts: &Parts, name: &str) -> Option<String> {
    let value: Value = serde_json::from_str(parts.get(name)?.get()).ok()?;
    json::value_text(&value).filter(|text| !json::is_empty(Some(text)))
}

/// The text that was signed, and what it says.
pub fn data(parts: &Parts) -> (String, Value) {
    let raw = parts.get("data").map(|data| data.get()).unwrap_or_default();
    match serde_json::from_str(raw).unwrap_or_default() {
        // Text inside text is signed as the inner one.
        Value::String(inner) => {
            let value = serde_json::from_str(&inner).unwrap_or_default();
            (inner, value)
        }
        value => (raw.to_owned(), value),
    }
}
