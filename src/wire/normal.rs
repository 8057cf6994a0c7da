//! The normal form: the one text of a JSON value that the cloud's server signs. It parses what it receives and writes it
//! out again; sending exactly that text makes both sides sign the same bytes.

use crate::json::{Value, is_literal, literal, quoted};
use std::fmt::Write;

/// A number that has no normal form: its exponent is beyond what the server can hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberTooWide(pub String);

/// The normal form of a value.
pub fn text(value: &Value) -> Result<String, NumberTooWide> {
    let mut out = String::with_capacity(256);
    write_value(&mut out, value)?;
    Ok(out)
}

/// Appends the normal form of an object with these members. Names and texts that are known to be literal are not looked at.
pub fn object<'a>(
    out: &mut String,
    members: impl Iterator<Item = (&'a str, &'a Value)>,
    is_literal: bool,
) -> Result<(), NumberTooWide> {
    // Nulls do not reach the server.
    let mut members = members.filter(|(_, value)| !value.is_null());
    if is_literal {
        return literal(out, members, write_value);
    }
    let mut before = '{';
    members.try_for_each(|(name, value)| {
        out.push(std::mem::replace(&mut before, ','));
        string(out, name);
        out.push(':');
        write_value(out, value)
    })?;
    out.push_str(if before == ',' { "}" } else { "{}" });
    Ok(())
}

fn write_value(out: &mut String, value: &Value) -> Result<(), NumberTooWide> {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(yes) => out.push_str(if *yes { "true" } else { "false" }),
        Value::Number(number) => write_number(out, number)?,
        Value::String(text) => string(out, text),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_value(out, item)?;
            }
            out.push(']');
        }
        Value::Object(members) => object(out, members.iter(), members.is_literal())?,
    }
    Ok(())
}

/// Appends a JSON string as the server writes it: raw, but for quote, backslash, control characters and the two
/// line separators.
pub fn string(out: &mut String, text: &str) {
    if is_literal(text) { quoted(out, text) } else { escaped(out, text) }
}

#[cold]
fn escaped(out: &mut String, text: &str) {
    out.push('"');
    let mut plain = 0;
    for (at, ch) in text.char_indices() {
        let short = match ch {
            '"' => "\\\"",
            '\\' => "\\\\",
            '\u{8}' => "\\b",
            '\t' => "\\t",
            '\n' => "\\n",
            '\u{c}' => "\\f",
            '\r' => "\\r",
            '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' => "",
            _ => continue,
        };
        out.push_str(&text[plain..at]);
        plain = at + ch.len_utf8();
        if short.is_empty() {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\u{:04X}", u32::from(ch));
        } else {
            out.push_str(short);
        }
    }
    out.push_str(&text[plain..]);
    out.push('"');
}

/// The length that a text has as a JSON string.
pub fn length(text: &str) -> usize {
    if is_literal(text) {
        return text.len() + 2;
    }
    let mut out = String::new();
    string(&mut out, text);
    out.len()
}

/// Numbers keep their digits: exact decimals, never doubles.
fn write_number(out: &mut String, source: &str) -> Result<(), NumberTooWide> {
    if !source.starts_with('0') && source.bytes().all(|byte| byte.is_ascii_digit()) {
        out.push_str(source);
        return Ok(());
    }
    let (negative, rest) = match source.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, source),
    };
    let (mantissa, exponent) = match rest.find(['e', 'E']) {
        Some(at) => (&rest[..at], Some(&rest[at + 1..])),
        None => (rest, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_integer = exponent.is_none() && whole.len() == mantissa.len();
    if is_integer && !negative && (!whole.starts_with('0') || whole == "0") {
        out.push_str(whole);
        return Ok(());
    }
    let digits = format!("{whole}{fraction}");
    let unscaled = match digits.trim_start_matches('0') {
        "" => "0",
        digits => digits,
    };
    if negative && unscaled != "0" {
        out.push('-');
    }
    if is_integer {
        out.push_str(unscaled);
        return Ok(());
    }
    let wide = || NumberTooWide(source.to_owned());
    let exponent: i64 = exponent.map_or(Ok(0), |text| text.parse::<i32>().map(i64::from)).map_err(|_| wide())?;
    // Lengths of a text that fits in memory fit in an i64.
    let scale = fraction.len() as i64 - exponent;
    if i32::try_from(scale).is_err() {
        return Err(wide());
    }
    let adjusted = unscaled.len() as i64 - 1 - scale;
    if scale >= 0 && adjusted >= -6 {
        plain(out, unscaled, scale as usize);
    } else {
        let (head, tail) = unscaled.split_at(1);
        out.push_str(head);
        if !tail.is_empty() {
            out.push('.');
            out.push_str(tail);
        }
        let _ = write!(out, "E{adjusted:+}");
    }
    Ok(())
}

fn plain(out: &mut String, unscaled: &str, scale: usize) {
    if scale == 0 {
        out.push_str(unscaled);
    } else if unscaled.len() > scale {
        let (whole, fraction) = unscaled.split_at(unscaled.len() - scale);
        let _ = write!(out, "{whole}.{fraction}");
    } else {
        let _ = write!(out, "0.{}{unscaled}", "0".repeat(scale - unscaled.len()));
    }
}
