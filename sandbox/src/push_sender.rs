//! Sends pushes, again and again as documented.

use crate::app::App;
use crate::pushes::{Came, PAUSES, Post, TIME_OUT};
use axum::body::Bytes;
use axum::http::{Request, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::sync::Arc;
use std::time::Duration;

type Http = Client<HttpConnector, Full<Bytes>>;

/// The most bytes of an answer; a picture may be one.
const MOST_BYTES: usize = 8 << 20;

/// Sends all pushes there will be.
pub async fn run(app: Arc<App>) {
    let http: Http = Client::builder(TokioExecutor::new()).build_http();
    let wake = app.world().pushes.wake.clone();
    loop {
        let waiting = app.world().pushes.take();
        for (id, delay) in waiting {
            tokio::spawn(deliver(app.clone(), http.clone(), id, delay));
        }
        wake.notified().await;
    }
}

async fn deliver(app: Arc<App>, http: Http, id: u64, delay: Duration) {
    tokio::time::sleep(delay).await;
    for attempt in 0..=PAUSES.len() {
        let Some((platform, service, post)) = app.world().pushes.post(id) else { return };
        let came = send(&http, &post).await;
        let (again, is_answered) = app.world().pushes.note(id, came, attempt == PAUSES.len());
        if is_answered {
            let copies = app.world().faults.hit(platform, "push_again", &service).unwrap_or(0);
            for _ in 0..copies {
                let came = send(&http, &post).await;
                app.world().pushes.note(id, came, true);
            }
        }
        let Some(pause) = PAUSES.get(attempt).filter(|_| again) else { return };
        let speed = app.world().pushes.speed.max(1);
        tokio::time::sleep(Duration::from_secs(*pause) / speed).await;
    }
}

async fn send(http: &Http, post: &Post) -> Came {
    let request = Request::post(&post.url).header(header::CONTENT_TYPE, post.content_type);
    let request = match request.body(Full::new(Bytes::from(post.body.clone()))) {
        Ok(request) => request,
        Err(error) => return Came::Nothing(error.to_string()),
    };
    let exchange = async {
        let response = http.request(request).await.map_err(|error| error.to_string())?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), MOST_BYTES).collect().await.map_err(|error| error.to_string())?;
        Ok::<_, String>(Came::Answer(status, body.to_bytes().to_vec()))
    };
    match tokio::time::timeout(TIME_OUT, exchange).await {
        Ok(Ok(came)) => came,
        Ok(Err(error)) => Came::Nothing(error),
        Err(_) => Came::Nothing(format!("no answer within {} s", TIME_OUT.as_secs())),
    }
}
