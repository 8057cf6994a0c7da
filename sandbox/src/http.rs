//! Answers over HTTP, and the faults they meet.

use crate::app::App;
use crate::faults::Platform;
use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::Response;
use std::time::Duration;

/// An answer as it leaves, after the faults have had their turn.
pub fn answer(status: StatusCode, text: impl Into<Body>) -> Response {
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    let json = header::HeaderValue::from_static("application/json;charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

/// An answer that never comes: the connection breaks instead.
fn broken() -> Response {
    answer(StatusCode::OK, Body::new(Broken))
}

/// A body that fails at once.
struct Broken;

impl http_body::Body for Broken {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, std::io::Error>>> {
        std::task::Poll::Ready(Some(Err(std::io::ErrorKind::ConnectionAborted.into())))
    }
}

/// Faults before a request is handled.
pub async fn faults_before(app: &App, platform: Platform, service: &str) -> Option<Response> {
    let status = {
        let mut world = app.world();
        if world.faults.hit(platform, "silence", service).is_some() {
            None
        } else {
            Some(world.faults.hit(platform, "http_status", service))
        }
    };
    match status {
        None => {
            std::future::pending::<()>().await;
            None
        }
        Some(None) => None,
        Some(Some(status)) => {
            let status = u16::try_from(status).ok().and_then(|status| StatusCode::from_u16(status).ok());
            Some(answer(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), "sandbox fault"))
        }
    }
}

/// Faults after it.
pub async fn faults_after(app: &App, platform: Platform, service: &str, text: String) -> Response {
    let (delay, broken_off, garbage) = {
        let mut world = app.world();
        let faults = &mut world.faults;
        let delay = faults.hit(platform, "delay_ms", service);
        let broken_off =
            faults.hit(platform, "drop", service).is_some() || faults.hit(platform, "close", service).is_some();
        (delay, broken_off, faults.hit(platform, "garbage", service).is_some())
    };
    if let Some(delay) = delay {
        tokio::time::sleep(Duration::from_millis(delay.unsigned_abs())).await;
    }
    if broken_off {
        broken()
    } else if garbage {
        answer(StatusCode::OK, "<html>}{ sandbox garbage")
    } else {
        answer(StatusCode::OK, text)
    }
}
