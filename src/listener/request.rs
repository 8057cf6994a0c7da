//! One request, from its head to its answer.

use super::connections::Connection;
use super::push::Push;
use super::reply::{self, Reply};
use super::{Front, body};
use crate::catalogue::Platform;
use crate::inbox::Heard;
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::{Method, Request, StatusCode};
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// Of the documented time this share is the software's; the rest is the way.
const SHARE: (u32, u32) = (9, 10);

/// Pushes that the catalogue does not know get the time of those it does.
const USUAL: Duration = Duration::from_secs(5);

/// Answers a request; never fails.
pub async fn respond(front: &Front, connection: &Connection, request: Request<Incoming>) -> Reply {
    let path = request.uri().path().to_owned();
    let Some((platform, name)) = front.keys.platform(&path) else {
        return refuse(front, reply::no(StatusCode::NOT_FOUND, None, 6, "nothing is received at this path"));
    };
    if request.method() != Method::POST {
        let why = "pushes come with POST";
        return refuse(front, reply::no(StatusCode::METHOD_NOT_ALLOWED, Some(platform), 6, why));
    }
    let kind = match content_type(&request) {
        Some(kind) if kind == Kind::Json || platform == Platform::Etcp => kind,
        _ => {
            let why = "the content type is not application/json";
            return refuse(front, reply::no(StatusCode::UNSUPPORTED_MEDIA_TYPE, Some(platform), 6, why));
        }
    };
    let bytes = match body::read(request.into_body(), front.limits, &front.bodies).await {
        Ok(bytes) => bytes,
        Err((status, why)) => return refuse(front, reply::no(status, Some(platform), 6, why)),
    };
    let Ok(text) = String::from_utf8(bytes) else {
        return refuse(front, reply::no(StatusCode::BAD_REQUEST, Some(platform), 6, "the body is not UTF-8"));
    };
    match front.keys.read(platform, name, &text, kind == Kind::Form) {
        Ok(push) => {
            drop(text);
            let _busy = connection.busy();
            ask(front, platform, push).await
        }
        Err(refusal) => {
            front.log.debug(format_args!("listener: a push for {} refused: {refusal:?}", platform.name()));
            refuse(front, reply::refused(platform, &refusal))
        }
    }
}

fn refuse(front: &Front, reply: Reply) -> Reply {
    front.counts.refused.fetch_add(1, Ordering::Relaxed);
    reply
}

/// Hands a push to the inbox and waits for what it gets.
async fn ask(front: &Front, platform: Platform, push: Push) -> Reply {
    front.counts.pushes.fetch_add(1, Ordering::Relaxed);
    let documented = push.interface.map(|interface| Duration::from_millis(interface.deadline_ms.into()));
    let patience = documented.filter(|time| !time.is_zero()).unwrap_or(USUAL) * SHARE.0 / SHARE.1;
    let (responder, heard) = oneshot::channel();
    front.inbox.ask(platform, push.message, responder);
    let reply = match timeout(patience, heard).await {
        Ok(Ok(Heard::Answer(answer))) => reply::answer(&answer),
        Ok(Ok(Heard::Noted)) => reply::noted(platform),
        Ok(Ok(Heard::Refused(answer))) => return reply::busy(&answer),
        Ok(Err(_)) | Err(_) => return reply::late(platform, push.interface),
    };
    front.counts.answered.fetch_add(1, Ordering::Relaxed);
    reply
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Json,
    Form,
}

/// What the body is by its head. JSON is often sent as plain text, or without a type.
fn content_type(request: &Request<Incoming>) -> Option<Kind> {
    let Some(told) = request.headers().get(CONTENT_TYPE) else { return Some(Kind::Json) };
    let told = told.to_str().ok()?.split(';').next()?.trim().to_ascii_lowercase();
    match told.as_str() {
        "" | "application/json" | "text/json" | "text/plain" => Some(Kind::Json),
        "application/x-www-form-urlencoded" => Some(Kind::Form),
        _ => None,
    }
}
