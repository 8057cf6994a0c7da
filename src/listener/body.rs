//! Bodies: read whole, within a time, a size, and a share of the memory that all of them may take together.

use super::Limits;
use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::body::{Body, Incoming};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;
use tokio::time::timeout;

/// What a body has without asking.
const FREE: usize = 64 << 10;

/// What all bodies together may have beyond that.
const TOGETHER: usize = 64 << 20;

/// How long the rest of a refused body is read and thrown away, so that its sender gets to see the refusal.
const DRAIN: Duration = Duration::from_secs(1);

/// The memory of all bodies.
#[derive(Debug, Clone, Default)]
pub struct Budget(Rc<Cell<usize>>);

/// What one body has of it.
struct Share<'a> {
    budget: &'a Budget,
    taken: usize,
}

impl Share<'_> {
    fn grow(&mut self, length: usize) -> bool {
        let wanted = length.saturating_sub(FREE).saturating_sub(self.taken);
        if self.budget.0.get() + wanted > TOGETHER {
            return false;
        }
        self.budget.0.set(self.budget.0.get() + wanted);
        self.taken += wanted;
        true
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.budget.0.set(self.budget.0.get() - self.taken);
    }
}

/// Reads a body; what is wrong with it as a status and for people.
pub async fn read(mut body: Incoming, limits: Limits, budget: &Budget) -> Result<Vec<u8>, (StatusCode, &'static str)> {
    let too_large = (StatusCode::PAYLOAD_TOO_LARGE, "the body is too large");
    let announced = body.size_hint().exact();
    if announced.is_some_and(|length| length > limits.body as u64) {
        drain(body);
        return Err(too_large);
    }
    let mut share = Share { budget, taken: 0 };
    let mut bytes = Vec::with_capacity(usize::try_from(announced.unwrap_or(0)).unwrap_or(0).min(FREE));
    let reading = async {
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| (StatusCode::BAD_REQUEST, "the body is cut short or broken"))?;
            let Ok(data) = frame.into_data() else { continue };
            if bytes.len() + data.len() > limits.body {
                return Err(too_large);
            }
            if !share.grow(bytes.len() + data.len()) {
                return Err((StatusCode::SERVICE_UNAVAILABLE, "too many large bodies at once"));
            }
            bytes.extend_from_slice(&data);
        }
        Ok(())
    };
    let outcome = timeout(limits.body_timeout, reading).await;
    match outcome {
        Ok(Ok(())) => Ok(bytes),
        Ok(Err(refusal)) => {
            drain(body);
            Err(refusal)
        }
        Err(_) => Err((StatusCode::REQUEST_TIMEOUT, "the body took too long")),
    }
}

fn drain(mut body: Incoming) {
    tokio::task::spawn_local(timeout(DRAIN, async move { while let Some(Ok(_)) = body.frame().await {} }));
}
