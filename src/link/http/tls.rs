//! TLS over a line: the system's verifier, and the certificates of `http.ca_file` beside it.

use super::line::Buffer;
use crate::error::{Code, Error, Result};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::pki_types::UnixTime;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};
use rustls_platform_verifier::Verifier;
use std::io::{self, Read, Write};
use std::sync::Arc;
use ureq::unversioned::transport::{Buffers, NextTimeout, Transport, TransportAdapter};

/// The certificates in a PEM file.
pub fn read_certificates(path: &str) -> Result<Vec<CertificateDer<'static>>> {
    let wrong = |what: String| Error::new(Code::Config, format!("http.ca_file: {path}: {what}"));
    let certificates = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>)
        .map_err(|error| wrong(format!("cannot be read as PEM: {error}")))?;
    if certificates.is_empty() {
        return Err(wrong("holds no certificate; expected PEM with BEGIN CERTIFICATE".into()));
    }
    Ok(certificates)
}

/// What every TLS connection of a client shares, sessions to resume included.
pub fn configuration(extra: &[CertificateDer<'static>]) -> Result<Arc<ClientConfig>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let wrong = |error: rustls::Error| match error {
        rustls::Error::InvalidCertificate(why) if !extra.is_empty() => {
            Error::new(Code::Config, format!("http.ca_file: one of its certificates cannot be used: {why}"))
        }
        error => Error::new(
            Code::Tls,
            format!(
                "no certificates to check servers against: {error}; install the system's CA certificates or set http.ca_file"
            ),
        ),
    };
    let system = Verifier::new_with_extra_roots(extra.iter().cloned(), provider.clone()).map_err(wrong)?;
    let verifier = Trust { system, own: extra.to_vec() };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(wrong)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// The system's verifier, which will not have an authority's certificate as a server's. A server that signed its own, as
/// `openssl req -x509` makes them, shows just that: it is trusted when it stands in `http.ca_file` itself.
#[derive(Debug)]
struct Trust {
    system: Verifier,
    own: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        match self.system.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            // Its dates were looked at before.
            Err(rustls::Error::InvalidCertificate(CertificateError::Other(why)))
                if why.0.downcast_ref() == Some(&webpki::Error::CaUsedAsEndEntity) && self.own.contains(end_entity) =>
            {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        self.system.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        self.system.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.system.supported_verify_schemes()
    }
}

/// What to tell when TLS with `host` failed; `None` when something else did.
pub fn explain(host: &str, error: &io::Error) -> Option<Error> {
    let cause = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    let advice = match cause {
        // A certificate that signed itself and calls itself an authority is among the others.
        rustls::Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature | CertificateError::Other(_),
        ) => "; when the server has a certificate of your own authority, name its PEM file in http.ca_file",
        rustls::Error::InvalidCertificate(
            rustls::CertificateError::Expired
            | rustls::CertificateError::ExpiredContext { .. }
            | rustls::CertificateError::NotValidYet
            | rustls::CertificateError::NotValidYetContext { .. },
        ) => "; check this machine's clock",
        rustls::Error::InvalidMessage(_) => "; is this port meant for https?",
        _ => "",
    };
    Some(Error::new(Code::Tls, format!("TLS with {host} failed: {cause}{advice}")))
}

/// A line with TLS on it.
pub struct Tls {
    buffer: Buffer,
    stream: StreamOwned<ClientConnection, TransportAdapter>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

impl Tls {
    /// Shakes hands over `line`, in the time its adapter is set to.
    pub fn new(config: Arc<ClientConfig>, host: &str, mut line: TransportAdapter) -> io::Result<Self> {
        let name =
            ServerName::try_from(host.trim_start_matches('[').trim_end_matches(']').to_owned()).map_err(|_| {
                io::Error::new(io::ErrorKind::InvalidInput, format!("{host} cannot be a certificate's name"))
            })?;
        let mut connection = ClientConnection::new(config, name).map_err(io::Error::other)?;
        while connection.is_handshaking() {
            connection.complete_io(&mut line)?;
        }
        Ok(Tls { buffer: Buffer::default(), stream: StreamOwned { conn: connection, sock: line } })
    }
}

impl Transport for Tls {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffer
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> std::result::Result<(), ureq::Error> {
        self.stream.sock.set_timeout(timeout);
        self.stream.write_all(&self.buffer.output()[..amount])?;
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> std::result::Result<bool, ureq::Error> {
        self.stream.sock.set_timeout(timeout);
        let count = self.stream.read(self.buffer.input_append_buf())?;
        self.buffer.input_appended(count);
        Ok(count > 0)
    }

    fn is_open(&mut self) -> bool {
        let has_more = self.stream.conn.process_new_packets().map_or(true, |state| state.plaintext_bytes_to_read() > 0);
        !has_more && self.stream.sock.get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}
