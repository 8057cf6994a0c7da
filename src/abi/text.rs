//! Pointers in and out: the few places where a pointer of the caller's is followed.

use super::encoding::Encoding;
use crate::error::{Code, Error, Result};
use std::borrow::Cow;
use std::ffi::{CString, c_char};

/// The bytes of a C string, which are looked at only up to one beyond `limit`.
///
/// # Safety
/// `text` is NULL, or its bytes can be read up to a NUL or up to `limit` + 1 of them, and nobody changes them while
/// `'a` lasts.
pub(super) unsafe fn bytes<'a>(text: *const c_char, name: &str, limit: usize) -> Result<&'a [u8]> {
    if text.is_null() {
        return Err(Error::new(Code::Argument, format!("{name} is NULL; a text was expected")));
    }
    // SAFETY: not NULL; readable up to its NUL or the given number of bytes, by the condition above.
    let length = unsafe { libc::strnlen(text, limit + 1) };
    if length > limit {
        return Err(Error::new(
            Code::TooLarge,
            format!("{name} is longer than {limit} bytes (option \"limits.text_bytes\")"),
        ));
    }
    // SAFETY: that many bytes were just read there.
    Ok(unsafe { std::slice::from_raw_parts(text.cast(), length) })
}

/// The same as text.
///
/// # Safety
/// As [`bytes`].
pub(super) unsafe fn read<'a>(
    text: *const c_char,
    name: &str,
    limit: usize,
    encoding: Encoding,
) -> Result<Cow<'a, str>> {
    // SAFETY: the caller promises the same.
    encoding.decode(unsafe { bytes(text, name, limit) }?, name)
}

/// A new C string in that encoding.
pub(super) fn to_c(text: &str, encoding: Encoding) -> CString {
    let made = match encoding {
        // From the slice: there the room is exact, and nothing has to be made smaller afterwards.
        Encoding::Utf8 => CString::new(text),
        Encoding::Gbk => CString::new(encoding.encode(text)),
    };
    // JSON has no NUL; a name for one would be, so that nothing is cut.
    made.unwrap_or_else(|error| {
        let mut bytes = error.into_vec();
        bytes.retain(|byte| *byte != 0);
        CString::new(bytes).unwrap_or_default()
    })
}

/// A place of the caller's for a result. Emptied when made, filled at most once.
pub(super) struct Out<T: Copy>(*mut T);

impl<T: Copy> Out<T> {
    /// # Safety
    /// `place` is NULL or can be written until this value is gone.
    pub(super) unsafe fn new(place: *mut T, empty: T) -> Self {
        let out = Out(place);
        out.set(empty);
        out
    }

    /// Whether the caller wants the result.
    pub(super) fn is_wanted(&self) -> bool {
        !self.0.is_null()
    }

    /// Whether it is there, when it must be.
    pub(super) fn needed(&self, name: &str) -> Result<()> {
        if self.is_wanted() {
            Ok(())
        } else {
            Err(Error::new(Code::Argument, format!("{name} is NULL; a place for the result was expected")))
        }
    }

    /// Puts the result there.
    pub(super) fn set(&self, value: T) {
        if self.is_wanted() {
            // SAFETY: it can be written, by the condition of `new`.
            unsafe { self.0.write(value) }
        }
    }
}

impl Out<*mut c_char> {
    /// Puts a new string there, which `parklink_string_free` frees.
    pub(super) fn give(&self, text: &str, encoding: Encoding) {
        if self.is_wanted() {
            self.set(to_c(text, encoding).into_raw());
        }
    }
}
