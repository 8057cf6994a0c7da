//! The Bolink link against a platform of a few lines, written from the documents.

mod http_support;

use crossbeam_channel::{Receiver, Sender, unbounded};
use http_support::{Asked, Server, answer};
use parklink::catalogue::Platform;
use parklink::config::{Config, Unknown};
use parklink::error::{Code, Error};
use parklink::link::bolink::BolinkLink;
use parklink::link::{Link, Members, Request, RequestKind, Sink};
use parklink::log::{Level, Log};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

const KEY: &str = "8403A41ED5EF20BC";

/// Hands what is received to the test.
struct Ear(Sender<Members>);

impl Sink for Ear {
    fn received(&self, platform: Platform, message: Members) {
        assert_eq!(platform, Platform::Bolink);
        let _ = self.0.send(message);
    }
}

/// What the platform knows and was asked.
#[derive(Default)]
struct Desk {
    logins: Vec<Value>,
    uploads: Vec<Value>,
    polls: usize,
    open_polls: usize,
    most_open_polls: usize,
    /// Tokens seen in any request after a newer one was given out.
    stale: usize,
    downlinks: VecDeque<Vec<u8>>,
    /// The next answers to logins and uploads; beyond them everything is fine.
    login_answers: VecDeque<Vec<u8>>,
    upload_answers: VecDeque<Vec<u8>>,
    /// What polls are answered at once, as long as it stands.
    poll_answer: Option<Vec<u8>>,
    token: Option<String>,
}

struct Bolinkish {
    server: Server,
    desk: Arc<(Mutex<Desk>, Condvar)>,
}

impl Bolinkish {
    /// Holds a poll for `hold`.
    fn start(hold: Duration) -> Self {
        let desk = Arc::new((Mutex::new(Desk::default()), Condvar::new()));
        let inside = desk.clone();
        let server = Server::answering(move |asked| serve(asked, &inside, hold));
        Bolinkish { server, desk }
    }

    fn with<T>(&self, look: impl FnOnce(&mut Desk) -> T) -> T {
        let result = look(&mut self.desk.0.lock().unwrap());
        self.desk.1.notify_all();
        result
    }

    /// Waits until the desk looks like this.
    fn until(&self, what: &str, look: impl Fn(&Desk) -> bool) {
        let desk = self.desk.0.lock().unwrap();
        let (_desk, waited) =
            self.desk.1.wait_timeout_while(desk, Duration::from_secs(10), |desk| !look(desk)).unwrap();
        assert!(!waited.timed_out(), "never: {what}");
    }
}

fn serve(asked: &Asked, shared: &(Mutex<Desk>, Condvar), hold: Duration) -> Vec<u8> {
    assert_eq!(asked.header("content-type"), Some("application/json;charset=utf-8"));
    let message = asked.json();
    if asked.line == "POST /bpd/download.do HTTP/1.1" {
        assert_eq!(message.as_object().unwrap().len(), 1);
        return poll(&message, shared, hold);
    }
    let (mut desk, changed) = (shared.0.lock().unwrap(), &shared.1);
    let desk = &mut *desk;
    let dead = || answer(200, r#"{"state":0,"errmsg":"error:token无效"}"#);
    assert_eq!(asked.line, "POST /bpd/upload.do HTTP/1.1");
    let reply = if message["service_name"] == "login" {
        desk.logins.push(message);
        desk.login_answers.pop_front().unwrap_or_else(|| {
            let token = format!("{:032x}", desk.logins.len());
            desk.token = Some(token.clone());
            answer(200, &json!({"state": 1, "token": token, "service_name": "login"}).to_string())
        })
    } else if desk.token.as_deref() != message["token"].as_str() {
        desk.stale += 1;
        dead()
    } else {
        let echo =
            json!({"state": 1, "service_name": message["service_name"], "order_id": message["data"]["order_id"]});
        desk.uploads.push(message);
        desk.upload_answers.pop_front().unwrap_or_else(|| answer(200, &echo.to_string()))
    };
    changed.notify_all();
    reply
}

fn poll(message: &Value, shared: &(Mutex<Desk>, Condvar), hold: Duration) -> Vec<u8> {
    let (desk, changed) = (&shared.0, &shared.1);
    let mut desk = desk.lock().unwrap();
    if desk.token.as_deref() != message["token"].as_str() {
        desk.stale += 1;
        return answer(200, r#"{"state":0,"errmsg":"error:token无效"}"#);
    }
    desk.polls += 1;
    if let Some(refusal) = desk.poll_answer.clone() {
        changed.notify_all();
        return refusal;
    }
    desk.open_polls += 1;
    desk.most_open_polls = desk.most_open_polls.max(desk.open_polls);
    changed.notify_all();
    // As a real server it does not notice that the token died while it holds the poll.
    let held = changed.wait_timeout_while(desk, hold, |desk| desk.downlinks.is_empty());
    let (mut desk, _) = held.unwrap();
    desk.open_polls -= 1;
    changed.notify_all();
    desk.downlinks.pop_front().unwrap_or_else(|| answer(500, ""))
}

struct Bench {
    link: BolinkLink,
    log: Arc<Log>,
    heard: Receiver<Members>,
    lines: Arc<Mutex<Vec<String>>>,
}

fn open(port: u16, more: Value) -> Bench {
    let mut config = json!({
        "union_id": "200208", "park_id": "21835", "local_id": "0071cc97102b_1001_qh321_quanhao-atest1", "ukey": KEY,
        "bolink_addr": "127.0.0.1", "bport": port, "http": {"proxy": ""},
        "bolink": {"retry_first_ms": 20, "retry_longest_ms": 40, "poll_timeout_ms": 5000},
    });
    for (name, value) in more.as_object().unwrap() {
        config[name] = value.clone();
    }
    let config = Config::parse(&config.to_string(), Unknown::Refuse).unwrap();
    let log = Log::new(Level::Trace);
    let lines = Arc::new(Mutex::new(Vec::new()));
    let written = lines.clone();
    log.set_tap(Some(Box::new(move |_, line| written.lock().unwrap().push(line))));
    let (sender, heard) = unbounded();
    let log = Arc::new(log);
    let link = BolinkLink::open(&config, log.clone(), Arc::new(Ear(sender))).unwrap();
    Bench { link, log, heard, lines }
}

fn request(service: &str, data: Value) -> Request {
    let parklink::json::Value::Object(data) = data.into() else { panic!("an object") };
    let deadline = Instant::now() + Duration::from_secs(8);
    Request { interface: None, service: service.into(), data: data.into(), deadline, kind: RequestKind::Live }
}

impl Bench {
    fn send(&self, request: Request) -> Result<Members, Error> {
        self.link.begin(request)?()
    }

    fn upload(&self, order: &str) -> Result<Members, Error> {
        self.send(request("inpark", json!({"order_id": order, "data_target": "bolink"})))
    }

    fn state(&self) -> String {
        self.link.status()["state"].as_str().unwrap().to_owned()
    }

    fn until_state(&self, state: &str) {
        let start = Instant::now();
        while self.state() != state {
            assert!(start.elapsed() < Duration::from_secs(10), "never {state}: {:?}", self.link.status());
            thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
fn login_upload_and_poll() {
    let bolink = Bolinkish::start(Duration::from_secs(30));
    let bench = open(bolink.server.port, json!({}));
    // Not logged in yet: it waits.
    let reply = bench.upload("A1").unwrap();
    assert_eq!(parklink::json::Value::Object(reply), json!({"state": 1, "service_name": "inpark", "order_id": "A1"}));
    assert!(bench.link.is_up());
    bolink.with(|desk| {
        assert_eq!(
            desk.logins,
            [json!({"service_name": "login", "sign": "CB649425CB5548A375099103AB04CC1E", "data":
                {"union_id": "200208", "park_id": "21835", "local_id": "0071cc97102b_1001_qh321_quanhao-atest1"}})]
        );
        // MD5 of {"order_id":"A1"}key=8403A41ED5EF20BC, by md5sum.
        assert_eq!(
            desk.uploads,
            [json!({"service_name": "inpark", "sign": "CF9C6EA03CF8FB4056D53A524C53F950",
                "token": format!("{:032x}", 1), "data": {"order_id": "A1"}})]
        );
    });
    let status = bench.link.status();
    let counts = (status["logins"].as_u64(), status["requests"].as_u64());
    assert_eq!((status["state"].as_str(), counts), (Some("up"), (Some(1), Some(1))));
}

#[test]
fn set_params_go_with_the_login_when_given() {
    let bolink = Bolinkish::start(Duration::from_secs(30));
    let bench = open(bolink.server.port, json!({"set_params": {"prepay_send": "1"}}));
    bench.until_state("up");
    bolink.with(|desk| assert_eq!(desk.logins[0]["data"]["set_params"], json!({"prepay_send": "1"})));
}

#[test]
fn downlinks_arrive_and_one_poll_is_open() {
    let bolink = Bolinkish::start(Duration::from_millis(1));
    let bench = open(bolink.server.port, json!({}));
    let balance = r#"{"autopay":1,"balance":"0.0","service_name":"update_balance","car_number":"新FFFDD3"}"#;
    for number in 0..20 {
        let text = balance.replace("0.0", &format!("{number}.10"));
        bolink.with(|desk| desk.downlinks.push_back(answer(200, &text)));
    }
    for number in 0..20 {
        let message = bench.heard.recv_timeout(Duration::from_secs(10)).unwrap();
        assert_eq!(message["balance"].as_str(), Some(format!("{number}.10").as_str()));
        assert_eq!(message["car_number"], "新FFFDD3");
        assert_eq!(message["autopay"], 1);
    }
    for body in ["", "{}", "not json", r#"{"state":0,"errmsg":"nothing"}"#] {
        bolink.with(|desk| desk.downlinks.push_back(answer(200, body)));
    }
    bolink.with(|desk| desk.downlinks.push_back(answer(200, r#"{"service_name":"query_price","order_id":"7"}"#)));
    assert_eq!(bench.heard.recv_timeout(Duration::from_secs(10)).unwrap()["order_id"], "7");
    assert!(bench.heard.try_recv().is_err());
    bolink.with(|desk| assert_eq!((desk.most_open_polls, desk.logins.len()), (1, 1)));
}

#[test]
fn empty_answers_at_once_do_not_spin() {
    let bolink = Bolinkish::start(Duration::ZERO);
    let bench = open(bolink.server.port, json!({"bolink": {"retry_first_ms": 100, "retry_longest_ms": 100}}));
    bench.until_state("up");
    thread::sleep(Duration::from_millis(600));
    // Four at once, then one each 50 to 100 ms.
    let polls = bolink.with(|desk| desk.polls);
    assert!((5..=20).contains(&polls), "{polls} polls");
}

#[test]
fn a_poll_that_was_held_shortly_is_followed_at_once() {
    let bolink = Bolinkish::start(Duration::from_millis(150));
    let _bench = open(bolink.server.port, json!({"bolink": {"retry_first_ms": 60_000, "retry_longest_ms": 60_000}}));
    bolink.until("ten polls", |desk| desk.polls >= 10);
}

#[test]
fn a_dead_token_costs_one_login_however_many_notice() {
    let bolink = Bolinkish::start(Duration::from_secs(30));
    let bench = open(bolink.server.port, json!({"bolink": {"poll_timeout_ms": 60_000}}));
    bolink.until("a poll is open", |desk| desk.open_polls == 1);
    // Only the uploads can notice: the poll is held.
    let token = bolink.desk.0.lock().unwrap().token.replace("another".into());
    assert!(token.is_some());
    let done = AtomicUsize::new(0);
    thread::scope(|scope| {
        for number in 0..8 {
            let (bench, done) = (&bench, &done);
            scope.spawn(move || {
                assert_eq!(bench.upload(&format!("B{number}")).unwrap()["state"], 1);
                done.fetch_add(1, Ordering::SeqCst);
            });
        }
    });
    assert_eq!(done.load(Ordering::SeqCst), 8);
    bolink.until("a poll is open again", |desk| desk.polls == 2);
    bolink.with(|desk| {
        assert_eq!(desk.logins.len(), 2);
        let mut orders: Vec<_> = desk.uploads.iter().map(|upload| upload["data"]["order_id"].to_string()).collect();
        orders.sort();
        orders.dedup();
        assert_eq!((orders.len(), desk.uploads.len()), (8, 8));
        assert!(desk.uploads.iter().all(|upload| upload["token"] == format!("{:032x}", 2)));
    });
}

#[test]
fn a_poll_that_hears_of_a_dead_token_logs_in_again() {
    let bolink = Bolinkish::start(Duration::from_millis(50));
    let bench = open(bolink.server.port, json!({}));
    bench.until_state("up");
    bolink.with(|desk| desk.token = Some("another".into()));
    bolink.until("a second login", |desk| desk.logins.len() == 2);
    bolink.until("polls go on", |desk| desk.polls >= 3);
    bolink.with(|desk| assert_eq!(desk.most_open_polls, 1));
    assert_eq!(bench.upload("C1").unwrap()["order_id"], "C1");
}

#[test]
fn http_401_is_a_dead_token_too_and_a_second_refusal_is_the_answer() {
    let bolink = Bolinkish::start(Duration::from_secs(30));
    let bench = open(bolink.server.port, json!({}));
    bolink.with(|desk| desk.upload_answers.push_back(answer(401, "")));
    assert_eq!(bench.upload("D1").unwrap()["state"], 1);
    let dead = r#"{"state":0,"errmsg":"token expired"}"#;
    bolink.with(|desk| desk.upload_answers.extend([answer(200, dead), answer(200, dead)]));
    assert_eq!(
        parklink::json::Value::Object(bench.upload("D2").unwrap()),
        json!({"state": 0, "errmsg": "token expired"})
    );
    bolink.with(|desk| assert_eq!(desk.uploads.len(), 4));
}

#[test]
fn a_mark_before_the_answer_is_no_part_of_it() {
    let bolink = Bolinkish::start(Duration::from_secs(30));
    let bench = open(bolink.server.port, json!({}));
    bolink.with(|desk| desk.upload_answers.push_back(answer(200, "\u{FEFF}{\"state\":1}")));
    assert_eq!(bench.upload("M1").unwrap()["state"], 1);
}

#[test]
fn half_a_surrogate_pair_costs_a_character_and_not_the_message() {
    let bolink = Bolinkish::start(Duration::from_secs(30));
    let bench = open(bolink.server.port, json!({}));
    bolink.with(|desk| {
        desk.upload_answers.push_back(answer(200, r#"{"state":1,"errmsg":"好\ud83d"}"#));
        desk.downlinks.push_back(answer(200, r#"{"service_name":"update_balance","car_number":"\udc00京A1"}"#));
    });
    assert_eq!(bench.upload("M2").unwrap()["errmsg"], "好\u{fffd}");
    assert_eq!(bench.heard.recv_timeout(Duration::from_secs(5)).unwrap()["car_number"], "\u{fffd}京A1");
}

#[test]
fn a_refused_login_says_why_at_once_and_is_tried_again() {
    let bolink = Bolinkish::start(Duration::from_secs(30));
    let refusal = answer(200, r#"{"state":0,"errmsg":"签名错误"}"#);
    bolink.with(|desk| desk.login_answers.extend([refusal.clone(), refusal]));
    let bench = open(bolink.server.port, json!({"bolink": {"retry_first_ms": 300, "retry_longest_ms": 300}}));
    bench.until_state("refused");
    let start = Instant::now();
    let error = bench.upload("E1").unwrap_err();
    assert_eq!(error.code, Code::LoginRefused);
    assert!(error.message.contains("签名错误"), "{error}");
    assert!(start.elapsed() < Duration::from_millis(100));
    assert!(bench.link.status()["last_error"].as_str().unwrap().contains("签名错误"));
    bench.until_state("up");
    assert_eq!(bench.upload("E2").unwrap()["state"], 1);
}

#[test]
fn a_platform_that_is_away_is_offline_at_once_until_it_is_back() {
    let away = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = away.local_addr().unwrap().port();
    drop(away);
    let bench = open(port, json!({"bolink": {"retry_first_ms": 60_000, "retry_longest_ms": 60_000}}));
    bench.until_state("down");
    let start = Instant::now();
    let error = bench.upload("F1").unwrap_err();
    assert_eq!(error.code, Code::Offline);
    assert!(error.message.contains(&port.to_string()), "{error}");
    assert!(start.elapsed() < Duration::from_millis(100));
    bench.link.shut();
    assert_eq!(bench.state(), "closed");
}

#[test]
fn a_refused_poll_does_not_keep_uploads_back() {
    let bolink = Bolinkish::start(Duration::from_secs(30));
    let refusal = |status: u16| Some(answer(status, ""));
    bolink.with(|desk| desk.poll_answer = refusal(501));
    let bench = open(bolink.server.port, json!({}));
    for (number, status) in [501, 429, 502, 503].into_iter().enumerate() {
        bolink.with(|desk| (desk.poll_answer, desk.polls) = (refusal(status), 0));
        bolink.until("it polls again", |desk| desk.polls >= 3);
        assert_eq!(bench.upload(&format!("P{number}")).unwrap()["state"], 1, "{status}");
        assert_eq!((bench.state(), bench.link.is_up(), bench.link.hears()), ("up".into(), true, false));
        let error = bench.link.status()["last_error"].as_str().unwrap().to_owned();
        assert!(error.contains("download.do") && error.contains(&status.to_string()), "{error}");
    }
    // A long pause is over when an upload finds the token dead.
    let asks = b"HTTP/1.1 503 X\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n".to_vec();
    bolink.with(|desk| (desk.poll_answer, desk.polls) = (Some(asks), 0));
    bolink.until("it is asked for patience", |desk| desk.polls == 1);
    thread::sleep(Duration::from_millis(200));
    bolink.with(|desk| {
        assert_eq!((desk.polls, desk.logins.len()), (1, 1), "it has patience");
        (desk.poll_answer, desk.token) = (None, Some("another".into()));
    });
    assert_eq!(bench.upload("P9").unwrap()["state"], 1);
    bolink.until("a poll is open", |desk| desk.open_polls == 1);
    bolink.with(|desk| {
        assert_eq!(desk.logins.len(), 2);
        desk.downlinks.push_back(answer(200, r#"{"service_name":"update_balance","car_number":"1"}"#));
    });
    bench.heard.recv_timeout(Duration::from_secs(5)).unwrap();
    assert!(bench.link.hears());
}

#[test]
fn a_line_that_breaks_is_mended() {
    let count = AtomicUsize::new(0);
    let bolink = Bolinkish::start(Duration::from_secs(30));
    let inside = bolink.desk.clone();
    // The first three polls are cut, whatever connection they come by.
    let server = Server::start(move |mut taken| {
        while let Some(asked) = taken.read() {
            if asked.line.contains("download") && count.fetch_add(1, Ordering::SeqCst) < 3 {
                return;
            }
            taken.write(&serve(&asked, &inside, Duration::from_secs(30)));
        }
    });
    let bench = open(server.port, json!({}));
    bolink.until("a poll is open", |desk| desk.open_polls == 1);
    bench.until_state("up");
    assert_eq!(bench.upload("G1").unwrap()["state"], 1);
    // The first cut is forgiven, the second one is a loss; the third falls to the second login.
    bolink.with(|desk| assert_eq!(desk.logins.len(), 2));
    assert_eq!(bench.link.status()["reconnects"], 1);
}

#[test]
fn an_upload_whose_fate_is_unknown_is_not_repeated() {
    let bolink = Bolinkish::start(Duration::from_secs(30));
    let bench = open(bolink.server.port, json!({}));
    for (reply, code) in [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{".to_vec(), Code::Timeout),
        (answer(500, ""), Code::Http),
        (answer(200, "<html>"), Code::Protocol),
    ] {
        bolink.with(|desk| {
            desk.uploads.clear();
            desk.upload_answers.push_back(reply);
        });
        let mut request = request("outpark", json!({"order_id": "H"}));
        request.deadline = Instant::now() + Duration::from_millis(500);
        assert_eq!(bench.send(request).unwrap_err().code, code);
        bolink.with(|desk| assert_eq!(desk.uploads.len(), 1));
    }
}

#[test]
fn answers_to_downlinks_may_be_taken_without_words() {
    let bolink = Bolinkish::start(Duration::from_secs(30));
    let bench = open(bolink.server.port, json!({}));
    bolink.with(|desk| desk.upload_answers.push_back(answer(200, "")));
    let mut request = request("query_price", json!({"state": 1}));
    request.kind = RequestKind::Answer;
    assert_eq!(bench.send(request).unwrap(), Members::new());
}

#[test]
fn shutting_ends_poll_and_callers_at_once() {
    let (bolink, mute) = (
        Bolinkish::start(Duration::from_secs(30)),
        Server::start(|mut taken| {
            taken.read();
            taken.read();
        }),
    );
    let bench = open(bolink.server.port, json!({}));
    bolink.until("a poll is open", |desk| desk.open_polls == 1);
    let start = Instant::now();
    bench.link.shut();
    assert!(start.elapsed() < Duration::from_millis(100), "{:?}", start.elapsed());
    assert_eq!(bench.state(), "closed");
    assert!(!bench.link.is_up());
    assert_eq!(bench.upload("I1").unwrap_err().code, Code::Closed);
    bench.link.shut();

    // One that waits for a login that is never answered.
    let bench = open(mute.port, json!({}));
    thread::scope(|scope| {
        let waiting = scope.spawn(|| bench.upload("I2"));
        thread::sleep(Duration::from_millis(100));
        let start = Instant::now();
        bench.link.shut();
        assert_eq!(waiting.join().unwrap().unwrap_err().code, Code::Closed);
        assert!(start.elapsed() < Duration::from_millis(100), "{:?}", start.elapsed());
    });
}

#[test]
fn a_slow_login_leaves_the_caller_at_its_deadline() {
    let mute = Server::start(|mut taken| {
        taken.read();
        taken.read();
    });
    let bench = open(mute.port, json!({}));
    let mut request = request("inpark", json!({}));
    request.deadline = Instant::now() + Duration::from_millis(200);
    let start = Instant::now();
    assert_eq!(bench.send(request).unwrap_err().code, Code::Offline);
    assert!(start.elapsed() >= Duration::from_millis(200) && start.elapsed() < Duration::from_secs(2));
}

#[test]
fn the_log_tells_all_but_the_token() {
    let bolink = Bolinkish::start(Duration::from_secs(30));
    let bench = open(bolink.server.port, json!({}));
    bench.upload("K1").unwrap();
    bench.link.shut();
    let lines = bench.lines.lock().unwrap().join("\n");
    assert!(lines.contains("\"order_id\":\"K1\""), "{lines}");
    assert!(lines.contains("logged in"), "{lines}");
    assert!(lines.contains("upload.do: HTTP 200"), "{lines}");
    assert!(!lines.contains(&format!("{:032x}", 1)) && !lines.contains(KEY), "{lines}");
}

#[test]
fn the_log_tells_no_token_however_many_others_there_are_and_no_code_that_pays() {
    let bolink = Bolinkish::start(Duration::from_secs(30));
    let bench = open(bolink.server.port, json!({"set_params": {"usb_key": "USBKEY1"}}));
    bench.upload("K1").unwrap();
    (0..50).for_each(|number| bench.log.protect(&format!("another link's token {number}")));
    bolink.with(|desk| {
        let reply = r#"{"state":1,"pay_info":"PAYINFO1","data":"{\"token\":\"INNER1\",\"order_id\":\"K2\"}"}"#;
        desk.upload_answers.push_back(answer(200, reply));
    });
    bench.send(request("out_park", json!({"order_id": "K2", "auth_code": "134AUTH1"}))).unwrap();
    bench.link.shut();
    let lines = bench.lines.lock().unwrap().join("\n");
    for told in ["\"order_id\":\"K2\"", "usb_key", "auth_code", "pay_info"] {
        assert!(lines.contains(told), "{told}: {lines}");
    }
    for secret in [&format!("{:032x}", 1), "USBKEY1", "134AUTH1", "PAYINFO1", "INNER1"] {
        assert!(!lines.contains(secret), "{secret}: {lines}");
    }
}
