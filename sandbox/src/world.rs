//! The one shared state: what the platforms know. It stands behind a mutex that is never held across an await.

use crate::bolink::Bolink;
use crate::cloud::Cloud;
use crate::counts::Counts;
use crate::downlinks::Downlinks;
use crate::driver::Drivers;
use crate::etcp::Etcp;
use crate::faults::{Faults, Platform};
use crate::json::{self, Members};
use crate::lots::Lot;
use crate::pushes::Pushes;
use crate::union::Union;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Everything the platforms know.
pub struct World {
    /// The lots.
    pub lots: Vec<Lot>,
    /// Faults switched on.
    pub faults: Faults,
    /// What was counted.
    pub counts: Counts,
    /// The cloud's connections, tokens, memory and queue.
    pub cloud: Cloud,
    /// Bolink's sessions.
    pub bolink: Bolink,
    /// The open API's lots, payments and invoices.
    pub union: Union,
    /// ETCP's users, parks and stays.
    pub etcp: Etcp,
    /// What these two push.
    pub pushes: Pushes,
    /// Records other than orders: lot and table to record number to record.
    pub tables: BTreeMap<(String, String), Members>,
    /// Orders of both platforms.
    pub orders: Vec<Order>,
    /// Downlinks sent, with their answers.
    pub downlinks: Downlinks,
    /// Drivers, balances and payments.
    pub drivers: Drivers,
    /// How long an asynchronous payment takes.
    pub pay_delay: Duration,
}

/// One stay of one car as a platform has it.
pub struct Order {
    /// Which platform's.
    pub platform: Platform,
    /// The lot.
    pub lot: String,
    /// The client that brought it.
    pub local_id: String,
    /// Still inside.
    pub open: bool,
    /// What was uploaded.
    pub data: Members,
}

impl Order {
    /// A member as text, empty when absent.
    pub fn text(&self, name: &str) -> String {
        json::text(&self.data, name).unwrap_or_default()
    }

    /// Takes over the members of a newer record.
    pub fn update(&mut self, data: &Members) {
        for (name, value) in data.iter().filter(|(_, value)| !value.is_null()) {
            self.data.insert(name.clone(), value.clone());
        }
    }
}

/// What is to be done after an answer went out.
pub enum After {
    /// Send this text on a cloud connection.
    Send(u64, String),
    /// Send a downlink: to this client on this platform if it is there, else through whatever link the lot has.
    Downlink {
        /// Prefer this platform.
        platform: Platform,
        /// The lot.
        lot: String,
        /// Prefer this client.
        local_id: Option<String>,
        /// The message.
        message: Members,
        /// Not before this has passed.
        delay: Duration,
    },
}

impl World {
    /// A world with these lots and nothing in it.
    pub fn new(lots: Vec<Lot>, pay_delay: Duration) -> Self {
        World {
            lots,
            faults: Faults::default(),
            counts: Counts::default(),
            cloud: Cloud::default(),
            bolink: Bolink::default(),
            union: Union::default(),
            etcp: Etcp::default(),
            pushes: Pushes::default(),
            tables: BTreeMap::new(),
            orders: Vec::new(),
            downlinks: Downlinks::default(),
            drivers: Drivers::default(),
            pay_delay,
        }
    }

    /// Forgets all but the lots, the open connections, and where pushes go.
    pub fn reset(&mut self) {
        let lots = std::mem::take(&mut self.lots);
        self.bolink.kill_tokens();
        let cloud = std::mem::take(&mut self.cloud);
        let mut fresh = World::new(lots, self.pay_delay);
        fresh.cloud.keep_connections(cloud);
        fresh.etcp = std::mem::take(&mut self.etcp).forget();
        fresh.pushes = std::mem::take(&mut self.pushes);
        fresh.pushes.forget();
        *self = fresh;
    }

    /// The lot of this payment-platform number.
    pub fn lot(&self, park_id: &str) -> Option<&Lot> {
        self.lots.iter().find(|lot| lot.park_id == park_id)
    }

    /// The same, to change it.
    pub fn lot_mut(&mut self, park_id: &str) -> Option<&mut Lot> {
        self.lots.iter_mut().find(|lot| lot.park_id == park_id)
    }

    /// A table of a lot.
    pub fn table(&mut self, lot: &str, table: &str) -> &mut Members {
        self.tables.entry((lot.to_owned(), table.to_owned())).or_default()
    }

    /// The newest order that fits.
    pub fn order(&self, lot: &str, mut fits: impl FnMut(&Order) -> bool) -> Option<&Order> {
        self.orders.iter().rev().find(|order| order.lot == lot && fits(order))
    }

    /// The state as JSON.
    pub fn shown(&self) -> Value {
        let mut tables = json!({});
        for ((lot, table), records) in self.tables.iter().filter(|(_, records)| !records.is_empty()) {
            tables[lot][table] = Value::Object(records.clone());
        }
        let orders: Vec<Value> = self.orders.iter().map(shown_order).collect();
        let lots: Vec<Value> = self.lots.iter().map(Lot::shown).collect();
        let mut cloud = self.counts.shown(Platform::Cloud);
        self.cloud.show(&mut cloud);
        let mut bolink = self.counts.shown(Platform::Bolink);
        self.bolink.show(&mut bolink);
        let mut union = self.counts.shown(Platform::Union);
        self.union.show(&mut union);
        let mut etcp = self.counts.shown(Platform::Etcp);
        self.etcp.show(&mut etcp);
        json!({
            "cloud": cloud,
            "bolink": bolink,
            "union": union,
            "etcp": etcp,
            "pushes": self.pushes.shown(),
            "lots": lots,
            "orders": orders,
            "tables": tables,
            "downlinks": self.downlinks.shown(),
            "syncs": self.cloud.syncs.shown(),
            "drivers": self.drivers.shown(),
            "payments": self.drivers.payments,
            "faults": self.faults.shown(),
        })
    }
}

fn shown_order(order: &Order) -> Value {
    json!({
        "platform": order.platform.name(),
        "park_id": order.lot,
        "local_id": order.local_id,
        "order_id": order.text("order_id"),
        "car_number": order.text("car_number"),
        "open": order.open,
        "data": order.data,
    })
}
