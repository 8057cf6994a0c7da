//! Downlinks that move money: on disk before the software hears of them, told once or with the mark, answered again alike.

use crate::support::{Act, Folder, Platform, look, number, open, prepay, texts, until};
use parklink::catalogue::Platform::Bolink;
use parklink::inbox::{Inbox, Limits};
use parklink::json::members_of;
use parklink::link::Sink;
use parklink::log::{Level, Log};
use parklink::sdk::Sdk;
use parklink::store::Store;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

type Lot = Arc<OnceLock<Sdk>>;

fn start(folder: &Folder, platform: &Platform) -> Lot {
    let lot = Lot::default();
    // A poll that a lot before left behind must not take this one's downlinks.
    platform.with(|desk| desk.tokens += 1);
    lot.get_or_init(|| open(&folder.0, platform.port, json!({})));
    lot
}

fn end(lot: &Lot) {
    let sdk = lot.get().unwrap();
    sdk.on_downlink(None).unwrap();
    sdk.close(Duration::from_millis(500)).unwrap();
}

fn yes() -> Value {
    json!({"state": 1, "prepay": "5", "park_id": "21782", "data_target": "bolink"})
}

/// Notes each call; answers when there is an answer.
fn listen(lot: &Lot, answer: Option<Value>) -> Arc<Mutex<Vec<(String, bool)>>> {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let (inside, weak) = (calls.clone(), lot.clone());
    let handler = move |event: &parklink::sdk::Event| {
        let event_json: Value = serde_json::from_str(&event.json()).unwrap();
        assert_eq!(event_json["redelivered"], event.redelivered);
        inside.lock().unwrap().push((event.data["trade_no"].as_str().unwrap_or("").to_owned(), event.redelivered));
        if let Some(answer) = &answer {
            weak.get().unwrap().reply(event.id, &answer.to_string()).unwrap();
        }
    };
    lot.get().unwrap().on_downlink(Some(Box::new(handler))).unwrap();
    calls
}

#[test]
fn it_is_on_disk_before_the_callback_runs() {
    let (folder, platform) = (Folder::new(), Platform::start());
    let lot = start(&folder, &platform);
    let found = Arc::new(Mutex::new(None));
    let (inside, path) = (found.clone(), folder.store());
    let handler = move |_: &parklink::sdk::Event| {
        let sql = "SELECT json_extract(message, '$.trade_no') || '/' || answered || '/' || delivered FROM event";
        *inside.lock().unwrap() = Some(texts(&look(&path), sql));
    };
    lot.get().unwrap().on_downlink(Some(Box::new(handler))).unwrap();
    platform.send(&prepay("T1"));
    until("the callback", || found.lock().unwrap().is_some());
    assert_eq!(*found.lock().unwrap(), Some(vec!["T1/0/0".to_owned()]));
    end(&lot);
}

#[test]
fn a_repeat_gets_the_same_answer_and_no_second_call() {
    let (folder, platform) = (Folder::new(), Platform::start());
    let lot = start(&folder, &platform);
    let calls = listen(&lot, Some(yes()));
    platform.send(&prepay("T1"));
    platform.until("an answer", |desk| desk.uploads.len() == 1);
    until("the answer is known to be there", || number(&folder.store(), "SELECT delivered FROM event") == 1);
    platform.send(&prepay("T1"));
    platform.until("the same answer", |desk| desk.uploads.len() == 2);
    // Another payment of the same order is another one.
    platform.send(&prepay("T2"));
    platform.until("its answer", |desk| desk.uploads.len() == 3);
    let answers = platform.answers("prepay_order");
    assert_eq!(answers[0].body, answers[1].body);
    end(&lot);
    // Also after a restart.
    let lot = start(&folder, &platform);
    let later = listen(&lot, Some(yes()));
    platform.send(&prepay("T1"));
    platform.until("the same answer again", |desk| desk.uploads.len() == 4);
    assert_eq!(platform.answers("prepay_order")[3].data, answers[0].data);
    assert_eq!(*calls.lock().unwrap(), [("T1".to_owned(), false), ("T2".to_owned(), false)]);
    assert!(later.lock().unwrap().is_empty());
    end(&lot);
}

#[test]
fn a_repeat_before_the_answer_waits_with_it() {
    let (folder, platform) = (Folder::new(), Platform::start());
    let lot = start(&folder, &platform);
    let ids = Arc::new(Mutex::new(Vec::new()));
    let inside = ids.clone();
    let handler = move |event: &parklink::sdk::Event| inside.lock().unwrap().push(event.id);
    lot.get().unwrap().on_downlink(Some(Box::new(handler))).unwrap();
    for _ in 0..3 {
        platform.send(&prepay("T1"));
    }
    platform.until("all are fetched", |desk| desk.downlinks.is_empty());
    until("the call", || !ids.lock().unwrap().is_empty());
    thread::sleep(Duration::from_millis(100));
    assert_eq!(ids.lock().unwrap().len(), 1);
    let id = ids.lock().unwrap()[0];
    lot.get().unwrap().reply(id, &yes().to_string()).unwrap();
    platform.until("an answer", |desk| desk.uploads.len() == 1);
    assert!(lot.get().unwrap().reply(id, &yes().to_string()).is_err(), "answered already");
    end(&lot);
}

#[test]
fn what_was_not_answered_comes_again_with_the_mark() {
    let (folder, platform) = (Folder::new(), Platform::start());
    let lot = start(&folder, &platform);
    let calls = listen(&lot, None);
    platform.send(&prepay("T1"));
    until("the call", || calls.lock().unwrap().len() == 1);
    end(&lot);
    let lot = start(&folder, &platform);
    let again = listen(&lot, Some(yes()));
    platform.until("the answer", |desk| desk.uploads.len() == 1);
    assert_eq!(*again.lock().unwrap(), [("T1".to_owned(), true)]);
    assert_eq!(platform.answers("prepay_order")[0].order(), "A1", "tied to the downlink of before");
    end(&lot);
}

#[test]
fn an_answer_for_a_platform_that_is_not_there_is_an_error_and_the_downlink_stays() {
    use parklink::config::{Config, Unknown};
    use parklink::error::Code;
    let (folder, platform) = (Folder::new(), Platform::start());
    let lot = start(&folder, &platform);
    let calls = listen(&lot, None);
    platform.send(&prepay("T1"));
    until("the call", || calls.lock().unwrap().len() == 1);
    end(&lot);
    // The same lot and store, without Bolink.
    let config = json!({"park_id": "21782", "ckey": "WERRTTTTYY", "cloud_addr": "127.0.0.1", "cport": 1,
        "store": {"dir": folder.0}});
    let cloud_only = Sdk::open(Config::parse(&config.to_string(), Unknown::Refuse).unwrap()).unwrap();
    let event = cloud_only.poll(Duration::from_secs(5)).unwrap();
    assert!(event.redelivered);
    for _ in 0..2 {
        let error = cloud_only.reply(event.id, &yes().to_string()).unwrap_err();
        assert_eq!(error.code, Code::NotConfigured, "{error}");
        assert!(error.message.contains("bolink"), "{error}");
    }
    assert_eq!(number(&folder.store(), "SELECT answered FROM event"), 0);
    cloud_only.close(Duration::from_millis(500)).unwrap();
    let lot = start(&folder, &platform);
    listen(&lot, Some(yes()));
    platform.until("the answer", |desk| desk.uploads.len() == 1);
    end(&lot);
}

#[test]
fn an_answer_the_platform_did_not_get_is_sent_after_a_restart() {
    let (folder, platform) = (Folder::new(), Platform::start());
    let lot = start(&folder, &platform);
    let calls = listen(&lot, None);
    let ids = Arc::new(Mutex::new(0));
    let (inside, inner) = (ids.clone(), lot.clone());
    let (line, path) = (platform.clone(), folder.store());
    let handler = move |event: &parklink::sdk::Event| {
        line.down(true);
        inner.get().unwrap().reply(event.id, &yes().to_string()).unwrap();
        assert_eq!(number(&path, "SELECT answered AND NOT delivered FROM event"), 1, "on disk before it is sent");
        *inside.lock().unwrap() = event.id;
    };
    lot.get().unwrap().on_downlink(Some(Box::new(handler))).unwrap();
    platform.send(&prepay("T1"));
    until("the reply", || *ids.lock().unwrap() != 0);
    end(&lot);
    assert!(platform.answers("prepay_order").is_empty());
    platform.down(false);
    let lot = start(&folder, &platform);
    let again = listen(&lot, Some(yes()));
    platform.until("the answer", |desk| desk.uploads.len() == 1);
    until("it is done", || number(&folder.store(), "SELECT count(*) FROM event WHERE delivered = 0") == 0);
    assert!(again.lock().unwrap().is_empty() && calls.lock().unwrap().is_empty());
    end(&lot);
}

#[test]
fn a_no_is_not_remembered() {
    let (folder, platform) = (Folder::new(), Platform::start());
    let lot = start(&folder, &platform);
    let mut no = yes();
    no["state"] = 0.into();
    no["errmsg"] = "订单不存在".into();
    let calls = listen(&lot, Some(no));
    for round in 1..=2 {
        platform.send(&prepay("T1"));
        platform.until("a no", |desk| desk.uploads.len() == round);
    }
    assert_eq!(*calls.lock().unwrap(), [("T1".to_owned(), false), ("T1".to_owned(), false)]);
    until("nothing is kept", || number(&folder.store(), "SELECT count(*) FROM event") == 0);
    end(&lot);
}

#[test]
fn a_notice_is_told_once_and_not_again_after_a_restart() {
    let (folder, platform) = (Folder::new(), Platform::start());
    let lot = start(&folder, &platform);
    let calls = Arc::new(Mutex::new(Vec::new()));
    let inside = calls.clone();
    let handler = move |event: &parklink::sdk::Event| {
        // The repeat comes while this one is being told.
        inside.lock().unwrap().push(event.id);
        thread::sleep(Duration::from_millis(150));
    };
    lot.get().unwrap().on_downlink(Some(Box::new(handler))).unwrap();
    let notice = json!({"service_name": "escape_order", "state": 1, "order_id": "A1", "trade_no": "E1", "pay_channel": 1,
        "total": 5, "errmsg": "", "pay_time": 1, "arrive_money": 5, "fee": 0, "account_type": 1, "remark": "", "union_id": 1});
    platform.send(&notice);
    platform.send(&notice);
    until("the call", || calls.lock().unwrap().len() == 1);
    until("it is finished", || number(&folder.store(), "SELECT delivered FROM event") == 1);
    platform.send(&notice);
    platform.until("all are fetched", |desk| desk.downlinks.is_empty());
    thread::sleep(Duration::from_millis(100));
    assert_eq!(calls.lock().unwrap().len(), 1);
    end(&lot);
    let lot = start(&folder, &platform);
    let again = listen(&lot, None);
    thread::sleep(Duration::from_millis(200));
    assert!(again.lock().unwrap().is_empty());
    end(&lot);
}

#[test]
fn an_answer_that_is_not_taken_holds_up_no_other() {
    let (folder, platform) = (Folder::new(), Platform::start());
    platform.judge(|upload| if upload.order() == "BAD" { Act::Status(500, None) } else { Act::Yes });
    let lot = start(&folder, &platform);
    let calls = listen(&lot, Some(yes()));
    for order in ["BAD", "A1", "A2"] {
        let mut payment = prepay(&format!("T-{order}"));
        payment["order_id"] = order.into();
        platform.send(&payment);
    }
    platform.until("the others are answered", |desk| desk.taken().len() == 2);
    assert_eq!(calls.lock().unwrap().len(), 3);
    // It stays, and is sent when the platform takes it.
    platform.judge(|_| Act::Yes);
    platform.until("that one too", |desk| desk.taken().len() == 3);
    end(&lot);
}

/// Two programs under one name throw each other out: a token that dies twice in a row says nothing of the answer.
#[test]
fn a_yes_is_not_dropped_when_its_token_is_refused_twice() {
    let (folder, platform) = (Folder::new(), Platform::start());
    let mut refusals = 2;
    platform.judge(move |_| {
        refusals -= 1;
        if refusals >= 0 { Act::No("error:token无效") } else { Act::Yes }
    });
    let lot = start(&folder, &platform);
    listen(&lot, Some(yes()));
    platform.send(&prepay("T1"));
    platform.until("the yes", |desk| desk.uploads.iter().any(|upload| upload.is_taken));
    until("it is known to be there", || number(&folder.store(), "SELECT delivered FROM event") == 1);
    end(&lot);
}

#[test]
fn an_answer_that_close_breaks_off_is_told_as_left() {
    let (folder, platform) = (Folder::new(), Platform::start());
    platform.judge(|_| Act::Hang(3000));
    let lot = start(&folder, &platform);
    listen(&lot, Some(yes()));
    platform.send(&prepay("T1"));
    platform.until("it is under way", |desk| desk.uploads.len() == 1);
    assert_eq!(lot.get().unwrap().close(Duration::from_millis(50)).unwrap().left, 1);
    assert_eq!(number(&folder.store(), "SELECT answered = 1 AND delivered = 0 FROM event"), 1);
}

/// What nobody takes is not sent every second for ever, nor once more for each repeat of its downlink.
#[test]
fn an_answer_that_is_never_taken_is_sent_less_and_less_often() {
    let (folder, platform) = (Folder::new(), Platform::start());
    platform.judge(|_| Act::Status(500, None));
    let lot = start(&folder, &platform);
    listen(&lot, Some(yes()));
    platform.send(&prepay("T1"));
    thread::sleep(Duration::from_millis(3400));
    let sent = platform.answers("prepay_order").len();
    assert!((2..=3).contains(&sent), "{sent}");
    for repeats in 1..=3 {
        platform.send(&prepay("T1"));
        platform.until("an answer to the repeat", |desk| desk.uploads.len() >= sent + repeats);
    }
    until("one is under way", || lot.get().unwrap().status()["events"]["answers_under_way"] == 1);
    end(&lot);
}

#[test]
fn what_a_poll_gave_is_done_when_the_next_is_asked_for() {
    let (folder, platform) = (Folder::new(), Platform::start());
    let lot = start(&folder, &platform);
    let sdk = lot.get().unwrap();
    let mut notice = prepay("E1");
    notice["service_name"] = "escape_order".into();
    notice["state"] = 1.into();
    platform.send(&notice);
    assert_eq!(sdk.poll(Duration::from_secs(10)).unwrap().service, "escape_order");
    thread::sleep(Duration::from_millis(50));
    // A crash now would have it told again.
    assert_eq!(number(&folder.store(), "SELECT delivered FROM event"), 0);
    assert!(sdk.poll(Duration::from_millis(10)).is_err());
    until("it is done", || number(&folder.store(), "SELECT delivered FROM event") == 1);
}

#[test]
fn what_does_not_fit_after_a_restart_follows_when_there_is_room() {
    const COUNT: usize = 60;
    let (folder, platform) = (Folder::new(), Platform::start());
    let lot = start(&folder, &platform);
    let calls = listen(&lot, None);
    for at in 0..COUNT {
        platform.send(&prepay(&format!("T{at}")));
    }
    until("all are there", || calls.lock().unwrap().len() == COUNT);
    end(&lot);
    // One that the software answered and the platform never heard.
    let store = rusqlite::Connection::open(folder.store()).unwrap();
    let answer = json!({"service": "prepay_order", "data": yes()}).to_string();
    let sql = "UPDATE event SET answered = 1, answer = ?1 WHERE json_extract(message, '$.trade_no') = 'T50'";
    assert_eq!(store.execute(sql, [answer]).unwrap(), 1);
    drop(store);

    platform.with(|desk| desk.tokens += 1);
    let lot = Lot::default();
    lot.get_or_init(|| open(&folder.0, platform.port, json!({"events": {"queue": 8}})));
    let sdk = lot.get().unwrap();
    let waiting = |sdk: &Sdk| sdk.status()["events"]["waiting"].as_u64().unwrap();
    assert_eq!(waiting(sdk), 4, "half the queue is for what comes now");
    platform.send(&prepay("LIVE"));
    until("there is room for it", || waiting(sdk) == 5);
    // Nobody answers: then no more are handed out than can be kept.
    let first: Vec<_> = (0..5).map(|_| sdk.poll(Duration::from_secs(5)).unwrap()).collect();
    assert!(sdk.poll(Duration::from_millis(300)).is_err());
    for event in &first {
        sdk.reply(event.id, &yes().to_string()).unwrap();
    }
    let mut seen: Vec<_> =
        first.iter().map(|event| (event.data["trade_no"].as_str().unwrap().to_owned(), event.redelivered)).collect();
    while seen.len() < COUNT {
        let event = sdk.poll(Duration::from_secs(5)).unwrap();
        assert!(waiting(sdk) <= 4);
        sdk.reply(event.id, &yes().to_string()).unwrap();
        seen.push((event.data["trade_no"].as_str().unwrap().to_owned(), event.redelivered));
    }
    let live = seen.iter().position(|(trade_no, _)| trade_no == "LIVE").unwrap();
    assert_eq!(seen.remove(live), ("LIVE".to_owned(), false));
    let expected = (0..COUNT).filter(|at| *at != 50).map(|at| (format!("T{at}"), true));
    assert_eq!(seen, expected.collect::<Vec<_>>(), "each once, in their order");
    platform.until("every answer, that one too", |desk| desk.uploads.len() == COUNT + 1);
    until("all is done", || number(&folder.store(), "SELECT count(*) FROM event WHERE delivered = 0") == 0);
    assert!(sdk.poll(Duration::from_millis(50)).is_err());
}

#[test]
fn a_callback_gets_all_of_before_however_small_the_queue() {
    let (folder, platform) = (Folder::new(), Platform::start());
    let lot = start(&folder, &platform);
    let calls = listen(&lot, None);
    for at in 0..40 {
        platform.send(&prepay(&format!("T{at}")));
    }
    until("all are there", || calls.lock().unwrap().len() == 40);
    end(&lot);
    platform.with(|desk| desk.tokens += 1);
    let lot = Lot::default();
    lot.get_or_init(|| open(&folder.0, platform.port, json!({"events": {"queue": 1}})));
    let again = listen(&lot, Some(yes()));
    platform.until("every answer", |desk| desk.uploads.len() == 40);
    let expected: Vec<_> = (0..40).map(|at| (format!("T{at}"), true)).collect();
    assert_eq!(*again.lock().unwrap(), expected);
    end(&lot);
}

#[test]
fn an_answer_that_the_platform_refuses_is_not_sent_for_ever() {
    let (folder, platform) = (Folder::new(), Platform::start());
    platform.judge(|_| Act::Status(400, None));
    let lot = start(&folder, &platform);
    listen(&lot, Some(yes()));
    platform.send(&prepay("T1"));
    platform.until("an answer", |desk| desk.uploads.len() == 1);
    until("it is over", || number(&folder.store(), "SELECT delivered FROM event") == 1);
    thread::sleep(Duration::from_millis(1500));
    assert_eq!(platform.answers("prepay_order").len(), 1);
    // Asked again, it is answered again.
    platform.judge(|_| Act::Yes);
    platform.send(&prepay("T1"));
    platform.until("the same answer", |desk| desk.taken().len() == 1);
    end(&lot);
}

#[test]
fn however_often_it_is_repeated_one_answer_is_under_way() {
    let (folder, platform) = (Folder::new(), Platform::start());
    platform.judge(|_| Act::Status(500, None));
    let lot = start(&folder, &platform);
    listen(&lot, Some(yes()));
    let under_way = || lot.get().unwrap().status()["events"]["answers_under_way"].as_u64().unwrap();
    platform.send(&prepay("T1"));
    platform.until("an answer", |desk| desk.uploads.len() == 1);
    for round in 2..=5 {
        platform.send(&prepay("T1"));
        platform.until("each repeat is answered", |desk| desk.uploads.len() >= round);
    }
    until("one waits", || under_way() == 1);
    platform.judge(|_| Act::Yes);
    platform.until("it is taken", |desk| desk.taken().len() == 1);
    until("none waits", || under_way() == 0);
    end(&lot);
}

fn without_plate() -> Value {
    json!({"service_name": "nolicence_in_park", "car_number": "62000F9", "park_id": "21782", "channel_id": "A2",
        "timetemp": 1_503_296_359})
}

/// A barrier does not open for a car that has gone long ago, however the machine's clock was set meanwhile; what was paid
/// stays paid.
#[test]
fn an_old_command_is_not_handed_out_again() {
    for later in [0, 700_000, -700_000] {
        let (folder, platform) = (Folder::new(), Platform::start());
        let lot = start(&folder, &platform);
        let calls = listen(&lot, None);
        platform.send(&without_plate());
        platform.send(&prepay("T1"));
        until("the calls", || calls.lock().unwrap().len() == 2);
        end(&lot);
        let store = rusqlite::Connection::open(folder.store()).unwrap();
        assert_eq!(store.execute("UPDATE event SET received = received - ?1", [later]).unwrap(), 2);
        drop(store);
        let lot = start(&folder, &platform);
        let again = listen(&lot, Some(yes()));
        let expected = if later == 0 { &["", "T1"][..] } else { &["T1"][..] };
        until("the calls again", || again.lock().unwrap().len() == expected.len());
        thread::sleep(Duration::from_millis(100));
        let again = again.lock().unwrap();
        assert_eq!(again.iter().map(|(trade_no, _)| trade_no.as_str()).collect::<Vec<_>>(), expected, "{later}");
        end(&lot);
    }
}

#[test]
fn an_answer_without_a_number_passes_over_what_is_too_old() {
    let (folder, platform) = (Folder::new(), Platform::start());
    let sdk = open(&folder.0, platform.port, json!({"events": {"keep_s": 1}}));
    sdk.on_downlink(Some(Box::new(|_| {}))).unwrap();
    let question = json!({"service_name": "query_price", "car_number": "京A12345", "order_id": "A1", "park_id": "21782",
        "pay_scene": 0});
    let unanswered = || sdk.status()["events"]["unanswered"].as_u64().unwrap();
    platform.send(&question);
    until("the first", || unanswered() == 1);
    thread::sleep(Duration::from_millis(800));
    platform.send(&question);
    until("the second", || unanswered() == 2);
    thread::sleep(Duration::from_millis(300));
    let answer = json!({"service_name": "query_price", "order_id": "A1", "state": 1, "price": "5.00", "duration": 10,
        "car_number": "京A12345", "park_id": "21782", "data_target": "bolink", "in_time": 1, "query_order_no": ""});
    let outcome = sdk.upload(&answer.to_string());
    assert!(outcome.error.is_none(), "{outcome:?}");
    platform.until("the answer", |desk| desk.uploads.len() == 1);
}

/// The original SDK's messages do not show that they come again.
#[test]
fn without_the_mark_no_command_comes_again() {
    let folder = Folder::new();
    let log = Arc::new(Log::new(Level::Error));
    let minute = Duration::from_secs(60);
    for sees_mark in [true, false] {
        let store = Store::open(&folder.store(), log.clone()).unwrap();
        let limits = Limits { queue: 10, keep: minute, grace: minute, window_seconds: 1000, sees_mark };
        let inbox = Inbox::open(limits, log.clone(), Some(store.clone())).unwrap();
        if sees_mark {
            for message in [without_plate(), prepay("T1")] {
                inbox.received(Bolink, members_of(message.to_string().as_bytes()).unwrap());
            }
        }
        let next =
            || inbox.poll(Duration::from_millis(200)).map(|event| (event.service.to_string(), event.redelivered));
        if sees_mark {
            assert_eq!(next().unwrap(), ("nolicence_in_park".to_owned(), false));
        }
        assert_eq!(next().unwrap(), ("prepay_order".to_owned(), !sees_mark));
        assert!(next().is_err());
        inbox.close(minute);
        store.close();
    }
}
