//! The outbox, one behaviour at a time.

use crate::support::{Act, COUNTED, Folder, Platform, entry, exit, look, number, open, texts, until};
use parklink::error::Code;
use parklink::sdk::{Outcome, Sdk};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

fn code(outcome: &Outcome) -> Option<Code> {
    outcome.error.as_ref().map(|error| error.code)
}

fn settled(sdk: &Sdk) {
    assert_eq!(sdk.flush(Duration::from_secs(20)).unwrap(), 0, "{:?}", sdk.status()["outbox"]);
}

pub fn reports(sdk: &Sdk) -> Arc<Mutex<Vec<Value>>> {
    let reports = Arc::new(Mutex::new(Vec::new()));
    let inside = reports.clone();
    let handler = move |report: &str| inside.lock().unwrap().push(serde_json::from_str(report).unwrap());
    sdk.on_delivery(Some(Box::new(handler))).unwrap();
    reports
}

#[test]
fn submit_returns_when_the_record_is_on_disk_and_not_when_it_is_sent() {
    let (folder, platform) = (Folder::new(), Platform::start());
    platform.down(true);
    let sdk = open(&folder.0, platform.port, json!({}));
    let ticket = sdk.submit(&entry("A1").to_string()).unwrap();
    let row: (i64, String, String) = look(&folder.store())
        .query_row("SELECT ticket, order_key, json_extract(data, '$.car_number') FROM record", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .unwrap();
    assert_eq!(row, (ticket as i64, "order_id=A1".to_owned(), "京A12345".to_owned()));
    assert!(platform.with(|desk| desk.uploads.is_empty()));
    platform.down(false);
    settled(&sdk);
    assert_eq!(platform.with(|desk| desk.taken()), [("inpark".to_owned(), "A1".to_owned())]);
    assert_eq!(number(&folder.store(), "SELECT count(*) FROM record"), 0);
}

#[test]
fn concurrent_submits_share_a_sync() {
    let (folder, platform) = (Folder::new(), Platform::start());
    platform.down(true);
    let sdk = open(&folder.0, platform.port, json!({}));
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let sdk = &sdk;
            scope.spawn(move || {
                for at in 0..50 {
                    sdk.submit(&entry(&format!("T{thread}-{at}")).to_string()).unwrap();
                }
            });
        }
    });
    assert_eq!(number(&folder.store(), "SELECT count(*) FROM record"), 400);
    assert_eq!(number(&folder.store(), COUNTED), 400);
    assert_eq!(sdk.status()["outbox"]["total"]["records"], 400);
}

#[test]
fn an_upload_while_the_link_is_down_is_queued_with_a_ticket() {
    let (folder, platform) = (Folder::new(), Platform::start());
    platform.down(true);
    let sdk = open(&folder.0, platform.port, json!({}));
    let outcome = sdk.upload(&entry("A1").to_string());
    assert_eq!(code(&outcome), Some(Code::Queued));
    assert_eq!(outcome.reply.unwrap()["ticket"], 1);
    platform.down(false);
    settled(&sdk);
    assert_eq!(platform.with(|desk| desk.count("inpark", "A1")), 1);
}

#[test]
fn by_option_it_fails_instead_and_nothing_is_stored() {
    let (folder, platform) = (Folder::new(), Platform::start());
    platform.down(true);
    let sdk = open(&folder.0, platform.port, json!({"outbox": {"when_offline": "fail"}}));
    assert_eq!(code(&sdk.upload(&entry("A1").to_string())), Some(Code::Offline));
    assert_eq!(number(&folder.store(), "SELECT count(*) FROM record"), 0);
    // Nor behind an older record of its order.
    sdk.submit(&entry("A2").to_string()).unwrap();
    assert_eq!(code(&sdk.upload(&exit("A2").to_string())), Some(Code::Offline));
    assert_eq!(number(&folder.store(), "SELECT count(*) FROM record"), 1);
}

#[test]
fn a_charge_is_never_late() {
    let (folder, platform) = (Folder::new(), Platform::start());
    platform.down(true);
    let sdk = open(&folder.0, platform.port, json!({}));
    for pay_type in ["wallet", "sweepcode"] {
        let mut charge = exit("A1");
        charge["pay_type"] = pay_type.into();
        charge["auth_code"] = "134567890123456789".into();
        assert_eq!(sdk.submit(&charge.to_string()).unwrap_err().code, Code::Unsupported);
        assert_eq!(code(&sdk.upload(&charge.to_string())), Some(Code::Offline));
    }
    // A question is no record either.
    let question = json!({"service_name": "query_order", "order_id": "A1"});
    assert!(matches!(sdk.submit(&question.to_string()).unwrap_err().code, Code::Unsupported | Code::Invalid));
    assert_eq!(number(&folder.store(), "SELECT count(*) FROM record"), 0);
}

#[test]
fn an_order_waits_for_its_older_record_and_no_other_does() {
    let (folder, platform) = (Folder::new(), Platform::start());
    let mut refusals = 0;
    platform.judge(move |upload| {
        // The entry of A1 is not answered three times.
        if upload.order() == "A1" && upload.service == "inpark" && refusals < 3 {
            refusals += 1;
            return Act::Lose;
        }
        Act::Yes
    });
    let sdk = open(&folder.0, platform.port, json!({"outbox": {"retry_first_ms": 200}}));
    for order in ["A1", "A2", "A3"] {
        sdk.submit(&entry(order).to_string()).unwrap();
        sdk.submit(&exit(order).to_string()).unwrap();
    }
    settled(&sdk);
    let taken = platform.with(|desk| desk.taken());
    let place = |service: &str, order: &str| {
        taken.iter().position(|known| known.0 == service && known.1 == order).expect("taken")
    };
    assert_eq!(taken.len(), 6);
    for order in ["A1", "A2", "A3"] {
        assert!(place("inpark", order) < place("outpark", order), "{taken:?}");
    }
    assert!(place("outpark", "A3") < place("inpark", "A1"), "others go on: {taken:?}");
}

/// An order that was held is sent from the store; what was fetched before must not be sent a second time.
#[test]
fn what_was_fetched_of_a_held_order_is_not_sent_twice() {
    let (folder, platform) = (Folder::new(), Platform::start());
    platform.down(true);
    let sdk = open(&folder.0, platform.port, json!({"outbox": {"lanes": 2}}));
    sdk.submit(&entry("H1").to_string()).unwrap();
    for at in 0..60 {
        sdk.submit(&entry(&format!("F{at}")).to_string()).unwrap();
    }
    sdk.submit(&exit("H1").to_string()).unwrap();
    // Opened anew, it fetches them all at once.
    sdk.close(Duration::from_secs(3)).unwrap();
    let mut first = true;
    platform.judge(move |upload| {
        std::thread::sleep(Duration::from_millis(4));
        match upload.order() == "H1" && std::mem::take(&mut first) {
            true => Act::Lose,
            false => Act::Yes,
        }
    });
    platform.down(false);
    let sdk = open(&folder.0, platform.port, json!({"outbox": {"lanes": 2}}));
    settled(&sdk);
    platform.with(|desk| {
        assert_eq!((desk.count("inpark", "H1"), desk.count("outpark", "H1")), (1, 1));
        assert_eq!(desk.taken().len(), 62);
        let end = desk.uploads.iter().position(|upload| upload.service == "outpark").unwrap();
        assert!(end < 50, "a held order is resumed in the middle of a backlog, not after it: {end}");
    });
}

#[test]
fn a_live_exit_waits_for_its_stored_entry() {
    let (folder, platform) = (Folder::new(), Platform::start());
    let mut times = 0;
    platform.judge(move |_| {
        times += 1;
        if times == 1 { Act::Lose } else { Act::Yes }
    });
    let sdk = open(&folder.0, platform.port, json!({}));
    sdk.submit(&entry("A1").to_string()).unwrap();
    let outcome = sdk.upload(&exit("A1").to_string());
    assert!(outcome.error.is_none(), "{outcome:?}");
    assert_eq!(outcome.reply.unwrap()["service_name"], "outpark");
    let order: Vec<_> = platform.with(|desk| desk.taken()).into_iter().map(|taken| taken.0).collect();
    assert_eq!(order, ["inpark", "outpark"]);
    // When its turn does not come in time it is queued, in order.
    platform.down(true);
    sdk.submit(&entry("A2").to_string()).unwrap();
    let short = Instant::now();
    let outcome = sdk.upload(&exit("A2").to_string());
    assert_eq!(code(&outcome), Some(Code::Queued));
    assert!(short.elapsed() < Duration::from_secs(6));
    platform.down(false);
    settled(&sdk);
    let order: Vec<_> = platform.with(|desk| desk.taken()).into_iter().map(|taken| taken.0).collect();
    assert_eq!(order, ["inpark", "outpark", "inpark", "outpark"]);
}

#[test]
fn a_refusal_is_a_dead_letter_at_once() {
    let (folder, platform) = (Folder::new(), Platform::start());
    platform.judge(|upload| if upload.order() == "BAD" { Act::No("车场不存在") } else { Act::Yes });
    let sdk = open(&folder.0, platform.port, json!({}));
    let told = reports(&sdk);
    let ticket = sdk.submit(&entry("BAD").to_string()).unwrap();
    sdk.submit(&entry("GOOD").to_string()).unwrap();
    settled(&sdk);
    until("two reports", || told.lock().unwrap().len() == 2);
    let bad = told.lock().unwrap().iter().find(|report| report["ticket"] == ticket).cloned().unwrap();
    assert_eq!((&bad["outcome"], &bad["code"]), (&json!("dead"), &json!("refused")));
    assert_eq!(bad["reply"]["errmsg"], "车场不存在");
    assert_eq!(platform.with(|desk| desk.uploads.len()), 2, "it is not tried again");
    let letters = sdk.dead(0, 10).unwrap();
    assert_eq!(letters.as_array().unwrap().len(), 1);
    assert_eq!((letters[0]["ticket"].as_u64(), letters[0]["code"].as_str()), (Some(ticket), Some("refused")));
    assert_eq!(
        (letters[0]["data"]["order_id"].as_str(), letters[0]["reply"]["errmsg"].as_str()),
        (Some("BAD"), Some("车场不存在"))
    );
    assert_eq!(sdk.status()["outbox"]["total"]["dead"], 1);
    // Export, retry, delete.
    let file = folder.0.join("dead.jsonl");
    assert_eq!(sdk.export_dead(&file).unwrap(), 1);
    let line: Value = serde_json::from_str(std::fs::read_to_string(&file).unwrap().trim()).unwrap();
    assert_eq!(letters[0], line);
    platform.judge(|_| Act::Yes);
    assert_eq!(sdk.retry_dead(Some(ticket + 77)).unwrap(), 0);
    assert_eq!(sdk.retry_dead(Some(ticket)).unwrap(), 1);
    settled(&sdk);
    assert_eq!(platform.with(|desk| desk.count("inpark", "BAD")), 1);
    platform.judge(|_| Act::No("车场不存在"));
    sdk.submit(&entry("BAD2").to_string()).unwrap();
    settled(&sdk);
    assert_eq!(sdk.delete_dead(None).unwrap(), 1);
    assert_eq!(sdk.dead(0, 10).unwrap(), json!([]));
}

#[test]
fn server_errors_are_passed_by_and_retry_after_is_kept() {
    let (folder, platform) = (Folder::new(), Platform::start());
    let mut answers =
        vec![Act::Status(429, Some(1)), Act::Status(502, None), Act::Status(500, None), Act::Status(408, None)];
    platform.judge(move |_| answers.pop().unwrap_or(Act::Yes));
    let sdk = open(&folder.0, platform.port, json!({"outbox": {"lanes": 1}}));
    sdk.submit(&entry("A1").to_string()).unwrap();
    sdk.submit(&entry("A2").to_string()).unwrap();
    settled(&sdk);
    platform.with(|desk| {
        assert_eq!((desk.count("inpark", "A1"), desk.count("inpark", "A2")), (1, 1));
        // The 429 was the fourth answer: then nothing for a second.
        assert!(desk.uploads[4].at - desk.uploads[3].at >= Duration::from_secs(1));
    });
    assert_eq!(sdk.dead(0, 10).unwrap(), json!([]));
}

/// A gateway that is set up anew, or one that wants somebody to log in, says it to all: nothing of it is the records' fault.
#[test]
fn an_address_that_is_gone_for_a_while_makes_no_dead_letters() {
    for status in [404, 302, 405] {
        let (folder, platform) = (Folder::new(), Platform::start());
        let mut refusals = 12;
        platform.judge(move |_| {
            refusals -= 1;
            if refusals >= 0 { Act::Status(status, None) } else { Act::Yes }
        });
        let sdk = open(&folder.0, platform.port, json!({}));
        for order in ["A1", "A2", "A3"] {
            sdk.submit(&entry(order).to_string()).unwrap();
            sdk.submit(&exit(order).to_string()).unwrap();
        }
        settled(&sdk);
        assert_eq!(sdk.dead(0, 10).unwrap(), json!([]), "{status}");
        let taken = platform.with(|desk| desk.taken());
        for order in ["A1", "A2", "A3"] {
            let services: Vec<_> = taken.iter().filter(|it| it.1 == order).map(|it| it.0.as_str()).collect();
            assert_eq!(services, ["inpark", "outpark"], "{status}");
        }
    }
}

/// What is said of the record itself is not asked again.
#[test]
fn a_record_that_http_refuses_is_a_dead_letter_at_once() {
    for status in [400, 413, 422] {
        let (folder, platform) = (Folder::new(), Platform::start());
        platform.judge(move |_| Act::Status(status, None));
        let sdk = open(&folder.0, platform.port, json!({}));
        sdk.submit(&entry("A1").to_string()).unwrap();
        settled(&sdk);
        assert_eq!(sdk.dead(0, 10).unwrap()[0]["code"], "http", "{status}");
        assert_eq!(platform.with(|desk| desk.uploads.len()), 1, "{status}");
    }
}

/// One record on which the platform's own code fails must not hold up the others, and ends as a dead letter.
#[test]
fn a_record_that_always_fails_holds_up_nobody() {
    let (folder, platform) = (Folder::new(), Platform::start());
    platform.judge(|upload| if upload.order() == "POISON" { Act::Status(500, None) } else { Act::Yes });
    let sdk = open(&folder.0, platform.port, json!({"outbox": {"attempts": 3, "lanes": 1}}));
    sdk.submit(&entry("POISON").to_string()).unwrap();
    for at in 0..30 {
        sdk.submit(&entry(&format!("A{at}")).to_string()).unwrap();
        std::thread::sleep(Duration::from_millis(10));
    }
    until("the others are through", || platform.with(|desk| desk.taken().len() == 30));
    for at in 30..200 {
        if sdk.dead(0, 1).unwrap() != json!([]) {
            break;
        }
        sdk.submit(&entry(&format!("A{at}")).to_string()).unwrap();
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(sdk.dead(0, 9).unwrap()[0]["data"]["order_id"], "POISON");
    settled(&sdk);
}

#[test]
fn an_unanswered_record_is_sent_again_with_the_same_bytes() {
    let (folder, platform) = (Folder::new(), Platform::start());
    let mut times = 0;
    platform.judge(move |_| {
        times += 1;
        match times {
            1 => Act::TakeAndLose,
            2 => Act::No("该订单已经存在"),
            _ => Act::Yes,
        }
    });
    let sdk = open(&folder.0, platform.port, json!({}));
    let told = reports(&sdk);
    sdk.submit(&entry("A1").to_string()).unwrap();
    settled(&sdk);
    platform.with(|desk| {
        assert_eq!(desk.uploads.len(), 2);
        assert_eq!(desk.uploads[0].body, desk.uploads[1].body);
    });
    // "It is there already" after a lost answer: it was received.
    until("a report", || told.lock().unwrap().len() == 1);
    assert_eq!(told.lock().unwrap()[0]["outcome"], "delivered");
    assert_eq!(sdk.dead(0, 10).unwrap(), json!([]));
    // The same of an upload whose answer was lost.
    let mut times = 0;
    platform.judge(move |_| {
        times += 1;
        if times == 1 { Act::TakeAndLose } else { Act::No("该订单已经存在") }
    });
    assert_eq!(code(&sdk.upload(&entry("A2").to_string())), Some(Code::Queued));
    settled(&sdk);
    assert_eq!(sdk.dead(0, 10).unwrap(), json!([]));
    // But an entry that was never sent before is refused.
    assert_eq!(code(&sdk.upload(&entry("A3").to_string())), Some(Code::Refused));
}

#[test]
fn a_dead_token_costs_a_login_and_no_record() {
    let (folder, platform) = (Folder::new(), Platform::start());
    let mut times = 0;
    platform.judge(move |_| {
        times += 1;
        // Twice in a row, too.
        if times % 3 != 0 { Act::DeadToken } else { Act::Yes }
    });
    let sdk = open(&folder.0, platform.port, json!({"outbox": {"lanes": 1}}));
    for at in 0..10 {
        sdk.submit(&entry(&format!("A{at}")).to_string()).unwrap();
    }
    settled(&sdk);
    assert_eq!(platform.with(|desk| desk.taken().len()), 10);
    assert_eq!(sdk.dead(0, 10).unwrap(), json!([]));
}

#[test]
fn the_outbox_has_an_end_and_logs_make_room() {
    let (folder, platform) = (Folder::new(), Platform::start());
    platform.down(true);
    let sdk = open(
        &folder.0,
        platform.port,
        json!({"cloud_addr": "127.0.0.1", "cport": 1, "ckey": "k",
        "store": {"max_records": 10}}),
    );
    let log = |at: usize| {
        json!({"service_name": "park_log", "data_target": "cloud", "log_id": at.to_string(),
        "content": "x", "operate_time": 1, "user_id": "1"})
        .to_string()
    };
    let reports = reports(&sdk);
    let mut logs: Vec<_> = (0..4).map(|at| sdk.submit(&log(at)).unwrap()).collect();
    // An entry goes to both platforms: two records.
    for at in 0..3 {
        sdk.submit(&entry(&format!("A{at}")).to_string()).unwrap();
    }
    sdk.submit(&entry("A3").to_string()).expect("logs make room");
    assert_eq!(number(&folder.store(), "SELECT count(*) FROM record WHERE class = 'log'"), 0);
    until("each is told of", || reports.lock().unwrap().len() == 4);
    for report in reports.lock().unwrap().iter() {
        let told =
            ["outcome", "code", "platform", "interface", "service_name"].map(|member| report[member].as_str().unwrap());
        assert_eq!(told, ["dropped", "outbox_full", "cloud", "cloud.park_log", "park_log"]);
        assert_eq!((&report["reply"], report["message"].as_str().unwrap().is_empty()), (&json!(null), false));
        logs.retain(|ticket| *ticket != report["ticket"].as_u64().unwrap());
    }
    assert!(logs.is_empty(), "no report of {logs:?}");
    sdk.submit(&entry("A4").to_string()).expect("the tenth");
    let error = sdk.submit(&entry("A5").to_string()).unwrap_err();
    assert_eq!(error.code, Code::OutboxFull);
    assert!(error.message.contains("store.max_records"), "{error}");
    assert_eq!(code(&sdk.upload(&entry("A5").to_string())), Some(Code::OutboxFull));
    assert_eq!(number(&folder.store(), "SELECT count(*) FROM record WHERE order_key = 'order_id=A5'"), 0);
    assert_eq!(sdk.status()["outbox"]["total"]["records"], number(&folder.store(), COUNTED));
    drop(sdk);
    let other = Folder::new();
    let sdk = open(&other.0, platform.port, json!({"store": {"max_bytes": 1024}}));
    let most = (0..20).take_while(|at| sdk.submit(&entry(&format!("A{at}")).to_string()).is_ok()).count();
    assert!((2..6).contains(&most), "{most}");
    assert!(number(&other.store(), "SELECT sum(length(CAST(data AS BLOB))) FROM record") <= 1024);
}

#[test]
fn a_live_record_overtakes_the_backlog() {
    let (folder, platform) = (Folder::new(), Platform::start());
    platform.down(true);
    let sdk = open(&folder.0, platform.port, json!({"outbox": {"lanes": 1}}));
    for at in 0..100 {
        sdk.submit(&entry(&format!("B{at}")).to_string()).unwrap();
    }
    platform.judge(|_| {
        std::thread::sleep(Duration::from_millis(10));
        Act::Yes
    });
    platform.down(false);
    platform.until("the backlog moves", |desk| desk.uploads.len() >= 3);
    assert!(sdk.upload(&entry("LIVE").to_string()).error.is_none());
    let ahead = platform.with(|desk| desk.uploads.iter().position(|upload| upload.order() == "LIVE").unwrap());
    assert!(ahead < 40, "{ahead}");
    settled(&sdk);
}

#[test]
fn status_flush_and_close_tell_what_is_left() {
    let (folder, platform) = (Folder::new(), Platform::start());
    platform.down(true);
    let sdk = open(&folder.0, platform.port, json!({}));
    for at in 0..5 {
        sdk.submit(&entry(&format!("A{at}")).to_string()).unwrap();
    }
    assert_eq!(sdk.flush(Duration::from_millis(50)).unwrap(), 5);
    let status = sdk.status()["outbox"].clone();
    assert_eq!((status["bolink"]["records"].as_i64(), status["total"]["records"].as_i64()), (Some(5), Some(5)));
    assert!(status["bolink"]["oldest_ms"].as_i64().unwrap() > 1_700_000_000_000);
    until("an error is told", || sdk.status()["links"]["bolink"]["last_error"].is_string());
    assert_eq!(sdk.close(Duration::from_secs(2)).unwrap().left, 5);
    // Nobody holds the folder any more, and nothing is lost.
    let sdk = open(&folder.0, platform.port, json!({}));
    assert_eq!(sdk.status()["outbox"]["total"]["records"], 5);
    platform.down(false);
    settled(&sdk);
    assert_eq!(platform.with(|desk| desk.taken().len()), 5);
    // A downlink without an answer is left, and a record beside it.
    platform
        .send(&json!({"service_name": "prepay_order", "car_number": "京A12345", "order_id": "A1", "trade_no": "T1"}));
    sdk.poll(Duration::from_secs(5)).unwrap();
    platform.down(true);
    sdk.submit(&entry("LEFT").to_string()).unwrap();
    assert_eq!(sdk.close(Duration::from_secs(2)).unwrap().left, 2);
    let sdk = open(&folder.0, platform.port, json!({}));
    platform.down(false);
    settled(&sdk);
    assert_eq!(texts(&look(&folder.store()), "SELECT data FROM record").len(), 0);
}
