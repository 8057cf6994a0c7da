//! One line an event on stderr, with the time. Secrets never come here: tokens are shortened, keys are not logged.

use std::sync::atomic::{AtomicU8, Ordering};

/// 0 quiet, 1 events, 2 messages too.
static LEVEL: AtomicU8 = AtomicU8::new(1);

/// Sets how much is written.
pub fn set_level(level: u8) {
    LEVEL.store(level, Ordering::Relaxed);
}

/// Something happened.
pub fn event(place: &str, text: impl FnOnce() -> String) {
    write(1, place, text);
}

/// A message in full.
pub fn message(place: &str, text: impl FnOnce() -> String) {
    write(2, place, text);
}

fn write(level: u8, place: &str, text: impl FnOnce() -> String) {
    if LEVEL.load(Ordering::Relaxed) >= level {
        let time = chrono::Utc::now().format("%Y-%m-%dT%H:%M:%S%.3fZ");
        eprintln!("{time} {place:<7} {}", text().replace(['\r', '\n'], " "));
    }
}

/// A message with its token cut.
pub fn masked(text: &str) -> String {
    match serde_json::from_str(text) {
        Ok(serde_json::Value::Object(mut members)) => {
            if let Some(serde_json::Value::String(token)) = members.get_mut("token") {
                *token = format!("{}…", short(token));
            }
            serde_json::Value::Object(members).to_string()
        }
        _ => text.to_owned(),
    }
}

/// A token, cut so that it identifies and does not open.
pub fn short(token: &str) -> String {
    token.chars().take(4).collect()
}
