//! Answers to downlinks on their way: a worker for each link sends them, so that no callback waits for a platform.

use super::route;
use crate::catalogue::{Platform, same_value};
use crate::error::{Code, Error, Result};
use crate::inbox::{Answer, Inbox, Outlet};
use crate::json::Value;
use crate::link::backoff::Backoff;
use crate::link::dial::Cancel;
use crate::link::{Link, Members, RequestKind};
use crate::log::Log;
use crossbeam_channel::{Receiver, Sender, at, never, select, unbounded};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(10);

/// Between attempts: so long at first, doubled each time.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

/// How long an answer is worth sending; the platform asks again or has given up by then.
const WORTH: Duration = Duration::from_secs(120);

/// The workers of a handle.
pub struct Answers {
    queues: Vec<(Platform, Sender<Job>)>,
    shared: Arc<Shared>,
    workers: Mutex<Vec<JoinHandle<()>>>,
}

#[derive(Default)]
struct Shared {
    left: AtomicU64,
    stop: Cancel,
}

impl Shared {
    /// The answer to a repeated downlink takes the place of the one that still waits.
    fn replace(&self, job: &Job, again: &mut VecDeque<(Instant, Job)>) {
        let before = again.len();
        let id = job.answer.event_id;
        again.retain(|(_, other)| id == 0 || other.answer.event_id != id);
        self.left.fetch_sub((before - again.len()) as u64, Ordering::AcqRel);
    }
}

struct Job {
    answer: Answer,
    since: Instant,
    pauses: Backoff,
}

impl Answers {
    pub fn start(links: &Arc<Vec<Box<dyn Link>>>, inbox: &Arc<Inbox>, log: &Arc<Log>) -> Result<Answers> {
        let shared = Arc::<Shared>::default();
        let mut queues = Vec::new();
        let mut workers = Vec::new();
        for at in 0..links.len() {
            let (sender, receiver) = unbounded();
            let (links, inbox, log, shared) = (links.clone(), inbox.clone(), log.clone(), shared.clone());
            queues.push((links[at].platform(), sender));
            let worker = thread::Builder::new().name("parklink-answers".into());
            let worker = worker
                .spawn(move || work(links[at].as_ref(), &receiver, &inbox, &log, &shared))
                .map_err(|error| Error::new(Code::Io, format!("no thread for answers: {error}")))?;
            workers.push(worker);
        }
        Ok(Answers { queues, shared, workers: Mutex::new(workers) })
    }

    /// Where answers are put.
    pub fn outlet(&self) -> Outlet {
        let queues = self.queues.clone();
        let shared = self.shared.clone();
        Box::new(move |answer| {
            let queue = queues.iter().find(|(platform, _)| *platform == answer.platform);
            let Some((_, queue)) = queue else { return false };
            shared.left.fetch_add(1, Ordering::AcqRel);
            let is_sent =
                queue.send(Job { answer, since: Instant::now(), pauses: Backoff::new(PAUSE, LONGEST) }).is_ok();
            if !is_sent {
                shared.left.fetch_sub(1, Ordering::AcqRel);
            }
            is_sent
        })
    }

    /// Answers not yet with their platform.
    pub fn left(&self) -> u64 {
        self.shared.left.load(Ordering::Acquire)
    }

    /// Waits until all are sent, at most until then.
    pub fn drain(&self, deadline: Instant) {
        while self.left() > 0 && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends the workers; call it after the links were shut. Tells how many answers were not sent.
    pub fn stop(&self) -> u64 {
        self.shared.stop.cancel();
        let left = self.left();
        let workers = std::mem::take(&mut *self.workers.lock().unwrap_or_else(PoisonError::into_inner));
        for worker in workers {
            let _ = worker.join();
        }
        left
    }
}

fn work(link: &dyn Link, jobs: &Receiver<Job>, inbox: &Inbox, log: &Log, shared: &Shared) {
    // One that the platform does not take holds up no other.
    let mut again: VecDeque<(Instant, Job)> = VecDeque::new();
    loop {
        let due = again.front().map_or_else(never, |(due, _)| at(*due));
        let job = select! {
            recv(shared.stop.receiver()) -> _ => return,
            recv(jobs) -> job => job.ok().inspect(|job| shared.replace(job, &mut again)),
            recv(due) -> _ => again.pop_front().map(|(_, job)| job),
        };
        let Some(mut job) = job else { return };
        match deliver(link, &job, log) {
            Sent::Again(cause) => {
                // Without a link the others would fail too, and when it is back none shall have to wait.
                let has_link = !matches!(cause, Code::Offline | Code::LoginRefused);
                let due = Instant::now() + if has_link { job.pauses.pause() } else { PAUSE };
                again.insert(again.partition_point(|(other, _)| *other <= due), (due, job));
                if !has_link && !shared.stop.sleep(PAUSE) {
                    return;
                }
                continue;
            }
            Sent::Delivered => inbox.answer_delivered(job.answer.event_id),
            Sent::Dropped => {}
        }
        shared.left.fetch_sub(1, Ordering::AcqRel);
    }
}

enum Sent {
    /// The platform has it, or refused it: over for good.
    Delivered,
    /// Not worth sending any more.
    Dropped,
    /// Later; this is why.
    Again(Code),
}

/// Sends an answer. One that is kept on disk is always worth another try.
fn deliver(link: &dyn Link, job: &Job, log: &Log) -> Sent {
    let Answer { interface, service, data, event_id, .. } = &job.answer;
    let name = link.platform().name();
    let request = route::request(
        link.platform(),
        *interface,
        service,
        &Arc::new(data.clone()),
        Instant::now() + ATTEMPT,
        RequestKind::Answer,
    );
    let error = match link.begin(request).and_then(|pending| pending()) {
        Ok(reply) => {
            match refusal(&reply) {
                Some(text) => log.error(format_args!("{name}: the answer to {service} was refused: {text}")),
                None => log.debug(format_args!("{name}: {service} answered")),
            }
            return Sent::Delivered;
        }
        Err(error) => error,
    };
    if error.code == Code::Closed {
        // Counted as not sent.
        return Sent::Again(error.code);
    }
    if !matches!(error.code, Code::NotStored | Code::LoginRefused) && !error.code.is_retryable() {
        log.error(format_args!("{name}: the answer to {service} cannot be sent: {}", error.message));
        return Sent::Delivered;
    }
    if *event_id == 0 && job.since.elapsed() > WORTH {
        log.error(format_args!("{name}: the answer to {service} was not sent: {}", error.message));
        return Sent::Dropped;
    }
    log.warn(format_args!("{name}: the answer to {service} waits: {}", error.message));
    Sent::Again(error.code)
}

fn refusal(reply: &Members) -> Option<&str> {
    let is_no = reply.get("state").is_some_and(|state| same_value(state, &Value::from(0)));
    reply.get("errmsg").and_then(Value::as_str).filter(|_| is_no)
}
