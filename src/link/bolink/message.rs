//! The texts of Bolink's HTTP mode: what is posted, and what an answer means.

use crate::catalogue::{self, Platform, Shown};
use crate::error::{Code, Error, Result};
use crate::json::{self, Value};
use crate::link::http::Response;
use crate::link::{Data, Members};
use crate::wire::{normal, sign};

/// A record, signed, that waits for a token: the signature does not cover it.
pub struct Signed {
    head: String,
    tail: String,
}

impl Signed {
    /// Signs `data` as it will be sent.
    pub fn new(service: &str, data: &Data, ukey: &str) -> Result<Signed> {
        let mut tail = String::with_capacity(512);
        tail.push_str("\"data\":");
        let begin = tail.len();
        normal::object(&mut tail, data.iter(), data.is_literal()).map_err(|number| {
            Error::new(Code::Invalid, format!("the number {} is beyond what the platform can hold", number.0))
        })?;
        let mut head = String::with_capacity(160);
        head.push_str("{\"service_name\":");
        normal::string(&mut head, service);
        head.push_str(",\"sign\":\"");
        head.push_str(&sign::keyed(&tail[begin..], ukey));
        head.push_str("\",");
        tail.push('}');
        Ok(Signed { head, tail })
    }

    /// The body of the request; a login has no token.
    pub fn body(&self, token: Option<&str>) -> String {
        let mut body = String::with_capacity(self.head.len() + self.tail.len() + 64);
        body.push_str(&self.head);
        if let Some(token) = token {
            body.push_str("\"token\":");
            normal::string(&mut body, token);
            body.push(',');
        }
        body.push_str(&self.tail);
        body
    }
}

/// The body of a poll.
pub fn poll(token: &str) -> String {
    let mut body = String::from("{\"token\":");
    normal::string(&mut body, token);
    body.push('}');
    body
}

/// What came of an upload.
#[derive(Debug, PartialEq)]
pub enum Reply {
    /// The platform's reply, whatever its state.
    Members(Members),
    /// It does not know the token, so it took nothing; its words, if it had any.
    TokenLost(Option<Members>),
}

/// Reads the answer to an upload. To answers of ours the platform may reply without words.
pub fn reply(response: Response, is_answer: bool) -> Result<Reply> {
    let value = json::received_bytes(&response.body);
    let status = response.status;
    match value {
        Ok(Value::Object(members)) if tells_of_token(&members) => Ok(Reply::TokenLost(Some(members))),
        Ok(Value::Object(members)) if tells_of_rate(&members) => Err(too_fast()),
        _ if is_token_status(status) => Ok(Reply::TokenLost(None)),
        value => {
            let body = response.ok()?;
            match value {
                Ok(Value::Object(members)) => Ok(Reply::Members(members)),
                _ if is_answer && body.trim_ascii().is_empty() => Ok(Reply::Members(Members::new())),
                _ => Err(Error::new(
                    Code::Protocol,
                    format!("Bolink answered HTTP {status} without a JSON object: {}", beginning(&body)),
                )),
            }
        }
    }
}

/// What came of a poll.
#[derive(Debug, PartialEq)]
pub enum Heard {
    /// These messages.
    Messages(Vec<Members>),
    /// No message.
    Nothing,
    /// The token is dead.
    TokenLost,
}

/// Reads the answer to a poll.
pub fn heard(response: Response) -> Result<Heard> {
    let messages = match json::received_bytes(&response.body) {
        // A charge that failed has a state and words of its own: what is named as a downlink is one.
        Ok(Value::Object(members)) if tells_of_token(&members) && !is_downlink(&members) => {
            return Ok(Heard::TokenLost);
        }
        Ok(Value::Object(members)) if tells_of_rate(&members) && !is_downlink(&members) => {
            return Err(Error { status: Some(429), ..too_fast() });
        }
        _ if is_token_status(response.status) => return Ok(Heard::TokenLost),
        // 500 is the platform's way to say that there is nothing; the other two are said by gateways on the way.
        _ if matches!(response.status, 408 | 500 | 504) => return Ok(Heard::Nothing),
        Ok(Value::Object(members)) => vec![members],
        Ok(Value::Array(items)) => items
            .into_iter()
            .filter_map(|item| if let Value::Object(members) = item { Some(members) } else { None })
            .collect(),
        _ => Vec::new(),
    };
    response.ok()?;
    let messages: Vec<_> = messages.into_iter().filter(|message| message.contains_key("service_name")).collect();
    Ok(if messages.is_empty() { Heard::Nothing } else { Heard::Messages(messages) })
}

/// The token of a login, or the reason of its refusal.
pub fn login(response: Response) -> Result<String> {
    let refused = |why: &str| {
        let advice = "check union_id, park_id, local_id and ukey";
        Err(Error::new(Code::LoginRefused, format!("Bolink refused the login: {why}; {advice}")))
    };
    if is_token_status(response.status) {
        return refused(&format!("HTTP {}", response.status));
    }
    let body = response.ok()?;
    let Some(members) = json::members_of(&body) else {
        let text = format!("Bolink answered the login without a JSON object: {}", beginning(&body));
        return Err(Error::new(Code::Protocol, text));
    };
    if tells_of_rate(&members) {
        return Err(too_fast());
    }
    match (is_state(&members, "1"), members.get("token").and_then(Value::as_str)) {
        (true, Some(token)) if !token.is_empty() => Ok(token.to_owned()),
        (true, _) => Err(Error::new(Code::Protocol, "Bolink accepted the login but gave no token")),
        (false, _) => refused(members.get("errmsg").and_then(Value::as_str).unwrap_or("without a reason")),
    }
}

fn tells_of_token(members: &Members) -> bool {
    let errmsg = members.get("errmsg").and_then(Value::as_str).unwrap_or_default();
    is_state(members, "0") && errmsg.to_ascii_lowercase().contains("token")
}

/// The flood guard of the published server: nothing was looked at, and the same is welcome later.
fn tells_of_rate(members: &Members) -> bool {
    is_state(members, "0") && members.get("errmsg").and_then(Value::as_str).is_some_and(|it| it.contains("over_times"))
}

fn too_fast() -> Error {
    Error::new(Code::RateLimited, "Bolink answered request_over_times; nothing was taken")
}

fn is_downlink(members: &Members) -> bool {
    let service = members.get("service_name").and_then(Value::as_str);
    service.is_some_and(|service| catalogue::downlink(Platform::Bolink, service, members).is_some())
}

fn is_token_status(status: u16) -> bool {
    matches!(status, 401 | 403)
}

fn is_state(members: &Members, state: &str) -> bool {
    match members.get("state") {
        Some(Value::Number(number)) => number.as_str() == state,
        Some(Value::String(text)) => text == state,
        _ => false,
    }
}

fn beginning(body: &[u8]) -> String {
    let text: String = Shown(body).to_string().chars().take(80).collect();
    if text.trim().is_empty() { "an empty body".to_owned() } else { format!("{text:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, body: &str) -> Response {
        Response { status, body: body.as_bytes().to_vec(), retry_after: None }
    }

    fn members(text: &str) -> Members {
        json::parse_members(text).unwrap().unwrap()
    }

    /// The example of the documents, with its key.
    #[test]
    fn the_documented_login_is_signed_as_documented() {
        let data = r#"{"union_id":"200208","park_id":"21835","local_id":"0071cc97102b_1001_qh321_quanhao-atest1"}"#;
        let signed = Signed::new("login", &members(data).into(), "8403A41ED5EF20BC").unwrap();
        let expected = r#"{"service_name":"login","sign":"CB649425CB5548A375099103AB04CC1E","data":"#;
        assert_eq!(signed.body(None), format!("{expected}{data}}}"));
    }

    #[test]
    fn the_token_stands_before_the_data() {
        let signed = Signed::new("inpark", &members(r#"{"money":"0.10","车":null,"n":1.50}"#).into(), "k").unwrap();
        let body = signed.body(Some("t\"1"));
        assert!(body.ends_with(r#","token":"t\"1","data":{"money":"0.10","n":1.50}}"#), "{body}");
        assert_eq!(poll("abc"), r#"{"token":"abc"}"#);
        let error = Signed::new("inpark", &members(r#"{"n":1e99999999999}"#).into(), "k").err().unwrap();
        assert_eq!(error.code, Code::Invalid);
    }

    #[test]
    fn polls() {
        for (status, body) in [
            (200, ""),
            (200, " \r\n"),
            (200, "{}"),
            (200, r#"{"state":0,"errmsg":"no message"}"#),
            (200, "[]"),
            (200, "[1,{}]"),
            (200, "null"),
            (200, "<html>"),
            (500, ""),
            (500, r#"{"service_name":"x"}"#),
            (504, "gateway"),
            (204, ""),
        ] {
            assert_eq!(heard(response(status, body)), Ok(Heard::Nothing), "{status} {body}");
        }
        let message = r#"{"service_name":"update_balance","car_number":"京A","state":0}"#;
        assert_eq!(heard(response(200, message)), Ok(Heard::Messages(vec![members(message)])));
        let two = format!("[{message},{message}]");
        assert_eq!(heard(response(200, &two)), Ok(Heard::Messages(vec![members(message), members(message)])));
        for (status, body) in [
            (401, ""),
            (403, "no"),
            (200, r#"{"state":0,"errmsg":"error:token无效"}"#),
            (500, r#"{"state":"0","errmsg":"Token"}"#),
        ] {
            assert_eq!(heard(response(status, body)), Ok(Heard::TokenLost), "{status} {body}");
        }
        for words in ["支付token已失效", "pay_over_times"] {
            let failed =
                format!(r#"{{"service_name":"outpark","state":0,"trade_no":"1","order_id":"2","errmsg":"{words}"}}"#);
            assert_eq!(heard(response(200, &failed)), Ok(Heard::Messages(vec![members(&failed)])));
        }
        let fast = heard(response(200, r#"{"state":0,"errmsg":"request_over_times"}"#)).unwrap_err();
        assert_eq!((fast.code, fast.status), (Code::RateLimited, Some(429)));
        for status in [302, 404, 502, 503] {
            assert_eq!(heard(response(status, "")).unwrap_err().code, Code::Http);
        }
    }

    #[test]
    fn replies() {
        let refusal = r#"{"state":0,"errmsg":"该订单已经存在","order_id":"1"}"#;
        assert_eq!(reply(response(200, refusal), false), Ok(Reply::Members(members(refusal))));
        assert_eq!(reply(response(200, ""), true), Ok(Reply::Members(Members::new())));
        for body in ["", "[]", "ok", "{"] {
            assert_eq!(reply(response(200, body), false).unwrap_err().code, Code::Protocol, "{body}");
        }
        assert_eq!(reply(response(200, "ok"), true).unwrap_err().code, Code::Protocol);
        assert_eq!(reply(response(500, "{}"), false).unwrap_err().code, Code::Http);
        assert_eq!(reply(response(401, ""), false), Ok(Reply::TokenLost(None)));
        let dead = r#"{"state":0,"errmsg":"token is invalid"}"#;
        assert_eq!(reply(response(200, dead), true), Ok(Reply::TokenLost(Some(members(dead)))));
        let fast = r#"{"state":0,"errmsg":"request_over_times"}"#;
        assert_eq!(reply(response(200, fast), false).unwrap_err().code, Code::RateLimited);
        assert_eq!(login(response(200, fast)).unwrap_err().code, Code::RateLimited);
    }

    #[test]
    fn logins() {
        let good = r#"{"state":1,"token":"6fadf87a5bae43b68a6ae6fc6912f61f","service_name":"login"}"#;
        assert_eq!(login(response(200, good)).unwrap(), "6fadf87a5bae43b68a6ae6fc6912f61f");
        assert_eq!(login(response(200, r#"{"state":"1","token":"t"}"#)).unwrap(), "t");
        let error = login(response(200, r#"{"state":0,"errmsg":"签名错误"}"#)).unwrap_err();
        assert_eq!(error.code, Code::LoginRefused);
        assert!(error.message.contains("签名错误"));
        assert_eq!(login(response(403, "")).unwrap_err().code, Code::LoginRefused);
        assert_eq!(login(response(200, r#"{"state":1}"#)).unwrap_err().code, Code::Protocol);
        let cut = login(response(200, &good[..60])).unwrap_err();
        assert_eq!((cut.code, cut.message.contains("6fadf87a")), (Code::Protocol, false), "{cut:?}");
        assert_eq!(login(response(200, "")).unwrap_err().code, Code::Protocol);
        assert_eq!(login(response(503, "")).unwrap_err().code, Code::Http);
    }
}
