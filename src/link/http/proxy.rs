//! Which way to a server: straight, or by a proxy that the option or the environment names.

use crate::config::Config;
use crate::error::{Code, Error, Result};
use ureq::http::Uri;
use ureq::http::header::HeaderValue;
use ureq::{Proxy, ProxyProtocol};

/// The ways for both schemes.
#[derive(Debug, Clone, Default)]
pub struct Ways {
    http: Option<Proxy>,
    https: Option<Proxy>,
    /// Hosts that are reached without the proxy.
    direct: Vec<String>,
}

impl Ways {
    /// From `http.proxy`, else from the environment.
    pub fn new(config: &Config) -> Result<Ways> {
        Self::choose(config.given("http.proxy"), |name| std::env::var(name).ok())
    }

    fn choose(option: Option<&str>, environment: impl Fn(&str) -> Option<String>) -> Result<Ways> {
        if let Some(text) = option {
            let proxy = parse("http.proxy", text)?;
            return Ok(Ways { http: proxy.clone(), https: proxy, direct: Vec::new() });
        }
        let variable = |name: &str| {
            [name.to_owned(), name.to_uppercase()]
                .into_iter()
                .find_map(|name| environment(&name).filter(|text| !text.is_empty()).map(|text| (name, text)))
        };
        let proxy = |name: &str| match variable(name).or_else(|| variable("all_proxy")) {
            Some((name, text)) => parse(&name, &text),
            None => Ok(None),
        };
        let direct = variable("no_proxy").map(|(_, text)| text).unwrap_or_default();
        Ok(Ways {
            http: proxy("http_proxy")?,
            https: proxy("https_proxy")?,
            direct: direct.split([',', ' ']).filter(|entry| !entry.is_empty()).map(str::to_lowercase).collect(),
        })
    }

    /// The proxy on the way to `uri`.
    pub fn proxy(&self, uri: &Uri) -> Option<&Proxy> {
        let proxy = if uri.scheme_str() == Some("https") { &self.https } else { &self.http };
        proxy.as_ref().filter(|_| !uri.host().is_some_and(|host| self.is_direct(host)))
    }

    fn is_direct(&self, host: &str) -> bool {
        let host = host.trim_start_matches('[').trim_end_matches(']').to_lowercase();
        self.direct.iter().any(|entry| {
            let entry = entry.trim_start_matches('*').trim_start_matches('.');
            let inside = || host.strip_suffix(entry).is_some_and(|rest| rest.ends_with('.'));
            entry.is_empty() || host == entry || inside()
        })
    }
}

fn parse(source: &str, text: &str) -> Result<Option<Proxy>> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    // The text may hold a password: it is not shown.
    let wrong =
        || Error::new(Code::Config, format!("{source}: not a proxy; expected http://[user:password@]host:port"));
    let proxy = Proxy::new(text.trim()).map_err(|_| wrong())?;
    match proxy.protocol() {
        ProxyProtocol::Http | ProxyProtocol::Https if !proxy.host().is_empty() => Ok(Some(proxy)),
        _ => Err(wrong()),
    }
}

/// What a forwarding proxy wants to know of the user.
pub fn authorization(proxy: &Proxy) -> Option<HeaderValue> {
    let (user, password) = (proxy.username().unwrap_or(""), proxy.password().unwrap_or(""));
    if user.is_empty() && password.is_empty() {
        return None;
    }
    let mut value = HeaderValue::try_from(format!("Basic {}", base64(format!("{user}:{password}").as_bytes()))).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(ways: &Ways, url: &str) -> Option<u16> {
        ways.proxy(&url.parse().unwrap()).map(Proxy::port)
    }

    fn choose(option: Option<&str>, environment: &[(&str, &str)]) -> Result<Ways> {
        Ways::choose(option, |name| {
            environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn option_before_environment_before_none() {
        let environment = [("http_proxy", "http://p:1"), ("HTTPS_PROXY", "http://p:2"), ("all_proxy", "http://p:3")];
        let ways = choose(Some("http://p:9"), &environment).unwrap();
        assert_eq!((way(&ways, "http://a/"), way(&ways, "https://a/")), (Some(9), Some(9)));
        let ways = choose(Some(""), &environment).unwrap();
        assert_eq!((way(&ways, "http://a/"), way(&ways, "https://a/")), (None, None));
        let ways = choose(None, &environment).unwrap();
        assert_eq!((way(&ways, "http://a/"), way(&ways, "https://a/")), (Some(1), Some(2)));
        let ways = choose(None, &environment[2..]).unwrap();
        assert_eq!((way(&ways, "http://a/"), way(&ways, "https://a/")), (Some(3), Some(3)));
        assert_eq!(way(&choose(None, &[]).unwrap(), "http://a/"), None);
    }

    #[test]
    fn no_proxy_names_hosts_and_domains() {
        let environment = [("http_proxy", "p:1"), ("no_proxy", "localhost, .lan,Bolink.club,127.0.0.1")];
        let ways = choose(None, &environment).unwrap();
        for host in ["localhost", "gate.lan", "lan", "bolink.club", "P.bolink.CLUB", "127.0.0.1"] {
            assert_eq!(way(&ways, &format!("http://{host}/")), None, "{host}");
        }
        for host in ["xlan", "notbolink.club", "10.0.0.1"] {
            assert_eq!(way(&ways, &format!("http://{host}/")), Some(1), "{host}");
        }
        let ways = choose(None, &[("http_proxy", "p:1"), ("NO_PROXY", "*")]).unwrap();
        assert_eq!(way(&ways, "http://a/"), None);
    }

    #[test]
    fn a_wrong_proxy_is_an_error_without_its_password() {
        for text in ["socks5://u:geheim@h:1", "http://u:geheim@", "ftp://geheim", "http://u:gehe im@h:1"] {
            let error = choose(Some(text), &[]).unwrap_err();
            assert_eq!(error.code, Code::Config, "{text}");
            assert!(!error.message.contains("gehe"), "{}", error.message);
            assert!(choose(None, &[("http_proxy", text)]).is_err());
        }
    }
}
