//! What an answer to a stored record means when it is neither a yes nor a no.

use crate::outbox::reports;
use crate::support::{Act, Folder, Platform, entry, open, until};
use parklink::error::Code;
use serde_json::json;
use std::time::Duration;

/// A firewall on the way says 403 to one record: another token does not help it, and others must not wait for it.
#[test]
fn a_record_whose_every_token_is_refused_holds_up_nobody() {
    for (act, what) in [(Act::Status(403, None), "403"), (Act::No("error:token无效"), "token")] {
        let (folder, platform) = (Folder::new(), Platform::start());
        platform.judge(move |upload| if upload.order() == "BAD" { act.clone() } else { Act::Yes });
        let sdk = open(&folder.0, platform.port, json!({"outbox": {"lanes": 1, "attempts": 3}}));
        let reports = reports(&sdk);
        let bad = sdk.submit(&entry("BAD").to_string()).unwrap();
        for order in 0..5 {
            sdk.submit(&entry(&format!("{order}")).to_string()).unwrap();
        }
        platform.until(what, |desk| (0..5).all(|order| desk.count("inpark", &order.to_string()) == 1));
        // It is the record: the platform goes on answering others.
        let is_dead = || reports.lock().unwrap().iter().any(|it| it["ticket"] == bad && it["outcome"] == "dead");
        until("it is a dead letter", || {
            sdk.upload(&entry("LIVE").to_string());
            is_dead()
        });
    }
}

#[test]
fn over_times_is_no_refusal() {
    let (folder, platform) = (Folder::new(), Platform::start());
    let mut refusals = 3;
    platform.judge(move |_| {
        refusals -= 1;
        if refusals >= 0 { Act::No("request_over_times") } else { Act::Yes }
    });
    let sdk = open(&folder.0, platform.port, json!({}));
    sdk.submit(&entry("A1").to_string()).unwrap();
    assert_eq!(sdk.flush(Duration::from_secs(10)).unwrap(), 0);
    assert_eq!(sdk.status()["outbox"]["total"]["dead"], 0);
    assert_eq!(platform.with(|desk| desk.taken().len()), 1);
}

/// The document says that `state` is there (SDK 2.1); what comes without it is some gateway's.
#[test]
fn an_answer_without_state_is_no_receipt() {
    for body in ["{}", r#"{"code":500,"msg":"busy"}"#, r#"{"state":null}"#] {
        let (folder, platform) = (Folder::new(), Platform::start());
        let mut turn = 0;
        platform.judge(move |_| {
            turn += 1;
            if turn <= 3 { Act::Says(body) } else { Act::Yes }
        });
        let sdk = open(&folder.0, platform.port, json!({}));
        let reports = reports(&sdk);
        let outcome = sdk.upload(&entry("A1").to_string());
        assert_eq!(outcome.error.unwrap().code, Code::Queued, "{body}");
        sdk.submit(&entry("A2").to_string()).unwrap();
        assert_eq!(sdk.flush(Duration::from_secs(10)).unwrap(), 0, "{body}");
        until("both are reported", || reports.lock().unwrap().len() == 2);
        assert!(
            reports
                .lock()
                .unwrap()
                .iter()
                .all(|report| report["outcome"] == "delivered" && report["reply"]["state"] == 1)
        );
        assert_eq!(platform.with(|desk| desk.taken().len()), 2, "{body}");
    }
}

/// The cloud's line takes 1024 bytes: what is longer is refused when it is given, also while the link is down.
#[test]
fn what_the_clouds_line_cannot_carry_is_never_queued() {
    let folder = Folder::new();
    let nobody = json!({"cloud_addr": "127.0.0.1", "cport": 1, "ckey": "WERRTTTTYY"});
    let mut long = entry("A1");
    long["note"] = "x".repeat(1200).into();
    let sdk = open(&folder.0, 1, nobody.clone());
    let outcome = sdk.upload(&long.to_string());
    assert_eq!(outcome.error.unwrap().code, Code::TooLarge);
    let reply = outcome.reply.unwrap();
    assert_eq!(reply["links"]["cloud"]["code"], "too_large");
    assert_eq!(reply["links"]["bolink"]["code"], "queued");
    // Behind an older record of its order, too.
    sdk.submit(&entry("A2").to_string()).unwrap();
    long["order_id"] = "A2".into();
    let outcome = sdk.upload(&long.to_string());
    assert_eq!(outcome.error.unwrap().code, Code::TooLarge);
    // And where no document knows the service.
    long["service_name"] = "upload_new_thing".into();
    long["data_target"] = "cloud".into();
    assert_eq!(sdk.submit(&long.to_string()).unwrap_err().code, Code::TooLarge);
    assert_eq!(sdk.status()["outbox"]["cloud"]["records"], 1);
}
