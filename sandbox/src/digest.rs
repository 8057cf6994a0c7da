//! The digest that ETCP's signatures are made of.

use md5::{Digest, Md5};

/// 32 upper-case hex digits.
pub fn md5(text: &str) -> String {
    Md5::digest(text).iter().map(|byte| format!("{byte:02X}")).collect()
}
