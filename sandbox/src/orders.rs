//! Orders as entries and exits make them, on whatever platform.

use crate::cloud::services::Request;
use crate::faults::Platform::{self, Cloud};
use crate::json::{self, Members};
use crate::world::{Order, World};

/// An entry: older open orders of the plate are closed at nothing.
pub fn enter(world: &mut World, platform: Platform, request: &Request) {
    let data = request.data;
    let plate = json::text(data, "car_number").unwrap_or_default();
    let older = |order: &&mut Order| {
        order.platform == platform && order.lot == request.lot && order.open && order.text("car_number") == plate
    };
    for order in world.orders.iter_mut().filter(older) {
        order.open = false;
        order.data.insert("total".into(), "0.0".into());
    }
    note_free_spaces(world, request);
    if json::filled(data, "in_time").is_some() {
        world.orders.push(order(platform, request, true));
    }
}

/// An exit: matched by plate, time and number, then by plate and open number, else stored as a new closed order.
pub fn leave(world: &mut World, platform: Platform, request: &Request) {
    let data = request.data;
    let same = |order: &Order, name: &str| order.text(name) == json::text(data, name).unwrap_or_default();
    let ours = |order: &Order| {
        order.platform == platform && order.lot == request.lot && same(order, "car_number") && same(order, "order_id")
    };
    let exact = world.orders.iter().rposition(|order| ours(order) && same(order, "in_time"));
    let at = exact.or_else(|| world.orders.iter().rposition(|order| ours(order) && order.open));
    match at.and_then(|at| world.orders.get_mut(at)) {
        Some(order) => {
            order.open = false;
            order.update(data);
        }
        None if json::filled(data, "in_time").is_some() => world.orders.push(order(platform, request, false)),
        None => {}
    }
    note_free_spaces(world, request);
}

/// A whole order replaces the newest of its number; further ones go.
pub fn replace(world: &mut World, request: &Request) {
    let number = json::text(request.data, "order_id").unwrap_or_default();
    let ours = |order: &Order| order.platform == Cloud && order.lot == request.lot && order.text("order_id") == number;
    let known = world.orders.iter().any(ours);
    world.orders.retain(|order| !ours(order));
    if known || json::filled(request.data, "in_time").is_some() {
        world.orders.push(order(Cloud, request, false));
    }
    note_free_spaces(world, request);
}

fn order(platform: Platform, request: &Request, open: bool) -> Order {
    let mut order = Order {
        platform,
        lot: request.lot.to_owned(),
        local_id: request.local_id.to_owned(),
        open,
        data: Members::new(),
    };
    order.update(request.data);
    order
}

fn note_free_spaces(world: &mut World, request: &Request) {
    if let Ok(Some(free)) = json::whole(request.data, "empty_plot")
        && free >= 0
        && let Some(lot) = world.lot_mut(request.lot)
    {
        lot.free = free;
    }
}
