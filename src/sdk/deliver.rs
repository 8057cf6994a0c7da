//! Records that must arrive: sent now when that is possible, kept and sent later when it is not.

use super::{Outcome, Sdk, Validation, Way, outcome};
use crate::catalogue::{self, Class, Interface, Platform, Side};
use crate::config::Config;
use crate::error::{Code, Error, Fate, Result};
use crate::inbox::DeliveryHandler;
use crate::json::{self, Value, members};
use crate::link::{Members, Pending, RequestKind};
use crate::log::Log;
use crate::outbox::{Outbox, Turn, queued, vary};
use crate::store::{NewRecord, Store};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Opens the store that the configuration asks for.
pub(super) fn open_store(config: &Config, log: &Arc<Log>) -> Result<Option<Arc<Store>>> {
    let Some(dir) = config.text("store.dir") else { return Ok(None) };
    let lot: String = config
        .text("park_id")
        .unwrap_or("lot")
        .chars()
        .map(|ch| if ch.is_alphanumeric() || matches!(ch, '-' | '_') { ch } else { '_' })
        .collect();
    let path = Path::new(dir).join(format!("parklink-{lot}.db"));
    Store::open(&path, log.clone()).map(Some)
}

/// The state of one platform's share: under way, behind older records of its order that are stored, or after an upload of
/// its order that has not returned.
pub(super) enum Begun<'a> {
    Live(Result<Pending<'a>>, Option<Turn<'a>>),
    Behind(Option<Turn<'a>>, Instant),
    After(Turn<'a>, Instant),
}

/// The key under which a record keeps its place among others of its order.
fn order_key(interface: &Interface, members: &Members) -> Option<String> {
    let path = interface.order_by?;
    let name = path.rsplit('.').next().unwrap_or(path);
    let value = path
        .split('.')
        .try_fold(&Value::Null, |at, part| if at.is_null() { members.get(part) } else { at.get(part) })?;
    match value {
        Value::String(text) | Value::Number(text) if !text.is_empty() => Some([name, "=", text.as_str()].concat()),
        _ => None,
    }
}

/// Whether the record may still be unknown to the platform, or is certainly. HTTP errors are no words of the platform's.
fn is_undelivered(error: &Error) -> bool {
    !matches!(error.fate(), Fate::Taken | Fate::Refused) || error.code == Code::Http
}

impl Sdk {
    /// Who has paid waits for no turn, and keeps nobody waiting.
    pub(super) fn begin<'a>(&'a self, way: &Way<'a>, members: &Arc<Members>) -> Begun<'a> {
        let deadline = self.deadline(way, members);
        if let Some(outbox) = &self.outbox
            && let Some(key) = way.interface.and_then(|interface| order_key(interface, members))
        {
            let platform = way.link.platform();
            if !way.is_charge(members) {
                let turn = outbox.turn(platform, key);
                return match turn {
                    Some(turn) if !turn.is_first() => Begun::After(turn, deadline),
                    turn => self.begin_in_turn(way, members, turn, deadline),
                };
            }
            if outbox.has_waiting(platform, &key) {
                return Begun::Behind(None, deadline);
            }
        }
        self.begin_in_turn(way, members, None, deadline)
    }

    fn begin_in_turn<'a>(
        &'a self,
        way: &Way<'a>,
        members: &Arc<Members>,
        turn: Option<Turn<'a>>,
        deadline: Instant,
    ) -> Begun<'a> {
        let platform = way.link.platform();
        // Looked at with the turn in hand: whoever had it before may have put its record into the line.
        let is_behind = |turn: &Turn<'_>| self.outbox.as_ref().is_some_and(|it| it.has_waiting(platform, turn.key()));
        if turn.as_ref().is_some_and(is_behind) {
            return Begun::Behind(turn, deadline);
        }
        Begun::Live(way.link.begin(way.request(members, deadline, RequestKind::Live)), turn)
    }

    /// `is_charge`: this platform is asked for the money; the record is then never kept and sent later.
    pub(super) fn finish(&self, way: &Way<'_>, members: &Arc<Members>, begun: Begun<'_>, is_charge: bool) -> Outcome {
        let keeps = self.limits.keeps && !is_charge && way.interface.is_some_and(|interface| interface.durable);
        let moves_money = is_charge || way.interface.is_some_and(|it| it.class == Class::Money && !it.durable);
        let begun = match begun {
            Begun::After(turn, deadline) if turn.wait(Some(deadline)) => {
                self.begin_in_turn(way, members, Some(turn), deadline)
            }
            begun => begun,
        };
        // Held until the record is in the line, if it comes there.
        let mut _turn = None;
        let live = match begun {
            Begun::Behind(turn, deadline) if keeps => return self.behind(way, members, deadline, turn),
            Begun::After(turn, _) if keeps => {
                // What is before it is stored before it, or has arrived.
                turn.wait(None);
                return self.behind(way, members, Instant::now(), Some(turn));
            }
            Begun::Behind(..) | Begun::After(..) => {
                let message = format!(
                    "{}: earlier records of this order have not reached the platform yet; nothing was sent",
                    way.service()
                );
                Err(Error::new(Code::Offline, message))
            }
            Begun::Live(begun, turn) => {
                _turn = turn;
                begun.and_then(|pending| pending())
            }
        };
        let outcome = match live {
            Ok(reply) => outcome::of_reply(way.link.platform(), way.interface, way.service(), is_charge, reply),
            Err(error) => Outcome::from(error),
        };
        match (&self.outbox, &outcome.error) {
            (_, Some(_)) if moves_money => Outcome { error: outcome.error.map(Error::of_charge), ..outcome },
            (Some(outbox), Some(error)) if keeps && is_undelivered(error) => {
                // What could never be sent is refused now, not when its turn comes.
                if let Err(error) = self.could_be_sent(way, members) {
                    return Outcome::from(error);
                }
                match outbox.submit(vec![late(way, members, error)]) {
                    Ok(ticket) => queued(ticket, &error.message),
                    Err(failure) => Outcome::from(Error::new(
                        failure.code,
                        format!("{}; and it could not be stored: {}", error.message, failure.message),
                    )),
                }
            }
            (Some(outbox), None) => {
                outbox.answered_live(way.link.platform());
                outcome
            }
            _ => outcome,
        }
    }

    fn could_be_sent(&self, way: &Way<'_>, members: &Arc<Members>) -> Result<()> {
        way.link.check(&way.request(members, Instant::now(), RequestKind::Backlog))
    }

    fn behind(&self, way: &Way<'_>, members: &Arc<Members>, deadline: Instant, turn: Option<Turn<'_>>) -> Outcome {
        let platform = way.link.platform();
        if let Err(error) = self.could_be_sent(way, members) {
            return Outcome::from(error);
        }
        // As with every call: a link on its way is waited for, one that is down is not: its turn does not come. Who has
        // paid already waits for no turn.
        let is_away = way.is_charge(members) || matches!(&*way.link.status().plain("state"), "down" | "refused");
        let deadline = if is_away { Instant::now() } else { deadline };
        let sent = self
            .outbox
            .as_ref()
            .map(|outbox| outbox.submit_and_wait(platform, part(way, members, members.text()), deadline, turn));
        sent.unwrap_or_else(|| Err(Error::new(Code::Internal, "no outbox"))).unwrap_or_else(Outcome::from)
    }

    /// Stores a record; it is on disk when this returns, and is sent as soon as its platforms can be reached.
    pub fn submit(&self, json: &str) -> Result<u64> {
        let members = Arc::new(self.parse(json)?);
        let outbox = self.outbox()?;
        let Some(service) = members.get("service_name").and_then(Value::as_str).filter(|name| !name.is_empty()) else {
            return Err(Error::new(Code::UnknownInterface, "\"service_name\" is missing: it says what the record is"));
        };
        let target = members.get("data_target").and_then(Value::as_str);
        let candidates = catalogue::route(service, target, &members);
        let ways = self.ways(service, target, &candidates)?;
        for way in &ways {
            self.check(way.interface, &members, Side::Request)?;
            if let Some(interface) = way.interface {
                if interface.asks_now(&members) {
                    let message =
                        format!("{service} with this pay_type asks for money now; it is never sent late: use upload");
                    return Err(Error::new(Code::Unsupported, message));
                }
                if !interface.durable && self.validation != Validation::Off {
                    let message = format!("{service} ({}) is a question, not a record: use upload", interface.section);
                    return Err(Error::new(Code::Unsupported, message));
                }
            }
            self.could_be_sent(way, &members)?;
        }
        // In the software's own words, unless they stand on several lines.
        let has_lines = !members.is_literal() && json.bytes().any(|byte| byte < b' ');
        let text = || if has_lines { members.text() } else { json.trim_ascii().to_owned() };
        outbox.submit_in_turn(ways.iter().map(|way| part(way, &members, text())).collect())
    }

    fn outbox(&self) -> Result<&Outbox> {
        self.outbox
            .as_ref()
            .ok_or_else(|| Error::new(Code::NotConfigured, "records are kept in a store: give store.dir when opening"))
    }

    /// Sets or removes the handler for what became of submitted records.
    pub fn on_delivery(&self, handler: Option<DeliveryHandler>) -> Result<()> {
        self.inbox.set_delivery_handler(handler)
    }

    /// Waits until every stored record has been settled, at most `timeout`; tells how many are left. An end of the handle ends it
    /// with [`Code::Closed`].
    pub fn flush(&self, timeout: Duration) -> Result<u64> {
        if self.is_in_callback() {
            return Err(Error::new(Code::InCallback, "flush would wait for the callback that it is called from"));
        }
        self.outbox()?.flush(Instant::now() + timeout)
    }

    /// Dead letters after a number, oldest first, as JSON lines of an array.
    pub fn dead(&self, after: u64, limit: u32) -> Result<Value> {
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        let letters = self.outbox()?.store().read(|reader| reader.dead_after(after, i64::from(limit)))?;
        let shown = letters.into_iter().map(|dead| {
            let parsed = |text: &str| json::parse(text).unwrap_or_default();
            members! {
                "id": dead.record.id,
                "ticket": dead.record.ticket,
                "platform": dead.platform,
                "interface": dead.record.interface,
                "service_name": dead.record.service,
                "data": parsed(&dead.record.data),
                "created_ms": dead.record.created,
                "attempts": dead.record.attempts,
                "died_ms": dead.died,
                "code": dead.code,
                "message": dead.message,
                "reply": dead.reply.as_deref().map(parsed),
            }
        });
        Ok(shown.map(Value::Object).collect())
    }

    /// Puts dead letters back in line, all (`None`) or those of a ticket; tells how many.
    pub fn retry_dead(&self, ticket: Option<u64>) -> Result<u64> {
        self.outbox()?.retry_dead(ticket)
    }

    /// Deletes dead letters, all (`None`) or those of a ticket; tells how many.
    pub fn delete_dead(&self, ticket: Option<u64>) -> Result<u64> {
        self.outbox()?.store().delete_dead(ticket)
    }

    /// Writes every dead letter into a file, a line each; tells how many.
    pub fn export_dead(&self, path: &Path) -> Result<u64> {
        use std::io::Write;
        let of = |error: std::io::Error| Error::new(Code::Io, format!("{}: {error}", path.display()));
        let mut file = std::io::BufWriter::new(std::fs::File::create(path).map_err(of)?);
        let (mut count, mut after) = (0, 0);
        while let Value::Array(letters) = self.dead(after, 500)? {
            let Some(last) = letters.last() else { break };
            after = last["id"].as_u64().unwrap_or(u64::MAX);
            count += letters.len() as u64;
            for letter in &letters {
                writeln!(file, "{letter}").map_err(of)?;
            }
        }
        file.into_inner().map_err(|error| of(error.into_error()))?.sync_all().map_err(of)?;
        Ok(count)
    }
}

/// The record after a live attempt. What the platform remembers without having stored it must come with other bytes,
/// also after a crash.
fn late(way: &Way<'_>, members: &Members, error: &Error) -> NewRecord {
    let mut record = part(way, members, members.text());
    let may_be_there = error.is_doubtful() || error.code == Code::Http;
    record.attempts = i64::from(may_be_there);
    // So may be what was under way when the cloud's connection ended: the token died with it.
    let is_doubtful = error.code == Code::Broken && way.link.platform() == Platform::Cloud;
    if error.code == Code::NotStored || is_doubtful {
        record.data = vary(&record.data).unwrap_or(record.data);
    }
    record
}

fn part(way: &Way<'_>, members: &Members, data: String) -> NewRecord {
    NewRecord {
        platform: way.link.platform().name(),
        interface: way.interface.map(|interface| interface.id),
        service: way.service().to_owned(),
        order_key: way.interface.and_then(|interface| order_key(interface, members)),
        class: way.interface.map_or("record", |interface| interface.class.name()),
        data,
        attempts: 0,
    }
}
