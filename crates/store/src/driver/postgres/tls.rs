//! TLS to the server, under libpq's `sslmode` (PostgreSQL 15 documentation, §34.19).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::StoreError;
use crate::url::{PostgresUrl, SslMode};

/// Whom a certificate has to convince.
#[derive(Debug)]
enum Trust {
    /// Nobody: the connection is private, but with whom is not known.
    Anyone,
    /// An authority, whatever the name.
    Authority(Arc<WebPkiServerVerifier>),
    /// An authority, for the host that was asked for.
    Host(Arc<WebPkiServerVerifier>),
}

#[derive(Debug)]
struct Verifier {
    trust: Trust,
    provider: Arc<CryptoProvider>,
}

/// What turns a plain connection into a protected one.
pub(super) fn connector(url: &PostgresUrl) -> Result<MakeRustlsConnect, StoreError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Arc::new(Verifier { trust: trust(url, &provider)?, provider: Arc::clone(&provider) });
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match &url.client_certificate {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let key = PrivateKeyDer::from_pem_file(key).map_err(|problem| in_file(key, "sslkey", &problem))?;
            builder.with_client_auth_cert(certificates(certificate, "sslcert")?, key).map_err(unusable)?
        }
    };
    config.alpn_protocols = vec![b"postgresql".to_vec()];
    Ok(MakeRustlsConnect::new(config))
}

fn trust(url: &PostgresUrl, provider: &Arc<CryptoProvider>) -> Result<Trust, StoreError> {
    let roots = match &url.root_certificates {
        Some(path) if path.as_os_str() == "system" => system_roots()?,
        Some(path) => store(certificates(path, "sslrootcert")?)?,
        None => match default_root_file().filter(|path| path.exists()) {
            Some(path) => store(certificates(&path, "sslrootcert")?)?,
            // With a name to compare, the machine's authorities will do; without, anybody's certificate would.
            None if url.ssl_mode == SslMode::VerifyFull => system_roots()?,
            None if url.ssl_mode == SslMode::VerifyCa => {
                return Err(unusable(Error::General("sslmode=verify-ca needs sslrootcert".to_owned())));
            }
            None => return Ok(Trust::Anyone),
        },
    };
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|problem| StoreError::Io { cause: Arc::new(problem) })?;
    Ok(match url.ssl_mode {
        SslMode::VerifyFull => Trust::Host(verifier),
        // libpq's rule: whoever brings authorities wants them asked.
        SslMode::VerifyCa | SslMode::Require => Trust::Authority(verifier),
        SslMode::Disable | SslMode::Allow | SslMode::Prefer => Trust::Anyone,
    })
}

fn default_root_file() -> Option<PathBuf> {
    std::env::var_os("HOME").map(|home| Path::new(&home).join(".postgresql/root.crt"))
}

fn system_roots() -> Result<RootCertStore, StoreError> {
    store(rustls_native_certs::load_native_certs().certs)
}

fn store(certificates: Vec<CertificateDer<'static>>) -> Result<RootCertStore, StoreError> {
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(certificates);
    if added == 0 { Err(unusable(Error::General("no authority to trust was found".to_owned()))) } else { Ok(roots) }
}

fn certificates(path: &Path, parameter: &'static str) -> Result<Vec<CertificateDer<'static>>, StoreError> {
    CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|problem| in_file(path, parameter, &problem))
}

#[derive(Debug, thiserror::Error)]
#[error("{parameter}: {} cannot be used: {problem}", path.display())]
struct InFile {
    parameter: &'static str,
    path: PathBuf,
    problem: String,
}

fn in_file(path: &Path, parameter: &'static str, problem: &rustls::pki_types::pem::Error) -> StoreError {
    StoreError::Io { cause: Arc::new(InFile { parameter, path: path.to_owned(), problem: problem.to_string() }) }
}

fn unusable(problem: Error) -> StoreError {
    StoreError::Io { cause: Arc::new(problem) }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let by = |verifier: &WebPkiServerVerifier| {
            verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        };
        match &self.trust {
            Trust::Anyone => Ok(ServerCertVerified::assertion()),
            Trust::Host(verifier) => by(verifier),
            // The name is the last thing that is looked at.
            Trust::Authority(verifier) => match by(verifier) {
                Err(Error::InvalidCertificate(
                    CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
                )) => Ok(ServerCertVerified::assertion()),
                verdict => verdict,
            },
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
