//! What an entry of the catalogue says.

/// The platform an interface belongs to, and so the link it goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Platform {
    /// The parking cloud (停车云), TCP.
    Cloud,
    /// Bolink (泊链), HTTP with a long poll.
    Bolink,
    /// Bolink's open HTTP API (unionapi).
    Union,
    /// The ETCP open platform.
    Etcp,
    /// The smart screen (智慧屏) in the lane.
    Screen,
    /// None: the library itself, which tells of its own troubles.
    Library,
}

impl Platform {
    /// The name in ids, options, status and log.
    pub fn name(self) -> &'static str {
        match self {
            Platform::Cloud => "cloud",
            Platform::Bolink => "bolink",
            Platform::Union => "union",
            Platform::Etcp => "etcp",
            Platform::Screen => "screen",
            Platform::Library => "parklink",
        }
    }

    /// What `data_target` says for it; the platforms that are not chosen by `data_target` have none.
    pub fn data_target(self) -> Option<&'static str> {
        match self {
            Platform::Cloud => Some("cloud"),
            Platform::Bolink => Some("bolink"),
            Platform::Screen => Some("wisdom_screen"),
            Platform::Union | Platform::Etcp | Platform::Library => None,
        }
    }

    /// The platform a `data_target` means. `three` is a third party's that code_url reaches through Bolink.
    pub fn from_data_target(target: &str) -> Option<Platform> {
        match target {
            "cloud" => Some(Platform::Cloud),
            "bolink" | "three" => Some(Platform::Bolink),
            "wisdom_screen" => Some(Platform::Screen),
            _ => None,
        }
    }
}

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// We call.
    Uplink,
    /// They call.
    Downlink,
    /// Answered inside the library, or a call about the link itself (login, 4.1).
    Local,
    /// A section that defines words and values, no message.
    Definition,
}

/// How much of the interface's document was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Knowledge {
    /// All of it.
    Whole,
    /// A part: fields that are not in the table pass through.
    Partial,
    /// The title only: any fields pass, or the interface cannot be used for want of its name.
    Untyped,
}

/// What a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// A fact that the platform keeps (an entry, a member, a log line).
    Record,
    /// A question; losing it loses nothing.
    Query,
    /// It moves money.
    Money,
    /// It moves things (a barrier, a lock).
    Command,
    /// It changes the lot's own tables (prices, cards, lists).
    Sync,
    /// It tells what happened; when there is no room the oldest goes.
    Log,
}

impl Class {
    /// The name in the store and the docs.
    pub fn name(self) -> &'static str {
        match self {
            Class::Record => "record",
            Class::Query => "query",
            Class::Money => "money",
            Class::Command => "command",
            Class::Sync => "sync",
            Class::Log => "log",
        }
    }
}

/// The type the document gives a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Text.
    String,
    /// A number, or decimal text that is one.
    Number,
    /// true or false.
    Boolean,
    /// A JSON object.
    Object,
    /// A JSON array.
    Array,
    /// The document does not say, or says it in several ways.
    Any,
}

/// Whether a field must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Required {
    /// Always.
    Yes,
    /// Never.
    No,
    /// Under the condition that stands here for people.
    When(&'static str),
}

impl Required {
    /// Always required.
    pub fn always(self) -> bool {
        matches!(self, Required::Yes)
    }
}

/// In [`Interface::dedupe_by`]: the rest of the message, for interfaces without a number of their own.
///
/// Such a message is a repeat when its content equals that of the *last* one with the same members before it:
/// a record that was changed there and back again is three messages, not two.
pub const CONTENT: &str = "*";

/// A field of a message.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// The place of the field: `order_id`, `data.state`, `data[].coupon_id`.
    pub path: &'static str,
    /// What its path is found by (see [`crate::json::mark`]).
    pub mark: u8,
    /// It stands inside another member.
    pub is_inside: bool,
    /// Its type.
    pub kind: Kind,
    /// The longest text, in characters.
    pub max_len: Option<u32>,
    /// Whether it must be there.
    pub required: Required,
    /// The condition of [`Required::When`] where a machine can check it: this field has one of these values.
    pub required_if: Option<(&'static str, &'static [&'static str])>,
    /// The only values allowed; empty when any value is.
    pub values: &'static [&'static str],
    /// The platform refuses the message when this is the empty text.
    pub not_blank: bool,
}

/// An interface.
#[derive(Debug, Clone, Copy)]
pub struct Interface {
    /// `cloud.in_park`, `bolink.query_order`, `union.etcPayApi`, `etcp.bindcar`; `cloud.2.25` where no name is known.
    pub id: &'static str,
    /// The platform it belongs to.
    pub platform: Platform,
    /// The document's section: `SDK 2.1`, `API 3.7`, `ETCP 8.4`.
    pub section: &'static str,
    /// English title.
    pub title: &'static str,
    /// Chinese title.
    pub title_zh: &'static str,
    /// Who calls.
    pub direction: Direction,
    /// How much of its document was seen.
    pub knowledge: Knowledge,
    /// The name the software uses (`in_park`); `None` where it was not seen.
    pub service: Option<&'static str>,
    /// The name on the wire (`inpark` over Bolink's HTTP), or the HTTP path.
    pub wire_name: Option<&'static str>,
    /// GET or POST where the interface is an HTTP call of its own; empty otherwise.
    pub method: &'static str,
    /// union_id stands beside `data`, not in it (some calls of the open API).
    pub union_id_beside: bool,
    /// Members of a request. Those the library fills itself (service_name, data_target, sign, token) are never required.
    pub fields: &'static [Field],
    /// Members of a reply.
    pub reply_fields: &'static [Field],
    /// The members live inside `data` (a scheduled downlink, a call of the open API), not beside service_name.
    /// `fields` names them without that `data`.
    pub wrapped: bool,
    /// What it is about.
    pub class: Class,
    /// It must survive a crash and an outage.
    pub durable: bool,
    /// With one of these values (any, where none is named) the record asks for money now: it is never sent from the outbox,
    /// for the driver has paid another way by then, and that it was taken does not say that it was paid.
    pub never_late: Option<(&'static str, &'static [&'static str])>,
    /// Records with the same value here leave in order.
    pub order_by: Option<&'static str>,
    /// Members that tie a reply to its request: what the platform echoes, or what our answer to a downlink must echo.
    /// Empty where nothing does. A member that the reply lacks says nothing; one that differs says "not mine".
    pub correlate_by: &'static [&'static str],
    /// Members that make a repeated downlink the same one (see [`CONTENT`]). The first is its number: a message that
    /// has none is never a repeat. Empty where every delivery is to be handled.
    pub dedupe_by: &'static [&'static str],
    /// How long the answer may take, in milliseconds.
    pub deadline_ms: u32,
    /// A downlink that the platform expects an answer to.
    pub expects_reply: bool,
    /// The platform's answer comes on the same call (and not only later through the callback).
    pub is_synchronous: bool,
    /// The platform's reply always has words: an empty frame is not it. Elsewhere that says "service unknown".
    pub always_worded: bool,
    /// The member of the reply that tells the outcome, and its values that mean success, where those are not `state` 1.
    pub success: Option<(&'static str, &'static [&'static str])>,
    /// Names under which the reply travels when they differ: `car_type_upload` for `upload_car_type`; `parkInfo` for
    /// our answer to `space_notify`.
    pub reply_names: &'static [&'static str],
    /// Reply members read under another name: (documented, on the wire).
    pub reply_aliases: &'static [(&'static str, &'static str)],
}
