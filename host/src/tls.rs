//! HTTPS for the control plane, with a certificate authority of the host's own.
//!
//! Azure's SDK sends its token by HTTPS only. So an authority is made up that signs one certificate, for this machine's
//! loopback names, and is then forgotten: its key is never written, and nobody can sign another with it. Who wants to
//! speak to the host trusts `ca.pem`, in that program alone.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::secrets;

const CA: &str = "ca.pem";
const CERTIFICATE: &str = "host.pem";
const KEY: &str = "host-key.pem";

/// How a host serves HTTPS.
#[derive(Debug, Clone)]
pub(super) struct Tls {
    /// What its callers trust.
    pub(super) ca: PathBuf,
    pub(super) config: Arc<ServerConfig>,
}

impl Tls {
    /// What `folder` has from a host before, else made up and put there.
    pub(super) fn in_folder(folder: &Path) -> io::Result<Self> {
        if ![CA, CERTIFICATE, KEY].into_iter().all(|name| folder.join(name).exists()) {
            create(folder)?;
        }
        let certificates = CertificateDer::pem_file_iter(folder.join(CERTIFICATE))
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(io::Error::other)?;
        let key = PrivateKeyDer::from_pem_file(folder.join(KEY)).map_err(io::Error::other)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_single_cert(certificates, key)
            .map_err(io::Error::other)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { ca: folder.join(CA), config: Arc::new(config) })
    }
}

fn create(folder: &Path) -> io::Result<()> {
    let mut ca = CertificateParams::default();
    ca.distinguished_name.push(DnType::CommonName, "plimsoll host on this machine");
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let ca_key = KeyPair::generate().map_err(io::Error::other)?;
    let ca_certificate = ca.self_signed(&ca_key).map_err(io::Error::other)?;
    let authority = Issuer::new(ca, ca_key);

    let mut host =
        CertificateParams::new(vec!["localhost".to_owned()]).map_err(io::Error::other)?;
    host.distinguished_name.push(DnType::CommonName, "localhost");
    for ip in [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()] {
        host.subject_alt_names.push(SanType::IpAddress(ip));
    }
    host.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    host.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    host.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate().map_err(io::Error::other)?;
    let certificate = host.signed_by(&key, &authority).map_err(io::Error::other)?;

    secrets::write(&folder.join(KEY), &key.serialize_pem())?;
    fs::write(folder.join(CERTIFICATE), certificate.pem())?;
    fs::write(folder.join(CA), ca_certificate.pem())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[tokio::test]
    async fn who_trusts_the_authority_can_speak_to_the_host_and_others_cannot() {
        let folder = tempfile::tempdir().unwrap();
        let tls = Tls::in_folder(folder.path()).unwrap();
        for (trusted, good) in [(true, true), (false, false)] {
            let mut roots = rustls::RootCertStore::empty();
            if trusted {
                roots.add(CertificateDer::from_pem_file(&tls.ca).unwrap()).unwrap();
            }
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let client = rustls::ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(roots)
                .with_no_client_auth();
            for name in ["127.0.0.1", "localhost"] {
                let (here, there) = tokio::io::duplex(64 * 1024);
                let connector = tokio_rustls::TlsConnector::from(Arc::new(client.clone()));
                let acceptor = tokio_rustls::TlsAcceptor::from(Arc::clone(&tls.config));
                let (asked, answered) = tokio::join!(
                    connector.connect(name.try_into().unwrap(), here),
                    acceptor.accept(there)
                );
                assert_eq!((asked.is_ok(), answered.is_ok()), (good, good), "{name}");
            }
        }
    }

    #[test]
    fn a_certificate_is_made_once_and_its_key_is_the_users_own() {
        let folder = tempfile::tempdir().unwrap();
        let tls = Tls::in_folder(folder.path()).unwrap();
        let first = fs::read(&tls.ca).unwrap();
        let mode = fs::metadata(folder.path().join(KEY)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let again = Tls::in_folder(folder.path()).unwrap();
        assert_eq!(fs::read(again.ca).unwrap(), first);
    }
}
