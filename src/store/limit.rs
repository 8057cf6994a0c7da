//! How much may wait, for all links together.

use super::records::{NewRecord, size_of};
use super::spans::Count;
use crate::error::{Code, Error, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// The limit; clones share it.
#[derive(Debug, Clone)]
pub struct Limit {
    records: Arc<AtomicI64>,
    bytes: Arc<AtomicI64>,
}

impl Default for Limit {
    /// None.
    fn default() -> Limit {
        Limit { records: Arc::new(AtomicI64::new(i64::MAX)), bytes: Arc::new(AtomicI64::new(i64::MAX)) }
    }
}

impl Limit {
    /// From now on so much.
    pub fn set(&self, records: i64, bytes: i64) {
        self.records.store(records, Ordering::Relaxed);
        self.bytes.store(bytes, Ordering::Relaxed);
    }

    /// What waits when this record's parts wait too, or why they cannot.
    pub fn with(&self, waiting: Count, parts: &[NewRecord]) -> Result<Count> {
        let (records, bytes) = (self.records.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed));
        let more: i64 = parts.iter().map(|part| size_of(&part.data)).sum();
        let count = Count { records: waiting.records + parts.len() as i64, bytes: waiting.bytes.saturating_add(more) };
        if count.records <= records && count.bytes <= bytes {
            return Ok(count);
        }
        let message = format!(
            "the outbox is full: {} records, {} bytes (store.max_records {records}, store.max_bytes {bytes}); nothing was stored: \
             bring the link up or raise the limit",
            waiting.records, waiting.bytes
        );
        Err(Error::new(Code::OutboxFull, message))
    }
}
