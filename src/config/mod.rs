//! The configuration: one JSON object, checked against the table of options.

mod options;

pub use options::{OPTIONS, Spec, Takes};

use crate::catalogue::blotted;
use crate::error::{Code, Error, Result};
use crate::json::{self, Members, Value};
use std::fmt;
use std::time::Duration;

/// What to do with members that no option is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// An error that names the nearest option.
    Refuse,
    /// They pass; the original SDK's software must not stop at a member we do not know. Their names are kept.
    Pass,
}

/// A checked configuration. Its `Debug` shows no secret.
#[derive(Clone)]
pub struct Config {
    values: Vec<Option<Value>>,
    /// Members that were passed over.
    pub unknown: Vec<String>,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for (spec, value) in OPTIONS.iter().zip(&self.values) {
            match value {
                Some(_) if spec.is_secret => map.entry(&spec.key, &"***"),
                Some(value) => map.entry(&spec.key, &blotted(value)),
                None => continue,
            };
        }
        map.finish()
    }
}

impl Config {
    /// Reads and checks a configuration.
    pub fn parse(json: &str, unknown: Unknown) -> Result<Config> {
        let value = json::parse(json)
            .map_err(|error| Error::new(Code::Config, format!("the configuration is not JSON: {error}")))?;
        let Value::Object(members) = value else {
            return Err(Error::new(Code::Config, "the configuration must be a JSON object, as {\"park_id\":\"…\"}"));
        };
        let mut config = Config { values: vec![None; OPTIONS.len()], unknown: Vec::new() };
        for (name, value) in members {
            let is_group = OPTIONS.iter().any(|spec| spec.key.split_once('.').is_some_and(|(group, _)| group == name));
            match value {
                Value::Object(inner) if is_group => {
                    for (key, value) in inner {
                        config.set(format!("{name}.{key}"), value, unknown)?;
                    }
                }
                _ if is_group => return Err(wrong(&name, "an object of options", &value)),
                value => config.set(name.into(), value, unknown)?,
            }
        }
        config.check_together()?;
        Ok(config)
    }

    fn set(&mut self, key: String, value: Value, unknown: Unknown) -> Result<()> {
        let Some(index) = OPTIONS.iter().position(|spec| spec.key == key) else {
            if unknown == Unknown::Pass {
                self.unknown.push(key);
                return Ok(());
            }
            let hint = nearest(&key).map(|near| format!(", did you mean \"{near}\"?")).unwrap_or_default();
            return Err(Error::new(Code::Config, format!("\"{key}\" is not an option{hint}")));
        };
        self.values[index] = take(&OPTIONS[index], value)?;
        Ok(())
    }

    fn check_together(&self) -> Result<()> {
        let need = |key: &str, why: &str| match self.text(key) {
            Some(_) => Ok(()),
            None => Err(Error::new(Code::Config, format!("\"{key}\" is missing: {why}"))),
        };
        let ways = ["cloud_addr", "bolink_addr", "union.base", "etcp.base", "listen.addr"];
        if !ways.iter().any(|way| self.text(way).is_some()) {
            need("park_id", "the cloud and Bolink know a lot by its number")?;
            let message = format!("none of {} is given: nothing to connect to", ways.join(", "));
            return Err(Error::new(Code::Config, message));
        }
        let because = |key: &str| format!("\"{key}\" asks for it");
        for way in ["cloud_addr", "bolink_addr"] {
            if self.text(way).is_some() {
                need("park_id", "the cloud and Bolink know a lot by its number")?;
            }
        }
        if self.text("cloud_addr").is_some() && self.text("ckey").is_none() {
            need("ukey", "the cloud's messages are signed with \"ckey\", or with \"ukey\" where there is no ckey")?;
        }
        if self.text("bolink_addr").is_some() {
            need("ukey", "Bolink's messages are signed with it")?;
            need("union_id", "Bolink's login asks for it")?;
        }
        if self.text("union.base").is_some() {
            need("ukey", "calls of the open API are signed with it")?;
            need("union_id", "the open API asks for it in every call")?;
        }
        if self.text("etcp.base").is_some() || self.text("etcp.merchant_key").is_some() {
            need("etcp.merchant_no", "ETCP knows a merchant by it")?;
        }
        if self.text("etcp.base").is_some() {
            need("etcp.merchant_key", "calls to ETCP are signed with it")?;
        }
        if self.text("etcp.phone").is_some() {
            need("etcp.app_id", "the joint login of \"etcp.phone\" sends it")?;
        }
        if self.text("listen.addr").is_some() && self.text("etcp.merchant_key").is_none() {
            need("ukey", "what the listener receives is checked with it, or with \"etcp.merchant_key\"")?;
        }
        for (given, needed) in [("listen.tls_cert", "listen.tls_key"), ("listen.tls_key", "listen.tls_cert")] {
            if self.text(given).is_some() {
                need(needed, &because(given))?;
            }
        }
        for path in ["listen.union_path", "listen.etcp_path"] {
            if !self.word(path).starts_with('/') || self.word(path).contains(['?', '#', ' ']) {
                return Err(wrong(path, "a path, as /union", &Value::from(self.word(path))));
            }
        }
        let path = |key| self.word(key).trim_end_matches('/');
        if path("listen.union_path") == path("listen.etcp_path") {
            let message =
                "\"listen.union_path\" and \"listen.etcp_path\" are the same: the platforms are told apart by them";
            return Err(Error::new(Code::Config, message));
        }
        if self.text("local_id").is_some_and(|id| id.ends_with('_')) {
            return Err(Error::new(Code::Config, "\"local_id\" must not end with an underscore (SDK 1.1)"));
        }
        Ok(())
    }

    fn value(&self, key: &str) -> Option<&Value> {
        let index = OPTIONS.iter().position(|spec| spec.key == key);
        debug_assert!(index.is_some(), "{key} is not in the table");
        self.values[index?].as_ref()
    }

    /// A text that was given and is not empty.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.given(key).filter(|text| !text.is_empty())
    }

    /// A text that was given, empty or not.
    pub fn given(&self, key: &str) -> Option<&str> {
        self.value(key).and_then(Value::as_str)
    }

    /// A number, or its default.
    pub fn number(&self, key: &str) -> i64 {
        let default = || OPTIONS.iter().find(|spec| spec.key == key).and_then(|spec| spec.default.parse().ok());
        self.value(key).and_then(Value::as_i64).or_else(default).unwrap_or(0)
    }

    /// A number of milliseconds.
    pub fn millis(&self, key: &str) -> Duration {
        Duration::from_millis(self.number(key).unsigned_abs())
    }

    /// Whether a number was given.
    pub fn is_given(&self, key: &str) -> bool {
        self.value(key).is_some()
    }

    /// A flag, or its default.
    pub fn flag(&self, key: &str) -> bool {
        self.number(key) != 0
    }

    /// A word, or its default.
    pub fn word(&self, key: &str) -> &str {
        let default = || OPTIONS.iter().find(|spec| spec.key == key).map(|spec| spec.default.trim_matches('"'));
        self.given(key).or_else(default).unwrap_or("")
    }

    /// The members of an object option.
    pub fn object(&self, key: &str) -> Members {
        self.value(key).and_then(Value::as_object).cloned().unwrap_or_default()
    }

    /// Every secret that was given, to be kept out of the log.
    pub fn secrets(&self) -> Vec<String> {
        let secret = |spec: &Spec| {
            let text = self.text(spec.key).filter(|_| spec.is_secret)?;
            match spec.key {
                // Where it stands may be told, and is.
                "http.proxy" => text.rsplit_once('@')?.0.split("://").last(),
                _ => Some(text),
            }
        };
        OPTIONS.iter().filter_map(secret).map(str::to_owned).collect()
    }
}

/// Characters of a folder's name.
const LONGEST_PATH: usize = 4096;

/// The value as the option keeps it; `null` counts as not given where the documents allow leaving it out.
fn take(spec: &Spec, value: Value) -> Result<Option<Value>> {
    let shown = if spec.is_secret && !value.is_null() { Value::from("***") } else { blotted(&value) };
    let refuse = |expected: &str| Err(wrong(spec.key, expected, &shown));
    let text = match &value {
        Value::String(text) | Value::Number(text) => Some(text.to_string()),
        Value::Bool(yes) => Some(if *yes { "1" } else { "0" }.to_owned()),
        _ => None,
    };
    let taken = match (spec.takes, text) {
        (Takes::Object, _) => match value {
            Value::Object(_) => value,
            _ => return refuse("an object"),
        },
        (Takes::Text(_) | Takes::Folder, Some(text)) if !value.is_boolean() => {
            let longest = if let Takes::Text(longest) = spec.takes { longest } else { LONGEST_PATH };
            if text.chars().count() > longest {
                return refuse(&format!("at most {longest} characters"));
            }
            if text.chars().any(char::is_control) {
                return refuse("text without control characters");
            }
            let whole = || std::path::absolute(text.trim()).ok()?.into_os_string().into_string().ok();
            let whole = if spec.takes == Takes::Folder { whole() } else { None };
            Value::from(whole.as_deref().unwrap_or(text.trim()))
        }
        (Takes::Number(least, most), Some(text)) => match text.trim().parse::<i64>() {
            Ok(number) if (least..=most).contains(&number) && !value.is_boolean() => Value::from(number),
            _ => return refuse(&format!("a whole number from {least} to {most}")),
        },
        (Takes::Flag, Some(text)) => match text.trim() {
            "1" | "true" => Value::from(1),
            "0" | "false" | "" => Value::from(0),
            _ => return refuse("0 or 1"),
        },
        (Takes::Word(words), Some(text)) => match words.iter().find(|word| word.eq_ignore_ascii_case(text.trim())) {
            Some(word) => Value::from(*word),
            None => return refuse(&format!("one of {}", words.join(", "))),
        },
        (Takes::Text(_) | Takes::Folder, _) => return refuse("text"),
        (Takes::Number(..), None) => return refuse("a number"),
        (Takes::Flag, None) => return refuse("0 or 1"),
        (Takes::Word(words), None) => return refuse(&format!("one of {}", words.join(", "))),
    };
    Ok(Some(taken))
}

fn wrong(key: &str, expected: &str, found: &Value) -> Error {
    let found: String = found.to_string().chars().take(60).collect();
    let hint = if found == "null" { "; leave it out instead" } else { "" };
    Error::new(Code::Config, format!("\"{key}\": expected {expected}, found {found}{hint}"))
}

/// The option whose name is nearest to a misspelt one, when it is near at all.
fn nearest(key: &str) -> Option<&'static str> {
    let distance = |spec: &&Spec| edits(key, spec.key);
    OPTIONS.iter().min_by_key(distance).filter(|spec| distance(spec) <= 2 + key.len() / 8).map(|spec| spec.key)
}

fn edits(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let cost = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn error(json: &str) -> String {
        Config::parse(json, Unknown::Refuse).unwrap_err().message
    }

    const CLOUD: &str = r#""park_id":"21782","ckey":"WERRTTTTYY","cloud_addr":"127.0.0.1""#;

    #[test]
    fn documented_members_are_taken_in_either_form() {
        let config = Config::parse(
            r#"{"union_id":200002,"ukey":"EA2D90FEEF1E9F8E","park_id":"3251","ckey":"K123","cloud_addr":"ts.bolink.club",
                "cport":"6791","bolink_addr":"beta.bolink.club","bport":6789,"local_id":"22AA","log_show":1,
                "set_params":{"prepay_send":"1"},"cloud":{"heartbeat_s":5}}"#,
            Unknown::Refuse,
        )
        .unwrap();
        assert_eq!(config.text("union_id"), Some("200002"));
        assert_eq!(config.number("cport"), 6791);
        assert_eq!(config.number("cloud.heartbeat_s"), 5);
        assert_eq!(config.number("cloud.line_limit"), 1024);
        assert!(config.flag("log_show"));
        assert_eq!(config.word("validation"), "strict");
        assert!(!format!("{config:?}").contains("EA2D"));
    }

    #[test]
    fn errors_name_the_option_and_never_the_secret() {
        assert!(error(&format!("{{{CLOUD},\"parkid\":1}}")).contains("did you mean \"park_id\"?"));
        assert!(
            error(&format!("{{{CLOUD},\"cport\":0}}"))
                .contains("\"cport\": expected a whole number from 1 to 65535, found 0")
        );
        assert!(error(r#"{"park_id":"1","cloud_addr":null}"#).contains("leave it out"));
        // Nothing is no secret.
        assert!(error(r#"{"park_id":"1","cloud_addr":"h","ckey":null}"#).contains("leave it out"));
        assert!(error(r#"{"park_id":"1"}"#).contains("nothing to connect to"));
        assert!(error(r#"{"park_id":"1","cloud_addr":"h"}"#).contains("\"ukey\" is missing"));
        let long = "S".repeat(65);
        let message = error(&format!("{{{CLOUD},\"ukey\":\"{long}\"}}"));
        assert!(message.contains("\"ukey\"") && !message.contains("SSS"), "{message}");
        assert!(error(&format!("{{{CLOUD},\"cloud\":{{\"heartbeat\":5}}}}")).contains("cloud.heartbeat_s"));
    }

    #[test]
    fn what_opens_a_proxy_or_a_gate_is_a_secret_too() {
        let config = |more: &str| Config::parse(&format!("{{{CLOUD},{more}}}"), Unknown::Refuse);
        let given = r#""http":{"proxy":"http://user:geheim@10.0.0.1:3128"},"set_params":{"usb_key":"U5B","fast":1}"#;
        let config_ = config(given).unwrap();
        let shown = format!("{config_:?}");
        assert!(!shown.contains("geheim") && !shown.contains("U5B") && shown.contains("fast"), "{shown}");
        assert!(config_.secrets().contains(&"user:geheim".to_owned()), "its place is none");
        assert!(!config_.secrets().iter().any(|secret| secret.contains("10.0.0.1")));
        let long = format!(r#""http.proxy":"http://user:geheim@{}:1""#, "h".repeat(2048));
        for wrong in [&long, r#""set_params":"{\"usb_key\":\"U5B\"}""#, r#""set_params":[{"usb_key":"U5B"}]"#] {
            let message = config(wrong).unwrap_err().message;
            assert!(!message.contains("geheim") && !message.contains("U5B"), "{message}");
        }
    }

    #[test]
    fn a_folder_is_where_the_process_stands_when_it_opens() {
        let config =
            |dir: &str| Config::parse(&format!("{{{CLOUD},\"store\":{{\"dir\":\"{dir}\"}}}}"), Unknown::Refuse);
        let here = std::env::current_dir().unwrap();
        assert_eq!(config("lots/1").unwrap().text("store.dir").map(PathBuf::from), Some(here.join("lots").join("1")));
        let whole = here.join("lots");
        let given = whole.to_str().unwrap().replace('\\', "/");
        assert_eq!(config(&given).unwrap().text("store.dir").map(PathBuf::from), Some(whole));
        assert_eq!(config("").unwrap().text("store.dir"), None);
    }

    #[test]
    fn the_original_face_passes_what_it_does_not_know() {
        let config = Config::parse(&format!("{{{CLOUD},\"extra\":1}}"), Unknown::Pass).unwrap();
        assert_eq!(config.unknown, ["extra"]);
    }

    #[test]
    fn every_default_is_within_its_own_range() {
        for spec in OPTIONS.iter().filter(|spec| !spec.default.is_empty()) {
            let value = json::parse(spec.default).unwrap();
            assert!(take(spec, value).is_ok(), "{}", spec.key);
        }
    }
}
