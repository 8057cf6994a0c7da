//! The listener: receives what Bolink's open API and ETCP push, and answers with what the software answers.
//!
//! One thread serves every connection. What is not signed reaches nobody, costs little, and cannot keep signed pushes out:
//! heads, bodies and connections are bounded, and a connection that has shown no signed push is the first to go.

mod body;
mod connections;
mod push;
mod reply;
mod request;
mod tls;

pub(crate) use self::reply::problem;

use self::connections::Connections;
use self::push::Keys;
use crate::config::Config;
use crate::error::{Code, Error, Result};
use crate::inbox::Inbox;
use crate::json::members;
use crate::link::Members;
use crate::log::Log;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;
use tokio::task::LocalSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

/// Longest head of a request: a signed push needs a few hundred bytes.
const HEAD: usize = 16 << 10;

/// The listener of a handle.
pub struct Listener {
    addr: SocketAddr,
    is_tls: bool,
    counts: Arc<Counts>,
    stop: Mutex<Option<oneshot::Sender<()>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What the status tells.
#[derive(Debug, Default)]
struct Counts {
    connections: AtomicU64,
    pushes: AtomicU64,
    answered: AtomicU64,
    refused: AtomicU64,
    evicted: AtomicU64,
}

/// What all connections share.
struct Front {
    inbox: Arc<Inbox>,
    log: Arc<Log>,
    keys: Keys,
    limits: Limits,
    counts: Arc<Counts>,
    connections: Connections,
    bodies: body::Budget,
}

#[derive(Debug, Clone, Copy)]
struct Limits {
    header_timeout: Duration,
    body_timeout: Duration,
    body: usize,
}

impl Listener {
    /// Starts it when the configuration asks for it.
    pub fn open(config: &Config, log: &Arc<Log>, inbox: &Arc<Inbox>) -> Result<Option<Listener>> {
        let Some(addr) = config.text("listen.addr") else { return Ok(None) };
        let acceptor = tls::acceptor(config)?;
        let failed = |error: std::io::Error| {
            Error::new(
                Code::Io,
                format!("listen.addr: cannot listen on {addr}: {error}; expected host:port of this machine"),
            )
        };
        let socket = TcpListener::bind(addr).map_err(failed)?;
        socket.set_nonblocking(true).map_err(failed)?;
        let bound = socket.local_addr().map_err(failed)?;
        let counts = Arc::<Counts>::default();
        let (stop, stopped) = oneshot::channel();
        let is_tls = acceptor.is_some();
        let most = usize::try_from(config.number("listen.max_connections")).unwrap_or(1);
        let limits = Limits {
            header_timeout: config.millis("listen.header_timeout_ms"),
            body_timeout: config.millis("listen.body_timeout_ms"),
            body: usize::try_from(config.number("listen.max_body_bytes")).unwrap_or(0),
        };
        let keys = Keys::new(config);
        let (inbox, log, for_thread) = (inbox.clone(), log.clone(), counts.clone());
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build().map_err(failed)?;
        let run = move || {
            let front = Front {
                inbox,
                log,
                keys,
                limits,
                counts: for_thread,
                connections: Connections::new(most),
                bodies: body::Budget::default(),
            };
            let local = LocalSet::new();
            // Dropping them ends every connection at once.
            local.block_on(&runtime, accept(socket, acceptor, Rc::new(front), stopped));
        };
        let thread = thread::Builder::new().name("parklink-listener".into()).spawn(run).map_err(failed)?;
        Ok(Some(Listener {
            addr: bound,
            is_tls,
            counts,
            stop: Mutex::new(Some(stop)),
            thread: Mutex::new(Some(thread)),
        }))
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// For the status: where it listens and what it saw.
    pub fn status(&self) -> Members {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        members! {
            "addr": self.addr.to_string(),
            "tls": self.is_tls,
            "connections": count(&self.counts.connections),
            "pushes": count(&self.counts.pushes),
            "answered": count(&self.counts.answered),
            "refused": count(&self.counts.refused),
            "evicted": count(&self.counts.evicted),
        }
    }

    /// Ends it at once: the port is free and every connection closed when this returns.
    pub fn shut(&self) {
        drop(self.stop.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A panic in it was its own end; there is nothing to hand on.
            let _ = thread.join();
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.shut();
    }
}

async fn accept(
    socket: TcpListener,
    acceptor: Option<TlsAcceptor>,
    front: Rc<Front>,
    mut stopped: oneshot::Receiver<()>,
) {
    let socket = match tokio::net::TcpListener::from_std(socket) {
        Ok(socket) => socket,
        Err(error) => return front.log.error(format_args!("listener: {error}")),
    };
    loop {
        let accepted = tokio::select! {
            accepted = socket.accept() => accepted,
            _ = &mut stopped => return,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of descriptors, most often; the next try comes when some are free again.
                front.log.warn(format_args!("listener: {error}"));
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        // Without it answers wait for more to send.
        if stream.set_nodelay(true).is_err() {
            continue;
        }
        let (connection, evicted) = front.connections.add();
        front.counts.evicted.fetch_add(u64::from(evicted), Ordering::Relaxed);
        let Some(connection) = connection else { continue };
        let (serving, acceptor) = (front.clone(), acceptor.clone());
        let number = connection.number();
        let task = tokio::task::spawn_local(async move {
            let open = Open::new(&serving.counts);
            match acceptor {
                None => serve(TokioIo::new(stream), &serving, &connection).await,
                Some(acceptor) => {
                    if let Ok(Ok(stream)) = timeout(serving.limits.header_timeout, acceptor.accept(stream)).await {
                        serve(TokioIo::new(stream), &serving, &connection).await;
                    }
                }
            }
            drop(open);
        });
        front.connections.started(number, task.abort_handle());
    }
}

/// Counts an open connection for as long as it lives.
struct Open(Arc<Counts>);

impl Open {
    fn new(counts: &Arc<Counts>) -> Open {
        counts.connections.fetch_add(1, Ordering::Relaxed);
        Open(counts.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin + 'static>(
    stream: TokioIo<S>,
    front: &Rc<Front>,
    connection: &Rc<connections::Connection>,
) {
    let service =
        service_fn(|request| async { Ok::<_, Infallible>(request::respond(front, connection, request).await) });
    let served = http1::Builder::new()
        // Whoever has said all and closes its side has still pushed: that is heard, answer or not.
        .half_close(true)
        .timer(TokioTimer::new())
        .header_read_timeout(front.limits.header_timeout)
        .max_buf_size(HEAD)
        .max_headers(64)
        .serve_connection(stream, service)
        .await;
    if let Err(error) = served {
        front.log.debug(format_args!("listener: a connection ended: {error}"));
    }
}
