//! ETCP's pushes (section 9). The document says `merchant_no + data + merchant_key` is hashed and shows a flat object
//! that has no `data`: which text it means is not settled, so each possible reading can be chosen.

use super::envelope::Fault;
use super::{form, sign};
use crate::json::{self, Members, Value};
use serde_json::value::RawValue;
use std::ops::Range;

/// What the signature of a push is taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// A form's `data`; of a JSON body its text without the signature, else the text made again.
    Auto,
    /// The text of the JSON body as it came, without the member `signment`.
    Text,
    /// The members without `signment`, written again without blanks, in the order they came.
    Remade,
    /// The parameter `data` of a form, `signment` beside it.
    Form,
}

impl Reading {
    /// The reading of that name in the options.
    pub fn named(name: &str) -> Reading {
        match name {
            "text" => Reading::Text,
            "remade" => Reading::Remade,
            "form" => Reading::Form,
            _ => Reading::Auto,
        }
    }
}

/// The members of a push whose signature was found right, without that signature.
pub fn read(body: &str, is_form: bool, reading: Reading, merchant_no: &str, key: &str) -> Result<Members, Fault> {
    let is_right = |text: &str, signment: &str| sign::is_same(signment, &sign::etcp_push(merchant_no, text, key));
    if is_form {
        if !matches!(reading, Reading::Auto | Reading::Form) {
            return Err(Fault::Shape("a form; JSON was expected (listen.etcp_sign)"));
        }
        let data = form::value(body, "data").ok_or(Fault::Shape("the form has no data"))?;
        let signment = form::value(body, "signment").or_else(|| form::value(body, "sign"));
        let signment = signment.filter(|text| !text.is_empty()).ok_or(Fault::Unsigned)?;
        return if is_right(&data, &signment) { object(&data) } else { Err(Fault::Forged) };
    }
    if reading == Reading::Form {
        return Err(Fault::Shape("no form; a form was expected (listen.etcp_sign)"));
    }
    let mut members = object(body)?;
    let signment = match members.remove("signment") {
        Some(Value::String(text)) if !text.is_empty() => text,
        _ => return Err(Fault::Unsigned),
    };
    let as_it_came = || without_signment(body).is_some_and(|text| is_right(&text, &signment));
    let remade = || is_right(&members.to_string(), &signment);
    let is_right = match reading {
        Reading::Text => as_it_came(),
        Reading::Remade => remade(),
        Reading::Auto | Reading::Form => as_it_came() || remade(),
    };
    if is_right { Ok(members) } else { Err(Fault::Forged) }
}

fn object(text: &str) -> Result<Members, Fault> {
    match json::received(text) {
        Ok(Value::Object(members)) => Ok(members),
        _ => Err(Fault::Shape("the push is no JSON object")),
    }
}

/// The text of an object without its member `signment` and the comma that belongs to it; all else stays as it is.
/// `None` when it stands there twice: which of them counts would be a guess.
fn without_signment(text: &str) -> Option<String> {
    let members = members(text)?;
    let mut found = members.iter().enumerate().filter(|(_, (name, _))| name == "signment");
    let (at, (_, span)) = found.next()?;
    if found.next().is_some() {
        return None;
    }
    let cut = match (at, members.get(at + 1)) {
        (0, None) => span.clone(),
        (_, Some((_, next))) => span.start..next.start,
        (_, None) => members[at - 1].1.end..span.end,
    };
    Some(format!("{}{}", &text[..cut.start], &text[cut.end..]))
}

/// The members of an object that is known to be JSON: their names, and where they stand.
fn members(text: &str) -> Option<Vec<(String, Range<usize>)>> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = text.find('{')? + 1;
    loop {
        at += bytes[at..].iter().position(|byte| matches!(byte, b'"' | b'}'))?;
        if bytes[at] == b'}' {
            return Some(found);
        }
        let start = at;
        let end = end_of_value(text, at)?;
        let name = serde_json::from_str(&text[at..end]).ok()?;
        at = end + text[end..].find(':')? + 1;
        at = end_of_value(text, at)?;
        found.push((name, start..at));
    }
}

/// Where the JSON value that starts at a place ends.
fn end_of_value(text: &str, at: usize) -> Option<usize> {
    let mut values = serde_json::Deserializer::from_str(&text[at..]).into_iter::<Box<RawValue>>();
    values.next()?.ok()?;
    Some(at + values.byte_offset())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO: &str = "9827c6b5c6d94485b912b6e90c92a7ae";
    const KEY: &str = "noxxxxx";
    const PUSH: &str = r#"{"synId":"4ebd80ff-cfcf-462a-94cb-727e9fa9547c","plateNumber":"渝ATX061","parkName":"ETCP智慧停车场","parkId":1,"entranceTime":"2017-08-20 12:59:54","userType":"76","pushTime":"2017-08-20 12:59:57","fixParkingId":"U7","remainingDays":"11"}"#;

    fn signed(text: &str) -> String {
        let signment = sign::etcp_push(NO, text, KEY);
        format!("{},\"signment\":\"{signment}\"}}", text.strip_suffix('}').unwrap())
    }

    #[test]
    fn the_signature_is_cut_out_wherever_it_stands() {
        for (text, rest) in [
            (r#"{"signment":"A"}"#, "{}"),
            (r#"{"signment":"A","a":1}"#, r#"{"a":1}"#),
            (r#"{ "a" : {"signment":2} , "signment" : "A\"}," }"#, r#"{ "a" : {"signment":2} }"#),
            (r#"{"a":[1,"}"],"signment":"A","b":"\\"}"#, r#"{"a":[1,"}"],"b":"\\"}"#),
        ] {
            assert_eq!(without_signment(text).as_deref(), Some(rest));
        }
        assert_eq!(without_signment(r#"{"a":1}"#), None);
        assert_eq!(without_signment(r#"{"signment":"A","signment":"B"}"#), None);
    }

    #[test]
    fn each_reading() {
        let plain = signed(PUSH);
        for reading in [Reading::Auto, Reading::Text, Reading::Remade] {
            let members = read(&plain, false, reading, NO, KEY).unwrap();
            assert_eq!(members["plateNumber"], "渝ATX061");
            assert!(!members.contains_key("signment"));
        }
        // With blanks the readings differ.
        let spaced = PUSH.replace("\",\"", "\", \"");
        let by_text = signed(&spaced);
        assert!(read(&by_text, false, Reading::Text, NO, KEY).is_ok());
        assert_eq!(read(&by_text, false, Reading::Remade, NO, KEY), Err(Fault::Forged));
        let remade = by_text.replace(&sign::etcp_push(NO, &spaced, KEY), &sign::etcp_push(NO, PUSH, KEY));
        assert!(read(&remade, false, Reading::Remade, NO, KEY).is_ok());
        assert!(read(&remade, false, Reading::Auto, NO, KEY).is_ok());
        assert_eq!(read(&remade, false, Reading::Text, NO, KEY), Err(Fault::Forged));
        let as_form = form::text(&[("data", PUSH), ("signment", &sign::etcp_push(NO, PUSH, KEY))]);
        assert_eq!(read(&as_form, true, Reading::Auto, NO, KEY).unwrap().len(), 9);
        assert!(read(&as_form, true, Reading::Form, NO, KEY).is_ok());
        assert!(matches!(read(&as_form, true, Reading::Text, NO, KEY), Err(Fault::Shape(_))));
        assert!(matches!(read(&plain, false, Reading::Form, NO, KEY), Err(Fault::Shape(_))));
    }

    #[test]
    fn a_push_with_any_byte_flipped_is_refused() {
        let body = signed(PUSH);
        let as_form = form::text(&[("data", PUSH), ("signment", &sign::etcp_push(NO, PUSH, KEY))]);
        for (body, is_form) in [(body, false), (as_form, true)] {
            for at in 0..body.len() {
                for bit in 0..8 {
                    let mut bytes = body.clone().into_bytes();
                    bytes[at] ^= 1 << bit;
                    let Ok(text) = String::from_utf8(bytes) else { continue };
                    let read = read(&text, is_form, Reading::Auto, NO, KEY);
                    // %e6 and %E6 are the same byte of the same form.
                    let is_same_form = is_form
                        && form::value(&text, "data") == form::value(&body, "data")
                        && form::value(&text, "signment") == form::value(&body, "signment");
                    assert!(read.is_err() || is_same_form, "byte {at}, bit {bit}: {text}");
                }
            }
        }
    }

    #[test]
    fn unsigned_and_shapeless() {
        assert_eq!(read(PUSH, false, Reading::Auto, NO, KEY), Err(Fault::Unsigned));
        assert!(matches!(read("[]", false, Reading::Auto, NO, KEY), Err(Fault::Shape(_))));
        assert!(matches!(read("a=b", true, Reading::Auto, NO, KEY), Err(Fault::Shape(_))));
    }
}
