//! Looking at one's own sessions, and ending one of them.

use reqwest::Method;
use std::time::Duration;

use crate::support::{Actor, Answer, TestServer};

async fn list(actor: &Actor) -> Answer {
    Answer::of(actor.request(Method::GET, "/auth/sessions").bearer_auth(&actor.access_token)).await
}

async fn end(actor: &Actor, id: &str) -> Answer {
    let path = format!("/auth/sessions/{id}");
    Answer::of(actor.request(Method::DELETE, &path).bearer_auth(&actor.access_token)).await
}

async fn own_id(actor: &Actor) -> String {
    actor.me().await.expect_status(200).text("session_id")
}

#[tokio::test]
async fn a_user_sees_where_they_are_logged_in() {
    let server = TestServer::start().await;
    let user = server.user().await;
    let mut phone = user.on_another_device().await;
    let stranger = server.user().await;
    server.clock.advance(Duration::from_secs(60));
    phone.refresh().await.expect_status(200);

    let items = list(&user).await.expect_status(200).json["items"].as_array().cloned().unwrap();
    assert_eq!(items.len(), 2);
    let (first, second) = (&items[0], &items[1]);
    assert_eq!(first["id"], own_id(&phone).await, "used last, listed first");
    assert_eq!((&first["current"], &second["current"]), (&false.into(), &true.into()));
    assert_eq!(second["id"], own_id(&user).await);
    assert_eq!(first["ip"], "127.0.0.1");
    assert_ne!(first["last_used_at"], first["created_at"]);
    assert_eq!(second["last_used_at"], second["created_at"]);
    assert!(first["expires_at"].as_str() > first["last_used_at"].as_str());
    assert_eq!(list(&stranger).await.json["items"].as_array().unwrap().len(), 1);

    server.clock.advance(Duration::from_secs(7 * 24 * 60 * 60 - 30));
    let left = list_after_idling(&server, &mut phone).await;
    assert_eq!(left, 1, "the idle one is not listed any more");
}

async fn list_after_idling(server: &TestServer, phone: &mut Actor) -> usize {
    phone.refresh().await.expect_status(200);
    assert_eq!(phone.base, server.anonymous().base);
    list(phone).await.expect_status(200).json["items"].as_array().unwrap().len()
}

#[tokio::test]
async fn a_user_ends_another_session_of_theirs() {
    let server = TestServer::start().await;
    let replica = server.replica().await;
    let user = server.user().await;
    let mut phone = user.on_another_device().await;
    let id = own_id(&phone).await;
    end(&user, &id).await.expect_status(204);
    phone.at(replica.anonymous().base).me().await.expect_problem(401, "session_ended");
    phone.refresh().await.expect_problem(401, "session_ended");
    end(&user, &id).await.expect_status(204);
    user.me().await.expect_status(200);
    let events = "SELECT count(*) FROM outbox WHERE type = 'auth.session_revoked'";
    assert_eq!(server.database.number(events).await, 1, "the second time changed nothing");
    end(&user, &own_id(&user).await).await.expect_status(204);
    user.me().await.expect_problem(401, "session_ended");
}

#[tokio::test]
async fn nobody_ends_somebody_elses() {
    let server = TestServer::start().await;
    let (user, stranger) = (server.user().await, server.user().await);
    let foreign = own_id(&stranger).await;
    for id in [foreign.as_str(), "00000000-0000-0000-0000-000000000000", "nope", "..%2f..", "%00", "%ff"] {
        end(&user, id).await.expect_problem(404, "not_found");
    }
    let own = own_id(&user).await;
    for spelling in [own.to_uppercase(), own.replace('-', ""), format!("%7B{own}%7D")] {
        end(&user, &spelling).await.expect_problem(404, "not_found");
    }
    user.me().await.expect_status(200);
    stranger.me().await.expect_status(200);
    let no_token = Answer::of(user.request(Method::DELETE, &format!("/auth/sessions/{foreign}"))).await;
    no_token.expect_problem(401, "missing_token");
}

#[tokio::test]
async fn sessions_that_are_over_are_removed_in_small_steps() {
    let server = TestServer::start().await;
    let (user, stays) = (server.user().await, server.user().await);
    for _ in 0..3 {
        user.on_another_device().await;
    }
    user.logout_everywhere().await.expect_status(204);
    assert_eq!(server.app.maintain("one").await.unwrap(), 0, "kept for a day");
    server.clock.advance(Duration::from_secs(25 * 60 * 60));
    assert_eq!(server.app.maintain("two").await.unwrap(), 4);
    assert_eq!(server.database.number("SELECT count(*) FROM refresh_tokens").await, 1);
    stays.clone().refresh().await.expect_status(200);
    user.clone().refresh().await.expect_problem(401, "session_ended");
}
