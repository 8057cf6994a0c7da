//! The table of open handles. What C holds is a number in the dress of a pointer: place, generation, and a lowest bit
//! that no address of ours would have. A stale, closed or invented one is found out by looking it up, never followed.

use super::Parklink;
use super::encoding::Encoding;
use crate::error::{Code, Error, Result};
use crate::sdk::Sdk;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// What is behind a handle.
pub(super) struct Entry {
    pub(super) sdk: Sdk,
    pub(super) encoding: Encoding,
    /// Longest text taken from the caller.
    pub(super) limit: usize,
}

struct Slot {
    generation: usize,
    entry: Option<Arc<Entry>>,
}

const INDEX_BITS: u32 = 10;
const PLACES: usize = 1 << INDEX_BITS;
/// The place and the lowest bit leave these to the generation.
const GENERATIONS: usize = usize::MAX >> (INDEX_BITS + 1);
/// Not 0, so that small numbers are no handles.
const FIRST_GENERATION: usize = 0x2A5;

// One lock a handle: calls on different handles do not meet, calls on one handle only read.
static TABLE: [RwLock<Slot>; PLACES] =
    [const { RwLock::new(Slot { generation: FIRST_GENERATION, entry: None }) }; PLACES];

fn token(index: usize, generation: usize) -> *mut Parklink {
    std::ptr::without_provenance_mut((generation << INDEX_BITS | index) << 1 | 1)
}

/// The place and the generation that a token names.
fn parts(handle: *const Parklink) -> Result<(usize, usize)> {
    if handle.is_null() {
        return Err(Error::new(Code::Argument, "the handle is NULL; parklink_open gives one"));
    }
    let token = handle.addr();
    if token & 1 == 0 {
        return Err(Error::new(Code::Closed, "this is no handle that parklink_open gave"));
    }
    Ok((token >> 1 & (PLACES - 1), token >> (INDEX_BITS + 1)))
}

fn closed() -> Error {
    Error::new(Code::Closed, "the handle is not open (any more)")
}

/// Takes it into the table.
pub(super) fn insert(entry: Entry) -> Result<*mut Parklink> {
    for (index, place) in TABLE.iter().enumerate() {
        let mut slot = place.write().unwrap_or_else(PoisonError::into_inner);
        if slot.entry.is_none() {
            slot.entry = Some(Arc::new(entry));
            return Ok(token(index, slot.generation));
        }
    }
    Err(Error::new(Code::Busy, format!("{PLACES} handles are open in this process; close some")))
}

/// What is behind the handle; it stays while the caller of this works with it, closed or not.
pub(super) fn find(handle: *const Parklink) -> Result<Arc<Entry>> {
    let (index, generation) = parts(handle)?;
    let slot = TABLE[index].read().unwrap_or_else(PoisonError::into_inner);
    match &slot.entry {
        Some(entry) if slot.generation == generation => Ok(Arc::clone(entry)),
        _ => Err(closed()),
    }
}

/// Takes it out of the table: from here on the handle is dead.
fn take(handle: *const Parklink) -> Result<Arc<Entry>> {
    let (index, generation) = parts(handle)?;
    let mut slot = TABLE[index].write().unwrap_or_else(PoisonError::into_inner);
    if slot.generation != generation {
        return Err(closed());
    }
    let entry = slot.entry.take().ok_or_else(closed)?;
    slot.generation = (generation + 1) & GENERATIONS;
    Ok(entry)
}

/// Closes it, and waits for the calls that other threads have under way on it.
pub(super) fn close(handle: *const Parklink, timeout: Duration) -> Result<u64> {
    let end = Instant::now() + timeout;
    // In a callback the handle must stay good, so this is asked before it is taken out.
    if find(handle)?.sdk.is_in_callback() {
        return Err(Error::new(
            Code::InCallback,
            "parklink_close would wait for the callback it is called from; call it from another thread",
        ));
    }
    let entry = take(handle)?;
    let left = entry.sdk.close(timeout)?;
    // The SDK has woken them; they only have to find their way out.
    while Arc::strong_count(&entry) > 1 && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(left)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Unknown};

    fn entry() -> Entry {
        let config = r#"{"park_id":"21782","ckey":"WERRTTTTYY","cloud_addr":"127.0.0.1","cport":1}"#;
        let sdk = Sdk::open(Config::parse(config, Unknown::Refuse).unwrap()).unwrap();
        Entry { sdk, encoding: Encoding::Utf8, limit: 1 << 20 }
    }

    fn code(result: Result<impl Sized>) -> Option<Code> {
        result.err().map(|error| error.code)
    }

    #[test]
    fn a_dead_or_invented_handle_is_an_error() {
        let first = insert(entry()).unwrap();
        assert_eq!(first.addr() & 1, 1);
        assert!(find(first).is_ok());
        close(first, Duration::from_secs(5)).unwrap();
        assert_eq!(code(find(first)), Some(Code::Closed));
        assert_eq!(code(close(first, Duration::ZERO)), Some(Code::Closed));
        // The place is used again, the old handle stays dead.
        let second = insert(entry()).unwrap();
        assert_ne!(first, second);
        assert_eq!(code(find(first)), Some(Code::Closed));
        close(second, Duration::from_secs(5)).unwrap();
        assert_eq!(code(find(std::ptr::null())), Some(Code::Argument));
        for address in [1, 2, 3, 0x1001, 0x7fff_1234_5678_usize, usize::MAX, usize::MAX - 1] {
            assert_eq!(code(find(std::ptr::without_provenance(address))), Some(Code::Closed), "{address:x}");
        }
    }
}
