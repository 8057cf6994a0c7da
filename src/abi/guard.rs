//! The wall between Rust and C: every export runs in here. No panic passes, every failure leaves its code and its text.

use super::Parklink;
use super::encoding::Encoding;
use super::handles::{self, Entry};
use super::process;
use crate::error::{Code, Error, Result};
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::ffi::{CString, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    /// The text of the last failure on this thread.
    static LAST: RefCell<Option<CString>> = const { RefCell::new(None) };
}

/// Runs the body of an export that has no handle.
pub(super) fn run(body: impl FnOnce() -> Result<()>) -> i32 {
    in_encoding(&Cell::new(Encoding::Utf8), body)
}

/// Runs the body of an export on an open handle.
pub(super) fn on(handle: *const Parklink, body: impl FnOnce(&Entry) -> Result<()>) -> i32 {
    let encoding = Cell::new(Encoding::Utf8);
    in_encoding(&encoding, || {
        let entry = handles::find(handle)?;
        encoding.set(entry.encoding);
        body(&entry)
    })
}

fn in_encoding(encoding: &Cell<Encoding>, body: impl FnOnce() -> Result<()>) -> i32 {
    match caught(body) {
        Ok(()) => 0,
        Err(error) => {
            remember(&encoding.get().encode(&error.message));
            error.code as i32
        }
    }
}

/// Runs it, with a panic and a fork as errors like others.
pub(super) fn caught<T>(body: impl FnOnce() -> Result<T>) -> Result<T> {
    // Before anything else: in a forked child a lock may be held for ever by a thread that is not there.
    if process::is_forked() {
        return Err(Error::new(
            Code::Forked,
            "this process was forked from the one that opened the library; open it after the fork, in one process only",
        ));
    }
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(result) => result,
        Err(panic) => {
            let text = message(panic.as_ref()).to_owned();
            // Its destructor may panic in turn.
            std::mem::forget(panic);
            Err(Error::new(Code::Internal, format!("a defect of the library was caught: {text}; please report it")))
        }
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let owned = panic.downcast_ref::<String>().map(String::as_str);
    owned.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without words")
}

fn remember(text: &[u8]) {
    let text: Vec<u8> = text.iter().copied().filter(|byte| *byte != 0).collect();
    // At the end of a thread its storage may be gone; then the text is lost, not the call.
    let _ = LAST.try_with(|last| *last.borrow_mut() = CString::new(text).ok());
}

/// The text of the last failure on this thread; empty before the first.
pub(super) fn last_error() -> *const c_char {
    LAST.try_with(|last| last.borrow().as_deref().unwrap_or(c"").as_ptr()).unwrap_or(c"".as_ptr())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CStr;

    fn last() -> String {
        // SAFETY: the text of this thread stays until the next failure on it.
        unsafe { CStr::from_ptr(last_error()) }.to_str().unwrap().to_owned()
    }

    #[test]
    fn a_panic_becomes_a_code_and_a_text() {
        let index = 7;
        assert_eq!(run(|| panic!("index {index}")), Code::Internal as i32);
        assert!(last().contains("index 7"), "{}", last());
        assert_eq!(run(|| std::panic::panic_any(1u8)), Code::Internal as i32);
        assert!(last().contains("without words"));
    }

    #[test]
    fn the_text_of_a_failure_stays_until_the_next_and_is_of_its_thread() {
        assert_eq!(run(|| Err(Error::new(Code::Json, "first"))), -103);
        assert_eq!(run(|| Ok(())), 0);
        assert_eq!(last(), "first");
        std::thread::spawn(|| assert_eq!(last(), "")).join().unwrap();
        assert_eq!(run(|| Err(Error::new(Code::Json, "sec\0ond"))), -103);
        assert_eq!(last(), "second");
    }
}
