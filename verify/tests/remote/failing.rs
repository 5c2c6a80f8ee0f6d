//! An issuer that is away, slow, or not what it should be.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::{StatusCode, header};
use keyward_verify::{CheckError, FetchError, RemoteOptions, SourceError};
use serde_json::json;

use crate::issuer::{EDDSA, ES256, Signer};
use crate::site::{Page, Service, Site};

const DAY: u64 = 24 * 60 * 60;

async fn unavailable(service: &Service, token: &str) -> Arc<FetchError> {
    match service.verify(token).await {
        Err(CheckError::Unavailable(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_last_good_keys_serve_while_the_issuer_is_away_for_a_bounded_time() {
    let mut site = Site::start(&[&ES256]);
    let service = Service::with(&site, RemoteOptions::default().serve_stale(Duration::from_secs(1000)));
    let token = site.token(&ES256);
    assert!(service.accepts(&token).await);
    site.go_away().await;
    for _ in 0..12 {
        service.advance(100);
        assert!(service.accepts(&token).await);
    }
    service.advance(99);
    assert!(service.accepts(&token).await);
    service.advance(1);
    let error = unavailable(&service, &token).await;
    assert!(matches!(&*error, FetchError::Request { .. }), "{error}");

    site.come_back();
    site.publish(&[&EDDSA]);
    service.advance(1);
    assert!(service.accepts(&site.token(&EDDSA)).await);
    assert!(!service.accepts(&token).await, "the key went while the issuer was away");
}

#[tokio::test]
async fn by_default_a_day() {
    let site = Site::start(&[&ES256]);
    let service = Service::of(&site);
    let token = site.token(&ES256);
    assert!(service.accepts(&token).await);
    site.change(|page| page.status = StatusCode::SERVICE_UNAVAILABLE);
    service.advance(DAY + 299);
    let known = service.keyward.keys().current().await;
    assert!(known.is_ok());
    service.advance(1);
    unavailable(&service, &token).await;
}

#[tokio::test]
async fn a_clock_set_back_takes_no_keys_away() {
    let site = Site::start(&[&ES256]);
    let service = Service::with(&site, RemoteOptions::default().serve_stale(Duration::ZERO));
    let token = site.token(&ES256);
    assert!(service.accepts(&token).await);
    site.go_away().await;
    service.set_back(20);
    assert!(service.accepts(&token).await);
}

#[tokio::test]
async fn only_the_first_caller_waits_for_an_issuer_that_hangs() {
    let site = Site::start(&[&ES256]);
    let service = Service::with(&site, RemoteOptions::default().timeout(Duration::from_millis(600)));
    let token = site.token(&ES256);
    assert!(service.accepts(&token).await);
    site.change(|page| page.delay = Duration::from_secs(60));
    service.advance(300);
    let start = Instant::now();
    assert!(service.accepts(&token).await);
    assert!((500..5000).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
    for _ in 0..20 {
        service.advance(1);
        assert!(service.accepts(&token).await);
    }
    assert!(start.elapsed() < Duration::from_millis(1100), "{:?}", start.elapsed());
    assert_eq!(site.fetches(), 2, "the next try finds the issuer at /.well-known first");
}

#[tokio::test]
async fn a_first_fetch_that_fails_says_why_and_is_tried_again_soon() {
    let site = Site::start(&[&ES256]);
    site.change(|page| page.status = StatusCode::BAD_GATEWAY);
    let service = Service::of(&site);
    let token = site.token(&ES256);
    for _ in 0..50 {
        let error = unavailable(&service, &token).await;
        assert_eq!(error.to_string(), format!("{}/keys answered with status 502", site.issuer()));
    }
    assert_eq!(site.fetches(), 1, "not at every request");
    site.change(|page| page.status = StatusCode::OK);
    service.advance(1);
    assert!(service.accepts(&token).await);
}

/// What a site may do to its page, and a word of the refusal.
type Mistake = (&'static str, fn(&mut Page));

const MISTAKES: [Mistake; 12] = [
    ("is not a usable key set", |page| page.keys = "<html>".to_owned()),
    ("is not a usable key set", |page| page.keys = page.keys.replacen('{', r#"{"keys":[],"#, 1)),
    ("is not a usable key set", |page| page.keys = r#"{"keys":[{"kty":"oct","k":"AA"}]}"#.to_owned()),
    ("holds no usable key", |page| page.keys = r#"{"keys":[]}"#.to_owned()),
    ("holds no usable key", |page| page.keys = r#"{"keys":[{"kty":"AKP","kid":"a"}]}"#.to_owned()),
    ("is longer than 65536 bytes", |page| page.keys.push_str(&" ".repeat(65_536))),
    ("status 404", |page| page.status = StatusCode::NOT_FOUND),
    ("status 500", |page| page.status = StatusCode::INTERNAL_SERVER_ERROR),
    ("status 304", |page| page.status = StatusCode::NOT_MODIFIED),
    ("status 206", |page| page.status = StatusCode::PARTIAL_CONTENT),
    ("status 302", |page| redirect(page, StatusCode::FOUND)),
    ("status 308", |page| redirect(page, StatusCode::PERMANENT_REDIRECT)),
];

fn redirect(page: &mut Page, status: StatusCode) {
    page.status = status;
    page.headers.push((header::LOCATION, "/.well-known/openid-configuration".to_owned()));
}

#[tokio::test]
async fn a_bad_document_is_a_failed_fetch_and_the_good_keys_stay() {
    for (said, mistake) in MISTAKES {
        let site = Site::start(&[&ES256]);
        let good = site.change(|page| page.clone());
        site.change(mistake);
        let service = Service::of(&site);
        let token = site.token(&ES256);
        let error = unavailable(&service, &token).await.to_string();
        assert!(error.contains(said), "{said}: {error}");
        assert_eq!(site.change(|page| page.metadata_asked), 1, "no redirect was followed");

        site.change(|page| *page = good);
        service.advance(1);
        assert!(service.accepts(&token).await, "{said}");
        site.change(mistake);
        service.advance(300);
        assert!(service.accepts(&token).await, "{said}");
        assert_eq!(site.fetches(), 2, "{said}");
    }
}

#[tokio::test]
async fn metadata_must_be_the_issuers_own() {
    type Check = fn(&FetchError) -> bool;
    let cases: [(serde_json::Value, Check); 8] = [
        (json!({"issuer": "https://evil.example.com", "jwks_uri": "KEYS"}), |error| {
            matches!(error, FetchError::OtherIssuer { .. })
        }),
        (json!({"issuer": "ISSUER/", "jwks_uri": "KEYS"}), |error| {
            matches!(error, FetchError::OtherIssuer { .. })
        }),
        (json!({"jwks_uri": "KEYS"}), |error| matches!(error, FetchError::Metadata { .. })),
        (json!({"issuer": "ISSUER"}), |error| matches!(error, FetchError::Metadata { .. })),
        (json!("ISSUER"), |error| matches!(error, FetchError::Metadata { .. })),
        (json!({"issuer": "ISSUER", "jwks_uri": "http://169.254.169.254/latest"}), |error| {
            matches!(error, FetchError::JwksUri(SourceError::Insecure(_)))
        }),
        (json!({"issuer": "ISSUER", "jwks_uri": "file:///etc/keys"}), |error| {
            matches!(error, FetchError::JwksUri(SourceError::Url(_)))
        }),
        (json!({"issuer": "ISSUER", "jwks_uri": "/keys"}), |error| {
            matches!(error, FetchError::JwksUri(SourceError::Url(_)))
        }),
    ];
    for (metadata, expected) in cases {
        let site = Site::start(&[&ES256]);
        let text = metadata.to_string().replace("KEYS", &format!("{}/keys", site.issuer()));
        site.change(|page| page.metadata = text.replace("ISSUER", &format!("http://{}", site.address)));
        let error = unavailable(&Service::of(&site), &site.token(&ES256)).await;
        assert!(expected(&error), "{metadata}: {error}");
        assert_eq!(site.fetches(), 0);
    }
}

#[tokio::test]
async fn after_a_failure_the_keys_are_looked_for_anew() {
    let site = Site::start(&[&ES256]);
    let service = Service::of(&site);
    assert!(service.accepts(&site.token(&ES256)).await);
    site.change(|page| page.status = StatusCode::GONE);
    service.advance(300);
    assert!(service.accepts(&site.token(&ES256)).await);

    let elsewhere = Site::start(&[&EDDSA as &Signer]);
    let keys = format!("{}/keys", elsewhere.issuer());
    site.change(|page| page.metadata = json!({"issuer": site.issuer(), "jwks_uri": keys}).to_string());
    service.advance(1);
    assert!(service.accepts(&site.token(&EDDSA)).await);
    assert_eq!(elsewhere.fetches(), 1);
}
