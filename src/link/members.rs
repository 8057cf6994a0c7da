//! Reading the members of a message. Room is made at once for as many as messages have: growing costs more than reading.

use super::Members;
use serde::Deserializer;
use serde::de::{MapAccess, Visitor};
use serde_json::Value;

/// As many members as most messages have.
const USUAL: usize = 16;

struct Reading;

impl<'de> Visitor<'de> for Reading {
    type Value = Members;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = Members::with_capacity(USUAL);
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            members.insert(name, value);
        }
        Ok(members)
    }
}

/// The members of an object; `None` when the text is JSON but no object.
pub fn read(text: &str) -> serde_json::Result<Option<Members>> {
    if !text.trim_start().starts_with('{') {
        return serde_json::from_str::<Value>(text).map(|_| None);
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    let members = reader.deserialize_map(Reading)?;
    reader.end()?;
    Ok(Some(members))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_what_serde_json_reads() {
        for text in [r#" {"b":1.50,"a":{"c":[1,null]},"b":"2"} "#, "{}", r#"{"n":123456789012345678901234567890}"#] {
            let expected: Value = serde_json::from_str(text).unwrap();
            assert_eq!(Value::Object(read(text).unwrap().unwrap()), expected, "{text}");
        }
        assert_eq!(read("[1]").unwrap(), None);
        for text in ["", "{", "{} x", r#"{"a":}"#, r#"{"a":1"#] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
