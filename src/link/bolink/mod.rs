//! The Bolink link: HTTP, one token, one long poll. An upload is an exchange in the caller's own thread; the link's thread
//! logs in and polls.

mod address;
mod message;
mod poll;
mod session;

use self::message::{Reply, Signed};
use self::session::{Phase, Session};
use crate::catalogue::{Platform, Shown};
use crate::config::Config;
use crate::error::{Code, Error, Result};
use crate::json::{Value, members};
use crate::link::dial::Cancel;
use crate::link::http::{Client, Response, Target};
use crate::link::{Link, Members, Pending, Request, RequestKind, Sink};
use crate::log::Log;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

const CONTENT_TYPE: &str = "application/json;charset=utf-8";

#[derive(Debug, Default)]
struct Counters {
    requests: AtomicU64,
    polls: AtomicU64,
    messages: AtomicU64,
    reconnects: AtomicU64,
}

/// What callers and the thread share.
struct Shared {
    session: Session,
    /// For uploads and logins.
    client: Client,
    /// For the poll, so that it can be broken off alone.
    poller: Client,
    upload: Target,
    download: Target,
    login: Signed,
    ukey: String,
    cancel: Arc<Cancel>,
    sink: Arc<dyn Sink>,
    log: Arc<Log>,
    request_timeout: Duration,
    poll_timeout: Duration,
    retry_first: Duration,
    retry_longest: Duration,
    counters: Counters,
}

impl Shared {
    fn post(&self, client: &Client, target: &Target, body: &str, deadline: Instant) -> Result<Response> {
        self.log.trace(format_args!("bolink > {}", Shown(body.as_bytes())));
        client.post(target, body, deadline)
    }

    fn trace_answer(&self, response: &Response) {
        self.log.trace(format_args!("bolink < HTTP {} {}", response.status, Shown(&response.body)));
    }

    fn lose_token(&self, number: u64) {
        if self.session.token_lost(number, || self.poller.break_off()) {
            self.log.info(format_args!("bolink: an upload's token is dead, logging in again"));
        }
    }

    /// One upload. A token that the platform does not know is a clear no: after a new login it is sent once more.
    fn exchange(&self, request: &Request, signed: &Signed) -> Result<Members> {
        self.counters.requests.fetch_add(1, Ordering::Relaxed);
        let mut is_second = false;
        loop {
            let login = self.session.login(request.deadline, || self.poller.break_off())?;
            let body = signed.body(Some(&login.token));
            let response = self.post(&self.client, &self.upload, &body, request.deadline)?;
            self.trace_answer(&response);
            match message::reply(response, request.kind == RequestKind::Answer)? {
                Reply::Members(members) => return Ok(members),
                Reply::TokenLost(words) => {
                    // A fresh one may be good, and the request what is refused (by a firewall on the way, say): others
                    // are not made to log in again for it.
                    if is_second {
                        // Of what is kept until the platform has it, an answer of ours too, it is no receipt; nor may it
                        // hold up the rest as a link that is down.
                        let is_kept = request.kind == RequestKind::Answer
                            || request
                                .interface
                                .is_some_and(|interface| interface.durable && !interface.asks_now(request.data.own()));
                        let code = if is_kept { Code::Http } else { Code::LoginRefused };
                        let refused = || Error::new(code, "Bolink refused two tokens in a row, one of them fresh");
                        return words.filter(|_| !is_kept).ok_or_else(refused);
                    }
                    self.lose_token(login.number);
                    is_second = true;
                }
            }
        }
    }
}

/// The link. Dropping it shuts it.
pub struct BolinkLink {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl std::fmt::Debug for BolinkLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bolink").field("phase", &self.shared.session.view().phase).finish_non_exhaustive()
    }
}

impl BolinkLink {
    /// Starts the link; it connects by itself. `sink` gets what the platform says, on the link's thread.
    pub fn open(config: &Config, log: Arc<Log>, sink: Arc<dyn Sink>) -> Result<BolinkLink> {
        let base = address::base(config)?;
        let cancel = Arc::new(Cancel::default());
        let client = Client::new(config, config.millis("bolink.connect_timeout_ms"), log.clone(), cancel.clone())?;
        let ukey = config.text("ukey").unwrap_or_default().to_owned();
        let shared = Arc::new(Shared {
            session: Session::new(),
            poller: client.sibling(),
            upload: client.target(&format!("{base}/upload.do"), CONTENT_TYPE)?,
            download: client.target(&format!("{base}/download.do"), CONTENT_TYPE)?,
            client,
            login: Signed::new("login", &login_data(config).into(), &ukey)?,
            ukey,
            cancel,
            sink,
            log,
            request_timeout: config.millis("bolink.request_timeout_ms"),
            poll_timeout: config.millis("bolink.poll_timeout_ms"),
            retry_first: config.millis("bolink.retry_first_ms"),
            retry_longest: config.millis("bolink.retry_longest_ms"),
            counters: Counters::default(),
        });
        let working = shared.clone();
        let thread = thread::Builder::new()
            .name("parklink-bolink".into())
            .spawn(move || {
                // A defect in a message's handling must not silence the link for good.
                while catch_unwind(AssertUnwindSafe(|| poll::run(&working))).is_err() {
                    working.log.error(format_args!("bolink: a defect of the library was caught; please report it"));
                    working.session.failed(Error::new(Code::Internal, "a defect of the library was caught"));
                    if !working.cancel.sleep(working.retry_first) {
                        break;
                    }
                }
            })
            .map_err(|error| Error::new(Code::Io, format!("the link's thread cannot be started: {error}")))?;
        Ok(BolinkLink { shared, thread: Mutex::new(Some(thread)) })
    }
}

fn login_data(config: &Config) -> Members {
    let mut data = Members::new();
    for name in ["union_id", "park_id", "local_id"] {
        if let Some(value) = config.text(name) {
            data.insert(name, value);
        }
    }
    let set_params = config.object("set_params");
    if !set_params.is_empty() {
        data.insert("set_params", Value::Object(set_params));
    }
    data
}

impl Link for BolinkLink {
    fn platform(&self) -> Platform {
        Platform::Bolink
    }

    fn begin<'a>(&'a self, mut request: Request) -> Result<Pending<'a>> {
        let shared = &*self.shared;
        if shared.cancel.is_cancelled() {
            return Err(Error::new(Code::Closed, "the handle was closed"));
        }
        // It chooses between the platforms inside the lot's software; over HTTP it means nothing.
        request.data.without_address();
        let signed = Signed::new(&request.service, &request.data, &shared.ukey)?;
        Ok(Box::new(move || shared.exchange(&request, &signed)))
    }

    fn status(&self) -> Members {
        let view = self.shared.session.view();
        let counters = &self.shared.counters;
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        members! {
            "state": view.phase.name(),
            "since": view.since,
            "last_error": view.last_error.map(|error| error.to_string()),
            "logins": view.logins,
            "requests": count(&counters.requests),
            "polls": count(&counters.polls),
            "messages": count(&counters.messages),
            "reconnects": count(&counters.reconnects),
        }
    }

    fn is_up(&self) -> bool {
        self.shared.session.view().phase == Phase::Up
    }

    fn hears(&self) -> bool {
        let view = self.shared.session.view();
        view.phase == Phase::Up && !view.is_deaf
    }

    fn shut(&self) {
        self.shared.session.close();
        self.shared.cancel.cancel();
        self.shared.client.break_off();
        self.shared.poller.break_off();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread.filter(|thread| thread.thread().id() != thread::current().id()) {
            // Its panics are caught inside.
            let _ = thread.join();
        }
    }
}

impl Drop for BolinkLink {
    fn drop(&mut self) {
        self.shut();
    }
}
