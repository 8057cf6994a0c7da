//! Lines to the cloud: normal form, signature, measure.

use crate::error::{Code, Error, Result};
use crate::json::Value;
use crate::link::{Data, Members};
use crate::wire::normal;
use crate::wire::sign::Sign;

/// The resend guard of the server applies to names that contain one of these.
const GUARDED: [&str; 3] = ["in_park", "out_park", "upload_order"];

/// A token has this length; used to measure before there is one.
const TOKEN_LENGTH: usize = 32;

/// Data in its signed form.
#[derive(Debug, Clone)]
pub struct Signed {
    /// The normal form: the text that is sent and signed.
    pub text: String,
    /// Its signature.
    pub sign: Sign,
}

/// Brings data into its signed form.
pub fn signed(data: &Data, key: &str) -> Result<Signed> {
    let text = text(data)?;
    let sign = Sign::keyed(&text, key);
    Ok(Signed { text, sign })
}

/// The same for a line that the server takes. One that has no room for its stamp goes without it, its members in another
/// order: the server signs them in the order in which they come.
pub fn fitting(service: &str, token: Option<&str>, data: &mut Data, key: &str, limit: usize) -> Result<Signed> {
    let plain = signed(data, key)?;
    let length = measure(service, token, data, &plain.text, limit);
    if length.is_ok() || !data.fold_stamp() {
        return length.map(|()| plain);
    }
    let folded = signed(data, key)?;
    measure(service, token, data, &folded.text, limit).map(|()| folded)
}

/// The text that is signed.
fn text(data: &Data) -> Result<String> {
    let mut text = String::with_capacity(512);
    normal::object(&mut text, data.iter(), data.is_literal()).map_err(|number| {
        Error::new(Code::Invalid, format!("the number {} has an exponent that the cloud cannot hold", number.0))
    })?;
    magic_name(data.own()).map_or(Ok(text), |name| {
        let message = format!("a member may not be called {name}: the cloud's parser takes it for itself");
        Err(Error::new(Code::Invalid, message))
    })
}

/// The server's parser gives these names a meaning of its own: it refuses or replaces them.
const MAGIC: [&str; 2] = ["@type", "$ref"];

/// Such a name: a member's, or of what is inside them.
fn magic_name(members: &Members) -> Option<&'static str> {
    let own = MAGIC.into_iter().find(|name| members.contains_key(name));
    own.or_else(|| members.values().find_map(magic_inside))
}

fn magic_inside(value: &Value) -> Option<&'static str> {
    match value {
        Value::Object(members) => magic_name(members),
        Value::Array(items) => items.iter().find_map(magic_inside),
        _ => None,
    }
}

/// Whether the server's resend guard looks at this service.
pub fn is_guarded(service: &str) -> bool {
    GUARDED.iter().any(|name| service.contains(name))
}

/// The line, its end included. Without a token: a login.
pub fn compose(service: &str, token: Option<&str>, signed: &Signed) -> String {
    let mut line = String::with_capacity(signed.text.len() + service.len() + 128);
    line.push_str("{\"service_name\":");
    normal::string(&mut line, service);
    line.push_str(",\"sign\":\"");
    signed.sign.write(&mut line);
    if let Some(token) = token {
        line.push_str("\",\"token\":");
        normal::string(&mut line, token);
    } else {
        line.push('"');
    }
    line.push_str(",\"data\":");
    line.push_str(&signed.text);
    line.push_str("}\n");
    line
}

/// The length of a line, its end not counted, around a text of that length.
fn length_around(service: &str, token: Option<&str>, text: usize) -> usize {
    "{\"service_name\":,\"sign\":\"\",\"token\":\"\",\"data\":}".len()
        + normal::length(service)
        + 32
        + token.map_or(TOKEN_LENGTH, str::len)
        + text
}

/// A quick look that nearly every record passes: it could be sent, and its line is no longer than that.
pub fn surely_fits(service: &str, data: &Data, limit: usize) -> bool {
    let length = |value: &Value| match value {
        Value::String(text) => Some("\"\"".len() + text.len()),
        // One with an exponent may grow.
        Value::Number(digits) => Some(digits.len()).filter(|_| !digits.bytes().any(|byte| matches!(byte, b'e' | b'E'))),
        Value::Bool(_) | Value::Null => Some("false".len()),
        Value::Array(_) | Value::Object(_) => None,
    };
    let text =
        data.all().try_fold("{}".len(), |sum, (name, value)| Some(sum + "\"\":,".len() + name.len() + length(value)?));
    let fits = text.is_some_and(|text| length_around(service, None, text) <= limit);
    fits && data.is_literal() && magic_name(data.own()).is_none()
}

/// Refuses what the server would throw away without a word.
fn measure(service: &str, token: Option<&str>, data: &Data, text: &str, limit: usize) -> Result<()> {
    let length = length_around(service, token, text.len());
    if length <= limit {
        return Ok(());
    }
    let mut sizes: Vec<(usize, &str)> =
        data.iter().map(|(name, value)| (normal::text(value).map_or(0, |text| text.len()), name)).collect();
    sizes.sort_by(|a, b| b.cmp(a));
    let longest: Vec<String> = sizes.iter().take(3).map(|(size, name)| format!("{name} {size}")).collect();
    Err(Error::new(
        Code::TooLarge,
        format!(
            "{service}: the line would be {length} bytes, the cloud takes {limit} (cloud.line_limit); shorten it, longest members in bytes: {}",
            longest.join(", ")
        ),
    ))
}

/// The same for the login, which the options make.
pub fn measure_login(login: &Signed, limit: usize) -> Result<()> {
    let length = compose("login", None, login).len() - 1;
    if length <= limit {
        return Ok(());
    }
    let message = format!(
        "the login's line would be {length} bytes, the cloud takes {limit} (cloud.line_limit); shorten local_id or set_params"
    );
    Err(Error::new(Code::Config, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::json;

    fn members(value: Value) -> Data {
        Data::from(value.as_object().unwrap().clone())
    }

    #[test]
    fn the_line_is_the_documented_one() {
        let signed = signed(&members(json!({"a": 1})), "WERRTTTTYY").unwrap();
        assert_eq!(
            compose("in_park", Some("t0"), &signed),
            "{\"service_name\":\"in_park\",\"sign\":\"C47B71C1F4093242B761FF44682A8F0D\",\"token\":\"t0\",\"data\":{\"a\":1}}\n"
        );
        assert!(
            compose("login", None, &signed)
                .starts_with("{\"service_name\":\"login\",\"sign\":\"C47B71C1F4093242B761FF44682A8F0D\",\"data\":{")
        );
    }

    #[test]
    fn the_measure_is_the_line_to_the_byte() {
        let data = members(json!({"order_id": "A1", "remark": "备注"}));
        let signed = signed(&data, "k").unwrap();
        let token = "0123456789abcdef0123456789abcdef";
        let line = compose("in_park", Some(token), &signed);
        let length = line.len() - 1;
        assert!(measure("in_park", Some(token), &data, &signed.text, length).is_ok());
        assert!(measure("in_park", None, &data, &signed.text, length).is_ok());
        let error = measure("in_park", Some(token), &data, &signed.text, length - 1).unwrap_err();
        assert_eq!(error.code, Code::TooLarge);
        assert!(
            error.message.contains(&format!("would be {length} bytes")) && error.message.contains("remark 8"),
            "{error}"
        );
        // The wrapper takes 112 bytes plus the name: the dossier's figure.
        assert_eq!(length - signed.text.len(), 112 + "in_park".len());
    }

    #[test]
    fn the_quick_look_never_says_yes_to_a_line_that_is_too_long() {
        for value in [
            json!("A1"),
            json!("a\"b\n\u{1}京\u{7f}"),
            json!(-12),
            json!("0.10"),
            json!(null),
            json!(true),
            json!([1]),
            json!({}),
        ] {
            let members = Members::from([("order_id", value.clone()), ("备注", json!("x")), ("none", json!(null))]);
            let data = Data::from(members);
            let length = length_around("in_park", None, text(&data).unwrap().len());
            assert!(!surely_fits("in_park", &data, length - 1), "{data:?}");
            let is_plain = data.is_literal() && !matches!(value, Value::Array(_) | Value::Object(_));
            assert_eq!(surely_fits("in_park", &data, length + 32), is_plain, "{data:?}");
        }
        assert!(!surely_fits("in_park", &members(json!({"$ref": "x"})), 1024));
        let number = Members::from([("a", crate::json::parse("1e-6").unwrap())]);
        assert!(!surely_fits("in_park", &Data::from(number), 1024));
    }

    #[test]
    fn names_with_a_meaning_for_the_servers_parser_are_refused_at_any_depth() {
        assert!(signed(&members(json!({"a": [{"$ref": "$"}]})), "k").is_err());
        assert!(signed(&members(json!({"@type": "x"})), "k").is_err());
    }
}
