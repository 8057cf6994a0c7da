//! What can be asked without a handle: errors by number, versions; and the freeing of strings.

use super::guard;
use crate::error::Code;
use std::ffi::{CString, c_char};
use std::sync::OnceLock;

/// A result: PARKLINK_OK or one of the PARKLINK_E_ codes.
pub type ParklinkCode = i32;

/// The number of the binary interface; a change that old programs would not survive raises it.
pub const ABI_VERSION: u32 = 1;

/// Frees a string that a function of this header gave through a char ** argument. NULL is allowed and does nothing.
/// Any thread; each string once.
///
/// # Safety
/// See the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn parklink_string_free(text: *mut c_char) {
    if !text.is_null() {
        // SAFETY: by contract it came out of `CString::into_raw` and was not freed before.
        drop(unsafe { CString::from_raw(text) });
    }
}

/// The text of the last failure on this thread: what was wrong, where, what was expected. Never NULL; empty before the
/// first failure. It stays valid until the next call of this library fails on the same thread; do not free it. It is in
/// the encoding of the handle of the failed call, and in UTF-8 where there was none.
#[unsafe(no_mangle)]
pub extern "C" fn parklink_last_error() -> *const c_char {
    guard::last_error()
}

/// The name of a code, such as "timeout" for PARKLINK_E_TIMEOUT; "ok" for PARKLINK_OK, "unknown" for a number that is
/// none. ASCII; lives as long as the process, do not free it. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn parklink_error_name(code: ParklinkCode) -> *const c_char {
    static NAMES: OnceLock<Vec<(i32, CString)>> = OnceLock::new();
    let named = |code: &Code| (*code as i32, CString::new(code.name()).unwrap_or_default());
    let names = NAMES.get_or_init(|| Code::ALL.iter().map(named).collect());
    match names.iter().find(|(number, _)| *number == code) {
        Some((_, name)) => name.as_ptr(),
        None if code == 0 => c"ok".as_ptr(),
        None => c"unknown".as_ptr(),
    }
}

/// 1 when the same call can succeed later without a change by you, else 0. Any thread. After PARKLINK_E_TIMEOUT, BROKEN,
/// PROTOCOL and HTTP (but HTTP 429 and 503) the platform may have the record already. The cloud knows a repeated entry,
/// exit or order by its bytes: send it again unchanged. Elsewhere no guard is documented, or only for entries: see "What is
/// not promised" in docs/durability.md.
#[unsafe(no_mangle)]
pub extern "C" fn parklink_error_is_retryable(code: ParklinkCode) -> i32 {
    Code::ALL.iter().any(|known| *known as i32 == code && known.is_retryable()).into()
}

/// The version of the library that runs, such as "1.2.3"; compare with PARKLINK_VERSION_TEXT of the header you compiled
/// with. Lives as long as the process, do not free it. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn parklink_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// The number of the binary interface of the library that runs. Different from PARKLINK_ABI_VERSION of your header:
/// do not call anything else. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn parklink_abi_version() -> u32 {
    ABI_VERSION
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CStr;

    fn name(code: i32) -> &'static str {
        // SAFETY: these names live as long as the process.
        unsafe { CStr::from_ptr(parklink_error_name(code)) }.to_str().unwrap()
    }

    #[test]
    fn codes_have_names_and_numbers_of_their_own() {
        assert_eq!((name(0), name(-302), name(-401), name(7)), ("ok", "timeout", "refused", "unknown"));
        let mut numbers: Vec<i32> = Code::ALL.iter().map(|code| *code as i32).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), Code::ALL.len());
        assert_eq!(parklink_error_is_retryable(-302), 1);
        assert_eq!(parklink_error_is_retryable(-107), 0);
        assert_eq!(parklink_error_is_retryable(0), 0);
    }
}
