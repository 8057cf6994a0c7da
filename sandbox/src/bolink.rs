//! Bolink: HTTP with a long poll.

use crate::app::App;
use crate::faults::Platform::Bolink as Here;
use crate::http::{faults_after, faults_before};
use crate::json::{self, Members};
use crate::signed::{self, Parts};
use crate::world::{After, World};
use crate::{clock, later, log, pictures};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::Response;
use axum::routing::post;
use parklink::wire::sign;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use tokio::sync::Notify;

/// Bolink's own state.
#[derive(Default)]
pub struct Bolink {
    sessions: BTreeMap<String, Session>,
    logins: u64,
}

/// A client that logged in.
pub struct Session {
    lot: String,
    /// The client; may be empty.
    pub local_id: String,
    login: u64,
    waiting: VecDeque<Members>,
    polls: usize,
    uploads: usize,
    wake: Arc<Notify>,
}

impl Bolink {
    /// The sessions of a lot by token, newest first.
    pub fn sessions_of(&self, lot: &str) -> Vec<(&String, &Session)> {
        let mut sessions: Vec<(&String, &Session)> =
            self.sessions.iter().filter(|(_, session)| session.lot == lot).collect();
        sessions.sort_by_key(|(_, session)| std::cmp::Reverse(session.login));
        sessions
    }

    /// Puts a message where the session's next poll finds it.
    pub fn queue(&mut self, token: &str, message: Members) {
        if let Some(session) = self.sessions.get_mut(token) {
            session.waiting.push_back(message);
            session.wake.notify_waiters();
        }
    }

    /// Every token dies; open polls end.
    pub fn kill_tokens(&mut self) -> usize {
        let count = self.sessions.len();
        for session in std::mem::take(&mut self.sessions).into_values() {
            session.wake.notify_waiters();
        }
        count
    }

    /// Adds what is not a count.
    pub fn show(&self, into: &mut Value) {
        into["tokens"] = json!(self.sessions.len());
        into["polls_open"] = json!(self.sessions.values().map(|session| session.polls).sum::<usize>());
        into["clients"] = self
            .sessions
            .iter()
            .map(|(token, session)| {
                json!({
                    "park_id": session.lot,
                    "local_id": session.local_id,
                    "token": log::short(token),
                    "polls": session.polls,
                    "waiting": session.waiting.len(),
                })
            })
            .collect();
    }
}

/// The routes.
pub fn router(app: Arc<App>) -> Router {
    const MOST_BYTES: usize = 1 << 20;
    Router::new()
        .route("/bpd/upload.do", post(upload))
        .route("/bpd/download.do", post(download))
        .route("/carpicsup.do", post(pictures::receive))
        .route("/zld/carpicsup.do", post(pictures::receive))
        .layer(DefaultBodyLimit::max(MOST_BYTES))
        .with_state(app)
}

fn refusal(text: &str) -> Members {
    json::object([("state", 0.into()), ("errmsg", text.into())])
}

/// A request that is under way; leaves the count however it ends.
struct UnderWay {
    app: Arc<App>,
    token: String,
    count: fn(&mut Session) -> &mut usize,
}

impl UnderWay {
    /// Counts the request; nothing when the token is unknown.
    fn begin(app: &Arc<App>, token: &str, count: fn(&mut Session) -> &mut usize, overlapping: &str) -> Option<Self> {
        let mut world = app.world();
        let open = count(world.bolink.sessions.get_mut(token)?);
        *open += 1;
        if *open > 1 {
            world.counts.add(Here, overlapping);
        }
        Some(UnderWay { app: app.clone(), token: token.to_owned(), count })
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some(session) = self.app.world().bolink.sessions.get_mut(&self.token) {
            *(self.count)(session) -= 1;
        }
    }
}

async fn upload(State(app): State<Arc<App>>, body: Bytes) -> Response {
    let wrapper: Result<Parts, _> = serde_json::from_slice(&body);
    let Ok(wrapper) = wrapper else {
        app.world().counts.add(Here, "violations.unparsable_requests");
        return faults_after(&app, Here, "", Value::Object(refusal("data error")).to_string()).await;
    };
    let service = signed::text(&wrapper, "service_name").unwrap_or_default();
    if let Some(response) = faults_before(&app, Here, &service).await {
        return response;
    }
    let token = signed::text(&wrapper, "token").unwrap_or_default();
    let _under_way = UnderWay::begin(&app, &token, |session| &mut session.uploads, "uploads_overlapping");
    let (reply, after) = handle(&mut app.world(), &service, &wrapper);
    app.after(after);
    faults_after(&app, Here, &service, Value::Object(reply).to_string()).await
}

fn handle(world: &mut World, service: &str, wrapper: &Parts) -> (Members, Vec<After>) {
    world.counts.add(Here, format!("requests.{service}"));
    log::message("bolink", || {
        format!("<- {service} {}", wrapper.get("data").map(|data| data.get()).unwrap_or_default())
    });
    let (reply, after) = match checked(world, service, wrapper) {
        Ok(answer) => answer,
        Err(text) => {
            world.counts.add(Here, format!("refusals.{text}"));
            (refusal(text), Vec::new())
        }
    };
    log::event("bolink", || {
        let text = |name: &str| json::text(&reply, name).unwrap_or_default();
        format!("{service}: state {} {}", text("state"), text("errmsg"))
    });
    (reply, after)
}

type Answer = (Members, Vec<After>);

fn checked(world: &mut World, service: &str, wrapper: &Parts) -> Result<Answer, &'static str> {
    if service.is_empty() {
        return Err("未识别到service_name标记");
    }
    let sign = signed::text(wrapper, "sign").ok_or("未识别到sign标记")?;
    let (signed, data) = signed::data(wrapper);
    if service == "login" {
        let data = data.as_object().ok_or("data error")?;
        return Ok((login(world, data, &signed, &sign), Vec::new()));
    }
    let token = signed::text(wrapper, "token").ok_or("未识别到token标记")?;
    let session = world.bolink.sessions.get(&token).ok_or("error:token无效")?;
    let (lot, local_id) = (session.lot.clone(), session.local_id.clone());
    let ukey = world.lot(&lot).map(|lot| lot.ukey.clone()).ok_or("车场不存在")?;
    if sign::keyed(&signed, &ukey) != sign {
        return Err("error:签名错误");
    }
    let data = data.as_object().ok_or("data error")?;
    carry_out(world, service, &token, &lot, &local_id, data)
}

fn carry_out(
    world: &mut World,
    service: &str,
    token: &str,
    lot: &str,
    local_id: &str,
    data: &Members,
) -> Result<Answer, &'static str> {
    let done = |text: &str| {
        let reply = json::object([("service_name", service.into()), ("state", 1.into()), ("errmsg", text.into())]);
        Ok((reply, Vec::new()))
    };
    if service == "logout" {
        if let Some(session) = world.bolink.sessions.remove(token) {
            session.wake.notify_waiters();
        }
        return done("");
    }
    // An exit and the answer to an asynchronous result share their name; only the answer knows a trade_no.
    let is_exit = service == "outpark" && (data.contains_key("in_time") || !data.contains_key("trade_no"));
    if !is_exit && world.downlinks.answer(Here, lot, service, data) {
        return done("");
    }
    let key = later::key_of(service).and_then(|name| json::text(data, name));
    if let Some(key) = &key {
        world.counts.received(Here, lot, service, key);
    }
    if matches!(service, "inpark" | "outpark") {
        world.counts.order(Here, lot);
    }
    let Some((reply, after)) = later::handle(world, Here, lot, local_id, service, data) else {
        world.counts.add(Here, format!("unknown_services.{service}"));
        return Err("没有正确的service_name");
    };
    if let Some(key) = &key
        && matches!(reply.get("state").and_then(Value::as_i64), Some(1 | 2))
    {
        world.counts.accepted(Here, lot, service, key);
    }
    Ok((reply, after))
}

fn login(world: &mut World, data: &Members, signed: &str, given: &str) -> Members {
    let park_id = json::filled(data, "park_id").unwrap_or_default();
    let local_id = json::filled(data, "local_id").unwrap_or_default();
    let union_id = json::filled(data, "union_id").unwrap_or_default();
    world.counts.login(Here, &format!("{park_id}/{local_id}"));
    let lot = world.lot(&park_id).filter(|lot| lot.union_id == union_id).cloned();
    let refused = match lot {
        _ if park_id.is_empty() => Some("未识别到park_id标记"),
        None => Some("车场不存在"),
        Some(lot) if sign::keyed(signed, &lot.ukey) != given => Some("error:签名错误"),
        Some(_) if world.faults.hit(Here, "reject_login", "login").is_some() => Some("error:登录失败"),
        Some(_) => None,
    };
    let mut reply = match refused {
        Some(text) => {
            world.counts.add(Here, format!("logins.refused {text}"));
            refusal(text)
        }
        None => {
            world.counts.add(Here, "logins.accepted");
            let bolink = &mut world.bolink;
            let old = |session: &Session| session.lot == park_id && session.local_id == local_id;
            bolink.sessions.retain(|_, session| {
                let old = old(session);
                if old {
                    session.wake.notify_waiters();
                }
                !old
            });
            bolink.logins += 1;
            let session = Session {
                lot: park_id,
                local_id,
                login: bolink.logins,
                waiting: VecDeque::new(),
                polls: 0,
                uploads: 0,
                wake: Arc::new(Notify::new()),
            };
            let token = clock::token();
            bolink.sessions.insert(token.clone(), session);
            json::object([("state", 1.into()), ("token", token.into())])
        }
    };
    reply.insert("service_name".into(), "login".into());
    reply
}

async fn download(State(app): State<Arc<App>>, body: Bytes) -> Response {
    if let Some(response) = faults_before(&app, Here, "download").await {
        return response;
    }
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let token = body.as_object().and_then(|body| json::filled(body, "token")).unwrap_or_default();
    let text = poll(&app, token).await;
    faults_after(&app, Here, "download", Value::Object(text).to_string()).await
}

async fn poll(app: &Arc<App>, token: String) -> Members {
    let end = tokio::time::Instant::now() + app.poll_hold;
    let invalid = |world: &mut World| {
        world.counts.add(Here, "refusals.error:token无效");
        refusal("error:token无效")
    };
    app.world().counts.add(Here, "polls");
    let _open = UnderWay::begin(app, &token, |session| &mut session.polls, "polls_overlapping");
    let wake = {
        let mut world = app.world();
        let Some(session) = world.bolink.sessions.get(&token) else { return invalid(&mut world) };
        session.wake.clone()
    };
    loop {
        // Listens before it looks, so that nothing falls between.
        let woken = wake.notified();
        tokio::pin!(woken);
        woken.as_mut().enable();
        {
            let mut world = app.world();
            let Some(session) = world.bolink.sessions.get_mut(&token) else { return invalid(&mut world) };
            if let Some(message) = session.waiting.pop_front() {
                world.counts.add(Here, "polls_with_message");
                return message;
            }
        }
        if tokio::time::timeout_at(end, woken).await.is_err() {
            app.world().counts.add(Here, "polls_without_message");
            return json::object([("state", 1.into()), ("errmsg", "没有消息".into())]);
        }
    }
}
