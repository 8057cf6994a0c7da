//! The outbox against the cloud's resend guard, as the sandbox plays it.

use crate::sandbox::Sandbox;
use crate::support::{Folder, config, entry, exit, number, until};
use parklink::error::Code;
use parklink::sdk::Sdk;
use serde_json::{Value, json};
use std::time::Duration;

struct Bench {
    folder: Folder,
    sandbox: Sandbox,
}

impl Bench {
    fn start() -> Bench {
        let folder = Folder::new();
        let sandbox = Sandbox::start(folder.0.join("ready.json"));
        Bench { folder, sandbox }
    }

    fn open(&self) -> Sdk {
        self.open_as(&json!({}))
    }

    fn open_as(&self, options: &Value) -> Sdk {
        let (host, port) = self.sandbox.cloud.split_once(':').unwrap();
        let mut more =
            json!({"cloud_addr": host, "cport": port, "ckey": "WERRTTTTYY", "cloud": {"request_timeout_ms": 600}});
        more.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
        let sdk = Sdk::open(config(&self.folder.0, &more)).unwrap();
        sdk.wait_ready(Duration::from_secs(5)).unwrap();
        sdk
    }

    /// How often the cloud received and took a record.
    fn counts(&self, service: &str, order: &str) -> (u64, u64) {
        let state = self.sandbox.state("cloud");
        let counts = &state["cloud"]["records"]["21782"][service][order];
        let count = |name: &str| counts[name].as_u64().unwrap_or(0);
        (count("received"), count("accepted"))
    }
}

fn settled(sdk: &Sdk) {
    assert_eq!(sdk.flush(Duration::from_secs(20)).unwrap(), 0, "{:?}", sdk.status()["outbox"]);
    assert_eq!(sdk.dead(0, 10).unwrap(), json!([]));
}

fn code(sdk: &Sdk, record: &Value) -> Option<Code> {
    sdk.upload(&record.to_string()).error.map(|error| error.code)
}

#[test]
fn after_a_lost_reply_the_same_bytes_are_sent_and_already_handled_means_received() {
    let bench = Bench::start();
    let sdk = bench.open();
    bench.sandbox.fault(&json!({"platform": "cloud", "kind": "drop", "count": 1, "service": "in_park"}));
    sdk.submit(&entry("A1").to_string()).unwrap();
    settled(&sdk);
    assert_eq!(bench.counts("in_park", "A1"), (2, 1), "twice received, once taken");
    // The same of an upload: queued, then delivered.
    bench.sandbox.fault(&json!({"platform": "cloud", "kind": "drop", "count": 1, "service": "in_park"}));
    assert_eq!(code(&sdk, &entry("A2")), Some(Code::Queued));
    settled(&sdk);
    assert_eq!(bench.counts("in_park", "A2").1, 1);
}

#[test]
fn a_charge_whose_reply_was_lost_is_pending_when_it_is_repeated() {
    let bench = Bench::start();
    let sdk = bench.open_as(&json!({"outbox": {"when_offline": "fail"}}));
    for pay_type in ["wallet", "sweepcode"] {
        let mut charge = exit(pay_type);
        (charge["pay_type"], charge["auth_code"]) = (json!(pay_type), json!("134567890123456789"));
        bench.sandbox.fault(&json!({"platform": "cloud", "kind": "drop", "count": 1, "service": "out_park"}));
        assert_eq!(code(&sdk, &charge), Some(Code::Timeout));
        let again = sdk.upload(&charge.to_string());
        assert_eq!(again.error.unwrap().code, Code::Pending, "{pay_type}: received is not paid");
        assert_eq!(again.reply.unwrap()["state"], 2);
        assert_eq!(bench.counts("out_park", pay_type), (2, 1));
        // Whoever asks once more is looked at, as after the platform's own state 2.
        assert_ne!(code(&sdk, &charge), Some(Code::Timeout));
        assert_eq!(bench.counts("out_park", pay_type), (3, 2), "{pay_type}");
    }
    bench.sandbox.fault(&json!({"platform": "cloud", "kind": "drop", "count": 1, "service": "out_park"}));
    assert_eq!(code(&sdk, &exit("cash")), Some(Code::Timeout));
    let again = sdk.upload(&exit("cash").to_string());
    assert!(again.error.is_none(), "{again:?}");
    assert_eq!(again.reply.unwrap()["state"], 1);
}

#[test]
fn a_refused_token_costs_no_record() {
    let bench = Bench::start();
    let sdk = bench.open();
    for round in 0..3 {
        bench.sandbox.fault(&json!({"platform": "cloud", "kind": "token_kill"}));
        sdk.submit(&entry(&format!("A{round}")).to_string()).unwrap();
        sdk.submit(&exit(&format!("A{round}")).to_string()).unwrap();
        settled(&sdk);
    }
    for round in 0..3 {
        assert_eq!(bench.counts("in_park", &format!("A{round}")).1, 1);
        assert_eq!(bench.counts("out_park", &format!("A{round}")).1, 1);
    }
}

#[test]
fn a_dead_letter_that_is_put_back_is_looked_at_again() {
    let bench = Bench::start();
    // The cloud refuses what has no plate, and remembers its signature.
    let open = || bench.open_as(&json!({"validation": "off"}));
    let is_dead_again = |sdk: &Sdk| {
        assert_eq!(sdk.flush(Duration::from_secs(20)).unwrap(), 0);
        let letters = sdk.dead(0, 10).unwrap();
        assert_eq!(
            letters.as_array().unwrap().len(),
            2,
            "counted as delivered although it was never stored: {letters}"
        );
    };
    let sdk = open();
    for order in ["A1", "A2"] {
        let mut record = entry(order);
        record["car_number"] = json!("");
        sdk.submit(&record.to_string()).unwrap();
    }
    is_dead_again(&sdk);
    sdk.close(Duration::from_secs(2)).unwrap();
    // Put back by a process that has not seen the refusals.
    let sdk = open();
    assert_eq!(sdk.retry_dead(None).unwrap(), 2);
    is_dead_again(&sdk);
    // Put back, and sent by the next process.
    bench.sandbox.fault(&json!({"platform": "cloud", "kind": "refuse"}));
    bench.sandbox.fault(&json!({"platform": "cloud", "kind": "close", "count": 1}));
    sdk.submit(&entry("B1").to_string()).unwrap();
    until("the link is down", || sdk.status()["links"]["cloud"]["state"] != "up");
    assert_eq!(sdk.retry_dead(None).unwrap(), 2);
    sdk.close(Duration::from_secs(2)).unwrap();
    assert_eq!(number(&bench.folder.store(), "SELECT count(*) FROM record"), 3);
    bench.sandbox.clear();
    is_dead_again(&open());
}

#[test]
fn what_the_cloud_refused_is_on_disk_before_the_next_goes_out() {
    let bench = Bench::start();
    let sdk = bench.open_as(&json!({"validation": "off"}));
    bench.sandbox.fault(&json!({"platform": "cloud", "kind": "drop", "count": 1, "service": "out_park"}));
    let mut refused = entry("A1");
    refused["car_number"] = json!("");
    sdk.submit(&refused.to_string()).unwrap();
    sdk.submit(&exit("A2").to_string()).unwrap();
    until("the next is under way", || bench.counts("out_park", "A2").0 == 1);
    // Killed now, the next process would send it again, and take "already handled" for "stored".
    assert_eq!(number(&bench.folder.store(), "SELECT count(*) FROM dead"), 1);
    assert_eq!(sdk.flush(Duration::from_secs(20)).unwrap(), 0);
}

#[test]
fn what_comes_out_of_its_turn_is_sent_when_all_else_is_on_disk() {
    let bench = Bench::start();
    let sdk = bench.open();
    // Its answer stays away twice: it pauses, and then leaves time to look.
    bench.sandbox.fault(&json!({"platform": "cloud", "kind": "drop", "count": 2, "service": "out_park"}));
    sdk.submit(&exit("A1").to_string()).unwrap();
    let others = 60;
    for order in 0..others {
        sdk.submit(&entry(&format!("B{order}")).to_string()).unwrap();
    }
    until("the second attempt", || bench.counts("out_park", "A1").0 == 2);
    // Killed now, it would be among what the cloud's guard remembers, and not the last that was sent.
    let state = bench.sandbox.state("cloud");
    let entries = state["cloud"]["records"]["21782"]["in_park"].as_object().map_or(0, |entries| entries.len());
    assert!(entries < others, "it comes in between: {entries}");
    assert_eq!(number(&bench.folder.store(), "SELECT count(*) FROM record") as usize, 1 + others - entries);
    bench.sandbox.clear();
    settled(&sdk);
}

#[test]
fn what_was_under_way_at_the_close_is_in_doubt_afterwards() {
    let bench = Bench::start();
    let sdk = bench.open();
    bench.sandbox.fault(&json!({"platform": "cloud", "kind": "drop", "service": "in_park"}));
    sdk.submit(&entry("A1").to_string()).unwrap();
    until("it is under way", || bench.counts("in_park", "A1").0 == 1);
    sdk.close(Duration::ZERO).unwrap();
    // Closed and killed again and again, there are several: the last of them is not the only one.
    assert_eq!(number(&bench.folder.store(), "SELECT attempts FROM record"), 1);
    bench.sandbox.clear();
    let sdk = bench.open();
    settled(&sdk);
    assert_eq!(bench.counts("in_park", "A1"), (3, 2), "the guard's word, and once more with other bytes");
}

#[test]
fn an_order_that_waits_for_a_login_holds_up_no_other() {
    let bench = Bench::start();
    let sdk = bench.open_as(&json!({"cloud": {"request_timeout_ms": 600, "login_pause_ms": 3000}}));
    for remark in ["first", "second", "third"] {
        let mut record = entry("A1");
        record["remark"] = json!(remark);
        sdk.submit(&record.to_string()).unwrap();
    }
    sdk.submit(&exit("A1").to_string()).unwrap();
    for order in ["B1", "B2"] {
        sdk.submit(&entry(order).to_string()).unwrap();
        sdk.submit(&exit(order).to_string()).unwrap();
    }
    until("the others are with the cloud", || bench.counts("out_park", "B2").1 == 1);
    // The cloud lets an order pass twice a token; the next login keeps its distance.
    assert_eq!((bench.counts("in_park", "A1").0, bench.counts("out_park", "A1").0), (2, 0));
    settled(&sdk);
    assert_eq!((bench.counts("in_park", "A1").1, bench.counts("out_park", "A1").1), (3, 1));
    assert_eq!(sdk.status()["links"]["cloud"]["logins"], json!(2));
}

#[test]
fn a_connection_that_ends_before_the_answer_loses_nothing() {
    let bench = Bench::start();
    let sdk = bench.open();
    bench.sandbox.fault(&json!({"platform": "cloud", "kind": "close", "count": 1, "service": "in_park"}));
    for order in ["A1", "A2", "A3"] {
        sdk.submit(&entry(order).to_string()).unwrap();
    }
    settled(&sdk);
    for order in ["A1", "A2", "A3"] {
        assert!(bench.counts("in_park", order).1 >= 1, "{order}");
    }
}

#[test]
fn an_outage_of_the_cloud_is_made_up_for() {
    let bench = Bench::start();
    let sdk = bench.open();
    bench.sandbox.fault(&json!({"platform": "cloud", "kind": "refuse"}));
    bench.sandbox.fault(&json!({"platform": "cloud", "kind": "close", "count": 1}));
    assert_eq!(code(&sdk, &entry("A0")), Some(Code::Queued));
    until("the link is down", || sdk.status()["links"]["cloud"]["state"] != "up");
    for order in ["A1", "A2"] {
        assert_eq!(code(&sdk, &entry(order)), Some(Code::Queued));
        assert_eq!(code(&sdk, &exit(order)), Some(Code::Queued));
    }
    assert_eq!(number(&bench.folder.store(), "SELECT count(*) FROM record"), 5);
    sdk.close(Duration::from_secs(2)).unwrap();
    bench.sandbox.clear();
    let sdk = bench.open();
    settled(&sdk);
    for order in ["A1", "A2"] {
        assert_eq!((bench.counts("in_park", order).1, bench.counts("out_park", order).1), (1, 1));
    }
    assert!(bench.counts("in_park", "A0").1 >= 1);
}
