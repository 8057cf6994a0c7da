//! Exits that ask for money now: what is told of them when something goes wrong.

use crate::support::{Act, Folder, Platform, exit, number, open, options, until};
use parklink::error::Code;
use parklink::sdk::{Outcome, Sdk};
use serde_json::{Value, json};
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

fn charge(order: &str) -> String {
    let mut charge = exit(order);
    (charge["pay_type"], charge["auth_code"]) = ("wallet".into(), "134567890123456789".into());
    charge.to_string()
}

fn code(outcome: &Outcome) -> Option<Code> {
    outcome.error.as_ref().map(|error| error.code)
}

/// Beside Bolink, a cloud that nobody answers for.
fn cloud_at(port: u16) -> Value {
    json!({"cloud_addr": "127.0.0.1", "cport": port, "ckey": "WERRTTTTYY"})
}

fn is_bolink_up(sdk: &Sdk) -> bool {
    sdk.status()["links"]["bolink"]["state"] == "up"
}

#[test]
fn what_bolink_charged_is_not_called_failed_for_the_clouds_sake() {
    for (act, expected, kept) in [
        (Act::Yes, None, 1),
        (Act::Says(r#"{"state":2,"errmsg":""}"#), Some(Code::Pending), 1),
        // Not charged: the driver pays another way, and that exit is the one to tell the cloud of.
        (Act::No("余额不足"), Some(Code::Refused), 0),
        (Act::TakeAndLose, Some(Code::Broken), 0),
    ] {
        let (folder, platform) = (Folder::new(), Platform::start());
        platform.judge(move |_| act.clone());
        let sdk = open(&folder.0, platform.port, cloud_at(1));
        until("Bolink is there and the cloud is not", || {
            is_bolink_up(&sdk) && sdk.status()["links"]["cloud"]["state"] == "down"
        });
        let outcome = sdk.upload(&charge("A1"));
        assert_eq!(code(&outcome), expected);
        let cloud = outcome.reply.unwrap()["links"]["cloud"]["code"].clone();
        assert_eq!(cloud, if kept == 1 { "queued" } else { "offline" });
        // Kept for the cloud, never for Bolink.
        assert_eq!(number(&folder.store(), "SELECT count(*) FROM record WHERE platform = 'cloud'"), kept);
        assert_eq!(number(&folder.store(), "SELECT count(*) FROM record"), kept);
    }
}

#[test]
fn a_cloud_that_says_nothing_takes_no_time_from_bolink() {
    let (folder, platform) = (Folder::new(), Platform::start());
    // Takes the connection and never answers the login.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut more = cloud_at(silent.local_addr().unwrap().port());
    more["cloud"] = json!({"request_timeout_ms": 1500});
    more["bolink"] = json!({"request_timeout_ms": 1500});
    let sdk = open(&folder.0, platform.port, more);
    until("Bolink is up", || is_bolink_up(&sdk));
    let begun = Instant::now();
    assert_eq!(code(&sdk.upload(&charge("A1"))), None);
    assert_eq!(platform.with(|desk| desk.count("outpark", "A1")), 1);
    let delay = platform.answers("outpark")[0].at.saturating_duration_since(begun);
    assert!(delay < Duration::from_millis(1000), "{delay:?}");
}

#[test]
fn a_charge_without_an_answer_says_that_it_may_be_made() {
    for (act, expected) in [
        (Act::Status(504, None), Code::Http),
        (Act::Status(502, Some(3)), Code::Http),
        (Act::Says("{}"), Code::Protocol),
        (Act::TakeAndLose, Code::Broken),
    ] {
        let (folder, platform) = (Folder::new(), Platform::start());
        platform.judge(move |_| act.clone());
        let sdk = open(&folder.0, platform.port, json!({}));
        let error = sdk.upload(&charge("A1")).error.unwrap();
        assert_eq!(error.code, expected);
        assert!(error.message.contains("whether it was done is not known"), "{}", error.message);
        assert!(!error.message.contains("try again"), "{}", error.message);
    }
    // What was certainly not sent, or refused, stays a plain failure.
    let (folder, platform) = (Folder::new(), Platform::start());
    let mut acts = vec![Act::DeadToken, Act::DeadToken, Act::Status(503, None), Act::No("no")];
    platform.judge(move |_| if acts.is_empty() { Act::Yes } else { acts.remove(0) });
    let sdk = open(&folder.0, platform.port, json!({}));
    for expected in [Code::Refused, Code::Http, Code::Refused] {
        let error = sdk.upload(&charge("A1")).error.unwrap();
        assert_eq!(error.code, expected);
        assert!(!error.message.contains("not known"), "{}", error.message);
    }
}

/// SDK 2.2: Bolink answers 2 when it has itself waited for more than ten seconds.
#[test]
fn a_charge_is_waited_for_as_long_as_the_document_says() {
    let (folder, platform) = (Folder::new(), Platform::start());
    platform.judge(|_| Act::Hang(1500));
    let config = options(&folder.0, &json!({"bolink": {"request_timeout_ms": 200}}));
    assert_eq!(config["bolink"]["request_timeout_ms"], 200);
    let sdk = open(&folder.0, platform.port, json!({"bolink": {"request_timeout_ms": 200}}));
    until("Bolink is up", || is_bolink_up(&sdk));
    // Cut after 1.5 s by the platform, not after 0.2 s by us; a cash exit is only a record.
    let asked = |text: &str| {
        let begun = Instant::now();
        (sdk.upload(text), begun.elapsed())
    };
    let (outcome, took) = asked(&charge("A1"));
    assert_eq!(code(&outcome), Some(Code::Broken));
    assert!(took >= Duration::from_millis(1400), "{took:?}");
    assert_eq!(code(&asked(&exit("A2").to_string()).0), Some(Code::Queued));
}

#[test]
fn a_charge_that_closing_cuts_short_says_so() {
    let (folder, platform) = (Folder::new(), Platform::start());
    platform.judge(|_| Act::Hang(3000));
    let sdk = open(&folder.0, platform.port, json!({}));
    until("Bolink is up", || is_bolink_up(&sdk));
    let error = thread::scope(|scope| {
        let call = scope.spawn(|| sdk.upload(&charge("A1")).error.unwrap());
        platform.until("it is under way", |desk| !desk.uploads.is_empty());
        sdk.close(Duration::from_millis(100)).unwrap();
        call.join().unwrap()
    });
    assert_eq!(error.code, Code::Closed);
    assert!(error.message.contains("whether it was done is not known"), "{}", error.message);
}
