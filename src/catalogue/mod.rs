//! The interfaces as data.
//!
//! What every part of the library knows about a message stands here and nowhere else. The table is made from
//! `data/*.json` when the library is built and lies in its constant data: looking something up allocates nothing and
//! starting costs nothing.

mod lookup;
mod shown;
pub mod types;
mod validate;
mod value;

pub use lookup::{Candidate, RepeatKey, all, by_id, by_reply_name, downlink, route, uplink, uplink_for};
pub use shown::{Shown, blotted, shown};
pub use types::*;
pub use validate::{Problem, Rule, Side, validate};
pub use value::{is_number, is_secret, same_value};

mod table {
    use super::types::*;
    use crate::json::mark;
    include!(concat!(env!("OUT_DIR"), "/catalogue.rs"));

    pub(super) fn uplinks() -> &'static [(&'static str, Platform, u16)] {
        UPLINKS
    }

    pub(super) fn downlinks() -> &'static [(&'static str, Platform, u16)] {
        DOWNLINKS
    }
}
