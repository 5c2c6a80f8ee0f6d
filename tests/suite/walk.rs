//! The walk of the README: from sign-up to logout.

use crate::support::TestServer;

#[tokio::test]
async fn a_user_signs_up_logs_in_refreshes_and_logs_out() {
    let server = TestServer::start().await;
    let mut user = server.anonymous();
    let made = user.signup().await.expect_status(201);
    assert_eq!(made.text("email"), user.email);
    assert_eq!(made.json["roles"], serde_json::json!(["user"]));

    user.login().await.expect_status(200);
    let me = user.me().await.expect_status(200);
    assert_eq!(me.json["id"], made.json["id"]);

    let first = user.refresh_token.clone();
    user.refresh().await.expect_status(200);
    assert_ne!(user.refresh_token, first);
    user.me().await.expect_status(200);

    user.logout().await.expect_status(204);
    user.me().await.expect_problem(401, "session_ended");
    user.refresh().await.expect_problem(401, "session_ended");
    user.logout().await.expect_status(204);

    assert_eq!(server.database.number("SELECT count(*) FROM outbox").await, 2);
}
