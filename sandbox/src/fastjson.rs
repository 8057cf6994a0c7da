//! A lenient JSON reader: what the cloud's parser takes beyond the standard, and nothing more.
//! Names may be bare or in single quotes, commas may trail, comments may stand between, numbers may begin with a plus
//! or zeros and end in a dot, strings may hold raw control characters, `\v`, `\x41` and `\0` to `\7`.

use serde_json::{Map, Value};

/// The text is not what the cloud's parser takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable;

type Read<T> = Result<T, Unreadable>;

/// Reads one whole text.
pub fn parse(text: &str) -> Read<Value> {
    let mut reader = Reader { bytes: text.as_bytes(), text, at: 0 };
    let value = reader.value()?;
    reader.blanks()?;
    if reader.at == text.len() { Ok(value) } else { Err(Unreadable) }
}

struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn blanks(&mut self) -> Read<()> {
        loop {
            match self.peek() {
                Some(b' ' | b'\t' | b'\r' | b'\n' | 0x0c | 0x08) => self.at += 1,
                Some(b'/') => {
                    let rest = &self.text[self.at..];
                    let length = if let Some(comment) = rest.strip_prefix("/*") {
                        comment.find("*/").map(|end| end + 4)
                    } else if rest.starts_with("//") {
                        rest.find('\n').map(|end| end + 1)
                    } else {
                        None
                    };
                    self.at += length.ok_or(Unreadable)?;
                }
                _ => return Ok(()),
            }
        }
    }

    fn value(&mut self) -> Read<Value> {
        self.blanks()?;
        match self.peek().ok_or(Unreadable)? {
            b'{' => self.object(),
            b'[' => self.array(),
            quote @ (b'"' | b'\'') => self.string(quote).map(Value::String),
            b'+' | b'-' | b'0'..=b'9' => self.number(),
            _ => self.word(),
        }
    }

    fn object(&mut self) -> Read<Value> {
        self.at += 1;
        let mut members = Map::new();
        loop {
            self.blanks()?;
            while self.take(b',') {
                self.blanks()?;
            }
            if self.take(b'}') {
                return Ok(Value::Object(members));
            }
            let name = match self.peek().ok_or(Unreadable)? {
                quote @ (b'"' | b'\'') => self.string(quote)?,
                _ => self.bare_name()?,
            };
            // Names with a meaning of their own to that parser.
            if matches!(name.as_str(), "@type" | "$ref") {
                return Err(Unreadable);
            }
            self.blanks()?;
            if !self.take(b':') {
                return Err(Unreadable);
            }
            let value = self.value()?;
            // A repeated name keeps its first place and takes the last value.
            members.insert(name, value);
            self.blanks()?;
            if !self.take(b',') && self.peek() != Some(b'}') {
                return Err(Unreadable);
            }
        }
    }

    fn array(&mut self) -> Read<Value> {
        self.at += 1;
        let mut items = Vec::new();
        loop {
            self.blanks()?;
            while self.take(b',') {
                self.blanks()?;
            }
            if self.take(b']') {
                return Ok(Value::Array(items));
            }
            items.push(self.value()?);
            self.blanks()?;
            if !self.take(b',') && self.peek() != Some(b']') {
                return Err(Unreadable);
            }
        }
    }

    fn bare_name(&mut self) -> Read<String> {
        let rest = &self.text[self.at..];
        let letter = |c: char| c.is_ascii_alphabetic() || c == '_' || c == '$' || c as u32 > 0xff;
        let end = rest.find(|c: char| !letter(c) && !c.is_ascii_digit()).unwrap_or(rest.len());
        let name = &rest[..end];
        if !name.starts_with(letter) {
            return Err(Unreadable);
        }
        self.at += end;
        Ok(name.to_owned())
    }

    fn word(&mut self) -> Read<Value> {
        let rest = &self.text[self.at..];
        for (word, value) in [("true", Value::Bool(true)), ("false", Value::Bool(false)), ("null", Value::Null)] {
            if let Some(after) = rest.strip_prefix(word) {
                if after.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$') {
                    return Err(Unreadable);
                }
                self.at += word.len();
                return Ok(value);
            }
        }
        Err(Unreadable)
    }

    fn digits(&mut self) -> &str {
        let from = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        &self.text[from..self.at]
    }

    fn number(&mut self) -> Read<Value> {
        self.take(b'+');
        let sign = if self.take(b'-') { "-" } else { "" };
        let whole = self.digits().to_owned();
        if whole.is_empty() {
            return Err(Unreadable);
        }
        let mut fraction = String::new();
        let dotted = self.take(b'.');
        if dotted {
            fraction = self.digits().to_owned();
        }
        let mut exponent = String::new();
        if self.take(b'e') || self.take(b'E') {
            exponent.push('e');
            if self.take(b'-') {
                exponent.push('-');
            } else {
                self.take(b'+');
            }
            let digits = self.digits();
            if digits.is_empty() {
                return Err(Unreadable);
            }
            exponent.push_str(digits);
        }
        let whole = match whole.trim_start_matches('0') {
            "" => "0",
            digits => digits,
        };
        let point = if fraction.is_empty() { "" } else { "." };
        // `-0.` is a decimal zero, which has no sign; an integer's is dropped by the normal form.
        let sign = if dotted && fraction.is_empty() && whole == "0" { "" } else { sign };
        let digits = format!("{sign}{whole}{point}{fraction}{exponent}");
        let value = digits.parse().map(Value::Number).map_err(|_| Unreadable)?;
        // An exponent beyond what a decimal of that platform holds makes the line unreadable.
        crate::json::normal(&value).map(|_| value).ok_or(Unreadable)
    }

    fn string(&mut self, quote: u8) -> Read<String> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = &self.text[self.at..];
            let plain = rest.find(['\\', quote as char]).ok_or(Unreadable)?;
            out.push_str(&rest[..plain]);
            self.at += plain + 1;
            if self.bytes[self.at - 1] == quote {
                return Ok(out);
            }
            let escape = self.peek().ok_or(Unreadable)?;
            self.at += 1;
            out.push(match escape {
                b'"' | b'\'' | b'\\' | b'/' => escape as char,
                b'b' => '\u{8}',
                b't' => '\t',
                b'n' => '\n',
                b'v' => '\u{b}',
                b'f' | b'F' => '\u{c}',
                b'r' => '\r',
                b'0'..=b'7' => (escape - b'0') as char,
                b'x' => self.hex(2)?,
                b'u' => self.unicode()?,
                _ => return Err(Unreadable),
            });
        }
    }

    fn hex_number(&mut self, length: usize) -> Read<u32> {
        let digits = self.text.get(self.at..self.at + length).ok_or(Unreadable)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Unreadable);
        }
        self.at += length;
        u32::from_str_radix(digits, 16).map_err(|_| Unreadable)
    }

    fn hex(&mut self, length: usize) -> Read<char> {
        self.hex_number(length).map(|code| char::from_u32(code).unwrap_or('?'))
    }

    fn unicode(&mut self) -> Read<char> {
        let first = self.hex_number(4)?;
        if (0xd800..0xdc00).contains(&first) && self.text[self.at..].starts_with("\\u") {
            let back = self.at;
            self.at += 2;
            let second = self.hex_number(4)?;
            if (0xdc00..0xe000).contains(&second) {
                let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return char::from_u32(code).ok_or(Unreadable);
            }
            self.at = back;
        }
        // Half of a pair becomes a question mark when that platform writes UTF-8.
        Ok(char::from_u32(first).unwrap_or('?'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(text: &str) -> Option<String> {
        parse(text).ok().and_then(|value| crate::json::normal(&value))
    }

    #[test]
    fn lenient_forms_are_normalised() {
        for (sent, form) in [
            ("{a:1}", "{\"a\":1}"),
            ("{'a':'x'}", "{\"a\":\"x\"}"),
            ("{\"a\":1,}", "{\"a\":1}"),
            ("[1,2,]", "[1,2]"),
            ("{\"a\":/*c*/1}", "{\"a\":1}"),
            ("{\"a\":+1,\"b\":1.,\"c\":007,\"d\":-0}", "{\"a\":1,\"b\":1,\"c\":7,\"d\":0}"),
            ("{\"a\":\"x\ty\\x41\\v\"}", "{\"a\":\"x\\tyA\\u000B\"}"),
            ("{\"a\":1,\"b\":2,\"a\":3}", "{\"a\":3,\"b\":2}"),
            ("{\"a\":01.50}", "{\"a\":1.50}"),
            ("{\"a\":1.e3,\"b\":-0.}", "{\"a\":1E+3,\"b\":0}"),
            ("{\"a\":\"\\ud83d\\ude00\"}", "{\"a\":\"\u{1f600}\"}"),
        ] {
            assert_eq!(normal(sent).as_deref(), Some(form), "{sent}");
        }
    }

    #[test]
    fn the_rest_is_refused() {
        for sent in [
            "",
            "{",
            "{\"a\":.5}",
            "{\"a\":1} x",
            "{\"a\":\"\\q\"}",
            "{\"a\":NaN}",
            "{\"a\":1e99999999999}",
            "{\"a\" 1}",
            "{\"a\":1 \"b\":2}",
        ] {
            assert_eq!(parse(sent), Err(Unreadable), "{sent}");
        }
    }
}
