//! What operators do to users beside a running server: it counts at once, without a restart.

use serde_json::json;

use crate::support::{PASSWORD, Setup, TestDatabase, until};

/// Runs `keyward users …` about one user.
async fn users(setup: &Setup, arguments: &[&str]) -> String {
    let whole: Vec<&str> = ["users"].iter().chain(arguments).copied().collect();
    setup.run(&whole).await.expect_code(0).stdout
}

#[tokio::test]
async fn an_operator_disables_enables_and_resets_beside_the_server() {
    let database = TestDatabase::create().await;
    let setup = Setup::on(&database);
    let server = setup.serve().await;
    let mut user = server.user().await;
    let email = user.email.clone();
    assert!(users(&setup, &["sessions", &email]).await.contains("127.0.0.1"));

    assert!(users(&setup, &["disable", &email]).await.contains("disabled"));
    user.me().await.expect_problem(401, "session_ended");
    user.present(&user.refresh_token).await.expect_problem(401, "session_ended");
    user.login().await.expect_problem(401, "invalid_credentials");
    assert_eq!(users(&setup, &["sessions", &email]).await, "");
    assert!(users(&setup, &["list", "--status", "disabled"]).await.contains(&email));
    assert_eq!(users(&setup, &["list", "--status", "active"]).await, "");
    assert!(users(&setup, &["enable", &email]).await.contains("active"));
    user.login().await.expect_status(200);

    users(&setup, &["end-sessions", &email]).await;
    user.me().await.expect_problem(401, "session_ended");
    user.login().await.expect_status(200);

    let said = users(&setup, &["reset-password", &email]).await;
    let made = said.split("password: ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap().to_owned();
    user.me().await.expect_problem(401, "session_ended");
    user.login().await.expect_problem(401, "invalid_credentials");
    user.password = made;
    user.login().await.expect_status(200);
    let typed = ["users", "reset-password", &email, "--password-stdin"];
    setup.run_with_input(&typed, "short\n").await.expect_refusal(1, &["at least 15"]);
    user.me().await.expect_status(200);
    let typed = setup.run_with_input(&typed, PASSWORD).await.expect_code(0);
    assert!(!typed.stdout.contains("password"), "{}", typed.stdout);
    PASSWORD.clone_into(&mut user.password);
    user.login().await.expect_status(200);
}

#[tokio::test]
async fn an_operator_gives_roles_but_never_takes_the_last_admin() {
    let database = TestDatabase::create().await;
    let setup = Setup::on(&database);
    let server = setup.serve().await;
    let user = server.user().await;
    let email = user.email.clone();
    users(&setup, &["set-roles", &email, "user", "admin", "ops"]).await;
    assert_eq!(user.me().await.json["roles"], json!(["admin", "ops", "user"]));
    assert!(users(&setup, &["list", "--role", "admin"]).await.contains(&email));
    assert_eq!(users(&setup, &["list", "--role", "user", "--email", "nobody@example.com"]).await, "");
    for arguments in [
        &["users", "set-roles", &email, "user"][..],
        &["users", "disable", &email],
        &["users", "delete", &email, "--yes"],
    ] {
        setup.run(arguments).await.expect_refusal(1, &["last active admin", "nothing was changed", "fix:"]);
    }
    setup.run(&["users", "set-roles", &email, "No Role"]).await.expect_refusal(2, &["No Role"]);
    assert_eq!(user.me().await.json["roles"], json!(["admin", "ops", "user"]));
}

#[tokio::test]
async fn a_user_is_deleted_only_by_someone_who_means_it() {
    let database = TestDatabase::create().await;
    let setup = Setup::on(&database);
    let server = setup.serve().await;
    let mut user = server.user().await;
    let (email, id) = (user.email.clone(), user.me().await.text("id"));
    setup.run(&["users", "delete", &id]).await.expect_refusal(1, &[&email, "--yes", "nothing was changed"]);
    user.me().await.expect_status(200);
    users(&setup, &["delete", &id, "--yes"]).await;
    user.me().await.expect_problem(401, "session_ended");
    user.login().await.expect_problem(401, "invalid_credentials");
    setup.run(&["users", "delete", &id, "--yes"]).await.expect_refusal(1, &["no such user"]);
    assert_ne!(user.signup().await.expect_status(201).text("id"), id);
}

#[tokio::test]
async fn everybody_is_logged_out_beside_the_server() {
    let database = TestDatabase::create().await;
    let setup = Setup::on(&database);
    let server = setup.serve().await;
    let (mut one, other) = (server.user().await, server.user().await);
    setup.run(&["sessions", "end"]).await.expect_refusal(2, &["--all"]);
    one.me().await.expect_status(200);
    let said = setup.run(&["sessions", "end", "--all"]).await.expect_code(0).stdout;
    assert!(said.starts_with("2 sessions ended"), "{said}");
    for user in [&one, &other] {
        user.me().await.expect_problem(401, "session_ended");
        let refused = user.present(&user.refresh_token).await.expect_status(401);
        assert_ne!(refused.json["code"], "refresh_token_reused");
    }
    // Within a second the server follows the new number, and refuses old tokens without a look at the database.
    until("the server follows", async || {
        let refused = other.present(&other.refresh_token).await;
        (refused.json["code"] == "invalid_refresh_token").then_some(())
    })
    .await;
    one.login().await.expect_status(200);
    one.refresh().await.expect_status(200);
}

#[tokio::test]
async fn an_operator_unlocks_beside_the_server() {
    let database = TestDatabase::create().await;
    let setup = Setup::on(&database)
        .env("KEYWARD_LIMITS_ENABLED", "true")
        .env("KEYWARD_LIMITS_LOGIN_PER_ACCOUNT_IP", "100/s");
    let mut server = setup.serve().await;
    let mut user = server.user().await;
    for _ in 0..10 {
        user.login_as(&user.email, "not the right one").await.expect_problem(401, "invalid_credentials");
    }
    user.login().await.expect_problem(429, "account_locked");
    assert!(users(&setup, &["unlock", &user.email]).await.contains(&user.email));
    user.login().await.expect_status(200);
    setup.run(&["users", "unlock", "nobody@example.com"]).await.expect_refusal(1, &["no such user"]);
    let unlocked = "SELECT count(*) FROM audit_log WHERE event = 'user_unlocked'";
    assert_eq!(database.number(unlocked).await, 1);

    // What was turned away in the last minute is recorded before the end.
    assert_eq!(server.stop().await, 0);
    let refused = "SELECT count(*) FROM audit_log WHERE event = 'logins_refused'";
    assert_eq!(database.number(refused).await, 1);
}
