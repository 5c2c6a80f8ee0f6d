//! The way of an event: sign up at Keyward, and the profile appears here.

use futures_util::StreamExt as _;
use serde_json::{Value, json};
use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;

use crate::rabbitmq::{Proxy, RabbitMq};
use crate::running::{ADMIN, Keyward, UserService, until};

const CREATED: &str = "auth.user_created";
const ANN: &str = "ann@example.com";
const BEN: &str = "ben@example.com";

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_appears_on_sign_up_and_goes_on_deletion() {
    let broker = RabbitMq::open("appears").await;
    let keyward = Keyward::start_with(&broker.sink()).await;
    let service = UserService::start_with(&keyward.issuer, Some(&broker.source(None)));
    let id = keyward.sign_up(ANN).await;
    let ann = keyward.log_in(ANN).await;
    let profile = service.profile(&ann).await;
    assert_eq!((&profile["user_id"], &profile["display_name"]), (&json!(id), &json!("ann")));
    let (status, changed) = service.put("/profiles/me", Some(&ann), &json!({"display_name": "Ann"})).await;
    assert_eq!((status, &changed["display_name"]), (200, &json!("Ann")));

    keyward.delete(&id).await;
    until("no profile", async || (service.get("/profiles/me", Some(&ann)).await.0 == 404).then_some(()))
        .await;
    // Her token is good for some minutes yet, and makes no profile of someone who is gone.
    let (status, refused) = service.put("/profiles/me", Some(&ann), &json!({"display_name": "Ann"})).await;
    assert_eq!((status, &refused["code"]), (410, &json!("user_deleted")));
    let admin = keyward.log_in(ADMIN).await;
    let (_, all) = service.get("/profiles", Some(&admin)).await;
    assert!(!all.to_string().contains(&id), "{all}");
    broker.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_comes_again_changes_nothing() {
    let broker = RabbitMq::open("again").await;
    let keyward = Keyward::start_with(&broker.sink()).await;
    let service = UserService::start_with(&keyward.issuer, Some(&broker.source(None)));
    let admin = keyward.log_in(ADMIN).await;
    service.profile(&admin).await;
    let mut heard = broker.listen().await;
    let id = keyward.sign_up(ANN).await;
    let ann = keyward.log_in(ANN).await;
    service.profile(&ann).await;
    let (_, put) = service.put("/profiles/me", Some(&ann), &json!({"display_name": "Ann"})).await;
    let created = heard.next().await.unwrap().unwrap();
    assert_eq!(created.routing_key.as_str(), CREATED);

    broker.publish(CREATED, &created.data).await;
    broker.publish(CREATED, b"no event at all").await;
    // Messages are handled one after the other: when this one was, so were those before it.
    keyward.sign_up(BEN).await;
    let ben = keyward.log_in(BEN).await;
    service.profile(&ben).await;
    assert_eq!(service.get("/profiles/me", Some(&ann)).await, (200, put));

    keyward.delete(&id).await;
    until("no profile", async || (service.get("/profiles/me", Some(&ann)).await.0 == 404).then_some(()))
        .await;
    broker.publish(CREATED, &created.data).await;
    let mut renamed: Value = serde_json::from_slice(&created.data).unwrap();
    renamed["id"] = json!("01a20ba5-0000-7000-8000-000000000000");
    broker.publish(CREATED, renamed.to_string().as_bytes()).await;
    keyward.sign_up("cleo@example.com").await;
    service.profile(&keyward.log_in("cleo@example.com").await).await;
    assert_eq!(service.get("/profiles/me", Some(&ann)).await.0, 404, "who is deleted stays deleted");
    broker.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_while_the_service_or_the_way_to_the_broker_is_away() {
    let broker = RabbitMq::open("away").await;
    let keyward = Keyward::start_with(&broker.sink()).await;
    let mut proxy = Proxy::open(broker.address()).await;
    let mut service = UserService::start_with(&keyward.issuer, Some(&broker.source(Some(proxy.address))));
    service.profile(&keyward.log_in(ADMIN).await).await;

    assert_eq!(service.stop(), Some(0));
    let sign_up = async |email: &str| {
        keyward.sign_up(email).await;
        keyward.log_in(email).await
    };
    let stopped = sign_up("stopped@example.com").await;
    service.start_again();
    service.profile(&stopped).await;

    service.kill();
    let killed = sign_up("killed@example.com").await;
    service.start_again();
    service.profile(&killed).await;

    proxy.cut();
    let cut = sign_up("cut@example.com").await;
    assert_eq!(service.get("/health", None).await.0, 200, "it serves all the same");
    proxy.restore().await;
    service.profile(&cut).await;
    assert_eq!(service.stop(), Some(0));
    broker.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_could_not_be_written_is_not_confirmed() {
    let broker = RabbitMq::open("unwritten").await;
    let keyward = Keyward::start_with(&broker.sink()).await;
    let service = UserService::start_with(&keyward.issuer, Some(&broker.source(None)));
    service.profile(&keyward.log_in(ADMIN).await).await;

    let mut database = SqliteConnectOptions::new().filename(service.database()).connect().await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut database).await.unwrap();
    keyward.sign_up(ANN).await;
    service.says("database is locked").await;
    sqlx::query("ROLLBACK").execute(&mut database).await.unwrap();
    service.profile(&keyward.log_in(ANN).await).await;
    broker.remove().await;
}
