//! The strings that the original face returns.
//!
//! The original had no function to free them, so the software that calls it either never does, or does with the `free` of
//! its own C runtime. Both cannot be served by one kind of memory: what nobody frees must be freed by us, and what the
//! other side has freed must not be freed again. The usual callers (JNA's `String`, a copy out of C#'s `IntPtr`) never
//! free, so by default the strings are ours: the last ones stay readable, older ones are freed. Software that calls
//! `free` (or whose marshalling does, as a C# result of type `string`) asks for its own memory with an environment
//! variable, which needs no change in its code.
//!
//! Freeing one of ours all the same must fail at the first try, at the developer's desk: were it allowed, it would be
//! freed once more thousands of strings later, in the middle of a day. So ours do not begin where an allocation does.

use crate::abi::encoding::Encoding;
use crate::abi::text::to_c;
use std::collections::VecDeque;
use std::ffi::{CStr, c_char, c_void};
use std::sync::{Mutex, OnceLock, PoisonError};

/// With the value `malloc` every string is the caller's own, from the C runtime's `malloc`.
const VARIABLE: &str = "UPLOADUTIL_STRINGS";

/// Strings kept at most.
const MOST: usize = 4096;
/// Bytes kept at most, the newest strings aside.
const MOST_BYTES: usize = 16 << 20;
/// Strings kept whatever their size.
const LEAST: usize = 64;
/// Zeros before each string: where C runtimes keep the size of an allocation, none of them takes zero for one.
const BEFORE: usize = 16;

/// The strings given out, oldest first.
struct Kept {
    strings: VecDeque<Given>,
    bytes: usize,
}

struct Given {
    memory: Vec<u8>,
    address: usize,
}

impl Given {
    fn size(&self) -> usize {
        self.memory.len() - BEFORE
    }
}

static KEPT: Mutex<Kept> = Mutex::new(Kept { strings: VecDeque::new(), bytes: 0 });

impl Kept {
    fn keep(&mut self, text: &CStr) -> *mut c_char {
        let text = text.to_bytes_with_nul();
        let mut memory = Vec::with_capacity(BEFORE + text.len());
        memory.resize(BEFORE, 0);
        memory.extend_from_slice(text);
        let pointer: *mut c_char = memory[BEFORE..].as_mut_ptr().cast();
        self.strings.push_back(Given { memory, address: pointer.addr() });
        self.bytes += text.len();
        while self.strings.len() > MOST || (self.strings.len() > LEAST && self.bytes > MOST_BYTES) {
            self.bytes -= self.strings.pop_front().map_or(0, |old| old.size());
        }
        pointer
    }

    /// Frees one of ours; anything else is left alone.
    fn free(&mut self, text: *mut c_char) {
        if let Some(place) = self.strings.iter().rposition(|given| given.address == text.addr()) {
            self.bytes -= self.strings.remove(place).map_or(0, |old| old.size());
        }
    }
}

fn are_the_callers() -> bool {
    static CHOICE: OnceLock<bool> = OnceLock::new();
    *CHOICE.get_or_init(|| std::env::var_os(VARIABLE).is_some_and(|value| value == "malloc"))
}

/// Gives a text out.
pub(super) fn give(text: &str) -> *mut c_char {
    let text = to_c(text, Encoding::Utf8);
    if are_the_callers() {
        let bytes = text.as_bytes_with_nul();
        // SAFETY: a plain allocation; written only when there is one, and only as far as it goes.
        unsafe {
            let memory = libc::malloc(bytes.len()).cast::<u8>();
            if !memory.is_null() {
                memory.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
            }
            memory.cast()
        }
    } else {
        KEPT.lock().unwrap_or_else(PoisonError::into_inner).keep(&text)
    }
}

/// Takes one back.
///
/// # Safety
/// Where strings are the caller's, `text` is NULL or one of them, not freed before; where they are ours, anything.
pub(super) unsafe fn take_back(text: *mut c_char) {
    if are_the_callers() {
        // SAFETY: from `malloc` above, or NULL, by the condition above.
        unsafe { libc::free(text.cast::<c_void>()) }
    } else {
        KEPT.lock().unwrap_or_else(PoisonError::into_inner).free(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CString;

    #[test]
    fn what_nobody_frees_stays_readable_for_long_and_is_bounded() {
        let mut kept = Kept { strings: VecDeque::new(), bytes: 0 };
        let texts: Vec<_> = (0..MOST).map(|number| kept.keep(&CString::new(number.to_string()).unwrap())).collect();
        for (number, text) in texts.iter().enumerate() {
            // SAFETY: the last MOST strings are alive.
            assert_eq!(unsafe { CStr::from_ptr(*text) }.to_str().unwrap(), number.to_string());
        }
        for _ in 0..3 * MOST {
            kept.keep(c"x");
        }
        assert_eq!((kept.strings.len(), kept.bytes), (MOST, 2 * MOST));
    }

    #[test]
    fn large_ones_are_bounded_by_their_bytes() {
        let mut kept = Kept { strings: VecDeque::new(), bytes: 0 };
        for _ in 0..200 {
            kept.keep(&CString::new(vec![b'x'; 1 << 20]).unwrap());
        }
        assert_eq!(kept.strings.len(), LEAST);
    }

    #[test]
    fn freeing_takes_ours_once_and_leaves_others_alone() {
        let mut kept = Kept { strings: VecDeque::new(), bytes: 0 };
        let text = kept.keep(c"abc");
        kept.keep(c"de");
        kept.free(text);
        kept.free(text);
        kept.free(std::ptr::null_mut());
        assert_eq!((kept.strings.len(), kept.bytes), (1, 3));
    }

    /// In a process of its own, which must not live to say that all is well.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[test]
    fn whoever_frees_ours_learns_it_at_once() {
        const NAME: &str = "abi::upload_util::strings::tests::whoever_frees_ours_learns_it_at_once";
        const CHILD: &str = "PARKLINK_TEST_FREES";
        if std::env::var_os(CHILD).is_some() {
            let text = give("{}");
            // SAFETY: none: this is the mistake that is looked at.
            unsafe { libc::free(text.cast()) };
            return;
        }
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        let ended = child.args(["--exact", NAME]).env(CHILD, "1").env_remove(VARIABLE).output().unwrap();
        assert!(!ended.status.success(), "{}", String::from_utf8_lossy(&ended.stdout));
    }
}
