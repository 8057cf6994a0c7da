//! The table of open handles. What C holds is a number in the dress of a pointer: place, generation, and a lowest bit
//! that no address of ours would have. A stale, closed or invented one is found out by looking it up, never followed.
//!
//! Every call looks its handle up, so that costs two atomic steps: one to come in, one to go out.

use super::Parklink;
use super::encoding::Encoding;
use crate::error::{Code, Error, Result};
use crate::sdk::{Closed, Sdk};
use std::ops::Deref;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What is behind a handle.
pub(super) struct Entry {
    pub(super) sdk: Sdk,
    pub(super) encoding: Encoding,
    /// Longest text taken from the caller.
    pub(super) limit: usize,
}

/// A place of the table. In use while `entry` is not null; open while the word says so.
struct Slot {
    /// Generation in the upper half, then [`OPEN`], then the number of calls under way.
    word: AtomicU64,
    entry: AtomicPtr<Entry>,
}

const OPEN: u64 = 1 << 31;
const CALLS: u64 = OPEN - 1;
const INDEX_BITS: u32 = 10;
const PLACES: usize = 1 << INDEX_BITS;
/// What the place and the lowest bit leave to the generation in a pointer, and the lower half in the word.
const GENERATIONS: u64 = if usize::BITS < 64 { (usize::MAX >> (INDEX_BITS + 1)) as u64 } else { u32::MAX as u64 };
/// Not 0, so that small numbers are no handles.
const FIRST_GENERATION: u64 = 0x2A5;

static TABLE: [Slot; PLACES] =
    [const { Slot { word: AtomicU64::new(FIRST_GENERATION << 32), entry: AtomicPtr::new(ptr::null_mut()) } }; PLACES];

/// The place and the generation that a token names.
fn parts(handle: *const Parklink) -> Result<(&'static Slot, u64)> {
    if handle.is_null() {
        return Err(Error::new(Code::Argument, "the handle is NULL; parklink_open gives one"));
    }
    let token = handle.addr();
    if token & 1 == 0 {
        return Err(Error::new(Code::Closed, "this is no handle that parklink_open gave"));
    }
    Ok((&TABLE[token >> 1 & (PLACES - 1)], (token >> (INDEX_BITS + 1)) as u64))
}

fn closed() -> Error {
    Error::new(Code::Closed, "the handle is not open (any more)")
}

/// Takes it into the table.
pub(super) fn insert(entry: Entry) -> Result<*mut Parklink> {
    static INSERTING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = INSERTING.lock().unwrap_or_else(PoisonError::into_inner);
    let free = TABLE.iter().enumerate().find(|(_, slot)| slot.entry.load(Ordering::Acquire).is_null());
    let Some((index, slot)) = free else {
        return Err(Error::new(Code::Busy, format!("{PLACES} handles are open in this process; close some")));
    };
    slot.entry.store(Box::into_raw(Box::new(entry)), Ordering::Release);
    let generation = ((slot.word.load(Ordering::Acquire) >> 32) + 1) & GENERATIONS;
    slot.word.store(generation << 32 | OPEN, Ordering::Release);
    Ok(ptr::without_provenance_mut(((generation as usize) << INDEX_BITS | index) << 1 | 1))
}

/// A call under way on an open handle. What is behind it stays until the last one is gone, closed or not.
pub(super) struct Call(&'static Slot);

/// Comes in.
pub(super) fn find(handle: *const Parklink) -> Result<Call> {
    let (slot, generation) = parts(handle)?;
    let mut word = slot.word.load(Ordering::Acquire);
    loop {
        if word >> 32 != generation || word & OPEN == 0 {
            return Err(closed());
        }
        match slot.word.compare_exchange_weak(word, word + 1, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => return Ok(Call(slot)),
            Err(other) => word = other,
        }
    }
}

impl Deref for Call {
    type Target = Entry;

    fn deref(&self) -> &Entry {
        // SAFETY: set before the word said open, and freed only by the last call of a closed one; this is a call.
        unsafe { &*self.0.entry.load(Ordering::Acquire) }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let before = self.0.word.fetch_sub(1, Ordering::AcqRel);
        // Closed and nobody else here: nobody can come in any more, so this is the last.
        if before & (OPEN | CALLS) == 1 {
            let entry = self.0.entry.load(Ordering::Acquire);
            // SAFETY: from `Box::into_raw`, and only the last call comes here.
            drop(unsafe { Box::from_raw(entry) });
            // From here on the place may be used again.
            self.0.entry.store(ptr::null_mut(), Ordering::Release);
        }
    }
}

impl Call {
    /// From here on nobody comes in; false when another has closed it.
    fn shut(&self) -> bool {
        self.0.word.fetch_and(!OPEN, Ordering::AcqRel) & OPEN != 0
    }

    fn is_alone(&self) -> bool {
        self.0.word.load(Ordering::Acquire) & CALLS == 1
    }
}

/// Closes it, and waits for the calls that other threads have under way on it.
pub(super) fn close(handle: *const Parklink, timeout: Duration) -> Result<Closed> {
    let end = Instant::now() + timeout;
    let call = find(handle)?;
    if call.sdk.is_in_callback() {
        return Err(Error::new(
            Code::InCallback,
            "parklink_close would wait for the callback it is called from; call it from another thread",
        ));
    }
    if !call.shut() {
        return Err(closed());
    }
    let closed = call.sdk.close(timeout)?;
    // The SDK has woken them; they only have to find their way out.
    while !call.is_alone() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(closed)
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
