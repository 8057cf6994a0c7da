//! How a connection is made: dialled by name (ureq looks nothing up), through the proxy where there is one, with TLS on top.

use super::exchange;
use super::line::{Line, NotSent};
use super::proxy::Ways;
use super::tls::{self, Tls};
use crate::error::{Code, Error, Result};
use crate::link::dial::{Cancel, dial};
use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use std::io;
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};
use ureq::Proxy;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    ConnectProxyConnector, ConnectionDetails, Connector, NextTimeout, Transport, TransportAdapter,
};

/// What all clients of one configuration share.
#[derive(Debug)]
pub struct Shared {
    /// The ways to the servers.
    pub ways: Ways,
    /// How long a connection may take.
    pub timeout: Duration,
    /// Thrown at the end.
    pub cancel: Arc<Cancel>,
    /// Certificates from `http.ca_file`.
    pub extra: Vec<CertificateDer<'static>>,
    /// Made when the first https target is.
    pub tls: once_cell::sync::OnceCell<Arc<ClientConfig>>,
}

impl Shared {
    /// The settings of TLS.
    pub fn tls(&self) -> Result<&Arc<ClientConfig>> {
        self.tls.get_or_try_init(|| tls::configuration(&self.extra))
    }
}

/// Every socket that lives, to be shut from outside.
#[derive(Debug, Default)]
pub struct Sockets(Mutex<Vec<Weak<TcpStream>>>);

impl Sockets {
    fn add(&self, stream: &Arc<TcpStream>) {
        let mut sockets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sockets.retain(|socket| socket.strong_count() > 0);
        sockets.push(Arc::downgrade(stream));
    }

    /// Shuts them; whoever reads or writes one returns at once.
    pub fn shut(&self) {
        let sockets = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for socket in sockets.iter().filter_map(Weak::upgrade) {
            // It may be closed already.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

/// Looks nothing up: names are looked up where it is dialled, on a thread that can be left behind.
#[derive(Debug)]
pub struct NoLookUp;

impl Resolver for NoLookUp {
    fn resolve(
        &self,
        _: &Uri,
        _: &ureq::config::Config,
        _: NextTimeout,
    ) -> std::result::Result<ResolvedSocketAddrs, ureq::Error> {
        Ok(self.empty())
    }
}

/// Makes the connections of one client.
#[derive(Debug, Clone)]
pub struct Dialler {
    shared: Arc<Shared>,
    sockets: Arc<Sockets>,
}

impl Dialler {
    /// Connections with these settings, noted in `sockets`.
    pub fn new(shared: Arc<Shared>, sockets: Arc<Sockets>) -> Self {
        Dialler { shared, sockets }
    }

    /// A connection for requests to `uri`. Every failure in here means that nothing of the request was sent.
    pub fn connect_to(&self, uri: &Uri, deadline: Instant) -> std::result::Result<Box<dyn Transport>, ureq::Error> {
        let config = ureq::config::Config::default();
        let now = ureq::unversioned::transport::time::Instant::now;
        let details = ConnectionDetails {
            uri,
            addrs: NoLookUp.empty(),
            config: &config,
            request_level: false,
            resolver: &NoLookUp,
            now: now(),
            // The option is for all of it: dialling, the proxy, TLS.
            timeout: exchange::left(deadline.min(Instant::now() + self.shared.timeout))?,
            current_time: Arc::new(now),
            run_connector: Arc::new(|_: &ConnectionDetails| Err(ureq::Error::ConnectionFailed)),
            register_shutdown: Arc::new(|_| Ok(())),
        };
        self.connect(&details, None)?.ok_or(ureq::Error::ConnectionFailed)
    }

    /// A socket to the host of `uri`; `until` bounds it besides the option.
    fn dial(&self, uri: &Uri, until: Option<Instant>) -> io::Result<Arc<TcpStream>> {
        let left = until.map_or(Duration::MAX, |until| until.saturating_duration_since(Instant::now()));
        let (host, port) = address(uri);
        let stream = Arc::new(dial(host, port, left.min(self.shared.timeout), &self.shared.cancel)?);
        self.sockets.add(&stream);
        // Whoever threw it just before may have missed this socket.
        if self.shared.cancel.is_cancelled() {
            return Err(io::Error::new(io::ErrorKind::Interrupted, "closed while connecting"));
        }
        Ok(stream)
    }

    fn tunnel(
        &self,
        details: &ConnectionDetails,
        proxy: &Proxy,
        until: Option<Instant>,
    ) -> std::result::Result<Box<dyn Transport>, ureq::Error> {
        let failed = |error: &ureq::Error| {
            let why = match error {
                ureq::Error::ConnectProxyFailed(reason) if reason.contains("407") => {
                    "it asks for a user and password (HTTP 407), or does not take those in http.proxy".to_owned()
                }
                ureq::Error::ConnectProxyFailed(reason) => reason.replace("proxy server", "it"),
                ureq::Error::Timeout(_) => "it did not answer in time".to_owned(),
                error => error.to_string(),
            };
            proxy_error(proxy, &why)
        };
        let config = ureq::config::Config::builder().proxy(Some(proxy.clone())).user_agent(super::USER_AGENT).build();
        let to_proxy = self.clone();
        let scheme_is_tls = proxy.protocol() == ureq::ProxyProtocol::Https;
        let tunnel = ConnectionDetails {
            uri: details.uri,
            addrs: details.resolver.empty(),
            config: &config,
            request_level: details.request_level,
            resolver: details.resolver,
            now: details.now,
            timeout: remaining(details.timeout, until),
            current_time: details.current_time.clone(),
            run_connector: Arc::new(move |details: &ConnectionDetails| {
                let stream = to_proxy.dial(details.uri, until)?;
                let line = Box::new(Line::new(stream, None));
                if scheme_is_tls { to_proxy.wrap(details, line, until) } else { Ok(line) }
            }),
            register_shutdown: details.register_shutdown.clone(),
        };
        match ConnectProxyConnector::default().connect(&tunnel, None::<Box<dyn Transport>>) {
            Ok(Some(transport)) => Ok(transport.boxed()),
            Ok(None) => Err(ureq::Error::ConnectionFailed),
            Err(error) => Err(ureq::Error::Other(Box::new(failed(&error)))),
        }
    }

    fn wrap(
        &self,
        details: &ConnectionDetails,
        line: Box<dyn Transport>,
        until: Option<Instant>,
    ) -> std::result::Result<Box<dyn Transport>, ureq::Error> {
        let host = details.uri.host().unwrap_or_default();
        let config = self.shared.tls().map_err(|error| ureq::Error::Other(Box::new(error)))?;
        let mut adapter = TransportAdapter::new(line, details.current_time.clone());
        adapter.set_timeout(remaining(details.timeout, until));
        match Tls::new(config.clone(), host, adapter) {
            Ok(tls) => Ok(Box::new(tls)),
            Err(error) => match tls::explain(host, &error) {
                Some(explained) => Err(ureq::Error::Other(Box::new(explained))),
                None => Err(error.into()),
            },
        }
    }

    fn make(
        &self,
        details: &ConnectionDetails,
        until: Option<Instant>,
    ) -> std::result::Result<Box<dyn Transport>, ureq::Error> {
        let proxied = |error: io::Error, proxy: &Proxy| -> ureq::Error {
            ureq::Error::Other(Box::new(proxy_error(proxy, &error.to_string())))
        };
        let line = match self.shared.ways.proxy(details.uri) {
            None => Box::new(Line::new(self.dial(details.uri, until)?, None)),
            Some(proxy) if details.needs_tls() => self.tunnel(details, proxy, until)?,
            // Many proxies refuse CONNECT to port 80; what they forward has the whole URL in its first line.
            Some(proxy) => {
                let stream = self.dial(proxy.uri(), until).map_err(|error| proxied(error, proxy))?;
                let authority = details.uri.authority().map_or("", |authority| authority.as_str());
                let prefix = format!("http://{authority}");
                if proxy.protocol() == ureq::ProxyProtocol::Https {
                    return Err(proxied(io::Error::other("an https proxy is taken for https addresses only"), proxy));
                }
                Box::new(Line::new(stream, Some(prefix)))
            }
        };
        if details.needs_tls() { self.wrap(details, line, until) } else { Ok(line) }
    }
}

impl Connector for Dialler {
    type Out = Box<dyn Transport>;

    /// Every failure in here means that nothing of the request was sent.
    fn connect(
        &self,
        details: &ConnectionDetails,
        _: Option<()>,
    ) -> std::result::Result<Option<Self::Out>, ureq::Error> {
        let until = (!details.timeout.after.is_not_happening()).then(|| Instant::now() + *details.timeout.after);
        self.make(details, until).map(Some).map_err(|error| {
            let (host, port) = address(details.uri);
            let why = match error {
                ureq::Error::Other(known) if known.is::<Error>() => return ureq::Error::Other(known),
                ureq::Error::Other(other) => match other.downcast::<NotSent>() {
                    Ok(not_sent) => not_sent.0.to_string(),
                    Err(other) => other.to_string(),
                },
                ureq::Error::Io(error) => error.to_string(),
                ureq::Error::Timeout(_) => "the handshake was not answered in time".into(),
                error => error.to_string(),
            };
            let offline = Error::new(Code::Offline, format!("cannot connect to {host}:{port}: {why}"));
            ureq::Error::Other(Box::new(offline))
        })
    }
}

fn remaining(mut timeout: NextTimeout, until: Option<Instant>) -> NextTimeout {
    if let Some(until) = until {
        let left = until.saturating_duration_since(Instant::now());
        timeout.after = ureq::unversioned::transport::time::Duration::Exact(left);
    }
    timeout
}

fn proxy_error(proxy: &Proxy, why: &str) -> Error {
    let (host, port) = (proxy.host(), proxy.port());
    Error::new(Code::Proxy, format!("proxy {host}:{port}: {why}; nothing was sent around it (http.proxy)"))
}

fn address(uri: &Uri) -> (&str, u16) {
    let default = if uri.scheme_str() == Some("https") { 443 } else { 80 };
    (uri.host().unwrap_or_default(), uri.port_u16().unwrap_or(default))
}
