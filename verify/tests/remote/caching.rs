//! When keys are fetched, and when not.

use std::time::Duration;

use axum::http::header;
use keyward_verify::{CheckError, RemoteOptions, VerifyError};

use crate::issuer::{EDDSA, ES256, RS256};
use crate::site::{Service, Site};

#[tokio::test]
async fn the_issuers_url_is_all_that_a_service_knows() {
    let site = Site::start(&[&ES256]);
    let service = Service::of(&site);
    assert_eq!(site.fetches(), 0, "nothing is fetched before it is needed");
    let claims = service.verify(&site.token(&ES256)).await.unwrap();
    assert_eq!(claims.sub, "user-1");
    for _ in 0..100 {
        assert!(service.accepts(&site.token(&ES256)).await);
    }
    assert_eq!((site.fetches(), site.change(|page| page.metadata_asked)), (1, 1));
}

#[tokio::test]
async fn keys_are_used_for_their_max_age_and_then_confirmed_or_replaced() {
    let site = Site::start(&[&ES256]);
    site.change(|page| page.headers.push((header::ETAG, "\"one\"".to_owned())));
    let service = Service::of(&site);
    let (old, new) = (site.token(&ES256), site.token(&EDDSA));
    assert!(service.accepts(&old).await);
    service.advance(299);
    assert!(service.accepts(&old).await);
    assert_eq!(site.fetches(), 1);

    service.advance(1);
    assert!(service.accepts(&old).await);
    assert_eq!((site.fetches(), site.change(|page| page.unchanged)), (2, 1), "confirmed by its ETag");
    service.advance(299);
    assert!(service.accepts(&old).await);
    assert_eq!(site.fetches(), 2, "for another max-age");

    site.publish(&[&EDDSA]);
    site.change(|page| page.headers[1].1 = "\"two\"".to_owned());
    service.advance(1);
    let gone = service.verify(&old).await;
    assert!(matches!(gone, Err(CheckError::Refused(VerifyError::UnknownKey { .. }))), "{gone:?}");
    assert!(service.accepts(&new).await);
    assert_eq!(site.change(|page| page.unchanged), 2, "only the look for the unknown kid found it unchanged");
    assert_eq!(site.change(|page| page.metadata_asked), 1);
}

#[tokio::test]
async fn an_answer_without_etag_is_fetched_whole_again() {
    let site = Site::start(&[&ES256]);
    site.change(|page| page.headers[0].1 = "max-age=1".to_owned());
    let service = Service::of(&site);
    for (after, fetches) in [(0, 1), (9, 1), (1, 2), (9, 2), (1, 3)] {
        service.advance(after);
        assert!(service.accepts(&site.token(&ES256)).await);
        assert_eq!(site.fetches(), fetches, "ten seconds at least");
    }
    assert_eq!(site.change(|page| page.unchanged), 0);
}

#[tokio::test]
async fn a_new_key_is_picked_up_at_its_first_token() {
    let site = Site::start(&[&ES256]);
    let service = Service::of(&site);
    assert!(service.accepts(&site.token(&ES256)).await);
    for signer in [&EDDSA, &RS256, &ES256] {
        site.publish(&[signer]);
        assert!(service.accepts(&site.token(signer)).await);
        service.advance(10);
    }
    assert_eq!(site.fetches(), 4);
}

#[tokio::test]
async fn hostile_kids_cannot_make_it_hammer_the_issuer() {
    let site = Site::start(&[&ES256]);
    let service = Service::of(&site);
    let hostile = |n: usize| {
        let header = format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":"{n}"}}"#);
        site.token_with_header(&ES256, &header)
    };
    for n in 0..100 {
        let refused = service.verify(&hostile(n)).await;
        assert!(matches!(refused, Err(CheckError::Refused(VerifyError::UnknownKey { .. }))), "{refused:?}");
    }
    assert_eq!(site.fetches(), 2, "the first, and one to look for them");
    service.advance(9);
    assert!(!service.accepts(&hostile(0)).await);
    assert_eq!(site.fetches(), 2);
    service.advance(1);
    assert!(!service.accepts(&hostile(0)).await);
    assert_eq!(site.fetches(), 3);
    // A clock that is set back does not prolong the cool-down.
    service.set_back(5);
    assert!(!service.accepts(&hostile(0)).await);
    assert_eq!(site.fetches(), 5, "once for the time of day, once for the kid");
    // Whatever is wrong otherwise asks nobody.
    service.advance(10);
    for junk in ["", "a.b.c", &hostile(0).replace('.', ""), &"x".repeat(100_000)] {
        assert!(!service.accepts(junk).await);
    }
    assert_eq!(site.fetches(), 5);
}

#[tokio::test]
async fn concurrent_callers_share_one_fetch() {
    let site = Site::start(&[&ES256]);
    site.change(|page| page.delay = Duration::from_millis(200));
    let service = Service::of(&site);
    let all = |token: String| {
        let service = service.clone();
        async move {
            let callers: Vec<_> = (0..50)
                .map(|_| {
                    let (service, token) = (service.clone(), token.clone());
                    tokio::spawn(async move { service.accepts(&token).await })
                })
                .collect();
            for caller in callers {
                assert!(caller.await.unwrap());
            }
        }
    };
    all(site.token(&ES256)).await;
    assert_eq!(site.fetches(), 1);
    site.publish(&[&EDDSA]);
    all(site.token(&EDDSA)).await;
    assert_eq!(site.fetches(), 2);
    service.advance(300);
    all(site.token(&EDDSA)).await;
    assert_eq!(site.fetches(), 3);
}

#[tokio::test]
async fn a_caller_who_leaves_does_not_end_the_fetch_for_the_others() {
    let site = Site::start(&[&ES256]);
    site.change(|page| page.delay = Duration::from_millis(200));
    let service = Service::with(&site, RemoteOptions::default());
    let token = site.token(&ES256);
    let first = tokio::time::timeout(Duration::from_millis(50), service.verify(&token)).await;
    assert!(first.is_err(), "left before the answer came");
    assert!(service.accepts(&token).await);
    assert_eq!(site.fetches(), 1);
}
