//! Signatures over the exact text that is sent.

use md5::{Digest, Md5};

/// Upper-case hex MD5 of `text`, then `key=`, then the key: what the cloud link and Bolink's HTTP links ask for.
/// `text` is the text of `data` exactly as it is sent (on the cloud link: in normal form).
pub fn keyed(text: &str, key: &str) -> String {
    let mut md5 = Md5::new();
    md5.update(text.as_bytes());
    md5.update(b"key=");
    md5.update(key.as_bytes());
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
