//! The listener under load and abuse. Figures go to the output: `cargo test --test listener_flood -- --nocapture`.
#![allow(missing_docs)]

mod listener_support;

use listener_support::*;
use serde_json::json;
use std::collections::HashSet;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// 200 connections that say nothing or dribble, with room for fewer: pushes are answered as if they were not there.
#[test]
fn idle_connections_keep_no_push_out() {
    for most in [1024, 150] {
        let bench = Bench::yes(
            json!({"listen": {"max_connections": most, "header_timeout_ms": 60_000, "body_timeout_ms": 60_000}}),
        );
        let mut idle: Vec<Client> = (0..200).map(|_| bench.connect()).collect();
        for (at, client) in idle.iter_mut().enumerate() {
            match at % 3 {
                0 => {}
                1 => assert!(client.send("POST /union HTTP/1.1\r\nHost:")),
                _ => assert!(client.send("POST /union HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n{\"data")),
            }
        }
        let mut slowest = Duration::ZERO;
        let mut kept = bench.connect();
        for at in 0..100 {
            let begun = Instant::now();
            let body = union(&charged(&at.to_string()));
            let answered = if at % 2 == 0 { kept.post("/union", &body) } else { bench.push("/union", &body) };
            assert_eq!(answered.status, 200);
            slowest = slowest.max(begun.elapsed());
            idle.iter_mut().skip(at).step_by(100).for_each(|client| drop(client.reader.get_mut().write(b"x")));
        }
        println!(
            "200 idle, room for {most}: 100 pushes answered, slowest {slowest:?}, {} evicted",
            bench.status("evicted")
        );
        assert_eq!(bench.calls(), 100);
        assert_eq!(bench.status("evicted") > 0, most < 200);
    }
}

#[test]
fn ten_thousand_malformed_requests() {
    let bench = Bench::yes(json!({}));
    let good = union(&charged("1"));
    let long = "x".repeat(20_000);
    let kinds: [String; 10] = [
        "\r\n\r\n\r\n".into(),
        "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}".into(),
        "GET\r\n\r\n".into(),
        "POST /union HTTP/9.9\r\n\r\n".into(),
        "POST /union HTTP/1.1\r\nContent-Length: -1\r\n\r\n".into(),
        "POST /union HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}".into(),
        "POST /union HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".into(),
        format!("POST /union HTTP/1.1\r\nX: {long}\r\n\r\n"),
        request("/union", &good).replace("\"sign\"", "\"sigh\""),
        request("/union", &good[..good.len() - 1]),
    ];
    let begun = Instant::now();
    let port = bench.port;
    let kinds = Arc::new(kinds);
    let senders: Vec<_> = (0..8)
        .map(|sender| {
            let kinds = kinds.clone();
            thread::spawn(move || {
                for at in 0..1250 {
                    let mut client = Client::connect(port);
                    client.send(&kinds[(sender + at) % kinds.len()]);
                    if at % 2 == 0 {
                        let _ = client.reader.get_mut().shutdown(std::net::Shutdown::Write);
                        assert!(client.read().is_none_or(|answered| answered.status >= 400));
                    }
                }
            })
        })
        .collect();
    senders.into_iter().for_each(|sender| sender.join().unwrap());
    println!("10000 malformed requests in {:?}", begun.elapsed());
    assert_eq!(bench.calls(), 0);
    assert_eq!(bench.push("/union", &good).status, 200);
    assert_eq!(bench.calls(), 1);
}

/// 64 MiB: refused by its announced length before any of it is read, and in chunks as soon as it is too much.
#[test]
fn a_huge_body_is_refused_early() {
    const SIZE: usize = 64 << 20;
    let bench = Bench::yes(json!({}));
    let mut client = bench.connect();
    client.send(format!("POST /union HTTP/1.1\r\nHost: h\r\nContent-Length: {SIZE}\r\n\r\n"));
    let begun = Instant::now();
    let answered = client.read().unwrap();
    println!("64 MiB announced: HTTP {} after {:?}, no byte of it sent", answered.status, begun.elapsed());
    assert_eq!(answered.status, 413);
    for head in ["Transfer-Encoding: chunked".to_owned(), format!("Content-Length: {SIZE}")] {
        let mut client = bench.connect();
        let mut reader = Client { reader: std::io::BufReader::new(client.reader.get_ref().try_clone().unwrap()) };
        let sent = Arc::new(AtomicUsize::new(0));
        let count = sent.clone();
        let is_chunked = head.starts_with('T');
        client.send(format!("POST /union HTTP/1.1\r\nHost: h\r\n{head}\r\n\r\n"));
        let writer = thread::spawn(move || {
            let block = vec![b'x'; 64 << 10];
            while count.load(Ordering::SeqCst) < SIZE {
                let framed = match is_chunked {
                    true => [b"10000\r\n".as_slice(), &block, b"\r\n"].concat(),
                    false => block.clone(),
                };
                if !client.send(framed) {
                    break;
                }
                count.fetch_add(block.len(), Ordering::SeqCst);
            }
        });
        let answered = reader.read().unwrap();
        println!("{head}: HTTP {} after {} KiB sent", answered.status, sent.load(Ordering::SeqCst) >> 10);
        assert_eq!(answered.status, 413);
        writer.join().unwrap();
    }
    assert_eq!(bench.calls(), 0);
    assert_eq!(bench.push("/union", &union(&charged("1"))).status, 200);
}

/// 2,000 pushes over 50 connections, each of them twice: every one is heard once and answered twice.
#[test]
fn a_burst_of_two_thousand_pushes() {
    let dir = std::env::temp_dir().join(format!("parklink-burst-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&dir);
    for (name, options) in [("in memory", json!({})), ("on disk", json!({"store": {"dir": dir.to_str().unwrap()}}))] {
        let bench = Bench::yes(options);
        let begun = Instant::now();
        let port = bench.port;
        let senders: Vec<_> = (0..50)
            .map(|sender| {
                thread::spawn(move || {
                    let mut client = Client::connect(port);
                    for at in 0..80 {
                        // Two senders share each push.
                        let number = (sender / 2) * 80 + at;
                        let answered = client.post("/union", &union(&charged(&number.to_string())));
                        assert_eq!((answered.status, &answered.json()["trade_no"]), (200, &json!(number.to_string())));
                    }
                })
            })
            .collect();
        senders.into_iter().for_each(|sender| sender.join().unwrap());
        let took = begun.elapsed();
        println!("2000 pushes, each twice, {name}: {took:?}, {:.0} answers a second", 4000.0 / took.as_secs_f64());
        let heard = bench.heard.lock().unwrap();
        let numbers: HashSet<_> = heard.iter().map(|event| event["data"]["trade_no"].to_string()).collect();
        assert_eq!((heard.len(), numbers.len()), (2000, 2000));
        drop(heard);
        bench.close();
    }
    let _ = std::fs::remove_dir_all(dir);
}

/// 2,000 connections at once, one push each: more than the room for connections, and none is lost for a sender that
/// tries again as the platform does.
#[test]
fn more_connections_than_room() {
    let bench = Bench::yes(json!({"listen": {"max_connections": 64}}));
    let port = bench.port;
    let retries = Arc::new(AtomicUsize::new(0));
    let senders: Vec<_> = (0..20)
        .map(|sender| {
            let retries = retries.clone();
            thread::spawn(move || {
                let mut clients: Vec<(usize, Client)> =
                    (0..100).map(|at| (sender * 100 + at, Client::connect(port))).collect();
                while let Some((number, mut client)) = clients.pop() {
                    let sent = client.send(request("/union", &union(&charged(&number.to_string()))));
                    match client.read().filter(|_| sent) {
                        Some(answered) => assert_eq!(answered.status, 200),
                        None => {
                            retries.fetch_add(1, Ordering::SeqCst);
                            clients.push((number, Client::connect(port)));
                        }
                    }
                }
            })
        })
        .collect();
    senders.into_iter().for_each(|sender| sender.join().unwrap());
    println!("2000 connections, room for 64: all answered, {} came again", retries.load(Ordering::SeqCst));
    assert_eq!(bench.calls(), 2000);
}
