//! Answers to downlinks on their way: a worker for each link sends them, so that no callback waits for a platform.

use super::waiting::{Counts, Job, Waiting};
use super::{Outcome, route};
use crate::catalogue::{Platform, same_value};
use crate::error::{Code, Error, Result};
use crate::inbox::{Answer, Inbox, Outlet};
use crate::json::Value;
use crate::link::backoff::Backoff;
use crate::link::dial::Cancel;
use crate::link::{Link, Members, RequestKind, exchange};
use crate::log::Log;
use crate::outbox::verdict::{self, Verdict};
use crossbeam_channel::{Receiver, Sender, at, never, select, unbounded};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(10);

/// While the platform takes none: at first, and at most: when it does again, nobody's question shall wait long for its answer.
const PAUSE: Duration = Duration::from_secs(1);
const OUTAGE: Duration = Duration::from_secs(5);

/// How long an answer is worth sending; the platform asks again or has given up by then.
const WORTH: Duration = Duration::from_secs(120);

/// The workers of a handle; they end with it.
#[derive(Default)]
pub struct Answers {
    queues: Vec<(Platform, Sender<Job>)>,
    shared: Arc<Shared>,
    workers: Mutex<Vec<JoinHandle<()>>>,
}

#[derive(Default)]
struct Shared {
    counts: Arc<Counts>,
    stop: Cancel,
}

impl Answers {
    pub fn start(links: &Arc<Vec<Box<dyn Link>>>, inbox: &Arc<Inbox>, log: &Arc<Log>) -> Result<Answers> {
        let mut answers = Answers::default();
        for at in 0..links.len() {
            let (sender, receiver) = unbounded();
            let (links, inbox, log, shared) = (links.clone(), inbox.clone(), log.clone(), answers.shared.clone());
            answers.queues.push((links[at].platform(), sender));
            let worker = thread::Builder::new().name("parklink-answers".into());
            let worker = worker
                .spawn(move || work(links[at].as_ref(), &receiver, &inbox, &log, &shared))
                .map_err(|error| Error::new(Code::Io, format!("no thread for answers: {error}")))?;
            answers.workers.get_mut().unwrap_or_else(PoisonError::into_inner).push(worker);
        }
        Ok(answers)
    }

    /// Where answers are put.
    pub fn outlet(&self) -> Outlet {
        let queues = self.queues.clone();
        let shared = self.shared.clone();
        Box::new(move |answer| {
            let queue = queues.iter().find(|(platform, _)| *platform == answer.platform);
            let Some((_, queue)) = queue else { return false };
            shared.counts.left.fetch_add(1, Ordering::AcqRel);
            let is_sent = queue.send(Job::new(answer)).is_ok();
            if !is_sent {
                shared.counts.left.fetch_sub(1, Ordering::AcqRel);
            }
            is_sent
        })
    }

    /// Answers not yet with their platform.
    pub fn left(&self) -> u64 {
        self.shared.counts.left.load(Ordering::Acquire)
    }

    /// Waits until all are sent, at most until then. One that is on disk and that its platform does not take is not waited
    /// for.
    pub fn drain(&self, deadline: Instant) {
        let shelved = || self.shared.counts.shelved.load(Ordering::Acquire);
        while self.left() > shelved() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends the workers; call it after the links were shut. Tells how many answers were not sent.
    pub fn stop(&self) -> u64 {
        self.shared.stop.cancel();
        let workers = std::mem::take(&mut *self.workers.lock().unwrap_or_else(PoisonError::into_inner));
        for worker in workers {
            let _ = worker.join();
        }
        self.left()
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        self.stop();
    }
}

fn work(link: &dyn Link, jobs: &Receiver<Job>, inbox: &Inbox, log: &Log, shared: &Shared) {
    // One that the platform does not take holds up no other.
    let mut waiting = Waiting::new(shared.counts.clone());
    let mut outage = Backoff::new(PAUSE, OUTAGE);
    loop {
        let due = waiting.due().map_or_else(never, at);
        let job = select! {
            recv(shared.stop.receiver()) -> _ => return,
            recv(jobs) -> job => match job {
                Ok(job) => waiting.take_in(job),
                Err(_) => return,
            },
            recv(due) -> _ => waiting.take_soonest(),
        };
        let Some(job) = job else { continue };
        match deliver(link, &job, log) {
            Sent::Again => {
                outage.reset();
                waiting.put_off(job);
                continue;
            }
            Sent::Refused(wait) => {
                waiting.refused(job, wait, || outage.pause());
                continue;
            }
            Sent::AllWait(wait) => {
                // A link that knows that it is down costs nothing to ask; one that dials for each answer is asked less and less.
                let pause = wait.unwrap_or_else(|| if link.is_up() { outage.pause() } else { PAUSE });
                waiting.put_off_all(job, pause);
                continue;
            }
            Sent::Over => {
                outage.reset();
                waiting.taken();
                inbox.answer_delivered(job.answer.event_id);
            }
            Sent::Dropped => {}
        }
        shared.counts.left.fetch_sub(1, Ordering::AcqRel);
    }
}

enum Sent {
    /// The platform has it, or refused it: over for good.
    Over,
    /// Not worth sending any more.
    Dropped,
    /// Later.
    Again,
    /// The platform asks for patience, perhaps with this one only: later, or when it says.
    Refused(Option<Duration>),
    /// The others would fail too: later, or when the platform says.
    AllWait(Option<Duration>),
}

/// Sends an answer. One that is kept on disk is worth it until the platform has said something to it.
fn deliver(link: &dyn Link, job: &Job, log: &Log) -> Sent {
    let Answer { interface, service, data, event_id, .. } = &job.answer;
    let name = link.platform().name();
    if *event_id == 0 && job.since.elapsed() > WORTH {
        log.error(format_args!("{name}: the answer to {service} could not be sent within {WORTH:?}"));
        return Sent::Dropped;
    }
    let request = route::request(
        link.platform(),
        *interface,
        service,
        &Arc::new(data.clone()),
        Instant::now() + ATTEMPT,
        RequestKind::Answer,
    );
    let error = match exchange(link, request) {
        Ok(reply) => {
            match refusal(&reply) {
                Some(text) => log.error(format_args!("{name}: the answer to {service} was refused: {text}")),
                None => log.debug(format_args!("{name}: {service} answered")),
            }
            return Sent::Over;
        }
        Err(error) => error,
    };
    if error.code == Code::Closed {
        // Counted as not sent.
        return Sent::Again;
    }
    let (error, sent) = match verdict::judge(&Outcome::from(error)) {
        Verdict::Delivered => return Sent::Over,
        Verdict::Dead(error) => {
            log.error(format_args!("{name}: the answer to {service} cannot be sent: {}", error.message));
            return Sent::Over;
        }
        Verdict::Unanswered(error) | Verdict::Change(error) => (error, Sent::Again),
        Verdict::NoLink(error) => (error, Sent::AllWait(None)),
        Verdict::Busy(error, wait) if error.code == Code::Http => (error, Sent::Refused(wait)),
        Verdict::Busy(error, wait) => (error, Sent::AllWait(wait)),
    };
    log.warn(format_args!("{name}: the answer to {service} waits: {}", error.message));
    sent
}

fn refusal(reply: &Members) -> Option<&str> {
    let is_no = reply.get("state").is_some_and(|state| same_value(state, &Value::from(0)));
    reply.get("errmsg").and_then(Value::as_str).filter(|_| is_no)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inbox::Limits;
    use crate::json::json;
    use crate::link::{Pending, Request, Sink};
    use crate::log::Level;
    use crate::store::Store;

    type Calls = Arc<Mutex<Vec<Instant>>>;

    /// A link that counts as up, and fails so with the first calls.
    struct Failing {
        code: Code,
        times: usize,
        calls: Calls,
    }

    impl Link for Failing {
        fn platform(&self) -> Platform {
            Platform::Bolink
        }

        fn begin<'a>(&'a self, _: Request) -> Result<Pending<'a>> {
            let mut calls = self.calls.lock().unwrap();
            calls.push(Instant::now());
            if calls.len() <= self.times {
                drop(calls);
                assert!(self.code != Code::Internal, "a defect");
                Err(Error::new(self.code, "x"))
            } else {
                Ok(Box::new(|| Ok(Members::new())))
            }
        }

        fn status(&self) -> Members {
            Members::new()
        }

        fn is_up(&self) -> bool {
            true
        }

        fn shut(&self) {}
    }

    /// Answers one payment over a link that fails so often; tells when it was called, and whether the store calls it done
    /// after the first call, and at the end.
    fn pay(code: Code, times: usize) -> (Vec<Instant>, bool, bool) {
        let name = format!("parklink-answers-{}-{}", std::process::id(), code.name());
        let folder = std::env::temp_dir().join(name);
        let log = Arc::new(Log::new(Level::Error));
        let store = Store::open(&folder.join("lot.db"), log.clone()).unwrap();
        let minute = Duration::from_secs(60);
        let limits = Limits { queue: 10, keep: minute, grace: minute, window_seconds: 1000, sees_mark: true };
        let inbox = Inbox::open(limits, log.clone(), Some(store.clone())).unwrap();
        let calls = Calls::default();
        let link: Box<dyn Link> = Box::new(Failing { code, times, calls: calls.clone() });
        let answers = Answers::start(&Arc::new(vec![link]), &inbox, &log).unwrap();
        inbox.set_outlet(Some(answers.outlet()));
        let message = json!({"service_name": "prepay_order", "order_id": "A1", "trade_no": "T1"});
        inbox.received(Platform::Bolink, message.as_object().unwrap().clone());
        let event = inbox.poll(minute).unwrap();
        let yes = json!({"state": 1}).as_object().unwrap().clone();
        inbox.answer(event.id, yes, |_, _| Ok(())).unwrap();
        let is_done = || {
            store.write_and_wait(|_| Ok(())).unwrap();
            store.read(|reader| reader.unfinished_events(0, u64::MAX >> 1, 9)).unwrap().is_empty()
        };
        let until = |wanted: &dyn Fn() -> bool| {
            let end = Instant::now() + Duration::from_secs(20);
            while !wanted() && Instant::now() < end {
                thread::sleep(Duration::from_millis(3));
            }
        };
        until(&|| !calls.lock().unwrap().is_empty());
        thread::sleep(Duration::from_millis(50));
        let at_first = is_done();
        until(&|| answers.left() == 0);
        let outcome = (calls.lock().unwrap().clone(), at_first, is_done());
        answers.stop();
        inbox.close(minute);
        store.close();
        let _ = std::fs::remove_dir_all(folder);
        outcome
    }

    #[test]
    fn a_yes_waits_for_a_certificate_that_is_good_again() {
        let (calls, at_first, at_last) = pay(Code::Tls, 2);
        assert_eq!((calls.len(), at_first, at_last), (3, false, true));
    }

    #[test]
    fn a_yes_survives_a_defect_on_its_way() {
        let (calls, at_first, at_last) = pay(Code::Internal, 2);
        assert_eq!((calls.len(), at_first, at_last), (3, false, true));
    }

    #[test]
    fn a_yes_that_cannot_be_sent_is_sent_once() {
        let (calls, at_first, at_last) = pay(Code::TooLarge, 1);
        assert_eq!((calls.len(), at_first, at_last), (1, true, true));
    }

    #[test]
    fn a_yes_without_an_echo_is_sent_less_and_less_often() {
        let (calls, at_first, at_last) = pay(Code::Protocol, 3);
        assert_eq!((calls.len(), at_first, at_last), (4, false, true));
        // At least half of 1, 2 and 4 s.
        assert!(calls[3] - calls[0] >= Duration::from_millis(3500), "{:?}", calls[3] - calls[0]);
    }
}
