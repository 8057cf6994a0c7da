//! Messages to the lot: who gets them, and which answer belongs to which.

use crate::cloud::{lists_gate, lists_gates, sync};
use crate::faults::Platform;
use crate::json::{self, Members};
use crate::world::World;
use crate::{clock, log};
use serde_json::{Value, json};
use std::time::Duration;

/// What is known of a downlink.
struct Kind {
    name: &'static str,
    /// Members that tie an answer to it; without them and a state an answer has no effect. None: the usual ones.
    keys: &'static [&'static str],
    /// How long its caller waits.
    wait_ms: u64,
    platform: Platform,
}

const fn kind(name: &'static str, keys: &'static [&'static str], wait_ms: u64, platform: Platform) -> Kind {
    Kind { name, keys, wait_ms, platform }
}

const KINDS: &[Kind] = &[
    kind("lock_car", &["order_id", "is_locked"], 3000, Platform::Cloud),
    kind("query_prodprice", &["trade_no"], 3000, Platform::Cloud),
    kind("deliver_ticket", &["ticket_id"], 7700, Platform::Cloud),
    kind("operate_liftrod", &["channel_id", "operate"], 3000, Platform::Cloud),
    kind("confirm_order_inform", &["event_id"], 2000, Platform::Cloud),
    kind("pass_through", &[], 7000, Platform::Cloud),
    kind("query_price", &[], 5000, Platform::Bolink),
    kind("prepay_order", &["order_id"], 5000, Platform::Bolink),
    kind("nolicence_in_park", &[], 5000, Platform::Bolink),
    kind("outpark", &["trade_no"], 5000, Platform::Bolink),
    kind("monthcard_pay", &["trade_no"], 5000, Platform::Bolink),
    kind("refund", &["trade_no"], 5000, Platform::Bolink),
    kind("recharge", &["trade_no"], 5000, Platform::Bolink),
    kind("repair", &["trade_no"], 5000, Platform::Bolink),
    kind("member_discount", &["request_no"], 5000, Platform::Bolink),
    kind("update_park_soft", &["request_no"], 5000, Platform::Bolink),
    kind("escape_order", &[], 5000, Platform::Bolink),
    kind("update_balance", &[], 5000, Platform::Bolink),
    kind("check_vip", &[], 5000, Platform::Bolink),
    kind("space_notify", &[], 5000, Platform::Bolink),
    kind("query_car_info", &[], 5000, Platform::Bolink),
];

/// Members that identify messages of other kinds; compared when both sides have them.
const USUAL_KEYS: &[&str] = &[
    "query_order_no",
    "timetemp",
    "trade_no",
    "uuid",
    "message_uuid",
    "request_no",
    "event_id",
    "ticket_id",
    "card_id",
    "channel_id",
    "price_id",
    "package_id",
    "user_id",
    "car_type_id",
    "black_uuid",
    "visitor_id",
    "sync_id",
];

/// Sent straight to one client, and only to one that takes such messages (receive_cloud).
const DIRECT: [&str; 5] = ["lock_car", "query_prodprice", "deliver_ticket", "operate_liftrod", "confirm_order_inform"];
/// Of these, the ones that go by gate.
const BY_GATE: [&str; 2] = ["operate_liftrod", "confirm_order_inform"];

fn find(service: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == service)
}

/// How long the caller of this downlink waits for the answer.
pub fn patience(service: &str) -> Duration {
    Duration::from_millis(find(service).map_or(5000, |kind| kind.wait_ms))
}

/// Pauses in seconds between attempts to send a notice that nobody was there to take.
pub fn resends(service: &str) -> &'static [u64] {
    match service {
        "prepay_order" => &[5, 5, 10, 20, 20, 60, 60, 120, 180, 300, 300, 720],
        "outpark" => &[3, 3, 3, 5, 5, 5, 10, 10, 30, 30, 30, 60, 60, 60],
        "monthcard_pay" => &[300, 300, 600, 600, 1800, 1800, 1800, 3600, 3600, 7200, 7200, 14400, 14400, 14400, 14400],
        _ => &[],
    }
}

/// A message that was sent.
struct Downlink {
    id: u64,
    platform: Platform,
    lot: String,
    local_id: String,
    service: String,
    message: Members,
    sent: i64,
    answers: Vec<Value>,
}

/// All that were sent.
#[derive(Default)]
pub struct Downlinks {
    list: Vec<Downlink>,
    unmatched: u64,
}

impl Downlinks {
    /// Notes a message as sent; gives its number.
    pub fn note(&mut self, platform: Platform, lot: &str, local_id: &str, message: Members) -> u64 {
        let id = self.list.len() as u64 + 1;
        let service = json::text(&message, "service_name").unwrap_or_default();
        log::event(platform.name(), || format!("downlink {id} {service} to {lot}/{local_id}"));
        log::message(platform.name(), || format!("-> {}", Value::Object(message.clone())));
        self.list.push(Downlink {
            id,
            platform,
            lot: lot.to_owned(),
            local_id: local_id.to_owned(),
            service,
            message,
            sent: clock::millis(),
            answers: Vec::new(),
        });
        id
    }

    /// Takes an answer. False when nothing of this name was ever sent to the lot.
    pub fn answer(&mut self, platform: Platform, lot: &str, service: &str, data: &Members) -> bool {
        let inner = data.get("data").and_then(Value::as_object);
        let (service, data) = match inner {
            Some(inner) if service == "parkInfo" => (json::text(inner, "service_name").unwrap_or_default(), inner),
            _ => (service.to_owned(), data),
        };
        let mut asked = false;
        let mut found: Option<usize> = None;
        for (at, sent) in self.list.iter().enumerate().filter(|(_, sent)| sent.lot == lot && sent.service == service) {
            asked = true;
            let better = found.is_none_or(|found| !self.list[found].answers.is_empty());
            if better && fits(sent, data) {
                found = Some(at);
            }
        }
        if !asked {
            return false;
        }
        log::event(platform.name(), || {
            let to = found.map_or("none".into(), |at| (at + 1).to_string());
            format!("answer {service} from {lot}, to downlink {to}")
        });
        match found.and_then(|at| self.list.get_mut(at)) {
            Some(sent) => sent.answers.push(Value::Object(data.clone())),
            None => self.unmatched += 1,
        }
        true
    }

    /// The first answer to a downlink.
    pub fn first_answer(&self, id: u64) -> Option<&Members> {
        self.list.iter().find(|sent| sent.id == id)?.answers.first()?.as_object()
    }

    /// All of them.
    pub fn shown(&self) -> Value {
        let list: Vec<Value> = self
            .list
            .iter()
            .map(|sent| {
                json!({
                    "id": sent.id,
                    "platform": sent.platform.name(),
                    "park_id": sent.lot,
                    "local_id": sent.local_id,
                    "service_name": sent.service,
                    "sent_ms": sent.sent,
                    "message": sent.message,
                    "answers": sent.answers,
                })
            })
            .collect();
        let answered = self.list.iter().filter(|sent| !sent.answers.is_empty()).count();
        json!({"sent": list.len(), "answered": answered, "answers_unmatched": self.unmatched, "list": list})
    }
}

/// Whether an answer belongs to a message.
fn fits(sent: &Downlink, answer: &Members) -> bool {
    let inner = sent.message.get("data").and_then(Value::as_object);
    let asked = |name: &str| json::text(inner.unwrap_or(&sent.message), name);
    match find(&sent.service).map(|kind| kind.keys) {
        Some(keys) if !keys.is_empty() => {
            answer.contains_key("state") && keys.iter().all(|name| json::text(answer, name) == asked(name))
        }
        _ => USUAL_KEYS.iter().all(|name| match (asked(name), json::text(answer, name)) {
            (Some(asked), Some(answered)) => asked == answered,
            _ => true,
        }),
    }
}

/// Who can get a message.
struct Candidate {
    local_id: String,
    target: Target,
}

enum Target {
    Connection(u64),
    Session(String),
}

/// Sends a message to a lot; gives its number.
pub fn send(
    world: &mut World,
    lot: &str,
    platform: Option<Platform>,
    local_id: Option<&str>,
    message: Members,
) -> Result<u64, String> {
    if world.lot(lot).is_none() {
        return Err(format!("park_id: the sandbox has no lot `{lot}`"));
    }
    let service = json::filled(&message, "service_name").ok_or("service_name: missing in the message")?;
    let home = find(&service).map_or(Platform::Cloud, |kind| kind.platform);
    let platforms = match platform {
        Some(platform) => vec![platform],
        // Since SDK 4 the cloud relays what the payment platform sends.
        None if home == Platform::Bolink && service != "update_balance" => vec![Platform::Bolink, Platform::Cloud],
        None => vec![home],
    };
    let gate = json::filled(&message, "channel_id").or_else(|| json::filled(&message, "out_channel_id"));
    for platform in platforms {
        let mut candidates = match platform {
            Platform::Cloud => cloud_candidates(world, lot, &service, &message, local_id),
            Platform::Bolink => bolink_candidates(world, lot),
            Platform::Union | Platform::Etcp => return Err("pushes have no candidates".into()),
        };
        if let Some(wanted) = local_id {
            candidates.retain(|candidate| candidate.local_id == wanted);
        } else if home == Platform::Bolink {
            by_gate(&mut candidates, gate.as_deref());
        }
        if let Some(candidate) = candidates.into_iter().next() {
            return Ok(deliver(world, lot, platform, candidate, message));
        }
    }
    Err("no client of the lot is online that takes this message (logged in, receive_cloud, gate)".into())
}

/// Gate-bound messages go to the client that lists the gate; a single client that lists none takes them all.
fn by_gate(candidates: &mut Vec<Candidate>, gate: Option<&str>) {
    let Some(gate) = gate else { return };
    let alone = candidates.len() == 1;
    candidates
        .retain(|candidate| lists_gate(&candidate.local_id, gate) || (alone && !lists_gates(&candidate.local_id)));
}

fn cloud_candidates(world: &World, lot: &str, service: &str, message: &Members, named: Option<&str>) -> Vec<Candidate> {
    let cloud = &world.cloud;
    let mut rows = cloud.rows_of(lot);
    if named.is_some() {
        // The tester says who gets it.
    } else if sync::KINDS.iter().any(|kind| kind.name == service) {
        rows.truncate(1);
        rows.retain(|row| !row.local_id.is_empty());
    } else if DIRECT.contains(&service) {
        rows.retain(|row| row.receive_cloud);
        if BY_GATE.contains(&service) {
            let gate = json::text(message, "channel_id").unwrap_or_default();
            rows.retain(|row| row.has_gate(&gate));
            // Those that never sent a heartbeat first, then the latest heartbeat.
            rows.sort_by_key(|row| if row.beat == 0 { 0 } else { u64::MAX - row.beat });
        } else {
            rows.truncate(1);
        }
    }
    rows.into_iter()
        .filter_map(|row| {
            let connection = cloud.connection_of(row)?;
            Some(Candidate { local_id: row.local_id.clone(), target: Target::Connection(connection.id) })
        })
        .collect()
}

fn bolink_candidates(world: &World, lot: &str) -> Vec<Candidate> {
    world
        .bolink
        .sessions_of(lot)
        .into_iter()
        .map(|(token, session)| Candidate {
            local_id: session.local_id.clone(),
            target: Target::Session(token.clone()),
        })
        .collect()
}

fn deliver(world: &mut World, lot: &str, platform: Platform, to: Candidate, message: Members) -> u64 {
    let service = json::text(&message, "service_name").unwrap_or_default();
    world.counts.add(platform, format!("downlinks.{service}"));
    let id = world.downlinks.note(platform, lot, &to.local_id, message.clone());
    match to.target {
        Target::Connection(number) => {
            if let Some(connection) = world.cloud.connections.get(&number) {
                let by = message.len() + id as usize;
                connection.send(&crate::cloud::arrange(message, by));
            }
        }
        Target::Session(token) => world.bolink.queue(&token, message),
    }
    id
}
