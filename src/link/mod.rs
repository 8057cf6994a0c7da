//! The links: one room a platform, and what they share.
