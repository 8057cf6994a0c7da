//! Who is logged in. A user is a phone; the token comes and goes, so calls need not carry it.

use std::collections::{HashMap, HashSet};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Users that are kept.
const MOST: usize = 100_000;

/// Earlier tokens of a user that still tell whose they were.
const EARLIER: usize = 4;

/// How a user was logged in, and so whether we may do it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// With a code from a text message (8.2): only the user can do it again.
    ByCode,
    /// Joint login (8.3): the merchant vouches for the phone.
    Joint {
        /// The channel number it was done with.
        app_id: String,
    },
}

#[derive(Debug)]
struct User {
    token: String,
    earlier: Vec<String>,
    since: Instant,
    way: Way,
}

/// Whose call it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// A user that we know.
    Known {
        /// Who.
        phone: String,
        /// The token to use.
        token: String,
        /// How old it is.
        age: Duration,
        /// How it was got.
        way: Way,
    },
    /// A token that we did not get.
    Foreign(String),
    /// A phone that is not logged in.
    Absent(String),
    /// Nobody is named, and there is not exactly one user.
    Unsaid(usize),
}

#[derive(Debug, Default)]
struct State {
    users: HashMap<String, User>,
    renewing: HashSet<String>,
    codes: HashMap<String, Instant>,
}

/// The users of a handle.
#[derive(Debug, Default)]
pub struct Users {
    state: Mutex<State>,
    changed: Condvar,
}

impl Users {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Finds the user of a call: by a token, else by a phone, else the only one.
    pub fn whose(&self, token: Option<&str>, phone: Option<&str>) -> Whose {
        let state = self.lock();
        let known = |phone: &str, user: &User| Whose::Known {
            phone: phone.to_owned(),
            token: user.token.clone(),
            age: user.since.elapsed(),
            way: user.way.clone(),
        };
        if let Some(token) = token {
            let owns = |user: &User| user.token == token || user.earlier.iter().any(|earlier| earlier == token);
            let found = state.users.iter().find(|(_, user)| owns(user));
            return found.map_or_else(|| Whose::Foreign(token.to_owned()), |(phone, user)| known(phone, user));
        }
        if let Some(phone) = phone {
            return state.users.get(phone).map_or_else(|| Whose::Absent(phone.to_owned()), |user| known(phone, user));
        }
        match state.users.iter().next() {
            Some((phone, user)) if state.users.len() == 1 => known(phone, user),
            _ => Whose::Unsaid(state.users.len()),
        }
    }

    /// A login succeeded.
    pub fn keep(&self, phone: &str, token: &str, way: Way) {
        let mut state = self.lock();
        if state.users.len() >= MOST && !state.users.contains_key(phone) {
            let oldest = state.users.iter().min_by_key(|(_, user)| user.since).map(|(phone, _)| phone.clone());
            oldest.and_then(|phone| state.users.remove(&phone));
        }
        let mut earlier = Vec::new();
        if let Some(user) = state.users.remove(phone) {
            earlier = user.earlier;
            earlier.insert(0, user.token);
            earlier.truncate(EARLIER);
        }
        let user = User { token: token.to_owned(), earlier, since: Instant::now(), way };
        state.users.insert(phone.to_owned(), user);
    }

    /// Users that are logged in.
    pub fn count(&self) -> usize {
        self.lock().users.len()
    }

    /// The right to log `phone` in again, when `stale` is still its token: true means do it, and call
    /// [`renewed`](Users::renewed) afterwards. False: another call has done it, or time is up.
    pub fn may_renew(&self, phone: &str, stale: Option<&str>, deadline: Instant) -> bool {
        let mut state = self.lock();
        loop {
            if state.users.get(phone).map(|user| user.token.as_str()) != stale {
                return false;
            }
            if state.renewing.insert(phone.to_owned()) {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The renewal is over, whatever came of it.
    pub fn renewed(&self, phone: &str) {
        self.lock().renewing.remove(phone);
        self.changed.notify_all();
    }

    /// Books a code for a phone; an error tells how long to wait.
    pub fn book_code(&self, phone: &str, pause: Duration) -> Result<(), Duration> {
        let mut state = self.lock();
        state.codes.retain(|_, since| since.elapsed() < pause);
        match state.codes.get(phone) {
            Some(since) => Err(pause.saturating_sub(since.elapsed())),
            None => {
                state.codes.insert(phone.to_owned(), Instant::now());
                Ok(())
            }
        }
    }

    /// The code was not sent after all.
    pub fn free_code(&self, phone: &str) {
        self.lock().codes.remove(phone);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_any_of_its_tokens() {
        let users = Users::default();
        assert_eq!(users.whose(None, None), Whose::Unsaid(0));
        users.keep("1", "a", Way::ByCode);
        users.keep("1", "b", Way::ByCode);
        for (token, phone) in [(Some("a"), None), (Some("b"), None), (None, Some("1")), (None, None)] {
            assert!(
                matches!(users.whose(token, phone), Whose::Known { phone, token, .. } if phone == "1" && token == "b")
            );
        }
        users.keep("2", "c", Way::ByCode);
        assert_eq!(users.whose(None, None), Whose::Unsaid(2));
        assert_eq!(users.whose(Some("z"), Some("1")), Whose::Foreign("z".into()));
        assert_eq!(users.whose(None, Some("3")), Whose::Absent("3".into()));
    }

    #[test]
    fn one_renewal_at_a_time_and_none_of_a_new_token() {
        let users = Users::default();
        users.keep("1", "a", Way::ByCode);
        let soon = Instant::now() + Duration::from_millis(20);
        assert!(users.may_renew("1", Some("a"), soon));
        assert!(!users.may_renew("1", Some("a"), soon));
        users.keep("1", "b", Way::ByCode);
        users.renewed("1");
        assert!(!users.may_renew("1", Some("a"), soon));
        assert!(users.may_renew("1", Some("b"), soon));
    }
}
