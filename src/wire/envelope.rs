//! The envelope of Bolink's open HTTP API: `data`, its signature, and the members that stand beside them.

use super::sign;
use crate::json::{self, Members, Value};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// The body of a call. `data` is signed exactly as it is written into the body.
pub fn write(data: &str, key: &str, beside: &[(&str, Value)]) -> String {
    let mut body = format!("{{\"data\":{data},\"sign\":\"{}\"", sign::keyed(data, key));
    for (name, value) in beside {
        body.push_str(&format!(",{}:{value}", Value::from(*name)));
    }
    body.push('}');
    body
}

/// Why a received body is not handed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Not a JSON object, or without what the envelope needs.
    Shape(&'static str),
    /// It has no signature.
    Unsigned,
    /// Its signature is another's.
    Forged,
}

/// A received envelope whose signature was found right.
#[derive(Debug, Clone, PartialEq)]
pub struct Received {
    /// What stands in `data`: an object, or a list (API 9.1).
    pub data: Value,
    /// What stands beside it, without the signature.
    pub beside: Members,
}

/// Reads a body and checks its signature over the text of `data` as it was received.
pub fn read(body: &str, key: &str) -> Result<Received, Fault> {
    let parts: BTreeMap<String, Box<RawValue>> =
        serde_json::from_str(body).map_err(|_| Fault::Shape("the body is no JSON object"))?;
    let sign = match parts.get("sign").map(|sign| serde_json::from_str::<String>(sign.get())) {
        Some(Ok(sign)) if !sign.is_empty() => sign,
        _ => return Err(Fault::Unsigned),
    };
    let raw = parts.get("data").ok_or(Fault::Shape("the body has no data"))?.get();
    let mut text = raw;
    // Some write the object as its text; that text is then what was signed.
    let unwrapped: Option<String> = raw.starts_with('"').then(|| serde_json::from_str(raw).ok()).flatten();
    if let Some(inner) = &unwrapped {
        text = inner;
    }
    if !sign::is_same(&sign, &sign::keyed(text, key)) {
        return Err(Fault::Forged);
    }
    let data = json::received(text).map_err(|_| Fault::Shape("data is no JSON"))?;
    if !data.is_object() && !data.is_array() {
        return Err(Fault::Shape("data is neither an object nor a list"));
    }
    let mut beside = Members::new();
    for (name, value) in parts.iter().filter(|(name, _)| !matches!(name.as_str(), "data" | "sign")) {
        let value = json::received(value.get()).map_err(|_| Fault::Shape("the body is no JSON object"))?;
        beside.insert(name.clone(), value);
    }
    Ok(Received { data, beside })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "NQ0eSXs720170114";
    const DATA: &str = r#"{"park_id":"1001","name":"北京上地三街9号院停车场","address":"北京上地三街9号","phone":"139000334443","lng":"123.994449","city_id":110000,"lat":"332.466666","total_plot":90,"empty_plot":56,"union_id":10001,"price_desc":"2元每小时","rand":"0.210354312785198048"}"#;

    #[test]
    fn the_documents_vector_is_written_and_read() {
        let body = write(DATA, KEY, &[("union_id", Value::from(10001))]);
        assert_eq!(body, format!(r#"{{"data":{DATA},"sign":"F2BA9A4E4362E2C41676FC720B14290C","union_id":10001}}"#));
        let received = read(&body, KEY).unwrap();
        assert_eq!(received.data["rand"], "0.210354312785198048");
        assert_eq!(Value::Object(received.beside), serde_json::json!({"union_id": 10001}));
    }

    #[test]
    fn blanks_around_data_are_not_signed_and_blanks_inside_are() {
        let data = "{ \"a\" : 1.0 }";
        let body = format!(" {{\"sign\" : \"{}\" ,\"data\" :  {data}  }} ", sign::keyed(data, KEY));
        assert_eq!(read(&body, KEY).unwrap().data.to_string(), "{\"a\":1.0}");
        let text = Value::from(data).to_string();
        assert!(read(&format!("{{\"sign\":\"{}\",\"data\":{text}}}", sign::keyed(data, KEY)), KEY).is_ok());
    }

    #[test]
    fn a_body_with_any_byte_flipped_is_refused() {
        let body = write(DATA, KEY, &[]);
        for at in 0..body.len() {
            for bit in 0..8 {
                let mut bytes = body.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                let Ok(text) = String::from_utf8(bytes) else { continue };
                assert!(read(&text, KEY).is_err(), "byte {at}, bit {bit}");
            }
        }
        for at in 0..KEY.len() {
            let mut key = KEY.as_bytes().to_vec();
            key[at] ^= 1;
            assert_eq!(read(&body, std::str::from_utf8(&key).unwrap()), Err(Fault::Forged));
        }
    }

    #[test]
    fn what_is_missing_is_told_apart() {
        for body in ["", "[]", "{\"data\":{}", "7", "{\"sign\":\"A\"}"] {
            assert!(matches!(read(body, KEY), Err(Fault::Shape(_))), "{body}");
        }
        for body in ["{\"data\":{}}", "{\"data\":{},\"sign\":\"\"}", "{\"data\":{},\"sign\":null}"] {
            assert_eq!(read(body, KEY), Err(Fault::Unsigned), "{body}");
        }
        let number = format!("{{\"data\":7,\"sign\":\"{}\"}}", sign::keyed("7", KEY));
        assert!(matches!(read(&number, KEY), Err(Fault::Shape(_))));
    }
}
