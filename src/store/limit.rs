//! How much may wait, for all links together.

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

    /// What waits when so much more does, or why it cannot.
    pub fn with(&self, waiting: Count, more: Count) -> Result<Count> {
        let (records, bytes) = (self.records.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed));
        let count = Count { records: waiting.records + more.records, bytes: waiting.bytes.saturating_add(more.bytes) };
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
