//! Where the paths of the open API live (API 1.3, 3.11, 8.7).

use crate::config::Config;
use crate::error::{Code, Error, Result};

/// Beginnings of paths, and their test and production hosts; the first that fits.
const KNOWN: [(&str, &str, Option<&str>); 3] = [
    ("/zld/", "https://test.bolink.club", Some("https://yun.bolink.club")),
    ("/yitong/", "http://120.79.137.171:8085", None),
    ("/", "https://beta.bolink.club", Some("https://s.bolink.club")),
];

/// The chosen hosts.
pub struct Hosts {
    base: String,
    community: Option<String>,
}

impl Hosts {
    /// By `union.base` and `union.community_base`.
    pub fn new(config: &Config) -> Hosts {
        let trimmed = |text: &str| text.trim_end_matches('/').to_owned();
        let base = trimmed(config.text("union.base").unwrap_or_default());
        Hosts { base, community: config.text("union.community_base").map(trimmed) }
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> Result<String> {
        if let Some(base) = self.community.as_ref().filter(|_| path.starts_with("/yitong/")) {
            return Ok(format!("{base}{path}"));
        }
        let known = KNOWN.iter().find(|(start, ..)| path.starts_with(start));
        let base = match (self.base.to_ascii_lowercase().as_str(), known) {
            ("test", Some((_, test, _))) => test,
            ("production", Some((.., production))) => production.ok_or_else(|| {
                let message = format!("{path}: no production address is documented; give union.community_base");
                Error::new(Code::NotConfigured, message)
            })?,
            _ => self.base.as_str(),
        };
        Ok(format!("{base}{path}"))
    }

    /// One address of each host, to be checked at open.
    pub fn all(&self) -> Vec<String> {
        ["/", "/yitong/"].iter().filter_map(|path| self.url(path).ok()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(base: &str, path: &str) -> Option<String> {
        Hosts { base: base.to_owned(), community: None }.url(path).ok()
    }

    #[test]
    fn documented_hosts_by_word_and_any_by_url() {
        let add = "/unionapi/neworder/addorder";
        assert_eq!(url("test", add).unwrap(), format!("https://beta.bolink.club{add}"));
        assert_eq!(url("Production", add).unwrap(), format!("https://s.bolink.club{add}"));
        assert_eq!(url("production", "/zld/openservice/x").unwrap(), "https://yun.bolink.club/zld/openservice/x");
        assert_eq!(url("test", "/yitong/facekey/x").unwrap(), "http://120.79.137.171:8085/yitong/facekey/x");
        assert_eq!(url("production", "/yitong/facekey/x"), None);
        assert_eq!(url("http://h:1/b", "/zld/x").unwrap(), "http://h:1/b/zld/x");
        let own = Hosts { base: "production".into(), community: Some("https://c".into()) };
        assert_eq!(own.url("/yitong/facekey/x").unwrap(), "https://c/yitong/facekey/x");
    }
}
