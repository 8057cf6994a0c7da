//! A raw HTTP server on loopback: it does what a test tells it, byte by byte.
#![allow(dead_code, missing_docs)]

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Asked {
    pub line: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Asked {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).expect("a JSON body")
    }
}

/// Reads one request; `None` at the end of the connection.
pub fn read(stream: &mut impl BufRead) -> Option<Asked> {
    let mut line = String::new();
    if stream.read_line(&mut line).ok()? == 0 {
        return None;
    }
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(':') else { break };
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let mut asked = Asked { line: line.trim_end().to_owned(), headers, body: String::new() };
    let length = asked.header("content-length").map_or(0, |value| value.parse().expect("a length"));
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    asked.body = String::from_utf8(body).expect("UTF-8");
    Some(asked)
}

/// An answer of this status.
pub fn answer(status: u16, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len())
        .into_bytes()
}

/// A connection the server took.
pub struct Taken {
    pub number: usize,
    pub reader: BufReader<TcpStream>,
}

impl Taken {
    pub fn read(&mut self) -> Option<Asked> {
        read(&mut self.reader)
    }

    pub fn write(&mut self, bytes: &[u8]) {
        // The client may be gone; what matters is what it saw.
        let _ = self.reader.get_mut().write_all(bytes);
    }
}

/// The server; its threads end with the connections of the test.
pub struct Server {
    pub port: u16,
    taken: Arc<AtomicUsize>,
}

impl Server {
    /// Gives every connection, numbered from 0, to `serve` on a thread of its own.
    pub fn start(serve: impl Fn(Taken) + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let taken = Arc::new(AtomicUsize::new(0));
        let (serve, count) = (Arc::new(serve), taken.clone());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { break };
                let number = count.fetch_add(1, Ordering::SeqCst);
                let serve = serve.clone();
                thread::spawn(move || serve(Taken { number, reader: BufReader::new(stream) }));
            }
        });
        Server { port, taken }
    }

    /// Answers every request.
    pub fn answering(reply: impl Fn(&Asked) -> Vec<u8> + Send + Sync + 'static) -> Server {
        Server::start(move |mut taken| {
            while let Some(asked) = taken.read() {
                taken.write(&reply(&asked));
            }
        })
    }

    /// How many connections it took.
    pub fn connections(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}
