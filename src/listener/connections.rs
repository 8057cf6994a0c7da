//! Which connections there are, and which has to go when there are too many.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};
use tokio::task::AbortHandle;

/// A place in the order of going: those that never showed a signed push first, then those whose last is longest ago.
type Place = (bool, u64);

/// The connections of a listener.
#[derive(Clone)]
pub struct Connections(Rc<State>);

struct State {
    most: usize,
    next: Cell<u64>,
    order: RefCell<BTreeMap<Place, Entry>>,
}

struct Entry {
    connection: Weak<Connection>,
    task: Option<AbortHandle>,
}

/// One of them; its end takes it out.
pub struct Connection {
    number: u64,
    place: Cell<Place>,
    is_busy: Cell<bool>,
    state: Rc<State>,
}

impl Connections {
    /// At most so many.
    pub fn new(most: usize) -> Connections {
        Connections(Rc::new(State { most, next: Cell::new(0), order: RefCell::default() }))
    }

    /// Takes one more, and tells whether another had to go for it. `None` when all are in the middle of a signed push.
    pub fn add(&self) -> (Option<Rc<Connection>>, bool) {
        let mut evicted = false;
        if self.0.order.borrow().len() >= self.0.most {
            let order = self.0.order.borrow();
            let idle = |entry: &Entry| entry.connection.upgrade().is_none_or(|connection| !connection.is_busy.get());
            let Some(place) = order.iter().find(|(_, entry)| idle(entry)).map(|(place, _)| *place) else {
                return (None, false);
            };
            drop(order);
            let entry = self.0.order.borrow_mut().remove(&place);
            if let Some(task) = entry.and_then(|entry| entry.task) {
                task.abort();
            }
            evicted = true;
        }
        let number = self.0.number();
        let place = (false, number);
        let connection =
            Rc::new(Connection { number, place: Cell::new(place), is_busy: Cell::new(false), state: self.0.clone() });
        let entry = Entry { connection: Rc::downgrade(&connection), task: None };
        self.0.order.borrow_mut().insert(place, entry);
        (Some(connection), evicted)
    }

    /// The task that serves it; aborted when it has to go.
    pub fn started(&self, number: u64, task: AbortHandle) {
        if let Some(entry) = self.0.order.borrow_mut().get_mut(&(false, number)) {
            entry.task = Some(task);
        }
    }
}

impl State {
    fn number(&self) -> u64 {
        self.next.set(self.next.get() + 1);
        self.next.get()
    }
}

impl Connection {
    /// Its number.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// A signed push is being answered: until the end of the guard it does not have to go.
    pub fn busy(&self) -> Busy<'_> {
        let place = (true, self.state.number());
        let mut order = self.state.order.borrow_mut();
        if let Some(entry) = order.remove(&self.place.get()) {
            order.insert(place, entry);
            self.place.set(place);
        }
        self.is_busy.set(true);
        Busy(self)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.state.order.borrow_mut().remove(&self.place.get());
    }
}

/// See [`Connection::busy`].
pub struct Busy<'a>(&'a Connection);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.is_busy.set(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_go_before_those_that_showed_a_signed_push() {
        let connections = Connections::new(2);
        let (known, _) = connections.add();
        let known = known.unwrap();
        drop(known.busy());
        let (stranger, evicted) = connections.add();
        assert!(stranger.is_some() && !evicted);
        let (third, evicted) = connections.add();
        assert!(third.is_some() && evicted);
        assert!(connections.0.order.borrow().contains_key(&known.place.get()));
        let busy = known.busy();
        let third = third.unwrap();
        let third_busy = third.busy();
        assert!(connections.add().0.is_none());
        drop(third_busy);
        assert!(connections.add().1);
        drop(busy);
    }

    #[test]
    fn an_ended_connection_makes_room() {
        let connections = Connections::new(1);
        drop(connections.add());
        let (next, evicted) = connections.add();
        assert!(next.is_some() && !evicted);
    }
}
