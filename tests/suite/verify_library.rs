//! `keyward-verify` as another service uses it: it knows a URL, and judges tokens on its own.

use std::time::Duration;

use keyward::app::RotateWhen;
use keyward::domain::KeyState;
use keyward_verify::{CheckError, Keyward, RemoteKeys, RemoteOptions, Verifier, VerifyError};

use crate::support::{ISSUER, TestServer};

/// A service that trusts the server, at the server's time.
fn service(server: &TestServer, audience: &str) -> Keyward {
    let clock = server.clock.clone();
    let options = RemoteOptions::default().clock(move || clock.now().to_offset_date_time().into());
    let url = format!("http://{}/.well-known/jwks.json", server.public);
    let keys = RemoteKeys::at_url(&url, options).expect("a URL");
    Keyward::with(Verifier::new(ISSUER, audience), keys)
}

#[tokio::test]
async fn another_service_reads_who_calls_from_the_token_alone() {
    let mut server = TestServer::start().await;
    let user = server.user().await;
    let me = user.me().await.expect_status(200);
    let service = service(&server, ISSUER);
    let claims = service.verify(&user.access_token).await.expect("a good token");
    assert_eq!((claims.sub, claims.sid), (me.text("id"), me.text("session_id")));
    assert_eq!(claims.roles, ["user"]);

    // Still so while the server is away, until the token's time is over.
    server.stop().await;
    service.verify(&user.access_token).await.expect("a good token");
    server.clock.advance(Duration::from_secs(631));
    let refused = service.verify(&user.access_token).await;
    assert!(matches!(refused, Err(CheckError::Refused(VerifyError::Expired))), "{refused:?}");
}

#[tokio::test]
async fn tokens_for_someone_else_and_other_credentials_are_refused() {
    let server = TestServer::start().await;
    let user = server.user().await;
    let elsewhere = service(&server, "https://other.example.com").verify(&user.access_token).await;
    assert!(matches!(elsewhere, Err(CheckError::Refused(VerifyError::Audience))), "{elsewhere:?}");
    let refresh = service(&server, ISSUER).verify(&user.refresh_token).await;
    assert!(matches!(refresh, Err(CheckError::Refused(VerifyError::Malformed))), "{refresh:?}");
}

#[tokio::test]
async fn rotations_of_the_signing_key_are_picked_up_at_the_first_token() {
    let server = TestServer::start().await;
    let mut user = server.user().await;
    let service = service(&server, ISSUER);
    service.verify(&user.access_token).await.expect("a good token");
    let operator = server.operator();
    for _ in 0..10 {
        // The least time that the library leaves between two looks for an unknown key.
        server.clock.advance(Duration::from_secs(10));
        let key = server.app.keys_rotate(&operator, RotateWhen::Now).await.expect("a rotation");
        let old = user.access_token.clone();
        user.refresh().await.expect_status(200);
        assert_ne!(old, user.access_token);
        service.verify(&user.access_token).await.unwrap_or_else(|error| panic!("{key:?}: {error}"));
        service.verify(&old).await.expect("signed by a retired key, and not expired");
    }
}

#[tokio::test]
async fn a_revoked_key_counts_no_longer_than_max_age() {
    let server = TestServer::start().await;
    let mut user = server.user().await;
    let service = service(&server, ISSUER);
    let old = user.access_token.clone();
    service.verify(&old).await.expect("a good token");
    let (stages, _) = server.app.keys_list(&server.operator()).await.expect("keys");
    let active = stages.into_iter().find(|stage| stage.state == KeyState::Active).expect("one");
    server.app.keys_revoke(&server.operator(), active.kid).await.expect("a revocation");

    // Its successor was published long before, so nothing makes the service look earlier.
    user.login().await.expect_status(200);
    service.verify(&user.access_token).await.expect("a good token");
    server.clock.advance(Duration::from_secs(300));
    let refused = service.verify(&old).await;
    assert!(matches!(refused, Err(CheckError::Refused(VerifyError::UnknownKey { .. }))), "{refused:?}");
    service.verify(&user.access_token).await.expect("a good token");
}
