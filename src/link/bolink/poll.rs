//! The thread of the link: logs in, then keeps exactly one poll open.

use super::Shared;
use super::message::{self, Heard};
use super::session::Login;
use crate::catalogue::Platform;
use crate::error::{Code, Error, Result};
use crate::link::backoff::Backoff;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// A poll that was cut sooner was not held by the platform.
const HELD: Duration = Duration::from_secs(1);
/// An empty answer that came sooner was not held at all. Whatever is held, however shortly, is polled again at once.
const QUICK: Duration = Duration::from_millis(100);
/// So many quick ones in a row may come before polls are spaced out.
const QUICK_ANSWERS: u32 = 3;
/// Longest such space: a downlink waits as long.
const LONGEST_SPACE: Duration = Duration::from_secs(2);
/// A token that dies younger was taken away, mostly by another program that logs in under the same name.
const YOUNG: Duration = Duration::from_secs(10);

/// Why polling ended.
enum End {
    TokenLost,
    Failed(Error),
}

/// Runs until the link is shut.
pub fn run(shared: &Shared) {
    let (first, longest) = (shared.retry_first, shared.retry_longest);
    let mut failures = Backoff::new(first, longest);
    // A refusal is nothing that passes by itself.
    let mut refusals = Backoff::new(first.saturating_mul(10).min(longest), longest);
    let mut early_losses = 0;
    while !shared.cancel.is_cancelled() {
        let ended = match log_in(shared) {
            Ok(login) => {
                refusals.reset();
                let began = Instant::now();
                let ended = listen(shared, &login, &mut failures);
                early_losses = if began.elapsed() < YOUNG { early_losses + 1 } else { 0 };
                ended
            }
            Err(error) => End::Failed(error),
        };
        if shared.cancel.is_cancelled() {
            return;
        }
        let pause = match ended {
            End::TokenLost if early_losses < 2 => continue,
            End::TokenLost => {
                let pause = failures.pause();
                shared.log.warn(format_args!(
                    "bolink: {early_losses} tokens died soon after the login, next login in {} ms; does another program \
                    log in with the same park_id and local_id?",
                    pause.as_millis()
                ));
                pause
            }
            End::Failed(error) => {
                let pause = if error.code == Code::LoginRefused { refusals.pause() } else { failures.pause() };
                let pause = error.wait.map_or(pause, |asked| asked.max(pause));
                shared.log.warn(format_args!("bolink: {error}; next try in {} ms", pause.as_millis()));
                shared.session.failed(error);
                pause
            }
        };
        shared.cancel.sleep(pause);
        shared.counters.reconnects.fetch_add(1, Ordering::Relaxed);
    }
}

fn log_in(shared: &Shared) -> Result<Login> {
    let deadline = Instant::now() + shared.request_timeout;
    let response = shared.post(&shared.client, &shared.upload, &shared.login.body(None), deadline)?;
    shared.trace_answer(&response);
    let token = message::login(response)?;
    shared.log.protect(&token);
    let login = shared.session.logged_in(&token);
    shared.log.info(format_args!("bolink: logged in at {} (login {})", shared.upload.uri(), login.number));
    Ok(login)
}

/// Polls until the token is dead or the platform cannot be reached.
fn listen(shared: &Shared, login: &Login, failures: &mut Backoff) -> End {
    let body = message::poll(&login.token);
    let mut spacing = Backoff::new(shared.retry_first, shared.retry_longest.min(LONGEST_SPACE));
    let mut quick = 0;
    let mut has_failed = false;
    while shared.session.poll_begins(login.number) {
        let began = Instant::now();
        let outcome = shared.post(&shared.poller, &shared.download, &body, began + shared.poll_timeout);
        shared.session.poll_ends();
        shared.counters.polls.fetch_add(1, Ordering::Relaxed);
        let heard = outcome.and_then(|response| {
            shared.trace_answer(&response);
            message::heard(response)
        });
        if heard.is_ok() {
            shared.session.poll_answered();
        }
        match heard {
            Ok(Heard::TokenLost) => {
                if shared.session.token_lost(login.number, || ()) {
                    shared.log.info(format_args!("bolink: the poll's token is dead, logging in again"));
                }
                return End::TokenLost;
            }
            Ok(Heard::Messages(messages)) => {
                for message in messages {
                    shared.counters.messages.fetch_add(1, Ordering::Relaxed);
                    shared.sink.received(Platform::Bolink, message);
                }
                quick = 0;
            }
            Ok(Heard::Nothing) if began.elapsed() < QUICK => quick += 1,
            Ok(Heard::Nothing) => quick = 0,
            // Gateways cut what is silent for long; polling on shows soon enough when there is more to it.
            Err(error) if error.code == Code::Broken && began.elapsed() >= HELD => {
                shared.log.debug(format_args!("bolink: the poll was cut: {error}"));
                shared.session.poll_answered();
                continue;
            }
            // Once is no loss of the link; the second one in a row is.
            Err(error) if !has_failed && matches!(error.code, Code::Broken | Code::Timeout) => {
                shared.log.debug(format_args!("bolink: the poll failed: {error}"));
                has_failed = true;
                continue;
            }
            // Only the poll has trouble, and it passes; what becomes of uploads they hear themselves. Any other refusal may
            // be the server's as a whole, or the token's: a new login tells.
            Err(mut error) if error.status.is_some_and(|status| status == 429 || status >= 500) => {
                let pause = failures.pause();
                let pause = error.wait.map_or(pause, |asked| asked.max(pause));
                error.message = format!("the poll (download.do) fails: {}", error.message);
                shared.log.warn(format_args!("bolink: {error}; next poll in {} ms", pause.as_millis()));
                has_failed = false;
                shared.session.poll_refused(login.number, error, pause);
                continue;
            }
            Err(error) => return End::Failed(error),
        }
        has_failed = false;
        failures.reset();
        if quick > QUICK_ANSWERS {
            shared.cancel.sleep(spacing.pause());
        } else if quick == 0 {
            spacing.reset();
        }
        if shared.cancel.is_cancelled() {
            break;
        }
    }
    End::TokenLost
}
