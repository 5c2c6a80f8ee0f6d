//! What keys may come over.

use std::net::{SocketAddr, TcpListener};

use axum::Router;
use axum::routing::get;
use axum_server::tls_rustls::RustlsConfig;
use keyward_verify::{FetchError, Jwks, RemoteKeys, RemoteOptions, SourceError};
use rcgen::CertifiedKey;

use crate::issuer::ES256;

/// Serves the keys over TLS, and returns where, and the certificate in PEM.
async fn tls_site() -> (SocketAddr, String) {
    // What an application does once, and the fetching client must not depend on.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let config = RustlsConfig::from_pem(cert.pem().into(), signing_key.serialize_pem().into());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let keys = serde_json::to_string(&Jwks { keys: vec![ES256.jwk()] }).unwrap();
    let app = Router::new().route("/keys", get(|| async { keys }));
    let server = axum_server::from_tcp_rustls(listener, config.await.unwrap()).unwrap();
    tokio::spawn(server.serve(app.into_make_service()));
    (address, cert.pem())
}

#[tokio::test]
async fn keys_come_over_https_from_whom_the_service_trusts() {
    let (address, certificate) = tls_site().await;
    let url = format!("https://localhost:{}/keys", address.port());
    let trusting = RemoteKeys::at_url(&url, RemoteOptions::default().trust_only(certificate.clone()));
    assert_eq!(trusting.unwrap().current().await.unwrap().kids().count(), 1);

    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap().cert.pem();
    let wrong_name = format!("https://127.0.0.1:{}/keys", address.port());
    for (url, certificate, said) in
        [(&url, other, "invalid peer certificate"), (&wrong_name, certificate, "not valid for name")]
    {
        let keys = RemoteKeys::at_url(url, RemoteOptions::default().trust_only(certificate)).unwrap();
        let error = keys.current().await.unwrap_err();
        assert!(matches!(&*error, FetchError::Request { .. }));
        assert!(error.to_string().contains(said), "{said}: {error}");
    }
}

#[test]
fn plain_http_elsewhere_has_to_be_asked_for() {
    let insecure = RemoteKeys::of_issuer("http://auth.example.com", RemoteOptions::default());
    assert!(matches!(insecure, Err(SourceError::Insecure(_))));
    let insecure = RemoteKeys::at_url("http://10.0.0.1/keys", RemoteOptions::default());
    assert!(matches!(insecure, Err(SourceError::Insecure(_))));
    RemoteKeys::of_issuer("http://auth.example.com", RemoteOptions::default().allow_plain_http()).unwrap();
    RemoteKeys::of_issuer("http://127.0.0.1:7300", RemoteOptions::default()).unwrap();
}

#[test]
fn what_cannot_be_a_source_is_refused_at_once() {
    for text in ["", "auth.example.com", "/keys", "file:///etc/passwd"] {
        let refused = RemoteKeys::at_url(text, RemoteOptions::default().allow_plain_http());
        assert!(matches!(refused, Err(SourceError::Url(_))), "{text}");
    }
    for pem in ["not PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let refused = RemoteKeys::at_url("https://a.example.com/", RemoteOptions::default().trust_only(pem));
        assert!(matches!(refused, Err(SourceError::Tls(_))), "{pem}");
    }
}
