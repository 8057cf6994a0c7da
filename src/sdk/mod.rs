//! The library for Rust: open, upload, call, on_downlink, reply, poll, status, close. The C interface is a thin dress over it.

mod answers;
mod check;
mod close;
mod deliver;
mod files;
mod open;
mod outcome;
mod pay_status;
mod platforms;
mod route;
mod waiting;

pub use self::close::Closed;
pub use self::outcome::Outcome;
pub(crate) use self::outcome::of_reply;
pub(crate) use self::route::request;
pub use crate::inbox::{DeliveryHandler, DownlinkHandler, Event, EventKind, LogHandler};

use self::answers::Answers;
use self::check::Validation;
use self::route::Way;
use crate::catalogue::{self, Direction, Interface, Platform, Side};
use crate::config::Config;
use crate::error::{Code, Error, Result};
use crate::inbox::{Inbox, Limits};
use crate::json::{self, Value, members};
use crate::link::dial::Cancel;
use crate::link::http::Client;
use crate::link::{Link, Members};
use crate::listener::Listener;
use crate::log::Log;
use crate::outbox::Outbox;
use crate::store::Store;
use once_cell::sync::OnceCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How long after opening downlinks wait for the software to register its callback.
const GRACE: Duration = Duration::from_secs(2);

/// An open connection to the platforms of one lot.
pub struct Sdk {
    config: Config,
    log: Arc<Log>,
    inbox: Arc<Inbox>,
    links: Arc<Vec<Box<dyn Link>>>,
    answers: Answers,
    listener: Option<Listener>,
    store: Option<Arc<Store>>,
    outbox: Option<Outbox>,
    /// What sends files (SDK 2.32), from the first one on.
    files: OnceCell<Client>,
    validation: Validation,
    limits: CallLimits,
    is_closed: AtomicBool,
    /// Thrown when closing: what waits outside the links ends too.
    closing: Arc<Cancel>,
}

/// What every call asks of the configuration.
struct CallLimits {
    /// Longest text taken.
    text: usize,
    /// A record that cannot be sent now is kept.
    keeps: bool,
    cloud: Duration,
    bolink: Duration,
}

impl std::fmt::Debug for Sdk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sdk").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Sdk {
    /// Starts the links; they connect by themselves, this does not wait for them.
    pub fn open(config: Config) -> Result<Sdk> {
        Self::open_for(config, true)
    }

    /// The same for software that may not see which downlinks come `redelivered`.
    pub(crate) fn open_for(config: Config, sees_mark: bool) -> Result<Sdk> {
        let log = Arc::new(open::log(&config)?);
        let limits = Limits {
            queue: usize::try_from(config.number("events.queue")).unwrap_or(usize::MAX),
            keep: Duration::from_secs(config.number("events.keep_s").unsigned_abs()),
            sees_mark,
            grace: GRACE,
            window_seconds: config.number("store.window_days") * 86_400,
        };
        let call_limits = CallLimits {
            text: usize::try_from(config.number("limits.text_bytes")).unwrap_or(usize::MAX),
            keeps: config.word("outbox.when_offline") == "queue",
            cloud: config.millis("cloud.request_timeout_ms"),
            bolink: config.millis("bolink.request_timeout_ms"),
        };
        let store = deliver::open_store(&config, &log)?;
        let inbox = Inbox::open(limits, log.clone(), store.clone()).inspect_err(|_| {
            store.iter().for_each(|store| store.close());
        })?;
        // From here on whatever fails closes all the rest: what is not opened yet is empty.
        let mut sdk = Sdk {
            validation: Validation::of(&config),
            config,
            log,
            inbox,
            links: Arc::default(),
            answers: Answers::default(),
            listener: None,
            store,
            outbox: None,
            files: OnceCell::new(),
            limits: call_limits,
            is_closed: AtomicBool::new(false),
            closing: Arc::default(),
        };
        sdk.links = Arc::new(open::links(&sdk.config, &sdk.log, &sdk.inbox)?);
        sdk.answers = Answers::start(&sdk.links, &sdk.inbox, &sdk.log)?;
        sdk.inbox.set_outlet(Some(sdk.answers.outlet()));
        sdk.inbox.send_recalled();
        if let Some(store) = &sdk.store {
            let (links, inbox) = (sdk.links.clone(), sdk.inbox.clone());
            sdk.outbox = Some(Outbox::start(&sdk.config, store.clone(), links, inbox, sdk.log.clone())?);
        }
        for name in &sdk.config.unknown {
            sdk.log.warn(format_args!("the init member {name} is not known and has no effect"));
        }
        // Last: whoever is pushed finds everything in place.
        sdk.listener = Listener::open(&sdk.config, &sdk.log, &sdk.inbox)?;
        Ok(sdk)
    }

    /// The configuration it was opened with.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Uploads a record by its service_name to every platform that takes it, and waits for the answer. A record under
    /// the name of a downlink is the answer to that downlink.
    pub fn upload(&self, json: &str) -> Outcome {
        self.parse(json).and_then(|members| self.upload_members(members)).unwrap_or_else(Outcome::from)
    }

    /// The same with the service_name fixed: `in_park`, `out_park`, `etc_pay`, `pay_status`.
    pub fn upload_as(&self, service: &str, json: &str) -> Outcome {
        let named = self.parse(json).map(|mut members| {
            members.insert("service_name", Value::from(service));
            members
        });
        named.and_then(|members| self.upload_members(members)).unwrap_or_else(Outcome::from)
    }

    /// Calls one interface by its id in the catalogue, on its own platform only.
    pub fn call(&self, id: &str, json: &str) -> Outcome {
        self.parse(json).and_then(|members| self.call_members(id, members)).unwrap_or_else(Outcome::from)
    }

    fn call_members(&self, id: &str, mut members: Members) -> Result<Outcome> {
        let interface = catalogue::by_id(id).ok_or_else(|| {
            Error::new(
                Code::UnknownInterface,
                format!("there is no interface \"{id}\"; ids look like cloud.in_park, see docs/interfaces"),
            )
        })?;
        let service = interface.service.ok_or_else(|| unnamed(interface))?;
        self.prepare(interface, &mut members);
        members.insert("service_name", Value::from(service.split('.').next().unwrap_or(service)));
        match interface.direction {
            Direction::Uplink if service == files::SERVICE => self.upload_file(&members),
            Direction::Uplink => self.send(&[self.way(interface.platform, Some(interface))?], &Arc::new(members)),
            Direction::Local if service == "pay_status" => self.pay_status(&members),
            Direction::Downlink => self.upload_members(members),
            Direction::Local | Direction::Definition => Err(route::not_a_call(interface)),
        }
    }

    fn parse(&self, json: &str) -> Result<Members> {
        if self.is_closed.load(Ordering::Acquire) {
            return Err(Error::new(Code::Closed, "the handle is closed"));
        }
        let limit = self.limits.text;
        if json.len() > limit {
            let message = format!("the text has {} bytes, at most {limit} are taken (limits.text_bytes)", json.len());
            return Err(Error::new(Code::TooLarge, message));
        }
        match json::parse_members(json) {
            Ok(Some(members)) => Ok(members),
            Ok(None) => Err(Error::new(Code::Json, "the text must be a JSON object, as {\"service_name\":\"…\"}")),
            Err(error) => Err(Error::new(Code::Json, format!("the text is not JSON: {error}"))),
        }
    }

    fn upload_members(&self, members: Members) -> Result<Outcome> {
        let Some(service) = members.get("service_name").and_then(Value::as_str).filter(|name| !name.is_empty()) else {
            return Err(Error::new(Code::UnknownInterface, "\"service_name\" is missing: it says what the record is"));
        };
        if service == "pay_status" {
            return self.pay_status(&members);
        }
        if service == files::SERVICE {
            return self.upload_file(&members);
        }
        let target = members.get("data_target").and_then(Value::as_str);
        if let Some(id) = self.etc_by_union(service, target) {
            return self.call_members(id, members);
        }
        let candidates = catalogue::route(service, target, &members);
        // Also one whose data_target is misspelt: that is no answer.
        let is_uplink = candidates.iter().any(|candidate| candidate.interface.is_some())
            || (candidates.is_empty() && !catalogue::route(service, None, &members).is_empty());
        if !is_uplink && let Some(event) = self.inbox.find_open(service, &members) {
            return self.answer(event, members);
        }
        if !is_uplink && let Some(interface) = self.downlink(service, &members) {
            return self.late_answer(interface, members);
        }
        let ways = self.ways(service, target, &candidates)?;
        let members = Arc::new(members);
        self.send(&ways, &members)
    }

    fn downlink(&self, service: &str, members: &Members) -> Option<&'static Interface> {
        // The outer name of relayed answers is told by what is inside.
        let inner = members.get("data").and_then(|data| data.get("service_name")).and_then(Value::as_str);
        let service = if service == "parkInfo" { inner? } else { service };
        catalogue::downlink(Platform::Cloud, service, members)
    }

    /// Sends to each platform, waits for all.
    fn send(&self, ways: &[Way<'_>], members: &Arc<Members>) -> Result<Outcome> {
        for way in ways {
            self.check(way.interface, members, Side::Request)?;
        }
        if let [way] = ways {
            return Ok(self.finish(way, members, self.begin(way, members), way.is_charge(members)));
        }
        let is_charge = ways.iter().any(|way| way.is_charge(members));
        let begun: Vec<_> = ways.iter().map(|way| self.begin(way, members)).collect();
        let mut outcomes = Vec::with_capacity(ways.len());
        // Bolink first: its exchange begins only now, in this thread, while the cloud's line is on its way. And it takes
        // the money: when it has, the cloud's copy asks for nothing any more and is a record like any other.
        let mut is_open = is_charge;
        for (begun, way) in begun.into_iter().zip(ways).rev() {
            let outcome = self.finish(way, members, begun, is_open);
            is_open &= outcome.error.as_ref().is_some_and(|error| error.code != Code::Pending);
            outcomes.push((way.link.platform(), outcome));
        }
        outcomes.reverse();
        Ok(outcome::join(outcomes, is_charge))
    }

    fn deadline(&self, way: &Way<'_>, members: &Members) -> Instant {
        let asked = match way.link.platform() {
            Platform::Bolink => self.limits.bolink,
            Platform::Union => self.config.millis("union.request_timeout_ms"),
            Platform::Etcp => self.config.millis("etcp.request_timeout_ms"),
            Platform::Cloud | Platform::Screen | Platform::Library => self.limits.cloud,
        };
        // What becomes of a charge is told when the platform has waited itself (SDK 2.2: 2 after more than ten seconds).
        let documented = way.interface.filter(|_| way.is_charge(members)).map(|interface| interface.deadline_ms);
        Instant::now() + asked.max(Duration::from_millis(documented.unwrap_or_default().into()))
    }

    /// Sets or removes the handler; the old one is dropped on the dispatch thread when its last call is over.
    pub fn on_downlink(&self, handler: Option<DownlinkHandler>) -> Result<()> {
        self.inbox.set_handler(handler)
    }

    /// Sets or removes the log handler; dropped like the other.
    pub fn on_log(&self, handler: Option<LogHandler>) -> Result<()> {
        self.inbox.set_log_handler(handler)
    }

    /// Answers a downlink. `json` holds the reply's members; service_name and the members that tie it to the downlink
    /// are filled in.
    pub fn reply(&self, event_id: u64, json: &str) -> Result<()> {
        let members = self.parse(json)?;
        self.answer(event_id, members).map(|_| ())
    }

    /// An answer to a downlink that is not open (any more): given after a restart, or twice. It goes out as it is.
    fn late_answer(&self, interface: &'static Interface, members: Members) -> Result<Outcome> {
        self.check(Some(interface), &members, Side::Reply)?;
        let platform = members.get("data_target").and_then(Value::as_str).and_then(Platform::from_data_target);
        let platform = platform.unwrap_or(interface.platform);
        let way = self.way(platform, Some(interface))?;
        let service = members.get("service_name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut data = members;
        if let Some(target) = interface.platform.data_target() {
            data.or_insert("data_target", || Value::from(target));
        }
        self.log.info(format_args!(
            "{}: an answer to {service} that no open downlink asked for",
            way.link.platform().name()
        ));
        self.answers.outlet()(crate::inbox::Answer {
            event_id: 0,
            platform: way.link.platform(),
            interface: Some(interface),
            service,
            data,
        });
        Ok(outcome::handed_over())
    }

    /// Waits for the next downlink when no handler is set.
    pub fn poll(&self, timeout: Duration) -> Result<Event> {
        self.inbox.poll(timeout)
    }

    /// Everything a field engineer asks for.
    pub fn status(&self) -> Members {
        let links: Members =
            self.links.iter().map(|link| (link.platform().name().to_owned(), Value::Object(link.status()))).collect();
        let (waiting, unanswered) = self.inbox.depth();
        let outbox = self.outbox.as_ref().map(Outbox::status);
        let store = self.outbox.as_ref().map(|outbox| {
            let store = outbox.store();
            members! {"path": store.path().to_string_lossy().as_ref(), "replaced": store.replaced().map(|replaced| replaced.members())}
        });
        members! {
            "store": store,
            "outbox": outbox,
            "version": env!("CARGO_PKG_VERSION"),
            "park_id": self.config.text("park_id"),
            "local_id": self.config.text("local_id"),
            "net_status": u8::from(self.is_payment_up()),
            "links": links,
            "listener": self.listener.as_ref().map(Listener::status),
            "events": members! {"waiting": waiting, "unanswered": unanswered, "answers_under_way": self.answers.left()},
        }
    }

    /// Waits until every link is up or one has failed, at most `timeout`; the error tells which and why.
    pub fn wait_ready(&self, timeout: Duration) -> Result<()> {
        if self.inbox.is_in_callback() {
            return Err(Error::new(Code::InCallback, "wait_ready would hold up the callbacks"));
        }
        let deadline = Instant::now() + timeout;
        loop {
            if self.is_closed.load(Ordering::Acquire) {
                return Err(Error::new(Code::Closed, "the handle is closed"));
            }
            let is_late = Instant::now() >= deadline;
            let waiting: Vec<_> = self.links.iter().filter(|link| !link.is_up()).collect();
            if waiting.is_empty() {
                return Ok(());
            }
            for link in waiting {
                let status = link.status();
                let state = status.get("state").and_then(Value::as_str).unwrap_or_default();
                if is_late || matches!(state, "down" | "refused") {
                    let reason = status.get("last_error").and_then(Value::as_str).unwrap_or("still connecting");
                    let code = if state == "refused" { Code::LoginRefused } else { Code::Offline };
                    return Err(Error::new(code, format!("{}: {reason}", link.platform().name())));
                }
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Whether this is the dispatch thread, in a callback.
    pub fn is_in_callback(&self) -> bool {
        self.inbox.is_in_callback()
    }
}

/// Of what the platforms' documents define beside calls, and of what they only name.
fn unnamed(interface: &Interface) -> Error {
    if matches!(interface.direction, Direction::Local | Direction::Definition) {
        return route::not_a_call(interface);
    }
    let message = format!(
        "{} ({} {}): the platform's document is known by its title only, so its name and members are not; nothing was sent",
        interface.id, interface.section, interface.title_zh
    );
    Error::new(Code::Unsupported, message)
}
