//! What the open API and ETCP push to a vendor's or merchant's own address: envelopes, signatures, attempts, answers.

use crate::digest::md5;
use crate::faults::Platform;
use crate::json::{self, Members};
use crate::world::World;
use crate::{clock, log};
use parklink::catalogue;
use parklink::wire::sign;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// When a push is sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// Never: a question nobody waits for any more, or a notice that is sent once.
    Never,
    /// Until there is an answer.
    Unanswered,
    /// Until the answer says success.
    Unconfirmed,
}

/// Pushes that are sent again; all others are sent once.
const REPEATED: [(&str, Repeat); 9] = [
    ("prepay_order", Repeat::Unanswered),
    ("outpark", Repeat::Unanswered),
    ("refund", Repeat::Unanswered),
    ("monthcard_pay", Repeat::Unanswered),
    ("repair", Repeat::Unanswered),
    ("recharge", Repeat::Unanswered),
    ("plat_unified_order", Repeat::Unconfirmed),
    ("plat_escape_order", Repeat::Unconfirmed),
    ("invoice_notify", Repeat::Unconfirmed),
];

/// Pauses in seconds between attempts.
pub const PAUSES: [u64; 10] = [10, 20, 30, 40, 50, 80, 120, 160, 200, 300];
/// How long an answer may take.
pub const TIME_OUT: Duration = Duration::from_secs(5);

/// What the signature of an ETCP push is taken over: the document leaves it open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reading {
    /// The JSON text as it is sent, without the member `signment`.
    #[default]
    Text,
    /// The members written again without blanks; the body itself has blanks, so that the two differ.
    Remade,
    /// The parameter `data` of a form, with `signment` beside it.
    Form,
}

impl Reading {
    /// The reading of this name.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "text" => Reading::Text,
            "remade" => Reading::Remade,
            "form" => Reading::Form,
            _ => return None,
        })
    }
}

/// One push.
struct Push {
    id: u64,
    platform: Platform,
    service: String,
    message: Members,
    post: Post,
    repeat: Repeat,
    attempts: Vec<Value>,
    answer: Option<Value>,
    is_confirmed: bool,
    is_over: bool,
}

/// What goes over the wire.
#[derive(Debug, Clone)]
pub struct Post {
    /// To here.
    pub url: String,
    /// This.
    pub body: String,
    /// Of this kind.
    pub content_type: &'static str,
}

/// What came of one attempt.
#[derive(Debug)]
pub enum Came {
    /// An HTTP answer.
    Answer(u16, Vec<u8>),
    /// None, for this reason.
    Nothing(String),
}

/// All pushes, and where they go.
pub struct Pushes {
    list: Vec<Push>,
    last: u64,
    waiting: Vec<(u64, Duration)>,
    /// Woken when something is to be sent.
    pub wake: Arc<Notify>,
    /// Where pushes of the open API go that name no address of their own.
    pub union_url: Option<String>,
    /// Where pushes of ETCP go.
    pub etcp_url: Option<String>,
    /// How many times faster than documented the pauses pass.
    pub speed: u32,
    /// What ETCP signs.
    pub reading: Reading,
}

impl Default for Pushes {
    fn default() -> Self {
        Pushes {
            list: Vec::new(),
            last: 0,
            waiting: Vec::new(),
            wake: Arc::default(),
            union_url: None,
            etcp_url: None,
            speed: 1,
            reading: Reading::default(),
        }
    }
}

const JSON: &str = "application/json;charset=utf-8";
const FORM: &str = "application/x-www-form-urlencoded;charset=utf-8";

impl Pushes {
    /// Forgets what was sent; where and how it goes stays.
    pub fn forget(&mut self) {
        self.list.clear();
        self.waiting.clear();
    }

    fn add(&mut self, platform: Platform, message: Members, post: Post, repeat: Repeat, delay: Duration) -> u64 {
        self.last += 1;
        let id = self.last;
        let service = json::text(&message, "service_name").unwrap_or_else(|| untitled(platform, &message).to_owned());
        log::event(platform.name(), || format!("push {id} {service} to {}", post.url));
        self.list.push(Push {
            id,
            platform,
            service,
            message,
            post,
            repeat,
            attempts: Vec::new(),
            answer: None,
            is_confirmed: false,
            is_over: false,
        });
        self.waiting.push((id, delay));
        self.wake.notify_one();
        id
    }

    /// What is to be sent now, each after its delay.
    pub fn take(&mut self) -> Vec<(u64, Duration)> {
        std::mem::take(&mut self.waiting)
    }

    fn push_mut(&mut self, id: u64) -> Option<&mut Push> {
        self.list.iter_mut().find(|push| push.id == id)
    }

    /// What is to be sent; nothing when it was forgotten or is over.
    pub fn post(&self, id: u64) -> Option<(Platform, String, Post)> {
        let push = self.list.iter().find(|push| push.id == id && !push.is_over)?;
        Some((push.platform, push.service.clone(), push.post.clone()))
    }

    /// The answer to a push.
    pub fn answer(&self, id: u64) -> Option<&Value> {
        self.list.iter().find(|push| push.id == id)?.answer.as_ref()
    }

    /// An attempt is over; true when another is due.
    pub fn note(&mut self, id: u64, came: Came, is_last: bool) -> (bool, bool) {
        let Some(push) = self.push_mut(id) else { return (false, false) };
        let mut attempt = json!({"at_ms": clock::millis()});
        let mut is_answered = false;
        match came {
            Came::Nothing(why) => attempt["error"] = why.into(),
            Came::Answer(status, body) => {
                attempt["status"] = status.into();
                let answer = read(&body);
                let fits = answer.as_object().is_none_or(|answer| fits(push, answer));
                attempt["fits"] = fits.into();
                is_answered = status == 200 && fits && (answer.is_object() || push.service == "get_inpark_image");
                if is_answered {
                    push.is_confirmed = is_success(push.platform, &answer);
                    push.answer.get_or_insert(answer);
                } else {
                    attempt["answer"] = answer;
                }
            }
        }
        push.attempts.push(attempt);
        let again = match push.repeat {
            Repeat::Never => false,
            Repeat::Unanswered => !is_answered,
            Repeat::Unconfirmed => !push.is_confirmed,
        };
        push.is_over = !again || is_last;
        (again && !is_last, is_answered)
    }

    /// All of them.
    pub fn shown(&self) -> Value {
        let list: Vec<Value> = self
            .list
            .iter()
            .map(|push| {
                json!({
                    "id": push.id,
                    "platform": push.platform.name(),
                    "service_name": push.service,
                    "url": push.post.url,
                    "message": push.message,
                    "attempts": push.attempts,
                    "answer": push.answer,
                    "confirmed": push.is_confirmed,
                    "over": push.is_over,
                })
            })
            .collect();
        let answered = self.list.iter().filter(|push| push.answer.is_some()).count();
        json!({
            "union_url": self.union_url, "etcp_url": self.etcp_url, "speed": self.speed,
            "sent": list.len(), "answered": answered, "list": list,
        })
    }
}

/// What a push without a service_name is called here.
fn untitled(platform: Platform, message: &Members) -> &'static str {
    match platform {
        Platform::Etcp if message.contains_key("exitTime") => "car_out",
        Platform::Etcp => "car_in",
        _ => "invoice_state",
    }
}

/// An answer as JSON; what is none is told by its size.
fn read(body: &[u8]) -> Value {
    serde_json::from_slice(body).ok().filter(Value::is_object).unwrap_or_else(|| json!(format!("{} bytes", body.len())))
}

fn is_success(platform: Platform, answer: &Value) -> bool {
    let says = |name: &str| json::value_text(&answer[name]);
    match platform {
        Platform::Etcp => says("code").as_deref() == Some("0"),
        _ => says("state").as_deref() == Some("1"),
    }
}

/// Whether an answer belongs to a push: it has a state, and echoes what the documents tie it by.
fn fits(push: &Push, answer: &Members) -> bool {
    if push.platform == Platform::Etcp {
        return answer.contains_key("code");
    }
    let keys = catalogue::downlink(catalogue::Platform::Union, &push.service, &push.message.clone().into())
        .map_or(&[][..], |interface| interface.correlate_by);
    // A price question that failed has no more to say.
    let must_echo = json::text(answer, "state").as_deref() != Some("0");
    answer.contains_key("state")
        && keys.iter().all(|name| match (json::text(&push.message, name), json::text(answer, name)) {
            (Some(asked), Some(said)) => {
                asked == said
                    || json::fen(&asked).is_some_and(|fen| json::fen(&said) == Some(fen))
                    // A mark may be added to a made-up plate.
                    || (*name == "car_number" && said.contains(&asked))
            }
            (None, _) => true,
            (Some(_), None) => !must_echo || *name == "query_order_no",
        })
}

/// Pushes a message of the open API: to the address named with the call, or to the vendor's.
pub fn union(
    world: &mut World,
    lot: &str,
    message: Members,
    to: Option<String>,
    delay: Duration,
) -> Result<u64, String> {
    let url = to.or_else(|| world.pushes.union_url.clone());
    let url = url.ok_or("no address for pushes of the open API (POST /push-url, --union-push-url)")?;
    let lot = world.lot(lot).or(world.lots.first()).ok_or("there is no lot")?;
    let (key, union_id) = (lot.ukey.clone(), json::number(&lot.union_id));
    let service = json::text(&message, "service_name");
    let spoilt = world.faults.hit(Platform::Union, "wrong_sign", service.as_deref().unwrap_or_default()).is_some();
    let sign = |text: &str| sign::keyed(text, if spoilt { "wrong" } else { &key });
    let data = Value::Object(message.clone()).to_string();
    let body = match service.as_deref() {
        // Flat and unsigned, as printed.
        None => data,
        Some("monthcard_pay") => {
            format!("{{\"union_id\":{union_id},\"sign\":\"{}\",\"data\":{data}}}", sign(&data))
        }
        // Here the list alone is data.
        Some("people_data") => {
            let list = message.get("data").cloned().unwrap_or_else(|| json!([])).to_string();
            let sign = sign(&list);
            format!("{{\"sign\":\"{sign}\",\"union_id\":{union_id},\"service_name\":\"people_data\",\"data\":{list}}}")
        }
        Some(_) => format!("{{\"data\":{data},\"sign\":\"{}\"}}", sign(&data)),
    };
    let repeat = REPEATED.iter().find(|(name, _)| Some(*name) == service.as_deref());
    let repeat = repeat.map_or(Repeat::Never, |(_, repeat)| *repeat);
    world.counts.add(Platform::Union, format!("pushes.{}", service.as_deref().unwrap_or("invoice_state")));
    Ok(world.pushes.add(Platform::Union, message, Post { url, body, content_type: JSON }, repeat, delay))
}

/// Pushes a message of ETCP.
pub fn etcp(world: &mut World, message: Members) -> Result<u64, String> {
    let url = world.pushes.etcp_url.clone();
    let url = url.ok_or("no address for pushes of ETCP (POST /push-url, --etcp-push-url)")?;
    let service = untitled(Platform::Etcp, &message);
    let spoilt = world.faults.hit(Platform::Etcp, "wrong_sign", service).is_some();
    let text = Value::Object(message.clone()).to_string();
    let merchant = &world.etcp.merchant;
    let key = if spoilt { "wrong" } else { &merchant.key };
    let signment = md5(&format!("{}{text}{key}", merchant.number));
    let (body, content_type) = match world.pushes.reading {
        Reading::Form => {
            let mut form = form_urlencoded::Serializer::new(String::new());
            form.append_pair("data", &text).append_pair("signment", &signment);
            (form.finish(), FORM)
        }
        reading => {
            let mut whole = message.clone();
            whole.insert("signment".into(), signment.into());
            let whole = Value::Object(whole);
            let spaced = reading == Reading::Remade;
            (if spaced { format!("{whole:#}") } else { whole.to_string() }, JSON)
        }
    };
    world.counts.add(Platform::Etcp, format!("pushes.{service}"));
    let post = Post { url, body, content_type };
    Ok(world.pushes.add(Platform::Etcp, message, post, Repeat::Unconfirmed, Duration::ZERO))
}
