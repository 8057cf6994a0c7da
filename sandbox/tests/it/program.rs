//! The program itself: options, ready file, reset, end.

use crate::client::{CKEY, Sandbox, http, own_file};
use serde_json::json;
use std::process::{Command, Stdio};

fn run(options: &[&str]) -> (bool, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_parklink-sandbox"))
        .args(options)
        .stdin(Stdio::null())
        .output()
        .expect("the program runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (output.status.success(), text(output.stdout), text(output.stderr))
}

#[test]
fn help_and_version() {
    let (ok, help, _) = run(&["--help"]);
    assert!(ok);
    for option in ["--cloud-port", "--ready-file", "--lots", "--sync-interval", "--poll-hold", "--quiet", "--verbose"] {
        assert!(help.contains(option), "{option}");
    }
    let (ok, version, _) = run(&["--version"]);
    assert!(ok && version.starts_with("parklink-sandbox "));
}

#[test]
fn wrong_options_say_what_is_wrong() {
    for (options, text) in [
        (&["--cloud-port", "x"][..], "--cloud-port"),
        (&["--cloud-port"], "--cloud-port"),
        (&["--sideways", "1"], "--sideways"),
        (&["--lots", "/nowhere/lots.json"], "/nowhere/lots.json"),
        (&["--host", "here"], "--host"),
    ] {
        let (ok, _, error) = run(options);
        assert!(!ok && error.contains(text), "{options:?}: {error}");
    }
}

#[test]
fn lots_come_from_a_file_and_from_options() {
    let file = own_file("lots.json");
    let lots = json!([{"park_id": "P1", "cloud_id": 5, "ckey": "K1", "union_id": "U1", "ukey": "UK1"}, {"park_id": "P2", "ckey": "K2"}]);
    std::fs::write(&file, lots.to_string()).expect("written");
    let sandbox = Sandbox::with(&["--lots", file.to_str().expect("a path"), "--ckey", "K0"]);
    std::fs::remove_file(&file).expect("removed");
    assert_eq!(sandbox.connect().try_login(r#"{"park_id":"P1"}"#, "K0")["state"], 1);
    assert_eq!(sandbox.connect().try_login(r#"{"park_id":"P2"}"#, "K2")["state"], 1);
    assert_eq!(sandbox.connect().try_login(r#"{"park_id":"21782"}"#, CKEY)["state"], 0);
}

#[test]
fn reset_forgets_all_but_the_lots() {
    let sandbox = Sandbox::start();
    let mut client = sandbox.client("a");
    let order = json!({"order_id": "A1", "car_number": "京A1", "in_time": 1});
    client.call("in_park", &order);
    sandbox.control("/reset", &json!({}));
    client.closed();
    let state = sandbox.state();
    assert_eq!(state["orders"], json!([]));
    assert_eq!(state["cloud"]["tokens"], 0);
    // The memory against resends too.
    assert_eq!(sandbox.client("a").call("in_park", &order)["state"], 1);
}

#[test]
fn the_control_api_explains_itself() {
    let sandbox = Sandbox::start();
    let (status, help) = http("GET", &format!("{}/", sandbox.control), "");
    assert_eq!(status, 200);
    assert!(help["pages"]["POST /reset"].is_string() && help["faults"]["drop"].is_string());
    assert_eq!(http("POST", &format!("{}/nowhere", sandbox.control), "{}").0, 404);
    assert_eq!(http("POST", &format!("{}/downlink", sandbox.control), "{").0, 400);
    assert_eq!(http("POST", &format!("{}/downlink", sandbox.control), "{}").0, 400);
}

/// What was misspelt would be taken for something else, and the tester would believe what he sees.
#[test]
fn the_control_api_refuses_what_it_would_misread() {
    let sandbox = Sandbox::start();
    for (page, body, culprit) in [
        ("coupon", json!({}), "car_number"),
        ("etc", json!({"answer": "pending", "result": "rejected"}), "result"),
        ("city", json!({"car_number": "京A1", "reason": 7}), "reason"),
        ("push-url", json!({"union": "127.0.0.1:9"}), "union"),
        ("push-url", json!({"speed": 0}), "speed"),
    ] {
        let (status, answer) = http("POST", &format!("{}/{page}", sandbox.control), &body.to_string());
        assert_eq!(status, 400, "{page} {body}");
        assert!(answer["error"].as_str().is_some_and(|error| error.starts_with(culprit)), "{answer}");
    }
    let (status, answer) = http("GET", &format!("{}/state?parts=cloud,ordres", sandbox.control), "");
    assert!(status == 400 && answer["error"].as_str().is_some_and(|error| error.contains("ordres")), "{answer}");
    assert_eq!(http("GET", &format!("{}/state?parts=cloud,orders", sandbox.control), "").0, 200);
}

#[test]
fn secrets_stay_inside() {
    let file = own_file("log");
    let log = std::fs::File::create(&file).expect("a file");
    let sandbox = Sandbox::launch(&["--verbose"], log.into());
    let mut client = sandbox.client("a");
    client.call_empty("x", &json!({"n": 1}));
    let bolink = crate::client::Bolink::log_in(&sandbox, "b");
    let token = bolink.token.clone();
    let state = sandbox.state().to_string();
    drop(sandbox);
    let log = std::fs::read_to_string(&file).expect("log");
    std::fs::remove_file(&file).expect("removed");
    assert!(log.contains("login"), "{log}");
    for secret in [client.token.as_str(), token.as_str(), CKEY, crate::client::UKEY] {
        assert!(!log.contains(secret) && !state.contains(secret));
    }
}

#[cfg(unix)]
#[test]
fn it_ends_cleanly_even_while_a_poll_is_held() {
    let mut sandbox = Sandbox::start();
    let token = crate::client::Bolink::log_in(&sandbox, "a").token;
    let url = format!("{}/bpd/download.do", sandbox.bolink);
    let _poll = crate::client::http_begin("POST", &url, &json!({"token": token}).to_string());
    sandbox.until("a poll is open", |state| state["bolink"]["polls_open"] == 1);
    let _client = sandbox.client("a");
    let begin = std::time::Instant::now();
    let id = sandbox.program.id().to_string();
    // The shell's own: a bare system has no program of that name.
    assert!(Command::new("sh").args(["-c", "kill -TERM \"$0\"", &id]).status().expect("sh").success());
    let status = sandbox.program.wait().expect("its end");
    assert!(status.success(), "{status}");
    assert!(begin.elapsed() < std::time::Duration::from_secs(5));
    assert!(!sandbox.ready_file.exists());
}
