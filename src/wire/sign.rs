//! Signatures over the exact text that is sent.

use md5::{Digest, Md5};
use subtle::ConstantTimeEq;

/// Upper-case hex MD5 of `text`, then `key=`, then the key: what the cloud link and Bolink's HTTP links ask for.
/// `text` is the text of `data` exactly as it is sent (on the cloud link: in normal form).
pub fn keyed(text: &str, key: &str) -> String {
    joined(&[text, "key=", key])
}

/// The onboarding page of Bolink (API 2.4): the key, then the time in milliseconds.
pub fn stamped(key: &str, milliseconds: &str) -> String {
    joined(&[key, milliseconds])
}

/// A call to ETCP (section 5): the text of `data` before it is encoded, the key, the time stamp.
pub fn etcp_call(data: &str, merchant_key: &str, time_stamp: &str) -> String {
    joined(&[data, merchant_key, time_stamp])
}

/// A push from ETCP (section 9): the merchant's number, the text, the key.
pub fn etcp_push(merchant_no: &str, data: &str, merchant_key: &str) -> String {
    joined(&[merchant_no, data, merchant_key])
}

/// Whether a received signature is the expected one; how long it takes does not tell how much of it was right.
pub fn is_same(received: &str, expected: &str) -> bool {
    received.as_bytes().ct_eq(expected.as_bytes()).into()
}

/// Upper-case hex MD5 of the parts, nothing between them.
fn joined(parts: &[&str]) -> String {
    let mut md5 = Md5::new();
    for part in parts {
        md5.update(part.as_bytes());
    }
    hex(&md5.finalize(), b"0123456789ABCDEF")
}

fn hex(bytes: &[u8], digits: &[u8; 16]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(digits[usize::from(byte >> 4)] as char);
        text.push(digits[usize::from(byte & 15)] as char);
    }
    text
}
