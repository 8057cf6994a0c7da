//! Connections of the cloud link: reads lines, gives each its own task, writes what comes of it.

use super::envelope::{self, Outcome};
use super::frames::{self, Line, Lines};
use crate::app::App;
use crate::faults::Platform::Cloud;
use crate::log;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};

/// What may pile up for a client that does not read; more is lost.
const MOST_UNREAD: usize = 64 * 1024;

/// Anything shorter can only be a heartbeat.
const SHORTEST_REQUEST: usize = 6;

/// An open connection.
pub struct Connection {
    /// Its number.
    pub id: u64,
    out: mpsc::UnboundedSender<Option<Vec<u8>>>,
    unread: Arc<AtomicUsize>,
    under_way: AtomicUsize,
    gone: Notify,
}

impl Connection {
    /// Sends a message; it is lost when too much is unread.
    pub fn send(&self, text: &str) {
        log::message("cloud", || format!("#{} -> {}", self.id, log::masked(text)));
        self.send_bytes(frames::frame(text));
    }

    fn send_bytes(&self, bytes: Vec<u8>) {
        let length = bytes.len();
        if self.unread.load(Ordering::Relaxed) + length > MOST_UNREAD {
            log::message("cloud", || format!("#{} reads nothing: lost", self.id));
            return;
        }
        self.unread.fetch_add(length, Ordering::Relaxed);
        // A closed connection reads nothing any more.
        let _ = self.out.send(Some(bytes));
    }

    /// Closes it after what was sent before.
    pub fn close(&self) {
        let _ = self.out.send(None);
    }
}

/// Takes connections until the program ends.
pub async fn serve(app: Arc<App>, listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok(_) if app.world().faults.hit(Cloud, "refuse", "").is_some() => {
                app.world().counts.add(Cloud, "connections_refused");
            }
            Ok((stream, peer)) => {
                log::event("cloud", || format!("connection from {peer}"));
                tokio::spawn(connection(app.clone(), stream));
            }
            Err(error) => {
                log::event("cloud", || format!("cannot accept: {error}"));
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn connection(app: Arc<App>, stream: TcpStream) {
    // Small messages; without effect on correctness.
    let _ = stream.set_nodelay(true);
    let (read, write) = stream.into_split();
    let (out, queue) = mpsc::unbounded_channel();
    let unread = Arc::new(AtomicUsize::new(0));
    let connection = {
        let mut world = app.world();
        world.counts.add(Cloud, "connections");
        world.cloud.next_connection += 1;
        let id = world.cloud.next_connection;
        let (unread, under_way) = (unread.clone(), AtomicUsize::new(0));
        let connection = Arc::new(Connection { id, out, unread, under_way, gone: Notify::new() });
        world.cloud.connections.insert(id, connection.clone());
        connection
    };
    tokio::spawn(writer(app.clone(), connection.clone(), write, queue, unread));
    let closed_by_us = reader(&app, &connection, read).await;
    {
        let mut world = app.world();
        world.cloud.forget(connection.id);
        world.counts.add(Cloud, if closed_by_us { "closed_by_us" } else { "closed_by_client" });
    }
    connection.close();
    log::event("cloud", || format!("#{} closed by {}", connection.id, if closed_by_us { "us" } else { "the client" }));
}

/// Reads until the end; true when we ended it.
async fn reader(app: &Arc<App>, connection: &Arc<Connection>, mut read: OwnedReadHalf) -> bool {
    let mut lines = Lines::default();
    let mut buffer = [0_u8; 4096];
    loop {
        let count = tokio::select! {
            () = connection.gone.notified() => {
                // Reads on for a moment, so that the last answer is not lost to a reset.
                let rest = async { while read.read(&mut buffer).await.is_ok_and(|count| count > 0) {} };
                let _ = tokio::time::timeout(Duration::from_millis(300), rest).await;
                return true;
            }
            count = read.read(&mut buffer) => count,
        };
        let bytes = match count {
            Ok(count) if count > 0 => &buffer[..count],
            _ => return false,
        };
        for line in lines.feed(bytes) {
            match line {
                Line::TooLong => {
                    app.world().counts.add(Cloud, "violations.overlong_lines");
                    log::event("cloud", || format!("#{} a line over 1024 bytes: thrown away", connection.id));
                }
                Line::Text(line) => {
                    let ahead = note_under_way(app, connection, &line);
                    tokio::spawn(handle(app.clone(), connection.clone(), line, ahead));
                }
            }
        }
    }
}

/// How many requests of this connection are still under way.
fn note_under_way(app: &App, connection: &Connection, line: &str) -> usize {
    if line.len() < SHORTEST_REQUEST {
        return 0;
    }
    let ahead = connection.under_way.fetch_add(1, Ordering::Relaxed);
    if ahead > 0 {
        app.world().counts.add(Cloud, "requests_overlapping");
    }
    ahead
}

async fn handle(app: Arc<App>, connection: Arc<Connection>, line: String, ahead: usize) {
    if ahead > 0 {
        // Each line has a thread of its own there: requests sent in one go overtake each other.
        tokio::time::sleep(Duration::from_millis(ahead as u64 * 7 % 4)).await;
    }
    let outcome = {
        let mut world = app.world();
        if world.faults.hit(Cloud, "silence", "").is_some() {
            Outcome::silent()
        } else {
            envelope::handle(&mut world, connection.id, &line)
        }
    };
    let delay = match &outcome.reply {
        Some(_) if outcome.service != "0x11" => app.world().faults.hit(Cloud, "delay_ms", &outcome.service),
        _ => None,
    };
    if let Some(delay) = delay {
        tokio::time::sleep(Duration::from_millis(delay.unsigned_abs())).await;
    }
    // Before the answer leaves: the client may be quick with its next request.
    if line.len() >= SHORTEST_REQUEST {
        connection.under_way.fetch_sub(1, Ordering::Relaxed);
    }
    answer(&app, &connection, outcome);
}

/// Sends the answer, unless a fault has another idea.
fn answer(app: &Arc<App>, connection: &Arc<Connection>, outcome: Outcome) {
    let service = outcome.service.as_str();
    let mut close = outcome.close;
    if let Some(text) = &outcome.reply {
        let heartbeat = service == "0x11";
        let hit = |kind: &str| if heartbeat { None } else { app.world().faults.hit(Cloud, kind, service) };
        if hit("close").is_some() {
            close = true;
        } else if hit("garbage").is_some() {
            connection.send_bytes(b"\n}{ \xff\xfe sandbox garbage\r".to_vec());
        } else if hit("drop").is_none() {
            connection.send(text);
        }
    }
    app.after(outcome.after);
    if close {
        connection.close();
    }
}

async fn writer(
    app: Arc<App>,
    connection: Arc<Connection>,
    mut write: OwnedWriteHalf,
    mut queue: mpsc::UnboundedReceiver<Option<Vec<u8>>>,
    unread: Arc<AtomicUsize>,
) {
    while let Some(Some(bytes)) = queue.recv().await {
        let split = app.world().faults.hit(Cloud, "split", "");
        let size = split.map_or(bytes.len(), |size| usize::try_from(size).unwrap_or(1).max(1));
        let mut written = Ok(());
        for piece in bytes.chunks(size.max(1)) {
            written = write.write_all(piece).await;
            if split.is_some() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            if written.is_err() {
                break;
            }
        }
        unread.fetch_sub(bytes.len(), Ordering::Relaxed);
        if written.is_err() {
            break;
        }
    }
    // The other side may be gone already.
    let _ = write.shutdown().await;
    connection.gone.notify_one();
}
