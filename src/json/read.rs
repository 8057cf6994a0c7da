//! Reading. Messages come by the thousand and are nearly always right, so a text is taken apart where it lies, in one
//! pass, and its numbers keep their digits. What is wrong with a text, and what an escape stands for, serde_json says; an
//! escape that stands for nothing is mended in what a platform sends.

use super::members::Builder;
use super::write::{is_literal_inside, quote, unescaped};
use super::{Members, Text, Value};
use serde::de::{Error as _, IgnoredAny};
use serde_json::{Error, Result};

/// Objects and lists inside each other; no platform has more than four.
const DEEPEST: u32 = 128;

/// Reads a value.
pub fn parse(text: &str) -> Result<Value> {
    read(text, false)
}

/// Reads what a platform says: an escape that stands for nothing (half a surrogate pair) costs its character, not the
/// message.
pub fn received(text: &str) -> Result<Value> {
    read(text, true)
}

/// The same from bytes.
pub fn received_bytes(bytes: &[u8]) -> Result<Value> {
    received(std::str::from_utf8(bytes).map_err(Error::custom)?)
}

fn read(text: &str, mends: bool) -> Result<Value> {
    Reader { text, at: 0, is_literal: is_literal_inside(text), mends }.whole().map_err(|error| placed(error, text))
}

/// Reads the members of an object; `None` when the text is JSON but no object.
pub fn parse_members(text: &str) -> Result<Option<Members>> {
    match parse(text)? {
        Value::Object(members) => Ok(Some(members)),
        _ => Ok(None),
    }
}

/// The members of an object that was received; `None` when it is none.
pub fn members_of(bytes: &[u8]) -> Option<Members> {
    match received_bytes(bytes) {
        Ok(Value::Object(members)) => Some(members),
        _ => None,
    }
}

/// The same error, told with its place in the whole text: ours may be a place inside a part. Another reader may find
/// another one first (a number too large for it); then ours stays.
fn placed(error: Error, text: &str) -> Error {
    let what = |error: &Error| error.to_string().split(" at line ").next().map(str::to_owned);
    let whole = serde_json::from_str::<serde_json::Value>(text).err();
    whole.filter(|whole| what(whole) == what(&error)).unwrap_or(error)
}

/// A text and the place that has been reached in it.
struct Reader<'a> {
    text: &'a str,
    at: usize,
    is_literal: bool,
    mends: bool,
}

impl<'a> Reader<'a> {
    fn whole(&mut self) -> Result<Value> {
        let mut value = Value::Null;
        self.read(&mut value, 0)?;
        self.next();
        if self.at < self.text.len() { Err(self.wrong()) } else { Ok(value) }
    }

    /// The error of a text that is no JSON.
    #[cold]
    fn wrong(&self) -> Error {
        let error = serde_json::from_str::<IgnoredAny>(self.text).err();
        error.unwrap_or_else(|| Error::custom(format_args!("not JSON at byte {}", self.at)))
    }

    /// The byte at the place; 0, which JSON does not have, behind the end.
    fn byte(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or_default()
    }

    /// The next byte that is no blank.
    fn next(&mut self) -> u8 {
        while matches!(self.byte(), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
        self.byte()
    }

    /// Reads a value to where it stays.
    fn read(&mut self, to: &mut Value, depth: u32) -> Result<()> {
        *to = match self.next() {
            b'"' => Value::String(match self.plain() {
                Some(text) => Text::from(text),
                None => self.escaped()?,
            }),
            b'{' => Value::Object(self.object(deeper(depth)?)?),
            b'[' => Value::Array(self.list(deeper(depth)?)?),
            b'-' | b'0'..=b'9' => Value::Number(self.number()?),
            _ => self.word()?,
        };
        Ok(())
    }

    fn word(&mut self) -> Result<Value> {
        let words = [("true", Value::Bool(true)), ("false", Value::Bool(false)), ("null", Value::Null)];
        let rest = &self.text.as_bytes()[self.at..];
        let known = words.into_iter().find(|(word, _)| rest.starts_with(word.as_bytes()));
        let (word, value) = known.ok_or_else(|| self.wrong())?;
        self.at += word.len();
        Ok(value)
    }

    fn number(&mut self) -> Result<Text> {
        let begin = self.at;
        self.at += usize::from(self.byte() == b'-');
        let is_zero = self.byte() == b'0';
        let is_right = match self.digits() {
            0 => false,
            count => count == 1 || !is_zero,
        };
        let fraction = self.byte() != b'.' || self.tail();
        let exponent = !matches!(self.byte(), b'e' | b'E') || {
            self.at += usize::from(matches!(self.text.as_bytes().get(self.at + 1), Some(b'+' | b'-')));
            self.tail()
        };
        if is_right && fraction && exponent { Ok(Text::from(&self.text[begin..self.at])) } else { Err(self.wrong()) }
    }

    /// Passes a byte and the digits behind it, of which there must be some.
    fn tail(&mut self) -> bool {
        self.at += 1;
        self.digits() > 0
    }

    fn digits(&mut self) -> usize {
        let begin = self.at;
        while self.byte().is_ascii_digit() {
            self.at += 1;
        }
        self.at - begin
    }

    /// Passes a text that stands for itself; none when it does not, or has no end.
    fn plain(&mut self) -> Option<&'a str> {
        let rest = self.text.get(self.at + 1..)?;
        // Where all is literal, nothing but a quote ends a text.
        let length = if self.is_literal { quote(rest.as_bytes())? } else { unescaped(rest.as_bytes())? };
        self.at += length + 2;
        rest.get(..length)
    }

    /// Any other text.
    #[cold]
    fn escaped(&mut self) -> Result<Text> {
        let mut texts = serde_json::Deserializer::from_str(&self.text[self.at..]).into_iter::<String>();
        match texts.next().unwrap_or_else(|| Err(self.wrong())) {
            Ok(text) => {
                self.at += texts.byte_offset();
                Ok(Text::from(text))
            }
            Err(error) => self.mended().filter(|_| self.mends).ok_or(error),
        }
    }

    /// A text with U+FFFD for each escape that stands for nothing.
    fn mended(&mut self) -> Option<Text> {
        let mut rest = self.text.get(self.at + 1..)?.chars();
        let mut units = Vec::new();
        loop {
            let sign = match rest.next()? {
                '"' => break,
                '\\' => match rest.next()? {
                    'u' => {
                        let digits = rest.as_str().get(..4).filter(|it| it.bytes().all(|it| it.is_ascii_hexdigit()));
                        let unit = digits.and_then(|digits| u16::from_str_radix(digits, 16).ok());
                        if unit.is_some() {
                            rest.nth(3);
                        }
                        units.push(unit.unwrap_or(0xFFFD));
                        continue;
                    }
                    'b' => '\u{8}',
                    'f' => '\u{c}',
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    sign @ ('"' | '\\' | '/') => sign,
                    _ => '\u{fffd}',
                },
                sign if sign < ' ' => return None,
                sign => sign,
            };
            units.extend_from_slice(sign.encode_utf16(&mut [0; 2]));
        }
        self.at = self.text.len() - rest.as_str().len();
        Some(Text::from(String::from_utf16_lossy(&units)))
    }

    fn object(&mut self, depth: u32) -> Result<Members> {
        let mut members = Builder::new(self.is_literal);
        self.at += 1;
        if self.next() == b'}' {
            self.at += 1;
            return Ok(members.into());
        }
        loop {
            if self.next() != b'"' {
                return Err(self.wrong());
            }
            let value = match self.plain() {
                Some(name) => members.slot(name),
                None => members.slot(&self.escaped()?),
            };
            if self.next() != b':' {
                return Err(self.wrong());
            }
            self.at += 1;
            self.read(value, depth)?;
            if !self.goes_on(b'}')? {
                return Ok(members.into());
            }
        }
    }

    fn list(&mut self, depth: u32) -> Result<Vec<Value>> {
        let mut items = Vec::new();
        self.at += 1;
        if self.next() == b']' {
            self.at += 1;
            return Ok(items);
        }
        loop {
            let mut item = Value::Null;
            self.read(&mut item, depth)?;
            items.push(item);
            if !self.goes_on(b']')? {
                return Ok(items);
            }
        }
    }

    /// Whether a comma comes, and not the end.
    fn goes_on(&mut self, end: u8) -> Result<bool> {
        let byte = self.next();
        if byte != b',' && byte != end {
            return Err(self.wrong());
        }
        self.at += 1;
        Ok(byte == b',')
    }
}

fn deeper(depth: u32) -> Result<u32> {
    if depth >= DEEPEST {
        return Err(Error::custom(format_args!("more than {DEEPEST} objects and lists inside each other")));
    }
    Ok(depth + 1)
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
        assert!(received_bytes(b"{\"a\":\"\xff\"}").is_err());
    }

    #[test]
    fn of_what_is_received_a_wrong_escape_costs_its_character_and_not_the_message() {
        for (given, meant) in [
            (r"\ud800", "\u{fffd}"),
            (r"a\udc00\ud83d\ude00京\ud83d", "a\u{fffd}😀京\u{fffd}"),
            (r"\ud83d😀\ud83d\u4eac", "\u{fffd}😀\u{fffd}京"),
            (r#"\x41\"\\\/\b\f\n\r\t"#, "\u{fffd}41\"\\/\u{8}\u{c}\n\r\t"),
            (r"\u12", "\u{fffd}12"),
            (r"\u+123\u00e9", "\u{fffd}+123é"),
        ] {
            let text = format!(r#"{{"a":["{given}"],"{given}":1,"b":2.50}}"#);
            assert!(parse(&text).is_err() && parse_members(&text).is_err(), "the software's own is refused: {text}");
            let value = received(&text).unwrap();
            assert_eq!((value["a"][0].as_str(), value[meant].to_string().as_str()), (Some(meant), "1"), "{text}");
            assert_eq!(value["b"].to_string(), "2.50");
            assert_eq!(members_of(text.as_bytes()).map(Value::Object), Some(value));
        }
        for text in [r#"{"a":"\ud800}"#, r#"{"a":"\"#, "{\"a\":\"\\ud800\n\"}"] {
            assert_eq!(received(text).unwrap_err().to_string(), parse(text).unwrap_err().to_string(), "{text}");
        }
        assert!(received(r#"{"a":"\ud800" 1}"#).is_err());
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
