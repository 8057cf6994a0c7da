//! The table of options: the one source of parsing, errors and the reference page.

mod links;
mod lot;
mod own;

/// What an option takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Takes {
    /// Text of at most so many characters; a number is taken as its text.
    Text(usize),
    /// A folder, from where the process stands when it opens: it may go elsewhere later.
    Folder,
    /// A whole number in this range; its decimal text too.
    Number(i64, i64),
    /// One of these words.
    Word(&'static [&'static str]),
    /// true/false, 1/0, also as text.
    Flag,
    /// An object whose members the platform reads, not we.
    Object,
}

/// An option.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// `park_id`, `cloud.heartbeat_s`.
    pub key: &'static str,
    /// What it takes.
    pub takes: Takes,
    /// Its default, as JSON; empty when it has none.
    pub default: &'static str,
    /// It must never be shown.
    pub is_secret: bool,
    /// For the reference page.
    pub doc: &'static str,
}

const fn option(key: &'static str, takes: Takes, default: &'static str, doc: &'static str) -> Spec {
    Spec { key, takes, default, is_secret: false, doc }
}

const fn secret(key: &'static str, longest: usize, doc: &'static str) -> Spec {
    Spec { key, takes: Takes::Text(longest), default: "", is_secret: true, doc }
}

/// Every option there is.
pub const OPTIONS: &[Spec] = &{
    const PARTS: [&[Spec]; 3] = [lot::OPTIONS, links::OPTIONS, own::OPTIONS];
    let mut all = [lot::OPTIONS[0]; lot::OPTIONS.len() + links::OPTIONS.len() + own::OPTIONS.len()];
    let (mut part, mut at, mut count) = (0, 0, 0);
    while part < PARTS.len() {
        while at < PARTS[part].len() {
            all[count] = PARTS[part][at];
            count += 1;
            at += 1;
        }
        part += 1;
        at = 0;
    }
    all
};
