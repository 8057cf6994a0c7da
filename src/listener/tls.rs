//! TLS of the listener: its certificate and key.

use crate::config::Config;
use crate::error::{Code, Error, Result};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// By `listen.tls_cert` and `listen.tls_key`; `None` without them.
pub fn acceptor(config: &Config) -> Result<Option<TlsAcceptor>> {
    let (Some(chain), Some(key)) = (config.text("listen.tls_cert"), config.text("listen.tls_key")) else {
        return Ok(None);
    };
    let wrong = |option: &str, path: &str, why: &dyn std::fmt::Display| {
        Error::new(Code::Config, format!("{option}: {path}: {why}; expected a PEM file"))
    };
    let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(chain)
        .and_then(Iterator::collect)
        .map_err(|error| wrong("listen.tls_cert", chain, &error))?;
    if certificates.is_empty() {
        return Err(wrong("listen.tls_cert", chain, &"it holds no certificate"));
    }
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong("listen.tls_key", key, &error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(certificates, key))
        .map_err(|error| wrong("listen.tls_cert", chain, &error))?;
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Some(TlsAcceptor::from(Arc::new(tls))))
}
