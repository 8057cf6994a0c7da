//! What a configuration opens.

use super::platforms;
use crate::config::Config;
use crate::error::Result;
use crate::inbox::Inbox;
use crate::link::Link;
use crate::link::bolink::BolinkLink;
use crate::link::cloud::CloudLink;
use crate::log::{Level, Log};
use std::path::PathBuf;
use std::sync::Arc;

pub(super) fn log(config: &Config) -> Result<Log> {
    let level = Level::parse(config.word("log.level")).unwrap_or(Level::Info);
    let mut log = Log::new(level);
    if config.flag("log_show") {
        let beside = || std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.join("logs")));
        let dir = config.text("log.dir").map(PathBuf::from).or_else(beside).unwrap_or_else(|| PathBuf::from("logs"));
        let files = u32::try_from(config.number("log.files")).unwrap_or(1);
        log = log.with_folder(&dir, config.number("log.max_bytes").unsigned_abs(), files)?;
    }
    for secret in config.secrets() {
        log.protect(&secret);
    }
    Ok(log)
}

pub(super) fn links(config: &Config, log: &Arc<Log>, inbox: &Arc<Inbox>) -> Result<Vec<Box<dyn Link>>> {
    let mut links: Vec<Box<dyn Link>> = Vec::new();
    if config.text("cloud_addr").is_some() {
        links.push(Box::new(CloudLink::open(config, log.clone(), inbox.clone())?));
    }
    if config.text("bolink_addr").is_some() {
        links.push(Box::new(BolinkLink::open(config, log.clone(), inbox.clone())?));
    }
    links.extend(platforms::open(config, log)?);
    Ok(links)
}
