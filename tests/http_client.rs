//! The HTTP client against raw servers.

mod http_support;

use http_support::{Server, answer, read};
use parklink::config::{Config, Unknown};
use parklink::error::{Code, Error};
use parklink::link::dial::Cancel;
use parklink::link::http::{Client, LONGEST_ANSWER, Response};
use parklink::log::{Level, Log};
use std::io::{BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

const JSON: &str = "application/json;charset=utf-8";

struct Bench {
    client: Client,
    cancel: Arc<Cancel>,
}

fn bench(http: serde_json::Value) -> Bench {
    let config = serde_json::json!({"park_id": "1", "union_id": "2", "ukey": "k", "bolink_addr": "x", "http": http});
    let config = Config::parse(&config.to_string(), Unknown::Refuse).unwrap();
    let cancel = Arc::new(Cancel::default());
    let log = Arc::new(Log::new(Level::Error));
    Bench { client: Client::new(&config, Duration::from_secs(5), log, cancel.clone()).unwrap(), cancel }
}

fn plain() -> Bench {
    bench(serde_json::json!({"proxy": ""}))
}

impl Bench {
    fn post_within(&self, url: &str, body: &str, time: Duration) -> Result<Response, Error> {
        let target = self.client.target(url, JSON)?;
        self.client.post(&target, body, Instant::now() + time)
    }

    fn post(&self, url: &str, body: &str) -> Result<Response, Error> {
        self.post_within(url, body, Duration::from_secs(10))
    }
}

#[test]
fn a_request_as_it_goes_out() {
    let (sender, asked) = mpsc::channel();
    let sender = std::sync::Mutex::new(sender);
    let server = Server::answering(move |asked| {
        sender.lock().unwrap().send(asked.clone()).unwrap();
        answer(200, "{\"好\":1}")
    });
    let response = plain().post(&server.url("/bpd/upload.do?a=b"), "{\"车\":\"京A\"}").unwrap();
    assert_eq!(response.status, 200);
    assert_eq!(response.body, "{\"好\":1}".as_bytes());
    let asked = asked.recv().unwrap();
    assert_eq!(asked.line, "POST /bpd/upload.do?a=b HTTP/1.1");
    assert_eq!(asked.body, "{\"车\":\"京A\"}");
    assert_eq!(asked.header("content-type"), Some(JSON));
    assert_eq!(asked.header("host"), Some(format!("127.0.0.1:{}", server.port).as_str()));
    assert_eq!(asked.header("user-agent"), Some(concat!("parklink/", env!("CARGO_PKG_VERSION"))));
    assert_eq!(asked.header("accept-encoding"), None);
    assert_eq!(asked.header("expect"), None);
}

#[test]
fn one_connection_serves_many_calls() {
    let server = Server::answering(|asked| answer(200, &asked.body));
    let bench = plain();
    for number in 0..50 {
        let body = number.to_string();
        assert_eq!(bench.post(&server.url("/"), &body).unwrap().body, body.as_bytes());
    }
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_large_request_arrives_whole() {
    let server = Server::answering(|asked| answer(200, &asked.body));
    let body = "车".repeat(1_000_000);
    let bench = plain();
    assert_eq!(bench.post(&server.url("/"), &body).unwrap().body, body.as_bytes());
    assert_eq!(bench.post(&server.url("/"), "x").unwrap().body, b"x");
    assert_eq!(server.connections(), 1);
}

#[test]
fn an_answer_in_chunks_and_pieces() {
    let server = Server::start(|mut taken| {
        while taken.read().is_some() {
            let text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n";
            for piece in text.as_bytes().chunks(3) {
                taken.write(piece);
                thread::sleep(Duration::from_millis(1));
            }
        }
    });
    let bench = plain();
    for _ in 0..2 {
        assert_eq!(bench.post(&server.url("/"), "").unwrap().body, b"hello world");
    }
    assert_eq!(server.connections(), 1);
}

#[test]
fn an_answer_that_ends_with_the_connection() {
    let server = Server::start(|mut taken| {
        taken.read();
        taken.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"state\":1}");
    });
    let bench = plain();
    for _ in 0..2 {
        assert_eq!(bench.post(&server.url("/"), "").unwrap().body, b"{\"state\":1}");
    }
    assert_eq!(server.connections(), 2);
}

#[test]
fn every_way_to_frame_an_answer() {
    // What comes, what it means, whether the connection may serve another call.
    let cases: [(&str, &str, bool); 13] = [
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok", true),
        ("HTTP/1.1 200 OK\ncontent-length:2\n\nok", "ok", true),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok", true),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", "ok", true),
        ("HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 2\r\n\r\nok", "ok", false),
        ("HTTP/1.1 200 OK\r\nConnection: x, close\r\nContent-Length: 2\r\n\r\nok", "ok", false),
        ("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok", false),
        ("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", "ok", true),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2;a=b\r\nok\r\n0\r\nT: v\r\n\r\n", "ok", true),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 9\r\n\r\n2\r\nok\r\n0\r\n\r\n", "ok", true),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "", true),
        ("HTTP/1.1 204 No Content\r\n\r\n", "", true),
        ("HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", "ok", true),
    ];
    for (text, body, keeps) in cases {
        let server = Server::answering(move |_| text.into());
        let bench = plain();
        for _ in 0..2 {
            assert_eq!(bench.post(&server.url("/"), "").unwrap().body, body.as_bytes(), "{text}");
        }
        assert_eq!(server.connections(), if keeps { 1 } else { 2 }, "{text}");
    }
}

#[test]
fn what_is_no_answer_is_a_protocol_error() {
    let endless = format!("HTTP/1.1 200 OK\r\nA: {}", "x".repeat(100_000));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(1000));
    for text in [
        "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nok\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nok\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffffff\r\nok",
        "220 smtp.example ESMTP\r\n",
        "{\"state\":1}",
        &endless,
        &many,
    ] {
        let owned = text.to_owned();
        let server = Server::answering(move |_| owned.clone().into_bytes());
        let error = plain().post(&server.url("/"), "").unwrap_err();
        assert_eq!(error.code, Code::Protocol, "{error} after {}", &text[..text.len().min(100)]);
    }
}

/// Whatever byte of an answer is spoilt, the call ends, and with one of the outcomes that are told.
#[test]
fn spoilt_answers_end_in_an_error_or_an_answer() {
    let good = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let next = std::sync::atomic::AtomicUsize::new(0);
    let spoils = *b"\0\r\n f9\xff";
    let server = Server::start(move |mut taken| {
        while taken.read().is_some() {
            let number = next.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let mut bytes = good.to_vec();
            bytes[number / spoils.len() % good.len()] = spoils[number % spoils.len()];
            taken.write(&bytes);
            let _ = taken.reader.get_ref().shutdown(std::net::Shutdown::Write);
        }
    });
    let bench = plain();
    let mut answers = 0;
    for _ in 0..good.len() * spoils.len() {
        match bench.post_within(&server.url("/"), "x", Duration::from_secs(5)) {
            Ok(_) => answers += 1,
            Err(error) => assert!(matches!(error.code, Code::Protocol | Code::Broken), "{error}"),
        }
    }
    assert!(answers > 0 && answers < good.len() * spoils.len());
}

#[test]
fn a_close_in_the_middle_is_broken_and_not_repeated() {
    for part in ["", "HTTP/1.1 200 OK\r\nConte", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"] {
        let server = Server::start(move |mut taken| {
            taken.read();
            taken.write(part.as_bytes());
        });
        let error = plain().post(&server.url("/"), "money").unwrap_err();
        assert_eq!(error.code, Code::Broken, "after {part:?}: {error}");
        assert_eq!(server.connections(), 1, "after {part:?}");
    }
}

#[test]
fn a_kept_connection_that_dies_with_the_request_is_not_sent_twice() {
    let (sender, asked) = mpsc::channel();
    let sender = std::sync::Mutex::new(sender);
    let server = Server::start(move |mut taken| {
        taken.read();
        taken.write(&answer(200, "1"));
        if let Some(second) = taken.read() {
            sender.lock().unwrap().send(second.body).unwrap();
        }
    });
    let bench = plain();
    bench.post(&server.url("/"), "first").unwrap();
    assert_eq!(bench.post(&server.url("/"), "money").unwrap_err().code, Code::Broken);
    assert_eq!(asked.recv().unwrap(), "money");
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_connection_closed_while_idle_is_replaced_without_a_word() {
    let (sender, closed) = mpsc::channel();
    let sender = std::sync::Mutex::new(sender);
    let server = Server::start(move |mut taken| {
        taken.read();
        taken.write(&answer(200, "ok"));
        drop(taken);
        sender.lock().unwrap().send(()).unwrap();
    });
    let bench = plain();
    for _ in 0..5 {
        assert_eq!(bench.post(&server.url("/"), "x").unwrap().body, b"ok");
        closed.recv().unwrap();
    }
    assert_eq!(server.connections(), 5);
}

#[test]
fn words_nobody_asked_for_do_not_become_an_answer() {
    let server = Server::start(|mut taken| {
        while let Some(asked) = taken.read() {
            let mut bytes = answer(200, &asked.body);
            bytes.extend(answer(200, "stray"));
            taken.write(&bytes);
        }
    });
    let bench = plain();
    for body in ["a", "b", "c"] {
        assert_eq!(bench.post(&server.url("/"), body).unwrap().body, body.as_bytes());
    }
}

#[test]
fn a_silent_server_is_a_timeout_at_the_deadline() {
    for part in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"] {
        let server = Server::start(move |mut taken| {
            taken.read();
            taken.write(part.as_bytes());
            taken.read();
        });
        let start = Instant::now();
        let error = plain().post_within(&server.url("/"), "x", Duration::from_millis(300)).unwrap_err();
        assert_eq!(error.code, Code::Timeout, "after {part:?}: {error}");
        let took = start.elapsed();
        assert!(took >= Duration::from_millis(300) && took < Duration::from_secs(2), "after {part:?}: {took:?}");
    }
}

#[test]
fn drops_of_an_answer_do_not_stretch_the_deadline() {
    let server = Server::start(|mut taken| {
        taken.read();
        taken.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
        for _ in 0..100 {
            taken.write(b"x");
            thread::sleep(Duration::from_millis(50));
        }
    });
    let start = Instant::now();
    let error = plain().post_within(&server.url("/"), "x", Duration::from_millis(400)).unwrap_err();
    assert_eq!(error.code, Code::Timeout);
    assert!(start.elapsed() < Duration::from_secs(2));
}

#[test]
fn cancel_ends_a_call_that_waits() {
    let (sender, reached) = mpsc::channel();
    let sender = std::sync::Mutex::new(sender);
    let server = Server::start(move |mut taken| {
        taken.read();
        sender.lock().unwrap().send(()).unwrap();
        taken.read();
    });
    let bench = plain();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| bench.post(&server.url("/"), "x"));
        reached.recv().unwrap();
        let start = Instant::now();
        bench.cancel.cancel();
        bench.client.break_off();
        assert_eq!(waiting.join().unwrap().unwrap_err().code, Code::Closed);
        assert!(start.elapsed() < Duration::from_millis(500), "{:?}", start.elapsed());
    });
    assert_eq!(bench.post(&server.url("/"), "x").unwrap_err().code, Code::Closed);
    assert_eq!(server.connections(), 1);
}

#[test]
fn breaking_off_ends_a_call_but_not_the_client() {
    let (sender, reached) = mpsc::channel();
    let sender = std::sync::Mutex::new(sender);
    let server = Server::start(move |mut taken| {
        taken.read();
        if taken.number == 0 {
            sender.lock().unwrap().send(()).unwrap();
            taken.read();
        }
        taken.write(&answer(200, "ok"));
    });
    let bench = plain();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| bench.post(&server.url("/"), "x"));
        reached.recv().unwrap();
        bench.client.break_off();
        assert_eq!(waiting.join().unwrap().unwrap_err().code, Code::Broken);
    });
    assert_eq!(bench.post(&server.url("/"), "x").unwrap().body, b"ok");
}

#[test]
fn nobody_listens_is_offline() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = plain().post(&format!("http://127.0.0.1:{port}/"), "x").unwrap_err();
    assert_eq!(error.code, Code::Offline);
    assert!(error.message.contains(&format!("127.0.0.1:{port}")), "{error}");
}

#[test]
fn statuses_and_limits() {
    let server = Server::answering(|asked| match asked.body.as_str() {
        "long" => format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}",
            LONGEST_ANSWER + 1,
            "x".repeat(LONGEST_ANSWER + 1)
        )
        .into_bytes(),
        "garbage" => b"what is this\r\n\r\n".to_vec(),
        "later" => b"HTTP/1.1 503 No\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n".to_vec(),
        "elsewhere" => b"HTTP/1.1 307 No\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n".to_vec(),
        status => answer(status.parse().unwrap(), "text"),
    });
    let bench = plain();
    let post = |body: &str| bench.post(&server.url("/"), body);
    assert_eq!(post("204").unwrap().ok().unwrap(), b"");
    for status in ["400", "403", "404", "429", "500"] {
        let error = post(status).unwrap().ok().unwrap_err();
        assert_eq!(error.code, Code::Http);
        assert!(error.message.contains(status), "{error}");
    }
    let error = post("later").unwrap().ok().unwrap_err();
    assert!(error.message.contains("503") && error.message.contains("after 7"), "{error}");
    assert_eq!(post("elsewhere").unwrap().ok().unwrap_err().code, Code::Http);
    assert_eq!(post("long").unwrap_err().code, Code::Protocol);
    assert_eq!(post("garbage").unwrap_err().code, Code::Protocol);
}

#[test]
fn a_wrong_address_or_file_is_a_configuration_error() {
    for url in ["", "host", "ftp://host/", "http://", "http:// x/"] {
        assert_eq!(plain().client.target(url, JSON).unwrap_err().code, Code::Config, "{url}");
    }
    let config = r#"{"park_id":"1","union_id":"2","ukey":"k","bolink_addr":"x","http":{"ca_file":"/nowhere/ca.pem"}}"#;
    let config = Config::parse(config, Unknown::Refuse).unwrap();
    let log = Arc::new(Log::new(Level::Error));
    let error = Client::new(&config, Duration::from_secs(1), log, Arc::default()).unwrap_err();
    assert_eq!(error.code, Code::Config);
    assert!(error.message.contains("http.ca_file"), "{error}");
}

// Proxy

/// A proxy that takes only user "u" with password "p:w": forwards what is written in whole, and tunnels.
fn proxy() -> (Server, mpsc::Receiver<String>) {
    let (sender, lines) = mpsc::channel();
    let sender = std::sync::Mutex::new(sender);
    let server = Server::start(move |mut taken| {
        while let Some(asked) = taken.read() {
            sender.lock().unwrap().send(asked.line.clone()).unwrap();
            if asked.header("proxy-authorization") != Some("Basic dTpwOnc=") {
                taken.write(b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n");
                continue;
            }
            let target = asked.line.split(' ').nth(1).unwrap().to_owned();
            if asked.line.starts_with("CONNECT ") {
                let mut far = TcpStream::connect(target).unwrap();
                taken.write(b"HTTP/1.1 200 Connection established\r\n\r\n");
                let mut near = taken.reader.get_ref().try_clone().unwrap();
                let mut back = far.try_clone().unwrap();
                thread::spawn(move || std::io::copy(&mut back, &mut near));
                let _ = std::io::copy(&mut taken.reader, &mut far);
                return;
            }
            let authority = target.strip_prefix("http://").expect("the whole URL").split('/').next().unwrap();
            let path = &target["http://".len() + authority.len()..];
            let mut far = TcpStream::connect(authority).unwrap();
            let length = asked.body.len();
            write!(far, "POST {path} HTTP/1.1\r\nContent-Length: {length}\r\n\r\n{}", asked.body).unwrap();
            let answered = read_answer(far);
            taken.write(&answered);
        }
    });
    (server, lines)
}

fn read_answer(mut far: TcpStream) -> Vec<u8> {
    far.shutdown(std::net::Shutdown::Write).unwrap();
    let mut bytes = Vec::new();
    let _ = far.read_to_end(&mut bytes);
    bytes
}

#[test]
fn plain_http_goes_through_a_proxy_as_a_whole_url() {
    let (proxy, lines) = proxy();
    let server = Server::answering(|asked| answer(200, &format!("{} {}", asked.line, asked.body)));
    let bench = bench(serde_json::json!({"proxy": format!("http://u:p%3Aw@127.0.0.1:{}", proxy.port)}));
    for _ in 0..3 {
        let response = bench.post(&server.url("/bpd/upload.do"), "x").unwrap();
        assert_eq!(response.body, b"POST /bpd/upload.do HTTP/1.1 x");
        assert_eq!(lines.recv().unwrap(), format!("POST {} HTTP/1.1", server.url("/bpd/upload.do")));
    }
    assert_eq!(proxy.connections(), 1);
}

#[test]
fn a_proxy_that_fails_is_not_gone_round() {
    let server = Server::answering(|_| answer(200, "direct"));
    let (proxy, _lines) = proxy();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mute = Server::start(drop);
    for (port, what) in [(proxy.port, "407"), (closed, "nobody listens"), (mute.port, "closes")] {
        for scheme in ["http", "https"] {
            let bench = bench(serde_json::json!({"proxy": format!("http://u:geheim@127.0.0.1:{port}")}));
            let url = format!("{scheme}://127.0.0.1:{}/", server.port);
            let error = bench.post(&url, "x").and_then(Response::ok).unwrap_err();
            if (what, scheme) == ("closes", "http") {
                // The proxy took the request and hung up.
                assert_eq!(error.code, Code::Broken, "{error}");
            } else {
                assert_eq!(error.code, Code::Proxy, "{what} {scheme}: {error}");
            }
            assert!(!error.message.contains("geheim"), "{error}");
        }
    }
    assert_eq!(server.connections(), 0);
}

// TLS

struct Authority {
    folder: tempdir::Folder,
    port: u16,
}

mod tempdir {
    use std::path::{Path, PathBuf};
    use std::sync::atomic::{AtomicU32, Ordering};

    static NEXT: AtomicU32 = AtomicU32::new(0);

    pub struct Folder(PathBuf);

    impl Folder {
        pub fn new() -> Self {
            let name = format!("parklink-http-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::SeqCst));
            let path = std::env::temp_dir().join(name);
            std::fs::create_dir_all(&path).unwrap();
            Folder(path)
        }

        pub fn path(&self) -> &Path {
            &self.0
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

/// A server with a certificate for 127.0.0.1 and localhost, of an authority of its own.
fn tls_server() -> Authority {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, "authority of a test");
    let authority = params.self_signed(&key).unwrap();
    let issuer = rcgen::Issuer::new(params, key);
    let server_key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["localhost".into(), "127.0.0.1".into()]).unwrap();
    let certificate = params.signed_by(&server_key, &issuer).unwrap();

    tls_server_with(authority, Some(certificate), &server_key)
}

/// A server that shows `certificate`, or the trusted one itself.
fn tls_server_with(
    trusted: rcgen::Certificate,
    certificate: Option<rcgen::Certificate>,
    server_key: &rcgen::KeyPair,
) -> Authority {
    let folder = tempdir::Folder::new();
    std::fs::write(folder.path().join("ca.pem"), trusted.pem()).unwrap();
    let certificate = certificate.unwrap_or(trusted);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            rustls::pki_types::PrivateKeyDer::try_from(server_key.serialize_der()).unwrap(),
        )
        .unwrap();
    let config = Arc::new(config);
    let server = Server::start(move |taken| {
        let connection = rustls::ServerConnection::new(config.clone()).unwrap();
        let mut stream = BufReader::new(rustls::StreamOwned::new(connection, taken.reader.into_inner()));
        while let Some(asked) = read(&mut stream) {
            let _ = stream.get_mut().write_all(&answer(200, &format!("secret {}", asked.body)));
        }
    });
    Authority { folder, port: server.port }
}

impl Authority {
    fn ca_file(&self) -> String {
        self.folder.path().join("ca.pem").to_str().unwrap().to_owned()
    }
}

#[test]
fn a_certificate_of_the_ca_file_is_trusted() {
    let server = tls_server();
    let bench = bench(serde_json::json!({"proxy": "", "ca_file": server.ca_file()}));
    for host in ["127.0.0.1", "localhost"] {
        let url = format!("https://{host}:{}/", server.port);
        for body in ["a", "b"] {
            assert_eq!(bench.post(&url, body).unwrap().body, format!("secret {body}").as_bytes());
        }
    }
    let long = "x".repeat(300_000);
    let url = format!("https://localhost:{}/", server.port);
    assert_eq!(bench.post(&url, &long).unwrap().body.len(), long.len() + 7);
}

/// A server with a certificate as `openssl req -x509` makes them: it signed itself, and calls itself an authority.
fn own_authority(names: &[&str], until: i32) -> Authority {
    let key = rcgen::KeyPair::generate().unwrap();
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = rcgen::CertificateParams::new(names).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.not_after = rcgen::date_time_ymd(until, 1, 1);
    tls_server_with(params.self_signed(&key).unwrap(), None, &key)
}

#[test]
fn a_server_may_show_the_certificate_of_the_ca_file_itself() {
    let post = |server: &Authority, ca_file: String| {
        let bench = bench(serde_json::json!({"proxy": "", "ca_file": ca_file}));
        bench.post(&format!("https://127.0.0.1:{}/", server.port), "a").map(|response| response.body)
    };
    let server = own_authority(&["127.0.0.1"], 2090);
    assert_eq!(post(&server, server.ca_file()).unwrap(), b"secret a");
    let (other_name, old) = (own_authority(&["other.example"], 2090), own_authority(&["127.0.0.1"], 2001));
    for (server, ca_file) in [
        (&server, own_authority(&["127.0.0.1"], 2090).ca_file()),
        (&other_name, other_name.ca_file()),
        (&old, old.ca_file()),
    ] {
        assert_eq!(post(server, ca_file).unwrap_err().code, Code::Tls);
    }
}

#[test]
fn a_certificate_of_nobody_is_refused_with_advice() {
    let other = tls_server();
    for server in [tls_server(), own_authority(&["127.0.0.1"], 2090)] {
        let bench = bench(serde_json::json!({"proxy": "", "ca_file": other.ca_file()}));
        let error = bench.post(&format!("https://127.0.0.1:{}/", server.port), "x").unwrap_err();
        assert_eq!(error.code, Code::Tls, "{error}");
        assert!(error.message.contains("http.ca_file"), "{error}");
    }
}

#[test]
fn plain_http_where_tls_is_wanted_is_a_tls_error() {
    let ca = tls_server();
    let raw = Server::start(|mut taken| taken.write(&answer(400, "plain")));
    let bench = bench(serde_json::json!({"proxy": "", "ca_file": ca.ca_file()}));
    let error = bench.post(&format!("https://127.0.0.1:{}/", raw.port), "x").unwrap_err();
    assert_eq!(error.code, Code::Tls, "{error}");
}

#[test]
fn a_handshake_nobody_answers_is_offline_at_the_deadline() {
    let ca = tls_server();
    let mute = Server::start(|mut taken| {
        let _ = taken.reader.read_to_end(&mut Vec::new());
    });
    let bench = bench(serde_json::json!({"proxy": "", "ca_file": ca.ca_file()}));
    let start = Instant::now();
    let url = format!("https://127.0.0.1:{}/", mute.port);
    let error = bench.post_within(&url, "x", Duration::from_millis(300)).unwrap_err();
    assert_eq!(error.code, Code::Offline, "{error}");
    assert!(start.elapsed() < Duration::from_secs(2));
}

#[test]
fn https_goes_through_a_proxy_by_connect() {
    let (proxy, lines) = proxy();
    let server = tls_server();
    let proxy_url = format!("http://u:p%3Aw@127.0.0.1:{}", proxy.port);
    let bench = bench(serde_json::json!({"proxy": proxy_url, "ca_file": server.ca_file()}));
    for body in ["a", "b"] {
        let url = format!("https://127.0.0.1:{}/", server.port);
        assert_eq!(bench.post(&url, body).unwrap().body, format!("secret {body}").as_bytes());
    }
    assert_eq!(lines.recv().unwrap(), format!("CONNECT 127.0.0.1:{} HTTP/1.1", server.port));
    assert_eq!(proxy.connections(), 1);
}
