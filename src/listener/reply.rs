//! Answers in the shape of each platform's document.

use super::push::Refusal;
use crate::catalogue::{Interface, Platform};
use crate::inbox::Answer;
use crate::json::{Value, members};
use crate::link::Members;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};

/// What goes out.
pub type Reply = Response<Full<Bytes>>;

/// The push that is answered with a picture (API 5.4).
const PICTURE: &str = "union.get_inpark_image";

/// When a refused push may come again.
const AGAIN_IN: &str = "10";

fn with(status: StatusCode, content_type: HeaderValue, body: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(Full::new(body.into()));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, content_type);
    reply
}

fn json_of(status: StatusCode, members: &Members) -> Reply {
    with(status, HeaderValue::from_static("application/json;charset=utf-8"), members.to_string())
}

/// A no of ours, in the platform's words.
pub fn no(status: StatusCode, platform: Option<Platform>, code: i64, why: &str) -> Reply {
    let mut reply = match platform {
        Some(Platform::Etcp) => json_of(status, &members! {"code": code, "message": why}),
        _ => json_of(status, &members! {"state": 0, "errmsg": why}),
    };
    let headers = reply.headers_mut();
    match status {
        StatusCode::METHOD_NOT_ALLOWED => drop(headers.insert(ALLOW, HeaderValue::from_static("POST"))),
        StatusCode::SERVICE_UNAVAILABLE => drop(headers.insert(RETRY_AFTER, HeaderValue::from_static(AGAIN_IN))),
        StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT => {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        _ => {}
    }
    reply
}

/// A push that is not handed on.
pub fn refused(platform: Platform, refusal: &Refusal) -> Reply {
    // ETCP's values: 6 parameter error, 4 signature, 3 time.
    match refusal {
        Refusal::Shape(why) => no(StatusCode::BAD_REQUEST, Some(platform), 6, why),
        Refusal::Signature(why) => no(StatusCode::UNAUTHORIZED, Some(platform), 4, why),
        Refusal::Stale(why) => no(StatusCode::FORBIDDEN, Some(platform), 3, why),
    }
}

/// Taken, where no answer of the software's is due.
pub fn noted(platform: Platform) -> Reply {
    match platform {
        Platform::Etcp => json_of(StatusCode::OK, &members! {"code": 0, "message": "ok"}),
        _ => json_of(StatusCode::OK, &members! {"state": 1, "errmsg": ""}),
    }
}

/// The software's answer.
pub fn answer(answer: &Answer) -> Reply {
    let mut data = answer.data.clone();
    data.remove("data_target");
    let interface = answer.interface;
    let has =
        |name: &str| interface.is_some_and(|interface| interface.reply_fields.iter().any(|field| field.path == name));
    if !has("service_name") {
        data.remove("service_name");
    }
    if answer.platform == Platform::Etcp {
        data.remove("state");
        data.remove("errmsg");
    }
    if interface.is_some_and(|interface| interface.id == PICTURE) {
        return picture(&data);
    }
    json_of(StatusCode::OK, &data)
}

/// Nobody could take it now.
pub fn busy(answer: &Answer) -> Reply {
    let why = answer.data.get("errmsg").and_then(Value::as_str).unwrap_or_default();
    no(StatusCode::SERVICE_UNAVAILABLE, Some(answer.platform), 2, why)
}

/// The software has not answered in the documented time.
pub fn late(platform: Platform, interface: Option<&Interface>) -> Reply {
    let name = interface.and_then(|interface| interface.service).unwrap_or("the push");
    no(StatusCode::GATEWAY_TIMEOUT, Some(platform), 2, &format!("{name}: no answer in time, push it again"))
}

/// What base64 says; many break it into lines.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut text = text.to_owned();
    text.retain(|character| !character.is_ascii_whitespace());
    STANDARD.decode(text).ok()
}

/// What is wrong with the software's answer, beside what the catalogue's table says.
pub fn problem(answer: &Answer) -> Option<String> {
    let is_picture = answer.interface.is_some_and(|interface| interface.id == PICTURE);
    let given = answer.data.get("content_base64").filter(|given| is_picture && !given.is_null())?;
    let is_one = given.as_str().is_some_and(|text| decoded(text).is_some());
    (!is_one)
        .then(|| "content_base64: must be the picture's bytes in base64 (API 5.4), found something else".to_owned())
}

/// The picture's bytes; a no when there is none.
fn picture(data: &Members) -> Reply {
    let text = |name: &str| data.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let Some(bytes) = text("content_base64").and_then(decoded) else {
        let why = text("errmsg").unwrap_or("no picture");
        return no(StatusCode::NOT_FOUND, Some(Platform::Union), 1, why);
    };
    let content_type = text("content_type").unwrap_or("image/jpeg");
    let content_type = HeaderValue::from_str(content_type).unwrap_or(HeaderValue::from_static("image/jpeg"));
    with(StatusCode::OK, content_type, bytes)
}
