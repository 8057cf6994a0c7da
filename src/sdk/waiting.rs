//! Answers that wait for another try: each for itself, or all of a link together.

use crate::inbox::Answer;
use crate::link::backoff::Backoff;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Between attempts: first, and at most, whatever the platform asks for: a payment hangs on it.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

/// An answer on its way.
pub struct Job {
    pub answer: Answer,
    pub since: Instant,
    backoff: Backoff,
    was_tried: bool,
}

impl Job {
    pub fn new(answer: Answer) -> Job {
        Job { answer, since: Instant::now(), backoff: Backoff::new(PAUSE, LONGEST), was_tried: false }
    }

    /// Kept on disk until the platform has it.
    fn is_kept(&self) -> bool {
        self.answer.event_id != 0
    }

    /// Closing need not wait for it.
    fn is_shelved(&self) -> bool {
        self.is_kept() && self.was_tried
    }

    /// Tells one answer from another, also when it is given once more.
    fn name(&self) -> (u64, Option<Instant>) {
        (self.answer.event_id, (!self.is_kept()).then_some(self.since))
    }
}

/// How many answers there are.
#[derive(Default)]
pub struct Counts {
    /// Not yet with their platform.
    pub left: AtomicU64,
    /// Of these: on disk, tried in vain, and not under way. Closing does not wait for them.
    pub shelved: AtomicU64,
}

/// The answers of a link that wait.
pub struct Waiting {
    jobs: Vec<(Instant, Job)>,
    counts: Arc<Counts>,
    /// The platform refuses them all, or is not there.
    all_until: Instant,
    /// The one that was refused last, with none taken since.
    refused: Option<(u64, Option<Instant>)>,
}

impl Waiting {
    pub fn new(counts: Arc<Counts>) -> Waiting {
        Waiting { jobs: Vec::new(), counts, all_until: Instant::now(), refused: None }
    }

    /// When the next one is due.
    pub fn due(&self) -> Option<Instant> {
        self.jobs.iter().map(|(due, _)| (*due).max(self.all_until)).min()
    }

    fn put(&mut self, due: Instant, job: Job) {
        self.counts.shelved.fetch_add(u64::from(job.is_shelved()), Ordering::AcqRel);
        self.jobs.push((due, job));
    }

    fn take(&mut self, at: usize) -> Job {
        let (_, job) = self.jobs.swap_remove(at);
        self.counts.shelved.fetch_sub(u64::from(job.is_shelved()), Ordering::AcqRel);
        job
    }

    pub fn take_soonest(&mut self) -> Option<Job> {
        let at = (0..self.jobs.len()).min_by_key(|at| self.jobs[*at].0)?;
        Some(self.take(at))
    }

    /// A new one: to be tried now, or when all may. It is due since it came, so it goes before those that were tried.
    pub fn take_in(&mut self, mut job: Job) -> Option<Job> {
        // One answer serves, however often its platform asks for it: the one that waits here gives way.
        if let Some(at) = self.jobs.iter().position(|(_, other)| job.is_kept() && other.name() == job.name()) {
            let waiting = self.take(at);
            (job.backoff, job.was_tried) = (waiting.backoff, waiting.was_tried);
            self.counts.left.fetch_sub(1, Ordering::AcqRel);
        }
        if Instant::now() >= self.all_until {
            return Some(job);
        }
        self.put(job.since, job);
        None
    }

    /// It was not taken.
    pub fn put_off(&mut self, mut job: Job) {
        job.was_tried = true;
        let pause = job.backoff.pause();
        self.put(Instant::now() + pause, job);
    }

    /// The others would fail too.
    pub fn put_off_all(&mut self, mut job: Job, pause: Duration) {
        job.was_tried = true;
        self.all_until = Instant::now() + pause.min(LONGEST);
        self.put(self.all_until, job);
    }

    /// The platform asks for patience. Whether with this one or with all shows the next one: when it is refused as well,
    /// all wait.
    pub fn refused(&mut self, mut job: Job, wait: Option<Duration>, of_all: impl FnOnce() -> Duration) {
        let name = job.name();
        job.was_tried = true;
        let own = wait.unwrap_or_else(|| job.backoff.pause()).min(LONGEST);
        let is_second = self.refused.replace(name).is_some_and(|other| other != name);
        self.put(Instant::now() + own, job);
        if is_second {
            self.refused = None;
            self.all_until = Instant::now() + wait.unwrap_or_else(of_all).min(LONGEST);
        }
    }

    /// One was taken.
    pub fn taken(&mut self) {
        self.refused = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Platform;
    use crate::link::Members;

    fn job(event_id: u64) -> Job {
        let data = Members::new();
        Job::new(Answer { event_id, platform: Platform::Bolink, interface: None, service: "x".to_owned(), data })
    }

    #[test]
    fn an_hour_is_a_minute() {
        let hour = Duration::from_secs(3600);
        let mut waiting = Waiting::new(Arc::default());
        waiting.refused(job(1), Some(hour), || hour);
        assert!(waiting.take_in(job(2)).is_some(), "no other waits");
        waiting.refused(job(2), Some(hour), || hour);
        let next = waiting.due().unwrap().saturating_duration_since(Instant::now());
        assert!(next > Duration::from_secs(55) && next <= LONGEST, "{next:?}");
        assert!(waiting.take_in(job(3)).is_none(), "all wait");
        // Who closes waits for the one that was not tried.
        assert_eq!(waiting.counts.shelved.load(Ordering::Relaxed), 2);
        assert_eq!(waiting.take_soonest().unwrap().answer.event_id, 3);
        assert_eq!(waiting.counts.shelved.load(Ordering::Relaxed), 2);
    }
}
