//! Where Bolink's HTTP mode is.

use crate::config::Config;
use crate::error::{Code, Error, Result};
use ureq::http::Uri;

/// The TCP hosts of the documents, which speak no HTTP, and the HTTP hosts of the same platform.
const TWINS: [(&str, &str); 2] = [("beta.bolink.club", "ptest.bolink.club"), ("s.bolink.club", "p.bolink.club")];
const TCP_PORTS: [i64; 2] = [6789, 16789];

/// The address before `/upload.do` and `/download.do`.
pub fn base(config: &Config) -> Result<String> {
    let given = config.text("bolink_addr").unwrap_or_default();
    let bport = config.number("bport");
    let twin = TWINS.iter().find(|(tcp, _)| tcp.eq_ignore_ascii_case(given)).filter(|_| TCP_PORTS.contains(&bport));
    if let Some((_, twin)) = twin {
        return Ok(format!("http://{twin}/bpd"));
    }
    let wrong = || {
        let text = format!("bolink_addr: expected a host or http(s)://host[:port][/path], found \"{given}\"");
        Error::new(Code::Config, text)
    };
    let text = if given.contains("://") { given.to_owned() } else { format!("http://{given}") };
    let uri: Uri = text.parse().map_err(|_| wrong())?;
    let scheme = uri.scheme_str().filter(|scheme| matches!(*scheme, "http" | "https")).ok_or_else(wrong)?;
    let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(wrong)?;
    if uri.query().is_some() || uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err(wrong());
    }
    let port = match uri.port_u16() {
        Some(port) => format!(":{port}"),
        // Bport's default is http's; https has its own.
        None if config.is_given("bport") && bport != 80 => format!(":{bport}"),
        None => String::new(),
    };
    let path = match uri.path().trim_end_matches('/') {
        "" => "/bpd",
        path => path,
    };
    Ok(format!("{scheme}://{host}{port}{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Unknown;

    fn base_of(addr: &str, bport: Option<u16>) -> Result<String> {
        let mut config = serde_json::json!({"park_id": "1", "union_id": "2", "ukey": "k", "bolink_addr": addr});
        if let Some(port) = bport {
            config["bport"] = port.into();
        }
        base(&Config::parse(&config.to_string(), Unknown::Refuse).unwrap())
    }

    #[test]
    fn hosts_urls_and_twins() {
        for (addr, bport, expected) in [
            ("p.bolink.club", None, "http://p.bolink.club/bpd"),
            ("p.bolink.club", Some(80), "http://p.bolink.club/bpd"),
            ("127.0.0.1", Some(8080), "http://127.0.0.1:8080/bpd"),
            ("127.0.0.1:81", Some(8080), "http://127.0.0.1:81/bpd"),
            ("[::1]", Some(8080), "http://[::1]:8080/bpd"),
            ("https://host", None, "https://host/bpd"),
            ("https://host", Some(80), "https://host/bpd"),
            ("https://host:8443/a/b/", Some(80), "https://host:8443/a/b"),
            ("http://host/", None, "http://host/bpd"),
            ("beta.bolink.club", Some(6789), "http://ptest.bolink.club/bpd"),
            ("s.bolink.club", Some(16789), "http://p.bolink.club/bpd"),
            ("S.Bolink.Club", Some(6789), "http://p.bolink.club/bpd"),
            ("s.bolink.club", Some(81), "http://s.bolink.club:81/bpd"),
            ("other.club", Some(6789), "http://other.club:6789/bpd"),
        ] {
            assert_eq!(base_of(addr, bport).unwrap(), expected, "{addr} {bport:?}");
        }
    }

    #[test]
    fn what_is_no_address() {
        for addr in ["ftp://host", "http://", "a b", "http://u:p@host", "http://host/a?b=c", "://"] {
            let error = base_of(addr, None).unwrap_err();
            assert_eq!(error.code, Code::Config, "{addr}");
            assert!(error.message.contains("bolink_addr"));
        }
    }
}
