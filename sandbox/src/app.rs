//! What all tasks share.

use crate::json::{self, Members};
use crate::world::{After, World};
use crate::{downlinks, log};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The running sandbox.
pub struct App {
    world: Mutex<World>,
    /// How long a long poll is held.
    pub poll_hold: Duration,
    /// Pause between rounds of scheduled downlinks; zero: only on demand.
    pub sync_interval: Duration,
}

impl App {
    /// Around this world.
    pub fn new(world: World, poll_hold: Duration, sync_interval: Duration) -> Arc<Self> {
        Arc::new(App { world: Mutex::new(world), poll_hold, sync_interval })
    }

    /// The state. Never held across an await.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nobody was there to take this message: tries again in the documented steps. What was sent is not sent again.
    pub fn send_again(self: &Arc<Self>, lot: String, message: Members) {
        let app = self.clone();
        tokio::spawn(async move {
            let service = json::text(&message, "service_name").unwrap_or_default();
            for pause in downlinks::resends(&service) {
                tokio::time::sleep(Duration::from_secs(*pause)).await;
                if downlinks::send(&mut app.world(), &lot, None, None, message.clone()).is_ok() {
                    return;
                }
            }
        });
    }

    /// Does what follows an answer.
    pub fn after(self: &Arc<Self>, after: Vec<After>) {
        for next in after {
            match next {
                After::Send(to, text) => {
                    if let Some(connection) = self.world().cloud.connections.get(&to) {
                        connection.send(&text);
                    }
                }
                After::Downlink { platform, lot, local_id, message, delay } => {
                    let app = self.clone();
                    tokio::spawn(async move {
                        tokio::time::sleep(delay).await;
                        let sent = {
                            let mut world = app.world();
                            downlinks::send(&mut world, &lot, Some(platform), local_id.as_deref(), message.clone())
                                .or_else(|_| downlinks::send(&mut world, &lot, None, None, message.clone()))
                        };
                        if let Err(text) = sent {
                            log::event("sandbox", || format!("a message for {lot} could not be sent: {text}"));
                            app.send_again(lot, message);
                        }
                    });
                }
            }
        }
    }
}
