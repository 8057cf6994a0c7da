//! Answers to downlinks that the platform does not take now: what others wait for, and what closing waits for.

use crate::support::{Act, Folder, Platform, number, open, prepay, until};
use parklink::sdk::Sdk;
use serde_json::json;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

type Lot = Arc<OnceLock<Sdk>>;

/// A lot that says yes to every payment.
fn start(folder: &Folder, platform: &Platform) -> Lot {
    let lot = Lot::default();
    platform.with(|desk| desk.tokens += 1);
    lot.get_or_init(|| open(&folder.0, platform.port, json!({})));
    let inner = lot.clone();
    let answer = move |event: &parklink::sdk::Event| {
        let yes = json!({"state": 1, "prepay": "5", "park_id": "21782", "data_target": "bolink"});
        inner.get().unwrap().reply(event.id, &yes.to_string()).unwrap();
    };
    lot.get().unwrap().on_downlink(Some(Box::new(answer))).unwrap();
    lot
}

fn pay(platform: &Platform, order: &str) {
    let mut payment = prepay(&format!("T-{order}"));
    payment["order_id"] = order.into();
    platform.send(&payment);
}

fn end(lot: &Lot) -> u64 {
    lot.get().unwrap().on_downlink(None).unwrap();
    lot.get().unwrap().close(Duration::from_secs(15)).unwrap().left
}

#[test]
fn an_answer_that_shall_wait_an_hour_holds_up_no_other() {
    let (folder, platform) = (Folder::new(), Platform::start());
    platform.judge(|upload| if upload.order() == "BAD" { Act::Status(429, Some(3600)) } else { Act::Yes });
    let lot = start(&folder, &platform);
    for round in 1..=2 {
        // Its repeat is answered at once, and is no other answer.
        pay(&platform, "BAD");
        platform.until("it is refused", |desk| desk.uploads.iter().filter(|it| it.order() == "BAD").count() == round);
        pay(&platform, &format!("A{round}"));
        platform.until("another is taken", |desk| desk.taken().len() == round);
    }
    assert_eq!(end(&lot), 1);
}

/// When the platform refuses them all, all wait; whoever was not tried yet is first when that is over.
#[test]
fn who_was_not_refused_yet_goes_before_those_who_were() {
    let (folder, platform) = (Folder::new(), Platform::start());
    platform.judge(|upload| if upload.order().starts_with("BAD") { Act::Status(503, Some(1)) } else { Act::Yes });
    let lot = start(&folder, &platform);
    pay(&platform, "BAD1");
    pay(&platform, "BAD2");
    platform.until("both are refused", |desk| desk.uploads.len() == 2);
    pay(&platform, "A1");
    platform.until("the third goes", |desk| desk.uploads.len() == 3);
    let uploads = platform.with(|desk| desk.uploads.clone());
    assert_eq!((uploads[2].order(), uploads[2].is_taken), ("A1", true));
    assert!(uploads[2].at - uploads[1].at >= Duration::from_millis(990), "{:?}", uploads[2].at - uploads[1].at);
    end(&lot);
}

/// It is on disk: the next opening goes on with it.
#[test]
fn closing_does_not_wait_for_an_answer_that_the_platform_does_not_take() {
    for act in [Act::Status(500, None), Act::Status(429, Some(3600)), Act::Lose] {
        let (folder, platform) = (Folder::new(), Platform::start());
        let refused = act.clone();
        platform.judge(move |_| refused.clone());
        let lot = start(&folder, &platform);
        pay(&platform, "A1");
        platform.until("it is refused", |desk| desk.uploads.len() == 1);
        let begun = Instant::now();
        assert_eq!(end(&lot), 1, "{act:?}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{act:?}: {:?}", begun.elapsed());
        platform.judge(|_| Act::Yes);
        let lot = start(&folder, &platform);
        platform.until("it is taken after all", |desk| desk.taken().len() == 1);
        until("it is done", || number(&folder.store(), "SELECT count(*) FROM event WHERE delivered = 0") == 0);
        assert_eq!(end(&lot), 0);
    }
}

/// One that was not tried yet, or is under way, is waited for.
#[test]
fn closing_tries_each_answer_once() {
    let (folder, platform) = (Folder::new(), Platform::start());
    platform.judge(|_| {
        thread::sleep(Duration::from_millis(200));
        Act::Yes
    });
    let lot = start(&folder, &platform);
    (0..5).for_each(|order| pay(&platform, &format!("A{order}")));
    until("all are answered", || number(&folder.store(), "SELECT count(*) FROM event WHERE answered") == 5);
    assert_eq!(end(&lot), 0);
    assert_eq!(platform.with(|desk| desk.taken().len()), 5);
}
