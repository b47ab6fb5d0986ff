//! The gRPC channel to a receiver, and its headers as metadata.

use std::io;
use std::time::Duration;

use hyper::HeaderMap;
use tonic::metadata::MetadataMap;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

use super::config::receiver::Receiver;
use super::error::Error;

/// Establishing a connection takes at most this long, so that a dead receiver is noticed while
/// there is still time for another try.
const CONNECT: Duration = Duration::from_secs(3);

/// A channel that connects when it is first used, and again after a failure. Needs a runtime.
pub(super) fn open(receiver: &Receiver) -> Result<Channel, Error> {
    let failed = |error: tonic::transport::Error| Error::Tls {
        endpoint: receiver.endpoint.to_string(),
        source: io::Error::other(error),
    };
    let mut endpoint = Endpoint::from(receiver.endpoint.clone())
        .connect_timeout(CONNECT.min(receiver.timeout))
        .timeout(receiver.timeout);
    let agent = concat!("plimsoll/", env!("CARGO_PKG_VERSION"));
    endpoint = endpoint.user_agent(agent).map_err(failed)?;
    if receiver.is_https() {
        let tls = match &receiver.certificate {
            Some(pem) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem)),
            None => ClientTlsConfig::new().with_native_roots(),
        };
        endpoint = endpoint.tls_config(tls).map_err(failed)?;
    }
    Ok(endpoint.connect_lazy())
}

/// The headers that go with every call.
pub(super) fn metadata(headers: &HeaderMap) -> MetadataMap {
    MetadataMap::from_headers(headers.clone())
}
