//! Scheduled downlinks: changes made in the cloud, sent round by round until the lot has confirmed them.

use super::services::Request;
use crate::faults::Platform::Cloud;
use crate::json::{self, Members};
use crate::world::World;
use crate::{clock, downlinks};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A kind of scheduled message.
pub struct Kind {
    /// Its service.
    pub name: &'static str,
    /// The members that identify the record.
    keys: &'static [&'static str],
    /// Answers are matched by the number alone, over all lots.
    any_lot: bool,
}

/// The kinds the job knows. Queue entries of other kinds are never sent and use up places.
pub const KINDS: &[Kind] = &[
    Kind { name: "price_sync", keys: &["price_id"], any_lot: true },
    Kind { name: "month_card_sync", keys: &["package_id"], any_lot: false },
    Kind { name: "month_member_sync", keys: &["card_id"], any_lot: false },
    Kind { name: "collector_sync", keys: &["user_id"], any_lot: false },
    Kind { name: "car_type_sync", keys: &["car_type_id"], any_lot: false },
    Kind { name: "blackuser_sync", keys: &["black_uuid"], any_lot: false },
    Kind { name: "month_pay_sync", keys: &["trade_no", "card_id"], any_lot: false },
    Kind { name: "gate_sync", keys: &["channel_id"], any_lot: true },
];

/// The most changes a round takes, over all lots.
const MOST: usize = 20;

struct Change {
    id: u64,
    lot: String,
    service: String,
    number: String,
    operate: Option<i64>,
    made: i64,
    sent: u64,
    done: bool,
}

/// The queue of changes.
#[derive(Default)]
pub struct Queue {
    changes: Vec<Change>,
    /// Lot, service and number to the content as it is now: it is read when a change is sent.
    content: BTreeMap<(String, String, String), Members>,
}

fn find(service: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == service)
}

fn number(service: &str, data: &Members) -> String {
    let keys = find(service).map_or(&[][..], |kind| kind.keys);
    keys.iter().map(|key| json::text(data, key).unwrap_or_default()).collect::<Vec<_>>().join("/")
}

impl Queue {
    /// Queues a change.
    pub fn add(&mut self, lot: &str, service: &str, mut data: Members, made: i64) -> Result<u64, String> {
        if let Some(kind) = find(service)
            && let Some(missing) = kind.keys.iter().find(|key| json::filled(&data, key).is_none())
        {
            return Err(format!("data.{missing}: {service} needs it"));
        }
        let operate = json::whole(&data, "operate_type").map_err(|_| "data.operate_type: no number")?;
        data.shift_remove("operate_type");
        let number = number(service, &data);
        let id = self.changes.len() as u64 + 1;
        self.content.insert((lot.to_owned(), service.to_owned(), number.clone()), data);
        let (lot, service) = (lot.to_owned(), service.to_owned());
        self.changes.push(Change { id, lot, service, number, operate, made, sent: 0, done: false });
        Ok(id)
    }

    /// What waits and what is done.
    pub fn shown(&self) -> Value {
        let list: Vec<Value> = self
            .changes
            .iter()
            .map(|change| {
                json!({
                    "id": change.id,
                    "park_id": change.lot,
                    "service_name": change.service,
                    "number": change.number,
                    "operate_type": change.operate,
                    "sent": change.sent,
                    "done": change.done,
                })
            })
            .collect();
        let pending = self.changes.iter().filter(|change| !change.done).count();
        json!({"pending": pending, "list": list})
    }

    fn message(&self, change: &Change) -> Option<Members> {
        let key = (change.lot.clone(), change.service.clone(), change.number.clone());
        let mut data: Members = self.content.get(&key)?.clone();
        data.retain(|_, value| !value.is_null());
        if change.service == "month_member_sync" {
            for name in ["pid", "car_type_id"] {
                data.entry(name).or_insert_with(|| "null".into());
            }
        }
        if let Some(operate) = change.operate.filter(|_| change.service != "month_pay_sync") {
            data.insert("operate_type".into(), operate.into());
        }
        Some(json::object([("data", Value::Object(data)), ("service_name", change.service.clone().into())]))
    }
}

/// One round of the job; gives how many messages went out.
pub fn run(world: &mut World) -> usize {
    let oldest = clock::yesterday();
    let queue = &world.cloud.syncs;
    let mut pending: Vec<&Change> =
        queue.changes.iter().filter(|change| !change.done && change.made >= oldest).collect();
    pending.sort_by_key(|change| std::cmp::Reverse((change.made, change.id)));
    pending.truncate(MOST);
    let round: Vec<(u64, String, Members)> = pending
        .into_iter()
        .filter(|change| find(&change.service).is_some())
        .filter_map(|change| Some((change.id, change.lot.clone(), queue.message(change)?)))
        .collect();
    let mut sent = 0;
    for (id, lot, message) in round {
        if downlinks::send(world, &lot, Some(Cloud), None, message).is_ok() {
            sent += 1;
            if let Some(change) = world.cloud.syncs.changes.iter_mut().find(|change| change.id == id) {
                change.sent += 1;
            }
        }
    }
    sent
}

/// An answer of a lot: with state 1 and the right number the change is done.
pub fn answer(world: &mut World, request: &Request) {
    let data = request.data;
    let Some(kind) = find(request.service) else { return };
    if json::whole(data, "state") != Ok(Some(1)) {
        return;
    }
    let member = kind.name == "month_member_sync";
    if member && json::filled(data, "operate_type").is_none() {
        return;
    }
    let number = number(kind.name, data);
    let queue = &mut world.cloud.syncs;
    let fits = |change: &Change| {
        change.service == kind.name
            && change.number == number
            && change.sent > 0
            && !change.done
            && (kind.any_lot || change.lot == request.lot)
    };
    // One answer ticks off one change: the newest of that number, or the one of that kind of operation.
    let operate = json::whole(data, "operate_type").ok().flatten();
    let changes = &mut queue.changes;
    let exact = changes.iter().rposition(|change| fits(change) && operate.is_some() && change.operate == operate);
    let Some(at) = exact.or_else(|| changes.iter().rposition(fits)) else { return };
    changes[at].done = true;
    world.counts.add(Cloud, "syncs_confirmed");
    // The lot's own number for a card made in the cloud: from now on that is its number.
    if member && let Some(local) = json::filled(data, "card_id_local") {
        let queue = &mut world.cloud.syncs;
        let lot = changes_lot(queue, at);
        let old = (lot.clone(), kind.name.to_owned(), number.clone());
        let new = (lot.clone(), kind.name.to_owned(), local.clone());
        if !queue.content.contains_key(&new)
            && let Some(mut content) = queue.content.remove(&old)
        {
            content.insert("card_id".into(), local.clone().into());
            queue.content.insert(new, content);
            let same =
                |change: &&mut Change| change.lot == lot && change.service == kind.name && change.number == number;
            for change in queue.changes.iter_mut().filter(same) {
                change.number.clone_from(&local);
            }
        }
    }
}

fn changes_lot(queue: &Queue, at: usize) -> String {
    queue.changes.get(at).map(|change| change.lot.clone()).unwrap_or_default()
}
