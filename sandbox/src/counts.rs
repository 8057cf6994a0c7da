//! What can be counted from outside, so that loss and duplication show.

use crate::faults::Platform;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How often one record came.
#[derive(Debug, Default, Clone)]
struct Received {
    received: u64,
    accepted: u64,
}

/// Everything counted, by platform.
#[derive(Debug, Default)]
pub struct Counts {
    simple: BTreeMap<(&'static str, String), u64>,
    /// platform, lot, service, record number.
    records: BTreeMap<(&'static str, String, String, String), Received>,
    logins: BTreeMap<String, Instant>,
    orders: BTreeMap<String, Vec<Instant>>,
}

impl Counts {
    /// Counts one `what`; a dot groups, as in `requests.in_park`.
    pub fn add(&mut self, platform: Platform, what: impl Into<String>) {
        *self.simple.entry((platform.name(), what.into())).or_default() += 1;
    }

    /// A record reached the platform, whatever became of it.
    pub fn received(&mut self, platform: Platform, lot: &str, service: &str, key: &str) {
        self.record(platform, lot, service, key).received += 1;
    }

    /// A record was answered as done.
    pub fn accepted(&mut self, platform: Platform, lot: &str, service: &str, key: &str) {
        self.record(platform, lot, service, key).accepted += 1;
    }

    fn record(&mut self, platform: Platform, lot: &str, service: &str, key: &str) -> &mut Received {
        self.records.entry((platform.name(), lot.into(), service.into(), key.into())).or_default()
    }

    /// A login was tried: a second one of the same client within 10 s is worth a note.
    pub fn login(&mut self, platform: Platform, client: &str) {
        let now = Instant::now();
        let before = self.logins.insert(format!("{}/{client}", platform.name()), now);
        if before.is_some_and(|before| now - before < Duration::from_secs(10)) {
            self.add(platform, "violations.second_login_within_10_s");
        }
    }

    /// An order came: the eleventh of a lot within a second is worth a note.
    pub fn order(&mut self, platform: Platform, lot: &str) {
        let now = Instant::now();
        let times = self.orders.entry(format!("{}/{lot}", platform.name())).or_default();
        times.retain(|time| now - *time < Duration::from_secs(1));
        times.push(now);
        if times.len() > 10 {
            self.add(platform, "violations.over_10_orders_a_second");
        }
    }

    /// The counts of one platform.
    pub fn shown(&self, platform: Platform) -> Value {
        let mut all = Map::new();
        for ((_, what), count) in self.simple.iter().filter(|((of, _), _)| *of == platform.name()) {
            match what.split_once('.') {
                Some((group, what)) => {
                    let group = all.entry(group).or_insert_with(|| json!({}));
                    group[what] = json!(count);
                }
                None => {
                    all.insert(what.clone(), json!(count));
                }
            }
        }
        let mut records = json!({});
        for ((of, lot, service, key), count) in &self.records {
            if *of == platform.name() {
                records[lot][service][key] = json!({"received": count.received, "accepted": count.accepted});
            }
        }
        all.insert("records".into(), records);
        Value::Object(all)
    }
}
