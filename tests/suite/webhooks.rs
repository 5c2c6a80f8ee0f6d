//! Events as the receivers of webhooks get them: signed, in order, again until they are taken.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::support::{ISSUER, Posted, Reaction, Receiver, TestServer, eventually};

const SECRET: &str = "whsec_GJ9sT2nQv5RkYb0WcXe7LmA4uPz8HdF1oI3gKjN6VtE=";
const OTHER_SECRET: &str = "whsec_q83Nn0sXo2yq7wYxJp0lVt8m4k6Z1cE5";
const REFUSED: &str = "SELECT count(*) FROM outbox_deliveries WHERE published_at IS NULL AND attempts > 0";
const ERRORS: &str = "SELECT last_error FROM outbox_deliveries WHERE last_error IS NOT NULL";
/// Longer than the first times that a refused event waits.
const BACK_OFF: Duration = Duration::from_secs(3);

async fn server_with(events_url: &str, more: &[(&str, &str)]) -> TestServer {
    let own = [("events_url", events_url), ("events.webhook_secrets", SECRET)];
    TestServer::start_with(&[&own, more].concat()).await
}

/// HMAC as RFC 2104 writes it, from nothing but SHA-256: not the code that signs.
fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let padded = |byte: u8| {
        let mut block = [byte; 64];
        block.iter_mut().zip(key).for_each(|(pad, key)| *pad ^= key);
        block
    };
    let inner = digest(&SHA256, &[&padded(0x36), message].concat());
    digest(&SHA256, &[&padded(0x5c), inner.as_ref()].concat()).as_ref().to_vec()
}

fn signature(secret: &str, received: &Posted) -> String {
    let key = STANDARD.decode(secret.trim_start_matches("whsec_")).unwrap();
    let head = format!("{}.{}.", received.header("webhook-id"), received.header("webhook-timestamp"));
    format!("v1,{}", STANDARD.encode(hmac(&key, &[head.as_bytes(), &received.body].concat())))
}

/// What a receiver finds in the documentation of Standard Webhooks.
#[test]
fn our_own_verification_is_that_of_standard_webhooks() {
    let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let mac = hmac(&key, br#"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}"#);
    assert_eq!(STANDARD.encode(mac), "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

#[tokio::test]
async fn an_event_comes_signed_and_whole() {
    let receiver = Receiver::start();
    let server = server_with(&receiver.url(), &[]).await;
    let user = server.user().await;
    let [received] = receiver.expect(1).await.try_into().unwrap();
    assert_eq!(received.header("content-type"), "application/cloudevents+json");
    assert_eq!(received.header("webhook-signature"), signature(SECRET, &received));
    let timestamp: i64 = received.header("webhook-timestamp").parse().unwrap();
    assert!((server.clock.now().unix_seconds() - timestamp).abs() < 10, "{timestamp}");
    let event = &received.event;
    assert_eq!(received.header("webhook-id"), event["id"]);
    assert_eq!((&event["specversion"], &event["source"]), (&"1.0".into(), &ISSUER.into()));
    assert_eq!((received.kind(), received.about(&user.id().await)), ("auth.user_created", true));
    assert_eq!(event["data"]["email"], user.email);
    assert_eq!(event["dataschema"], format!("{ISSUER}/docs/events/schemas/auth.user_created/1.json"));
    server.published().await;
    server.database.check_invariants().await;
}

#[tokio::test]
async fn a_refused_event_comes_again_under_the_same_id_and_holds_up_its_user_only() {
    let receiver = Receiver::start();
    let server = server_with(&receiver.url(), &[]).await;
    let mut unlucky = 2;
    receiver.react(move |received| {
        let refused = received.kind() == "auth.user_created" && unlucky > 0;
        unlucky -= i32::from(refused);
        Reaction::Answer(if refused { 500 } else { 200 })
    });
    let (first, second) = (server.user().await, server.user().await);
    first.logout().await.expect_status(204);
    second.logout().await.expect_status(204);
    eventually("both are refused", async || server.database.number(REFUSED).await == 2).await;
    assert_eq!(server.database.texts(ERRORS).await, ["the receiver answers 500"; 2]);
    let third = server.user().await;
    let third_id = third.id().await;
    let came = async || receiver.seen().iter().any(|received| received.about(&third_id));
    eventually("others get through", came).await;
    assert_eq!(server.database.number(REFUSED).await, 2);

    server.clock.advance(BACK_OFF);
    server.published().await;
    let seen = receiver.expect(7).await;
    for user in [&first, &second] {
        let subject = seen.iter().find(|received| received.event["data"]["email"] == user.email).unwrap();
        let subject = subject.event["subject"].as_str().unwrap();
        let [refused, again, logout] =
            seen.iter().filter(|received| received.about(subject)).collect::<Vec<_>>().try_into().unwrap();
        assert_eq!(refused.header("webhook-id"), again.header("webhook-id"));
        assert_eq!(refused.body, again.body);
        assert_ne!(refused.header("webhook-timestamp"), again.header("webhook-timestamp"));
        for received in [refused, again, logout] {
            assert_eq!(received.header("webhook-signature"), signature(SECRET, received));
        }
        assert_eq!(again.event["sequence"], "1");
        assert_eq!((logout.kind(), &logout.event["sequence"]), ("auth.session_revoked", &"2".into()));
    }
    server.database.check_invariants().await;
}

#[tokio::test]
async fn each_secret_signs_while_they_change() {
    let receiver = Receiver::start();
    let both = format!("{SECRET},{OTHER_SECRET}");
    let server = server_with(&receiver.url(), &[("events.webhook_secrets", &both)]).await;
    server.user().await;
    let [received] = receiver.expect(1).await.try_into().unwrap();
    let expected = [signature(SECRET, &received), signature(OTHER_SECRET, &received)];
    assert_eq!(received.header("webhook-signature"), expected.join(" "));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (receiver, elsewhere) = (Receiver::start(), Receiver::start());
    let server = server_with(&receiver.url(), &[]).await;
    let location: &'static str = elsewhere.url().leak();
    receiver.react(move |_| Reaction::AnswerWith(307, ("location", location)));
    server.user().await;
    eventually("it is refused", async || server.database.number(REFUSED).await == 1).await;
    let errors = server.database.texts(ERRORS).await;
    assert!(errors[0].contains("307") && errors[0].contains("redirects are not followed"), "{errors:?}");
    assert!(!errors[0].contains("hush"), "{errors:?}");
    assert!(elsewhere.seen().is_empty());

    receiver.react(|_| Reaction::Answer(410));
    server.clock.advance(BACK_OFF);
    let gone = async || server.database.texts(ERRORS).await[0].contains("410");
    eventually("the receiver is gone", gone).await;
    assert!(server.database.texts(ERRORS).await[0].contains("take it out of events_url"));
    assert_eq!(server.pending().await, 1);
}

/// What a receiver sends back is not kept, however long it is.
#[tokio::test]
async fn an_answer_is_neither_needed_nor_kept() {
    let receiver = Receiver::start();
    let server = server_with(&receiver.url(), &[]).await;
    receiver.react(|_| Reaction::Answer(418));
    server.user().await;
    eventually("it is refused", async || server.database.number(REFUSED).await == 1).await;
    assert_eq!(server.database.texts(ERRORS).await, ["the receiver answers 418"]);
}

#[tokio::test]
async fn a_receiver_that_never_answers_one_event_gets_the_others() {
    let receiver = Receiver::start();
    let server = server_with(&receiver.url(), &[]).await;
    let mut fatal = None;
    receiver.react(move |received| {
        let subject = received.event["subject"].clone();
        if *fatal.get_or_insert(subject.clone()) == subject { Reaction::Never } else { Reaction::Answer(200) }
    });
    server.user().await;
    let fatal = receiver.expect(1).await.remove(0);
    let other = server.user().await;
    let other = other.id().await;
    let came = || receiver.seen().into_iter().find(|received| received.about(&other));
    eventually("the other user's event comes", async || came().is_some()).await;
    assert!(came().unwrap().at - fatal.at < Duration::from_secs(8), "before the first was given up");
    eventually("it is refused", async || server.database.number(REFUSED).await == 1).await;
    assert_eq!(server.database.texts(ERRORS).await, ["the receiver did not answer within 10 s"]);
    assert_eq!(server.pending().await, 1);
    receiver.react(|_| Reaction::Answer(200));
    server.clock.advance(BACK_OFF);
    server.published().await;
    assert_eq!(receiver.seen().last().unwrap().header("webhook-id"), fatal.header("webhook-id"));
    server.database.check_invariants().await;
}

#[tokio::test]
async fn a_receiver_that_asks_for_a_pause_gets_it() {
    let receiver = Receiver::start();
    let server = server_with(&receiver.url(), &[]).await;
    let mut first = true;
    receiver.react(move |_| {
        if std::mem::take(&mut first) {
            Reaction::AnswerWith(503, ("retry-after", "2"))
        } else {
            Reaction::Answer(200)
        }
    });
    server.user().await;
    let degraded = async || server.app.degraded().iter().any(|line| line.contains("asked for a pause"));
    eventually("readiness says so", degraded).await;
    server.published().await;
    let [refused, again] = receiver.seen().try_into().unwrap();
    let waited = again.at - refused.at;
    assert!(waited >= Duration::from_millis(1_950), "{waited:?}");
    // A pause is the receiver's and not the event's fault.
    assert_eq!(server.database.number("SELECT max(attempts) FROM outbox_deliveries").await, 1);
    eventually("all is well", async || server.app.degraded().is_empty()).await;
}

#[tokio::test]
async fn sinks_have_each_their_own_progress() {
    let (up, down) = (Receiver::start(), Receiver::start());
    down.react(|_| Reaction::Answer(503));
    let events_url = format!("log:,{}#up,{}#down", up.url(), down.url());
    let server = server_with(&events_url, &[]).await;
    let user = server.user().await;
    user.logout().await.expect_status(204);
    let pending = "SELECT sink FROM outbox_deliveries WHERE published_at IS NULL ORDER BY subject_seq";
    let database = &server.database;
    eventually("the others have all", async || database.texts(pending).await == ["down"; 2]).await;
    assert_eq!(up.expect(2).await.len(), 2);
    let says = || server.app.degraded();
    eventually("readiness names it", async || says() == ["events: down is away: the receiver answers 503"])
        .await;

    down.react(|_| Reaction::Answer(200));
    server.published().await;
    let taken = down.seen();
    let kinds: Vec<_> = taken.iter().rev().take(2).map(Posted::kind).collect();
    assert_eq!(kinds, ["auth.session_revoked", "auth.user_created"]);
    let id = |received: &Posted| received.header("webhook-id").to_owned();
    assert_eq!(
        up.seen().iter().map(id).collect::<Vec<_>>().last(),
        taken.iter().map(id).collect::<Vec<_>>().last()
    );
    assert_eq!(database.number("SELECT count(DISTINCT sink) FROM outbox_deliveries").await, 3);
}

#[tokio::test]
async fn a_private_authority_vouches_for_a_receiver() {
    let (receiver, pem) = Receiver::start_tls().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, pem).unwrap();
    let url = format!("https://localhost:{}/hooks", receiver.address.port());
    let server = server_with(&url, &[]).await;
    server.user().await;
    let away = async || server.app.degraded().iter().any(|line| line.contains("invalid peer certificate"));
    eventually("an unknown authority counts as away", away).await;
    assert!(receiver.seen().is_empty());
    let path = file.display().to_string();
    let trusting = server_with(&url, &[("events.webhook_ca", &path)]).await;
    trusting.user().await;
    assert_eq!(receiver.expect(1).await[0].kind(), "auth.user_created");
}

#[tokio::test]
async fn a_receiver_that_is_not_there_is_away() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = server_with(&format!("http://127.0.0.1:{port}/hush"), &[]).await;
    server.user().await;
    let says = || server.app.degraded().join(" ");
    eventually("readiness says so", async || says().contains("webhook is away: ")).await;
    assert!(says().contains("refused") && !says().contains("hush"), "{}", says());
    assert_eq!(server.database.number("SELECT max(attempts) FROM outbox_deliveries").await, 0);
}
