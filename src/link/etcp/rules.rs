//! Rules of ETCP's document that its tables cannot say.

use crate::catalogue::Interface;
use crate::json::Value;
use crate::link::Members;
use chrono::NaiveDateTime;

/// What is wrong with a call's members, beside what the catalogue's table says.
pub fn problems(interface: &Interface, members: &Members) -> Vec<String> {
    let text = |name: &str| match members.get(name) {
        Some(Value::String(text)) if !text.trim().is_empty() => Some(text.to_string()),
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => None,
    };
    let mut problems = Vec::new();
    let section = interface.section;
    match interface.id {
        "etcp.bindcar" | "etcp.unbindcar" | "etcp.orderunpay" => {
            // Blank too; that it is there at all is the table's rule.
            let plate = members.get("plateNumber").and_then(Value::as_str).map(str::trim);
            let length = plate.map(|plate| plate.chars().count());
            if let Some((plate, length)) = plate.zip(length).filter(|(_, length)| !(7..=8).contains(length)) {
                problems.push(format!(
                    "plateNumber: 7 characters, or 8 of a new-energy car ({section}), found {length}: {plate}"
                ));
            }
            // A plate is its text and its colour: a blank is no colour, and leaving it out means blue.
            if members.get("plateColor").and_then(Value::as_str).is_some_and(|colour| colour.trim().is_empty()) {
                problems.push(format!("plateColor: 1, 2, 3 or 4 ({section}), blank; leave it out for 1 (blue)"));
            }
        }
        "etcp.orderpaid" => {
            if let Some(payment) = text("payment")
                && !is_amount(&payment)
            {
                problems.push(format!("payment: must be an amount in yuan as 8.0 ({section}), found {payment}"));
            }
            if let Some(time) = members.get("payTime").filter(|time| !time.is_null())
                && !time.as_str().is_some_and(is_time)
            {
                problems.push(format!("payTime: must be as 2017-06-12 09:58:58 ({section}), found {time}"));
            }
        }
        "etcp.surroundingparking" => {
            let by_position = text("lat").is_some() || text("lon").is_some();
            match (by_position, text("city").is_some()) {
                (true, true) => problems.push(format!("city: either a position or a city, not both ({section})")),
                (false, false) => problems.push(format!("lat, lon: a position or a city is needed ({section})")),
                _ => {}
            }
            if by_position {
                for name in ["lat", "lon", "radius"] {
                    if text(name).is_none() {
                        problems.push(format!("{name}: required with a position ({section}), missing"));
                    }
                }
                if let Some(radius) = text("radius")
                    && !radius.parse::<u32>().is_ok_and(|metres| (500..=3000).contains(&metres))
                {
                    problems.push(format!("radius: 500 to 3000 metres ({section}), found {radius}"));
                }
            }
        }
        _ => {}
    }
    problems
}

/// yyyy-MM-dd HH:mm:ss, and a time that exists.
fn is_time(text: &str) -> bool {
    const FORMAT: &str = "%Y-%m-%d %H:%M:%S";
    // What is read may be written with fewer digits; the document's form has all of them.
    NaiveDateTime::parse_from_str(text, FORMAT).is_ok_and(|time| time.format(FORMAT).to_string() == text)
}

/// Digits, perhaps a dot and digits; more than nothing.
fn is_amount(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole) && digits(fraction) && text.bytes().any(|byte| matches!(byte, b'1'..=b'9'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::by_id;
    use crate::json::{json, members};

    fn is_fine(id: &str, members: Value) -> bool {
        problems(by_id(id).unwrap(), members.as_object().unwrap()).is_empty()
    }

    #[test]
    fn plates_have_seven_or_eight_characters() {
        for (plate, fine) in
            [("渝B757D0", true), ("京AD12345", true), ("京F4326", false), ("京AD123456", false), ("", false)]
        {
            for id in ["etcp.bindcar", "etcp.unbindcar", "etcp.orderunpay"] {
                assert_eq!(is_fine(id, json!({"plateNumber": plate})), fine, "{id} {plate}");
            }
        }
    }

    #[test]
    fn parks_are_searched_by_position_or_by_city() {
        let fine = [
            json!({"lat": "39.8", "lon": "116.4", "radius": "500"}),
            json!({"lat": "39.8", "lon": "116.4", "radius": 3000, "city": ""}),
            json!({"city": "北京市", "scrollId": ""}),
        ];
        let wrong = [
            json!({}),
            json!({"lat": "39.87274", "lon": "116.429718", "radius": "500", "payType": "1", "city": "北京市", "scrollId": ""}),
            json!({"lat": "39.8", "lon": "116.4"}),
            json!({"lat": "39.8", "radius": "500"}),
            json!({"lat": "39.8", "lon": "116.4", "radius": "499"}),
            json!({"lat": "39.8", "lon": "116.4", "radius": "3001"}),
        ];
        assert!(fine.into_iter().all(|members| is_fine("etcp.surroundingparking", members)));
        assert!(!wrong.into_iter().any(|members| is_fine("etcp.surroundingparking", members)));
    }

    #[test]
    fn colours_and_times_are_never_blank() {
        assert!(is_fine("etcp.bindcar", json!({"plateNumber": "渝B757D0"})));
        assert!(!is_fine("etcp.bindcar", json!({"plateNumber": "渝B757D0", "plateColor": ""})));
        for (time, fine) in
            [("2017-06-12 09:58:58", true), ("2017-6-12 9:58:58", false), ("2017-13-12 09:58:58", false), ("", false)]
        {
            assert_eq!(is_fine("etcp.orderpaid", json!({"payTime": time})), fine, "{time}");
        }
    }

    #[test]
    fn amounts_are_decimal_text() {
        let number = |text: &str| Value::Number(text.into());
        for fine in [json!("8.0"), json!("8"), json!("0.01"), number("8.00")] {
            assert!(is_fine("etcp.orderpaid", Value::Object(members! {"payment": &fine})), "{fine}");
        }
        for wrong in [json!("-1"), json!("0.00"), json!("8."), json!(".5"), json!("1e3"), number("1e3"), json!("8元")]
        {
            assert!(!is_fine("etcp.orderpaid", Value::Object(members! {"payment": &wrong})), "{wrong}");
        }
    }
}
