//! TLS towards others, by the certificates that the system trusts.
use std::fs;
use std::path::Path;
use std::sync::Arc;

use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::base::{Error, Result};

/// The certificates of a file (PEM), which are trusted beside those of the system.
///
/// # Errors
/// `Error::Invalid` naming `outbound.ca_file`.
pub fn read_ca_file(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let wrong = |cause: &dyn std::fmt::Display| {
        Error::invalid("outbound.ca_file", format!("cannot be used: {}: {cause}", path.display()))
    };
    let text = fs::read(path).map_err(|cause| wrong(&cause))?;
    let found: Vec<_> =
        CertificateDer::pem_slice_iter(&text).collect::<Result<_, _>>().map_err(|cause| wrong(&cause))?;
    if found.is_empty() { Err(wrong(&"it holds no certificate")) } else { Ok(found) }
}

/// How others have to prove who they are: TLS 1.2 or 1.3, and a certificate that leads to one that is trusted.
///
/// # Errors
/// `Error::Internal` when the cryptography refuses its own defaults.
pub fn client_config(own: &[CertificateDer<'static>]) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    // What cannot be read is not trusted; a machine without any has none.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots.add_parsable_certificates(own.iter().cloned());
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|cause| Error::Internal(format!("TLS: {cause}")))?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}
