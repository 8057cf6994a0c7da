//! Reading. Every value is first only measured, then taken apart where it lies; numbers are not interpreted.

use super::members::Builder;
use super::{Members, Text, Value};
use serde::de::{DeserializeSeed, Deserializer as _, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Deserializer, Error, Result};
use std::fmt;

/// Objects and lists inside each other; no platform has more than four.
const DEEPEST: u32 = 128;

/// Reads a value.
pub fn parse(text: &str) -> Result<Value> {
    let raw: &RawValue = serde_json::from_str(text)?;
    value(raw.get(), 0).map_err(|error| placed(error, text))
}

/// Reads a value from bytes.
pub fn parse_slice(bytes: &[u8]) -> Result<Value> {
    parse(std::str::from_utf8(bytes).map_err(Error::custom)?)
}

/// Reads the members of an object; `None` when the text is JSON but no object.
pub fn parse_members(text: &str) -> Result<Option<Members>> {
    match text.trim_start().as_bytes().first() {
        Some(b'{') => object(text, 0).map(Some).map_err(|error| placed(error, text)),
        _ => parse(text).map(|_| None),
    }
}

/// The members of an object; `None` when it is none.
pub fn members_of(bytes: &[u8]) -> Option<Members> {
    parse_members(std::str::from_utf8(bytes).ok()?).ok().flatten()
}

/// The same error, told with its place in the whole text: ours may be a place inside a part. Another reader may find
/// another one first (a number too large for it); then ours stays.
fn placed(error: Error, text: &str) -> Error {
    let what = |error: &Error| error.to_string().split(" at line ").next().map(str::to_owned);
    let whole = serde_json::from_str::<serde_json::Value>(text).err();
    whole.filter(|whole| what(whole) == what(&error)).unwrap_or(error)
}

/// `raw` is known to be JSON without anything around it.
fn value(raw: &str, depth: u32) -> Result<Value> {
    Ok(match raw.as_bytes().first() {
        Some(b'"') => Value::String(text(raw)?),
        Some(b'{') => Value::Object(object(raw, depth)?),
        Some(b'[') => Value::Array(list(raw, depth)?),
        Some(b't') => Value::Bool(true),
        Some(b'f') => Value::Bool(false),
        Some(b'n') | None => Value::Null,
        Some(_) => Value::Number(Text::from(raw)),
    })
}

fn text(raw: &str) -> Result<Text> {
    let inside = &raw[1..raw.len() - 1];
    if inside.as_bytes().contains(&b'\\') {
        return serde_json::from_str::<String>(raw).map(Text::from);
    }
    Ok(Text::from(inside))
}

fn deeper(depth: u32) -> Result<u32> {
    if depth >= DEEPEST {
        return Err(Error::custom(format_args!("more than {DEEPEST} objects and lists inside each other")));
    }
    Ok(depth + 1)
}

fn object(raw: &str, depth: u32) -> Result<Members> {
    let mut reader = Deserializer::from_str(raw);
    let members = reader.deserialize_map(Object(deeper(depth)?))?;
    reader.end()?;
    Ok(members)
}

fn list(raw: &str, depth: u32) -> Result<Vec<Value>> {
    Deserializer::from_str(raw).deserialize_seq(List(deeper(depth)?))
}

struct Object(u32);

impl<'de> Visitor<'de> for Object {
    type Value = Members;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Members, A::Error> {
        let mut members = Builder::default();
        while let Some(name) = map.next_key_seed(Name)? {
            let raw: &RawValue = map.next_value()?;
            members.push(name, value(raw.get(), self.0).map_err(A::Error::custom)?);
        }
        Ok(members.into())
    }
}

struct List(u32);

impl<'de> Visitor<'de> for List {
    type Value = Vec<Value>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> std::result::Result<Vec<Value>, A::Error> {
        let mut list = Vec::new();
        while let Some(raw) = items.next_element::<&RawValue>()? {
            list.push(value(raw.get(), self.0).map_err(A::Error::custom)?);
        }
        Ok(list)
    }
}

/// A member's name.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Text;

    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> std::result::Result<Text, D::Error> {
        reader.deserialize_str(self)
    }
}

impl Visitor<'_> for Name {
    type Value = Text;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> std::result::Result<Text, E> {
        Ok(Text::from(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_what_serde_json_reads() {
        for text in [
            r#" {"b":1.50,"a":{"c":[1,null,true]},"b":"2","\u4eac\"":"\ud83d\ude00\n"} "#,
            "{}",
            "[[],{}]",
            r#"{"n":123456789012345678901234567890,"e":-1.5e+7}"#,
        ] {
            let expected: serde_json::Value = serde_json::from_str(text).unwrap();
            assert_eq!(parse(text).unwrap(), Value::from(expected), "{text}");
        }
        assert_eq!(parse_members("[1]").unwrap(), None);
        for text in
            ["", "{", "{} x", r#"{"a":}"#, r#"{"a":1"#, r#"{"a":01}"#, r#"{"a":"\ud800"}"#, "{\"a\":\"\n\"}", "nul"]
        {
            assert!(parse(text).is_err() && parse_members(text).is_err(), "{text}");
        }
        assert!(parse_slice(b"{\"a\":\"\xff\"}").is_err());
    }

    #[test]
    fn an_error_tells_its_place_in_the_whole_text() {
        for (text, place) in [
            (r#"{"a":[{"b":"\ud800"}]}"#, "line 1 column 19"),
            ("{\"a\":1,\n\"b\":{\"\\udc00\":2}}", "line 2 column 12"),
            (r#"[1,"\ud800"]"#, "line 1 column 11"),
        ] {
            let expected = serde_json::from_str::<serde_json::Value>(text).unwrap_err().to_string();
            assert!(expected.ends_with(place), "{expected}");
            assert_eq!(parse(text).unwrap_err().to_string(), expected);
            assert_eq!(parse_members(text).unwrap_err().to_string(), expected);
        }
        let both = parse(r#"{"a":1e400,"b":"\ud800"}"#).unwrap_err().to_string();
        assert!(both.starts_with("unexpected end of hex escape"), "{both}");
    }

    #[test]
    fn numbers_keep_their_digits() {
        let value = parse(r#"{"a":6.50,"b":1E5,"c":-0}"#).unwrap();
        assert_eq!(value.to_string(), r#"{"a":6.50,"b":1E5,"c":-0}"#);
    }

    #[test]
    fn the_depth_is_limited() {
        let nested = |depth| "[".repeat(depth) + &"]".repeat(depth);
        assert!(parse(&nested(128)).is_ok());
        assert!(parse(&nested(129)).unwrap_err().to_string().contains("more than 128"));
        assert!(parse(&nested(20_000)).is_err());
    }
}
