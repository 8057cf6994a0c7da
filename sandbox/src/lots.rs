//! The lots the sandbox knows, and their keys.

use crate::json::{self, Members};
use serde_json::Value;

/// One lot.
#[derive(Clone)]
pub struct Lot {
    /// The payment platform's number of the lot.
    pub park_id: String,
    /// The cloud's own number of the lot.
    pub cloud_id: i64,
    /// Key of the cloud link.
    pub ckey: String,
    /// Vendor number.
    pub union_id: String,
    /// Key of the Bolink link.
    pub ukey: String,
    /// Whether contactless payment is switched on.
    pub contactless: bool,
    /// Free spaces as last reported.
    pub free: i64,
}

impl Lot {
    /// The lot of the documents.
    pub fn example() -> Self {
        Lot {
            park_id: "21782".into(),
            cloud_id: 21782,
            ckey: "WERRTTTTYY".into(),
            union_id: "200208".into(),
            ukey: "8403A41ED5EF20BC".into(),
            contactless: true,
            free: 0,
        }
    }

    /// Changes one member; the name must be one of a lots file.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "park_id" => {
                self.park_id = value.to_owned();
                if let Ok(number) = value.parse() {
                    self.cloud_id = number;
                }
            }
            "cloud_id" => self.cloud_id = value.parse().map_err(|_| format!("cloud_id: `{value}` is no number"))?,
            "ckey" => self.ckey = value.to_owned(),
            "union_id" => self.union_id = value.to_owned(),
            "ukey" => self.ukey = value.to_owned(),
            "contactless" => self.contactless = matches!(value, "1" | "true"),
            _ => return Err(format!("{name}: a lot has no such member")),
        }
        Ok(())
    }

    /// What may be shown of it.
    pub fn shown(&self) -> Value {
        Value::Object(json::object([
            ("park_id", self.park_id.clone().into()),
            ("cloud_id", self.cloud_id.into()),
            ("union_id", self.union_id.clone().into()),
            ("contactless", self.contactless.into()),
            ("free", self.free.into()),
        ]))
    }
}

/// Reads a lots file: one object, or an array of them.
pub fn read(text: &str) -> Result<Vec<Lot>, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let items = match value {
        Value::Array(items) => items,
        single => vec![single],
    };
    items.iter().map(|item| one(item.as_object().ok_or("a lot is an object")?)).collect()
}

fn one(members: &Members) -> Result<Lot, String> {
    if !members.contains_key("park_id") {
        return Err("park_id: a lot needs one".into());
    }
    let mut lot = Lot::example();
    for name in members.keys() {
        lot.set(name, &json::text(members, name).unwrap_or_default())?;
    }
    Ok(lot)
}
