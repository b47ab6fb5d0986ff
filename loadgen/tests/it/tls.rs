//! TLS against a real server whose certificate a private CA signed.

use std::sync::Arc;
use std::time::Duration;

use plimsoll_domain::Class;
use plimsoll_domain::schedule::Profile;
use plimsoll_loadgen::TlsOptions;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::run::{plan, run};
use crate::server::refused;

/// A server that answers each request on a TLS connection, its URL and its CA's certificate.
async fn server() -> (String, String) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &ca).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/score", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(tcp).await else { return };
                let mut request = [0; 4096];
                while stream.read(&mut request).await.is_ok_and(|count| count > 0) {
                    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
                    if stream.write_all(answer).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (url, ca.pem())
}

#[tokio::test]
async fn a_private_ca_is_trusted_when_it_is_named_and_only_then() {
    let (url, ca) = server().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), ca).unwrap();
    let options = TlsOptions { ca_file: Some(file.path().to_owned()) };
    let mut plan = plan(&refused(), Profile::hold(100.0, Duration::from_secs(1)));
    (plan.url, plan.tls) = (url.clone(), options.clone());
    let trusted = run(plan.clone()).await;
    assert_eq!(trusted.all.outcomes.ok(), 100, "{:?}", trusted.all.outcomes);

    // Another CA of the same make.
    let (_, other) = server().await;
    std::fs::write(file.path(), other).unwrap();
    (plan.url, plan.tls) = (url.clone(), options.clone());
    let refused = run(plan).await;
    assert_eq!(refused.all.outcomes.of(Class::Tls), 100);
}
