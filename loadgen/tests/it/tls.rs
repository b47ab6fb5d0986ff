//! TLS against real servers: whose certificates are trusted.

use std::sync::Arc;
use std::time::Duration;

use plimsoll_domain::schedule::Profile;
use plimsoll_domain::{Class, Outcomes};
use plimsoll_loadgen::TlsOptions;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::run::{Result, plan, run};
use crate::server::{Mode, Server, refused};

/// A private CA, with its certificate in PEM.
fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A server whose certificate a private CA signed, its URL and its CA's certificate.
async fn server() -> (String, String) {
    let ca = authority();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &ca).unwrap();
    (serve(leaf.der().clone(), &key).await, ca.pem())
}

/// A server whose certificate, made as `openssl req -x509` does, is its own authority; the URL and
/// the certificate.
async fn own_authority(change: impl FnOnce(&mut CertificateParams)) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    change(&mut params);
    let certificate = params.self_signed(&key).unwrap();
    (serve(certificate.der().clone(), &key).await, certificate.pem())
}

/// Answers each request on a TLS connection; the URL.
async fn serve(certificate: CertificateDer<'static>, key: &KeyPair) -> String {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
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
    url
}

/// 100 requests to this URL, with this trust.
async fn tried(url: &str, tls: &TlsOptions) -> Result {
    let mut plan = plan(&refused(), Profile::hold(100.0, Duration::from_secs(1)));
    (plan.url, plan.tls) = (url.to_owned(), tls.clone());
    run(plan).await
}

async fn outcomes(url: &str, tls: &TlsOptions) -> Outcomes {
    tried(url, tls).await.all.outcomes
}

#[tokio::test]
async fn a_private_ca_is_trusted_when_it_is_named_and_only_then() {
    let (url, ca) = server().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), ca).unwrap();
    let tls = TlsOptions { ca_file: Some(file.path().to_owned()), insecure: false };
    let trusted = outcomes(&url, &tls).await;
    assert_eq!(trusted.ok(), 100, "{trusted:?}");

    // Another CA of the same make.
    std::fs::write(file.path(), authority().pem()).unwrap();
    assert_eq!(outcomes(&url, &tls).await.of(Class::Tls), 100);

    // Nobody is asked.
    let insecure = outcomes(&url, &TlsOptions { ca_file: None, insecure: true }).await;
    assert_eq!(insecure.ok(), 100, "{insecure:?}");
}

#[tokio::test]
async fn a_certificate_that_is_itself_given_is_trusted_for_its_name_and_time() {
    let expired = |params: &mut CertificateParams| {
        params.not_after = date_time_ymd(2020, 1, 1);
    };
    let elsewhere = |params: &mut CertificateParams| {
        params.subject_alt_names = vec![SanType::DnsName("example.com".try_into().unwrap())];
    };
    for (server, ok) in [
        (own_authority(|_| {}).await, 100),
        (own_authority(expired).await, 0),
        (own_authority(elsewhere).await, 0),
    ] {
        let (url, certificate) = server;
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), certificate).unwrap();
        let tls = TlsOptions { ca_file: Some(file.path().to_owned()), insecure: false };
        let found = outcomes(&url, &tls).await;
        assert_eq!((found.ok(), found.of(Class::Tls)), (ok, 100 - ok), "{found:?}");
    }
}

#[tokio::test]
async fn a_handshake_that_fails_says_why_and_what_to_do() {
    let plain = Server::start(Mode::Garbage);
    let plain = plain.url().replace("http://", "https://");
    let expired = own_authority(|params| params.not_after = date_time_ymd(2020, 1, 1)).await;
    let elsewhere = own_authority(|params| {
        params.subject_alt_names = vec![SanType::DnsName("example.com".try_into().unwrap())];
    });
    let elsewhere = elsewhere.await;
    for ((url, given), said) in [
        (server().await, "signed by nobody that is trusted: give its authority's certificate with"),
        (own_authority(|_| {}).await, "its own authority, or not one for a server: if it is the"),
        (expired, "has expired (or this machine's clock is wrong)"),
        (elsewhere, "not for `localhost`, but for: example.com"),
        ((plain, authority().pem()), "does not speak TLS at this port"),
    ] {
        // What it says of a name or a date is only looked at in a certificate that is trusted.
        let file = tempfile::NamedTempFile::new().unwrap();
        let is_trusted = said.contains("expired") || said.contains("example.com");
        std::fs::write(file.path(), if is_trusted { given } else { authority().pem() }).unwrap();
        let tls = TlsOptions { ca_file: Some(file.path().to_owned()), insecure: false };
        let result = tried(&url, &tls).await;
        let examples = result.snapshots.iter().map(|snapshot| &snapshot.generator.examples);
        let told: Vec<_> = examples.filter_map(|examples| examples.get(&Class::Tls)).collect();
        assert!(told.first().is_some_and(|told| told.contains(said)), "{said}: {told:?}");
    }
}
