//! HTTP for the links that need it: kept connections, a deadline for every call, no thread and no name look-up on a kept
//! connection, and calls that end at once when they are no longer wanted.

mod connect;
mod exchange;
mod line;
mod proxy;
mod tls;

use self::connect::{Dialler, Shared, Sockets};
use self::line::NotSent;
use crate::config::Config;
use crate::error::{Code, Error, Result};
use crate::link::dial::Cancel;
use crate::log::{Level, Log};
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use ureq::http::Uri;
use ureq::http::header::HeaderValue;
use ureq::unversioned::transport::Transport;

const USER_AGENT: &str = concat!("parklink/", env!("CARGO_PKG_VERSION"));

/// The longest answer that is taken.
pub const LONGEST_ANSWER: usize = 16 << 20;

/// A server may close a connection that lies idle; the younger it is, the less likely that it does so just now.
const LONGEST_IDLE: Duration = Duration::from_secs(15);

/// Connections kept at most.
const MOST_IDLE: usize = 16;

/// Where requests go, prepared once.
#[derive(Debug, Clone)]
pub struct Target {
    uri: Uri,
    /// First line and headers, but for the length.
    head: Arc<str>,
}

impl Target {
    /// The address, for logs and errors.
    pub fn uri(&self) -> &Uri {
        &self.uri
    }
}

/// What a server answered.
#[derive(Debug, Clone)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
    /// The header Retry-After, as it came.
    pub retry_after: Option<String>,
}

impl Response {
    /// The body of a success; an error for every other status.
    pub fn ok(self) -> Result<Vec<u8>> {
        if (200..300).contains(&self.status) { Ok(self.body) } else { Err(self.error()) }
    }

    /// What to tell of a status that is no success.
    pub fn error(&self) -> Error {
        let advice = match (self.status, &self.retry_after) {
            (407, _) => {
                let text = "the proxy asks for a user and password (HTTP 407), or does not take those in http.proxy";
                return Error::new(Code::Proxy, text);
            }
            (_, Some(after)) => format!("; the server asks to try again after {after}"),
            (408 | 425 | 429 | 500..=599, None) => "; try again later".to_owned(),
            (300..=399, None) => "; it points elsewhere and a record is not sent there: correct the address".to_owned(),
            _ => String::new(),
        };
        let mut error = Error::new(Code::Http, format!("the platform answered HTTP {}{advice}", self.status));
        error.status = Some(self.status);
        // Seconds; a date is left to the usual pauses.
        let seconds = self.retry_after.as_ref().and_then(|after| after.trim().parse::<u32>().ok());
        error.wait = seconds.map(|seconds| Duration::from_secs(seconds.min(3600).into()));
        error
    }
}

/// A client with its own pool of connections.
#[derive(Debug)]
pub struct Client {
    shared: Arc<Shared>,
    sockets: Arc<Sockets>,
    dialler: Dialler,
    idle: Mutex<Vec<Idle>>,
    log: Arc<Log>,
}

/// A connection that waits for the next request to its server.
#[derive(Debug)]
struct Idle {
    uri: Uri,
    line: Box<dyn Transport>,
    since: Instant,
}

impl Client {
    /// A client by the options `http.*`; connecting takes at most `connect_timeout`, and ends when `cancel` is thrown.
    pub fn new(config: &Config, connect_timeout: Duration, log: Arc<Log>, cancel: Arc<Cancel>) -> Result<Client> {
        let shared = Shared {
            ways: proxy::Ways::new(config)?,
            timeout: connect_timeout,
            cancel,
            extra: config.text("http.ca_file").map(tls::read_certificates).transpose()?.unwrap_or_default(),
            tls: once_cell::sync::OnceCell::new(),
        };
        Ok(Self::build(Arc::new(shared), log))
    }

    /// Another client with the same settings, whose connections are its own.
    pub fn sibling(&self) -> Client {
        Self::build(self.shared.clone(), self.log.clone())
    }

    fn build(shared: Arc<Shared>, log: Arc<Log>) -> Client {
        let sockets = Arc::new(Sockets::default());
        let dialler = Dialler::new(shared.clone(), sockets.clone());
        Client { shared, sockets, dialler, idle: Mutex::default(), log }
    }

    /// Prepares an address to post to.
    pub fn target(&self, url: &str, content_type: &str) -> Result<Target> {
        let wrong = |why: &str| Error::new(Code::Config, format!("{url}: {why}; expected http(s)://host[:port]/path"));
        let uri: Uri = url.parse().map_err(|error| wrong(&format!("not a URL ({error})")))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => drop(self.shared.tls()?),
            _ => return Err(wrong("neither http nor https")),
        }
        if uri.host().is_none_or(str::is_empty) {
            return Err(wrong("it names no host"));
        }
        HeaderValue::from_str(content_type).map_err(|_| wrong("the content type is no header"))?;
        let head = self.head("POST", &uri, Some(content_type));
        Ok(Target { uri, head: head.into() })
    }

    /// First line and headers, but for the length.
    fn head(&self, method: &str, uri: &Uri, content_type: Option<&str>) -> String {
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let host = uri.authority().map_or("", |authority| authority.as_str());
        let mut head =
            format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {USER_AGENT}\r\nAccept: */*\r\n");
        if let Some(content_type) = content_type {
            let _ = write!(head, "Content-Type: {content_type}\r\n");
        }
        let proxy = self.shared.ways.proxy(uri).filter(|_| uri.scheme_str() == Some("http"));
        if let Some(value) = proxy.and_then(proxy::authorization) {
            let _ = write!(head, "Proxy-Authorization: {}\r\n", value.to_str().unwrap_or_default());
        }
        head
    }

    /// Sends `body` and waits for the answer, whatever its status. Whether the server may have taken it is the error's
    /// [`Fate`](crate::error::Fate).
    pub fn post(&self, target: &Target, body: &(impl AsRef<[u8]> + ?Sized), deadline: Instant) -> Result<Response> {
        self.ask("POST", target, Some(body.as_ref()), deadline)
    }

    /// The same with GET: `query` follows the address, and is never logged.
    pub fn get(&self, target: &Target, query: &str, deadline: Instant) -> Result<Response> {
        let wrong = |error| Error::new(Code::Internal, format!("a query that is no part of a URL: {error}"));
        let uri: Uri = format!("{}?{query}", target.uri).parse().map_err(wrong)?;
        let head = self.head("GET", &uri, None).into();
        self.ask("GET", &Target { uri, head }, None, deadline)
    }

    fn ask(&self, method: &str, target: &Target, body: Option<&[u8]>, deadline: Instant) -> Result<Response> {
        let started = Instant::now();
        let mut tries = 0;
        let outcome = loop {
            tries += 1;
            match self.exchange(target, body, deadline) {
                Err(ureq::Error::Other(error)) if tries < 3 && error.is::<NotSent>() => continue,
                outcome => break outcome.map_err(|error| self.explain(target, error, started)),
            }
        };
        if self.log.is_on(Level::Debug) {
            let (uri, took) = (target.uri(), started.elapsed().as_millis());
            let (host, path) = (uri.host().unwrap_or_default(), uri.path());
            match &outcome {
                Ok(response) => {
                    self.log.debug(format_args!("{method} {host}{path}: HTTP {} in {took} ms", response.status));
                }
                Err(error) => self.log.debug(format_args!("{method} {host}{path}: {error} after {took} ms")),
            }
        }
        outcome
    }

    fn exchange(
        &self,
        target: &Target,
        body: Option<&[u8]>,
        deadline: Instant,
    ) -> std::result::Result<Response, ureq::Error> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            let late = Error::new(Code::Offline, "no time was left to send it");
            return Err(ureq::Error::Other(Box::new(late)));
        }
        let mut line = match self.take_idle(&target.uri) {
            Some(line) => line,
            None => self.dialler.connect_to(&target.uri, deadline)?,
        };
        let (response, is_kept) = exchange::exchange(line.as_mut(), &target.head, body, deadline)?;
        if is_kept && line.is_open() {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            if idle.len() >= MOST_IDLE {
                idle.remove(0);
            }
            idle.push(Idle { uri: target.uri.clone(), line, since: Instant::now() });
        }
        Ok(response)
    }

    /// The youngest connection to this server that is still good.
    fn take_idle(&self, uri: &Uri) -> Option<Box<dyn Transport>> {
        loop {
            let Idle { mut line, .. } = {
                let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
                idle.retain(|one| one.since.elapsed() < LONGEST_IDLE);
                let same = |one: &Idle| one.uri.scheme() == uri.scheme() && one.uri.authority() == uri.authority();
                let at = idle.iter().rposition(same)?;
                idle.remove(at)
            };
            // Looking is a call to the system: not under the lock.
            if line.is_open() {
                return Some(line);
            }
        }
    }

    fn explain(&self, target: &Target, error: ureq::Error, started: Instant) -> Error {
        let host = target.uri().host().unwrap_or_default();
        if self.shared.cancel.is_cancelled() {
            return Error::new(Code::Closed, "the handle was closed");
        }
        let broken = |why: &dyn std::fmt::Display| {
            Error::new(Code::Broken, format!("{host}: the connection broke before the answer was complete: {why}"))
        };
        match error {
            ureq::Error::Other(other) => match other.downcast::<Error>() {
                Ok(known) => *known,
                Err(other) => Error::new(Code::Offline, format!("{host}: {other}")),
            },
            ureq::Error::Timeout(_) => {
                let took = started.elapsed().as_millis();
                Error::new(Code::Timeout, format!("{host} did not answer within {took} ms"))
            }
            // Also of TLS: connecting tells its own troubles, so this one came after the request went out.
            ureq::Error::Io(error) => broken(&error),
            ureq::Error::BodyExceedsLimit(limit) => {
                Error::new(Code::Protocol, format!("{host} answered more than {limit} bytes"))
            }
            ureq::Error::BodyStalled => broken(&"the answer stopped"),
            error => Error::new(Code::Protocol, format!("{host} answered what is not HTTP: {error}")),
        }
    }

    /// Shuts every connection: calls under way end with [`Code::Broken`] (or [`Code::Closed`] when the switch was
    /// thrown), later ones connect anew.
    pub fn break_off(&self) {
        self.sockets.shut();
    }
}
