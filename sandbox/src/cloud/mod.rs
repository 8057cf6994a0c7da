//! The parking cloud: JSON lines over TCP.

pub mod envelope;
pub mod frames;
pub mod guard;
pub mod listener;
pub mod login;
pub mod services;
pub mod sync;

use crate::json::Members;
use listener::Connection;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

/// The cloud's own state.
#[derive(Default)]
pub struct Cloud {
    /// Open connections.
    pub connections: BTreeMap<u64, Arc<Connection>>,
    /// Which connection is the newest of a lot and local_id: it gets their messages and heartbeat answers.
    slots: BTreeMap<(String, String), Slot>,
    /// The token table.
    rows: Vec<Row>,
    /// The memory against resends.
    pub guard: guard::Guard,
    /// Scheduled downlinks.
    pub syncs: sync::Queue,
    sequence: u64,
    /// Numbers connections are known by.
    pub next_connection: u64,
}

struct Slot {
    connection: u64,
    since: u64,
}

/// A row of the token table: one client of one lot.
pub struct Row {
    /// The lot.
    pub lot: String,
    /// The client; may be empty.
    pub local_id: String,
    /// Its token.
    pub token: String,
    /// The connection that logged in.
    pub connection: u64,
    /// Order of logins.
    pub login: u64,
    /// Order of heartbeats; 0 when there was none.
    pub beat: u64,
    /// Takes directly sent downlinks.
    pub receive_cloud: bool,
    /// When the last accepted requests came.
    accepted: VecDeque<Instant>,
}

impl Row {
    /// Whether the local_id lists this gate after the word `channels`.
    pub fn has_gate(&self, gate: &str) -> bool {
        lists_gate(&self.local_id, gate)
    }

    /// At most 100 requests in 11 seconds; refused ones do not count.
    fn accept(&mut self, now: Instant) -> bool {
        const MOST: usize = 100;
        const WINDOW_SECONDS: u64 = 11;
        if self.accepted.len() == MOST {
            if self.accepted.front().is_some_and(|first| (now - *first).as_secs() < WINDOW_SECONDS) {
                return false;
            }
            self.accepted.pop_front();
        }
        self.accepted.push_back(now);
        true
    }
}

/// Whether a local_id lists this gate: whole parts after the word `channels`, up to its end.
pub fn lists_gate(local_id: &str, gate: &str) -> bool {
    local_id.split_once("channels").is_some_and(|(_, gates)| gates.split('_').skip(1).any(|part| part == gate))
}

/// Whether a local_id lists gates at all.
pub fn lists_gates(local_id: &str) -> bool {
    local_id.contains("channels")
}

impl Cloud {
    fn next(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    /// The connection that gets the messages of this client.
    pub fn connection_of(&self, row: &Row) -> Option<&Arc<Connection>> {
        let slot = self.slots.get(&(row.lot.clone(), row.local_id.clone()))?;
        self.connections.get(&slot.connection)
    }

    /// The rows of a lot, newest login first.
    pub fn rows_of(&self, lot: &str) -> Vec<&Row> {
        let mut rows: Vec<&Row> = self.rows.iter().filter(|row| row.lot == lot).collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.login));
        rows
    }

    /// The row of a token.
    pub fn row_of(&mut self, token: &str) -> Option<&mut Row> {
        self.rows.iter_mut().find(|row| row.token == token)
    }

    /// Whether this connection is the newest of any lot and local_id; its rows then note the beat.
    fn beat(&mut self, connection: u64) -> bool {
        if !self.slots.values().any(|slot| slot.connection == connection) {
            return false;
        }
        let beat = self.next();
        for row in self.rows.iter_mut().filter(|row| row.connection == connection) {
            row.beat = beat;
        }
        true
    }

    /// The lot this connection tried to log in to, if any.
    fn lot_of(&self, connection: u64) -> Option<String> {
        self.slots.iter().find(|(_, slot)| slot.connection == connection).map(|((lot, _), _)| lot.clone())
    }

    /// A connection is gone: one of its rows goes with it, if the row is still this connection's.
    pub fn forget(&mut self, connection: u64) {
        self.connections.remove(&connection);
        let own_slots = self.slots.iter().filter(|(_, slot)| slot.connection == connection);
        let newest_slot = own_slots.max_by_key(|(_, slot)| slot.since).map(|(key, _)| key.clone());
        let own_rows = self.rows.iter().filter(|row| row.connection == connection);
        let newest_row = own_rows.max_by_key(|row| row.login).map(|row| (row.lot.clone(), row.local_id.clone()));
        if let Some(key) = newest_slot.or(newest_row) {
            self.rows.retain(|row| row.connection != connection || (&row.lot, &row.local_id) != (&key.0, &key.1));
        }
        self.slots.retain(|_, slot| slot.connection != connection);
    }

    /// Every token dies.
    pub fn kill_tokens(&mut self) -> usize {
        let count = self.rows.len();
        self.rows.clear();
        count
    }

    /// After a reset: connections stay, all else is new.
    pub fn keep_connections(&mut self, old: Cloud) {
        self.connections = old.connections;
        self.next_connection = old.next_connection;
        for connection in self.connections.values() {
            connection.close();
        }
    }

    /// Adds what is not a count.
    pub fn show(&self, into: &mut Value) {
        into["tokens"] = json!(self.rows.len());
        into["connections_open"] = json!(self.connections.len());
        into["guard_keys"] = json!(self.guard.len());
        into["clients"] = self
            .rows
            .iter()
            .map(|row| {
                json!({
                    "park_id": row.lot,
                    "local_id": row.local_id,
                    "token": crate::log::short(&row.token),
                    "receive_cloud": row.receive_cloud,
                    "connection": row.connection,
                    "online": self.connection_of(row).is_some(),
                })
            })
            .collect();
    }
}

/// Writes a message. Its members come in no fixed order: it changes with the number of members in the request.
pub fn arrange(members: Members, request_members: usize) -> String {
    let mut pairs: Vec<(String, Value)> = members.into_iter().filter(|(_, value)| !value.is_null()).collect();
    if !pairs.is_empty() {
        let by = request_members % pairs.len();
        pairs.rotate_left(by);
    }
    Value::Object(pairs.into_iter().collect()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn row() -> Row {
        Row {
            lot: String::new(),
            local_id: String::new(),
            token: String::new(),
            connection: 0,
            login: 0,
            beat: 0,
            receive_cloud: true,
            accepted: VecDeque::new(),
        }
    }

    #[test]
    fn the_rate_looks_at_the_first_of_the_last_hundred() {
        let (mut row, start) = (row(), Instant::now());
        let at = |millis: u64| start + Duration::from_millis(millis);
        // One every 100 ms: the hundredth comes at 9.9 s.
        assert!((0..100).all(|n| row.accept(at(n * 100))));
        assert!(!row.accept(at(10_000)));
        assert!(!row.accept(at(10_999)));
        // 11 s after the first one there is room for one, though five were refused.
        assert!(row.accept(at(11_000)));
        assert!(!row.accept(at(11_050)));
        assert!(row.accept(at(11_100)));
    }

    #[test]
    fn gates_are_whole_parts_after_the_word_channels() {
        let local_id = "box1_A9_syncdata_channels_A1_102";
        for (gate, listed) in [("A1", true), ("102", true), ("10", false), ("2", false), ("A9", false), ("", false)] {
            assert_eq!(lists_gate(local_id, gate), listed, "{gate}");
        }
        assert!(!lists_gate("box1_A1", "A1"));
    }
}
