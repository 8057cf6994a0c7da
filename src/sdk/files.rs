//! SDK 2.32: a log file of the charging system goes to the address that the platform's request named. Which files and
//! which hosts, the software decides when it opens: a message from outside must not read any file or reach any host.
//!
//! The page names the member `filepath` with the type "file" and shows no request: it is sent as the part of that name
//! of a form.

use super::{Outcome, Sdk, outcome};
use crate::catalogue::{self, Platform, Side};
use crate::error::{Code, Error, Result};
use crate::json::{self, Value};
use crate::link::Members;
use crate::link::http::Client;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// The service that goes this way.
pub const SERVICE: &str = "upload_file";

const BOUNDARY: &str = "parklink-7f1c0d52b9e84a63";

impl Sdk {
    pub(super) fn upload_file(&self, members: &Members) -> Result<Outcome> {
        let interface = catalogue::by_id("bolink.upload_file");
        self.check(interface, members, Side::Request)?;
        let text = |name: &str| members.get(name).and_then(Value::as_str).unwrap_or_default();
        let file = self.allowed_file(text("filepath"))?;
        let patience = self.config.millis("bolink.request_timeout_ms");
        // Kept, so that closing can break it off.
        let client = || Client::new(&self.config, patience, self.log.clone(), self.closing.clone());
        let client = self.files.get_or_try_init(client)?;
        let target =
            client.target(text("url"), &format!("multipart/form-data; boundary={BOUNDARY}")).map_err(of_url)?;
        self.check_host(target.uri().host().unwrap_or_default())?;
        let body = form(&file)?;
        let answer = client.post(&target, &body, Instant::now() + patience)?.ok()?;
        let wrong = || Error::new(Code::Protocol, "the platform's answer to a file is not a JSON object");
        let reply = json::members_of(&answer).ok_or_else(wrong)?;
        Ok(outcome::of_reply(Platform::Bolink, interface, SERVICE, false, reply))
    }

    fn allowed_file(&self, path: &str) -> Result<PathBuf> {
        let Some(dir) = self.config.text("files.dir") else {
            return Err(Error::new(Code::Unsupported, "files.dir: not given, so no file may be sent (SDK 2.32)"));
        };
        let real = |path: &Path| {
            path.canonicalize().map_err(|error| Error::new(Code::Io, format!("filepath: {}: {error}", path.display())))
        };
        let (dir, file) = (real(Path::new(dir))?, real(Path::new(path))?);
        if !file.starts_with(&dir) {
            let message = format!("filepath: {} is not in {} (files.dir)", file.display(), dir.display());
            return Err(Error::new(Code::Invalid, message));
        }
        let size = file.metadata().map_or(0, |facts| facts.len());
        let most = self.config.number("files.max_bytes").unsigned_abs();
        if size > most {
            let message = format!("filepath: {size} bytes, at most {most} are sent (files.max_bytes)");
            return Err(Error::new(Code::TooLarge, message));
        }
        Ok(file)
    }

    fn check_host(&self, host: &str) -> Result<()> {
        let hosts = self.config.word("files.hosts");
        if hosts.split(',').any(|allowed| allowed.trim().eq_ignore_ascii_case(host)) {
            return Ok(());
        }
        Err(Error::new(Code::Invalid, format!("url: expected one of the hosts {hosts} (files.hosts), found {host}")))
    }
}

/// The address is the record's, not the configuration's.
fn of_url(error: Error) -> Error {
    if error.code == Code::Config { Error::new(Code::Invalid, format!("url: {}", error.message)) } else { error }
}

fn form(file: &Path) -> Result<Vec<u8>> {
    let content =
        std::fs::read(file).map_err(|error| Error::new(Code::Io, format!("filepath: {}: {error}", file.display())))?;
    let name = file.file_name().unwrap_or_default().to_string_lossy().replace(['"', '\r', '\n'], "_");
    let head = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"filepath\"; filename=\"{name}\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    );
    let mut body = head.into_bytes();
    body.extend(content);
    body.extend(format!("\r\n--{BOUNDARY}--\r\n").into_bytes());
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Unknown};
    use crate::json::members;

    #[test]
    fn a_wrong_address_is_the_records_fault_and_not_the_configurations() {
        let dir = std::env::temp_dir().join(format!("parklink-files-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join("lot.log");
        std::fs::write(&path, "a line").unwrap();
        let config = members! {"park_id": "1", "union_id": "2", "ukey": "GEHEIM", "bolink_addr": "127.0.0.1", "bport": 1,
        "files": members! {"dir": dir.to_string_lossy().as_ref()}};
        let sdk = Sdk::open(Config::parse(&config.to_string(), Unknown::Refuse).unwrap()).unwrap();
        for url in ["ftp://s.bolink.club/x", "http:///x", "http://elsewhere/x"] {
            let record = members! {"service_name": SERVICE, "data_target": "bolink", "url": url,
            "filepath": path.to_string_lossy().as_ref()};
            let error = sdk.upload(&record.to_string()).error.unwrap();
            assert_eq!(error.code, Code::Invalid, "{error}");
            assert!(error.message.starts_with("url: "), "{error}");
        }
        let _ = std::fs::remove_dir_all(dir);
    }
}
