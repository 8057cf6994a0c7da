//! Answers to downlinks on their way: a worker for each link sends them, so that no callback waits for a platform.

use super::route;
use crate::catalogue::{Platform, same_value};
use crate::error::{Code, Error, Result};
use crate::inbox::{Answer, Inbox, Outlet};
use crate::link::dial::Cancel;
use crate::link::{Link, Members, RequestKind};
use crate::log::Log;
use crossbeam_channel::{Receiver, Sender, select, unbounded};
use serde_json::Value;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(10);

/// Between attempts.
const PAUSE: Duration = Duration::from_secs(1);

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

struct Job {
    answer: Answer,
    since: Instant,
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
            if let Some((_, queue)) = queues.iter().find(|(platform, _)| *platform == answer.platform) {
                shared.left.fetch_add(1, Ordering::AcqRel);
                if queue.send(Job { answer, since: Instant::now() }).is_err() {
                    shared.left.fetch_sub(1, Ordering::AcqRel);
                }
            }
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
    loop {
        let job = select! {
            recv(jobs) -> job => job,
            recv(shared.stop.receiver()) -> _ => return,
        };
        let Ok(job) = job else { return };
        if deliver(link, &job, log, shared) {
            inbox.answer_delivered(job.answer.event_id);
        }
        shared.left.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Sends an answer until the platform has it, refuses it, or it is not worth sending any more; one that is kept on disk
/// always is. Whether that is over for good.
fn deliver(link: &dyn Link, job: &Job, log: &Log, shared: &Shared) -> bool {
    let Answer { interface, service, data, event_id, .. } = &job.answer;
    let name = link.platform().name();
    let data = Arc::new(data.clone());
    loop {
        let request =
            route::request(link.platform(), *interface, service, &data, Instant::now() + ATTEMPT, RequestKind::Answer);
        let error = match link.begin(request).and_then(|pending| pending()) {
            Ok(reply) => {
                match refusal(&reply) {
                    Some(text) => log.error(format_args!("{name}: the answer to {service} was refused: {text}")),
                    None => log.debug(format_args!("{name}: {service} answered")),
                }
                return true;
            }
            Err(error) => error,
        };
        if !matches!(error.code, Code::NotStored | Code::LoginRefused) && !error.code.is_retryable() {
            log.error(format_args!("{name}: the answer to {service} cannot be sent: {}", error.message));
            return error.code != Code::Closed;
        }
        if (*event_id == 0 && job.since.elapsed() > WORTH) || !shared.stop.sleep(PAUSE) {
            log.error(format_args!("{name}: the answer to {service} was not sent: {}", error.message));
            return false;
        }
        log.warn(format_args!("{name}: the answer to {service} waits: {}", error.message));
    }
}

fn refusal(reply: &Members) -> Option<&str> {
    let is_no = reply.get("state").is_some_and(|state| same_value(state, &Value::from(0)));
    reply.get("errmsg").and_then(Value::as_str).filter(|_| is_no)
}
