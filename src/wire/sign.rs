//! Signatures over the exact text that is sent.

use md5::{Digest, Md5};
use subtle::ConstantTimeEq;

/// A signature; shown it is its upper-case hex text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sign([u8; 16]);

impl Sign {
    /// MD5 of `text`, then `key=`, then the key: what the cloud link and Bolink's HTTP links ask for.
    /// `text` is the text of `data` exactly as it is sent (on the cloud link: in normal form).
    pub fn keyed(text: &str, key: &str) -> Sign {
        joined(&[text, "key=", key])
    }

    /// Appends its text.
    pub fn write(&self, out: &mut String) {
        let mut digits = [0; 32];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        // Digits are text.
        out.push_str(std::str::from_utf8(&digits).unwrap_or_default());
    }

    fn text(&self) -> String {
        let mut text = String::with_capacity(32);
        self.write(&mut text);
        text
    }
}

const DIGITS: &[u8; 16] = b"0123456789ABCDEF";

/// The text of [`Sign::keyed`].
pub fn keyed(text: &str, key: &str) -> String {
    Sign::keyed(text, key).text()
}

/// The onboarding page of Bolink (API 2.4): the key, then the time in milliseconds.
pub fn stamped(key: &str, milliseconds: &str) -> String {
    joined(&[key, milliseconds]).text()
}

/// A call to ETCP (section 5): the text of `data` before it is encoded, the key, the time stamp.
pub fn etcp_call(data: &str, merchant_key: &str, time_stamp: &str) -> String {
    joined(&[data, merchant_key, time_stamp]).text()
}

/// A push from ETCP (section 9): the merchant's number, the text, the key.
pub fn etcp_push(merchant_no: &str, data: &str, merchant_key: &str) -> String {
    joined(&[merchant_no, data, merchant_key]).text()
}

/// Whether a received signature is the expected one; how long it takes does not tell how much of it was right.
pub fn is_same(received: &str, expected: &str) -> bool {
    received.as_bytes().ct_eq(expected.as_bytes()).into()
}

/// MD5 of the parts, nothing between them.
fn joined(parts: &[&str]) -> Sign {
    let mut md5 = Md5::new();
    for part in parts {
        md5.update(part.as_bytes());
    }
    Sign(md5.finalize().into())
}
