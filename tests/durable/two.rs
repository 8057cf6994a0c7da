//! An order goes to two platforms: what one does is no reason to repeat, delay or lose what the other has.

use crate::support::{Act, Folder, Platform, entry, exit, open, until};
use parklink::error::Code;
use parklink::json::Value;
use parklink::sdk::{Outcome, Sdk};
use serde_json::json;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

/// A port on which nobody listens.
fn nobody() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A cloud that logs everybody in and says nothing else.
fn silent() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let _ = lines.next();
                let _ = (&stream).write_all(b"\n{\"state\":1,\"token\":\"t\",\"service_name\":\"login\"}\r");
                while let Some(Ok(_)) = lines.next() {}
            });
        }
    });
    port
}

fn both(folder: &Folder, bolink: &Platform, cloud: u16, more: serde_json::Value) -> Sdk {
    let mut all = json!({"ckey": "WERRTTTTYY", "cloud_addr": "127.0.0.1", "cport": cloud});
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let sdk = open(&folder.0, bolink.port, all);
    until("Bolink is up", || sdk.status()["links"]["bolink"]["state"] == "up");
    sdk
}

fn code(outcome: &Outcome) -> Option<Code> {
    outcome.error.as_ref().map(|error| error.code)
}

fn on(outcome: &Outcome, platform: &str) -> Value {
    outcome.reply.as_ref().unwrap()["links"][platform]["code"].clone()
}

/// Whoever is told `offline` or `timeout` sends the same exit again, and the driver pays twice.
#[test]
fn a_charge_that_bolink_has_is_not_to_be_repeated_because_the_cloud_is_away() {
    for cloud in [nobody(), silent()] {
        let (folder, bolink) = (Folder::new(), Platform::start());
        let sdk = both(&folder, &bolink, cloud, json!({"cloud": {"request_timeout_ms": 300}}));
        until("the cloud is known", || sdk.status()["links"]["cloud"]["state"] != "connecting");
        for (words, expected) in [(r#"{"state":2,"errmsg":"wait"}"#, Some(Code::Pending)), (r#"{"state":1}"#, None)] {
            bolink.judge(move |_| Act::Says(words));
            for pay_type in ["wallet", "sweepcode"] {
                let mut charge = exit("A1");
                (charge["pay_type"], charge["auth_code"]) = (json!(pay_type), json!("134567890123456789"));
                let outcome = sdk.upload(&charge.to_string());
                assert_eq!(code(&outcome), expected, "{pay_type}: {outcome:?}");
                // Its part asks for nothing any more: a record like others.
                assert_eq!(on(&outcome, "cloud"), "queued");
            }
        }
    }
}

#[test]
fn a_cloud_that_does_not_answer_keeps_nothing_from_bolink() {
    let (folder, bolink) = (Folder::new(), Platform::start());
    let times = json!({"cloud": {"request_timeout_ms": 600}, "bolink": {"request_timeout_ms": 300},
        "outbox": {"when_offline": "fail"}});
    let sdk = both(&folder, &bolink, silent(), times);
    until("the cloud is up", || sdk.status()["links"]["cloud"]["state"] == "up");
    for record in [entry("A1"), exit("A1")] {
        let outcome = sdk.upload(&record.to_string());
        assert_eq!((on(&outcome, "bolink"), on(&outcome, "cloud")), ("ok".into(), "timeout".into()), "{outcome:?}");
    }
    assert_eq!(bolink.with(|desk| desk.taken().len()), 2);
}

#[test]
fn behind_a_link_that_is_down_nobody_waits() {
    let (folder, bolink) = (Folder::new(), Platform::start());
    let times = json!({"cloud": {"request_timeout_ms": 60_000}});
    let sdk = both(&folder, &bolink, nobody(), times);
    until("the cloud is down", || sdk.status()["links"]["cloud"]["state"] == "down");
    let begin = Instant::now();
    for record in [entry("A1"), exit("A1")] {
        let outcome = sdk.upload(&record.to_string());
        assert_eq!(code(&outcome), Some(Code::Queued), "{outcome:?}");
        assert_eq!((on(&outcome, "bolink"), on(&outcome, "cloud")), ("ok".into(), "queued".into()));
    }
    assert!(begin.elapsed() < Duration::from_secs(30));
}
