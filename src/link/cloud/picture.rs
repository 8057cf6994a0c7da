//! Pictures (SDK 2.12) do not fit on a line: they go to the cloud by HTTP, with the token of the line.

use crate::config::Config;
use crate::error::{Code, Error, Result};
use crate::json::{self, Value, members};
use crate::link::dial::Cancel;
use crate::link::http::{Client, Target};
use crate::link::{Members, Request};
use crate::log::Log;
use crate::wire::normal;
use std::sync::Arc;

/// The service that goes this way.
pub const SERVICE: &str = "upload_carpic";

/// The largest picture that the cloud takes, in characters of base64.
const LARGEST: usize = 201_100;

/// The way.
pub struct Pictures {
    client: Client,
    target: Target,
}

impl Pictures {
    /// `None` where `cloud.picture_url` is not given.
    pub fn new(config: &Config, log: Arc<Log>, cancel: Arc<Cancel>) -> Result<Option<Pictures>> {
        let Some(url) = config.text("cloud.picture_url") else { return Ok(None) };
        let client = Client::new(config, config.millis("cloud.connect_timeout_ms"), log, cancel)?;
        let target = client.target(url, "application/json;charset=utf-8")?;
        Ok(Some(Pictures { client, target }))
    }

    /// Refuses what the cloud would refuse.
    pub fn check(request: &Request) -> Result<()> {
        let length = request.data.get("content").and_then(Value::as_str).map_or(0, str::len);
        if length > LARGEST {
            let message =
                format!("content: the cloud takes at most {LARGEST} characters of base64 (SDK 2.12), found {length}");
            return Err(Error::new(Code::TooLarge, message));
        }
        Ok(())
    }

    /// Sends a picture and waits for the answer.
    pub fn send(&self, request: &Request, token: &str) -> Result<Members> {
        Self::check(request)?;
        let body = members! {"token": token, "service_name": SERVICE, "data": request.data.to_members()};
        let text = normal::text(&Value::Object(body))
            .map_err(|number| Error::new(Code::Invalid, format!("the number {} cannot be sent", number.0)))?;
        let body = self.client.post(&self.target, &text, request.deadline)?.ok()?;
        if body.trim_ascii().is_empty() {
            // What it does with a token that it does not know.
            return Err(Error::new(
                Code::Offline,
                "the cloud did not know the token, the picture was not taken: try again",
            ));
        }
        let wrong = || Error::new(Code::Protocol, "the cloud's answer to a picture is not a JSON object");
        json::members_of(&body).ok_or_else(wrong)
    }

    /// Ends what is under way.
    pub fn shut(&self) {
        self.client.break_off();
    }
}
