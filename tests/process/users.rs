//! `keyward users` beside a running server, on both databases, and the first admin.

use serde_json::json;

use crate::support::{PASSWORD, Setup, TestDatabase, unique_email};

#[tokio::test]
async fn an_operator_makes_a_user_who_can_log_in_at_once() {
    let database = TestDatabase::create().await;
    let setup = Setup::on(&database);
    let server = setup.serve().await;
    let mut user = server.anonymous();
    let email = user.email.clone();
    let create = ["users", "create", "--email", &email, "--role", "admin", "--role", "billing:read"];

    let made = setup.run(&create).await.expect_code(0).stdout;
    let (line, rest) = made.split_once('\n').unwrap();
    let password = rest.strip_prefix("password: ").and_then(|rest| rest.strip_suffix(" (shown this once)\n"));
    user.password = password.unwrap_or_else(|| panic!("{made}")).to_owned();
    assert!(user.password.len() >= 20, "{made}");
    user.login().await.expect_status(200);
    let me = user.me().await.expect_status(200).json;
    assert_eq!(me["roles"], json!(["admin", "billing:read", "user"]));
    assert_eq!(me["email_verified"], true, "the operator vouches for it");
    let id = me["id"].as_str().unwrap();
    assert!(line.starts_with(id) && line.ends_with("admin,billing:read,user"), "{line}");

    let again = setup.run(&create).await.expect_refusal(1, &["taken", "nothing was changed"]);
    assert_eq!(again.stdout, "");
    let upper = user.email.to_uppercase();
    setup.run(&["users", "create", "--email", &upper]).await.expect_refusal(1, &["taken"]);

    for name in [id, &user.email, &upper] {
        let shown = setup.run(&["users", "show", name]).await.expect_code(0).stdout;
        for part in [id, &user.email, "admin billing:read user", "active"] {
            assert!(shown.contains(part), "{part} is not in {shown}");
        }
    }
    setup.run(&["users", "show", "nobody@example.com"]).await.expect_refusal(1, &["no such user"]);
}

#[tokio::test]
async fn a_password_is_taken_from_standard_input_under_the_same_policy() {
    let database = TestDatabase::create().await;
    let setup = Setup::on(&database);
    let server = setup.serve().await;
    let mut user = server.anonymous();
    let email = user.email.clone();
    let create = ["users", "create", "--email", &email, "--password-stdin"];
    for (input, said) in
        [("short\n", "at least 15"), ("", "at least 15"), ("passwordpassword\n", "the password")]
    {
        setup.run_with_input(&create, input).await.expect_refusal(1, &[said]);
    }
    let input = format!("{PASSWORD}\nwhat comes after does not count\n");
    let made = setup.run_with_input(&create, &input).await.expect_code(0);
    assert!(!made.stdout.contains("password") && !made.stdout.contains(PASSWORD), "{}", made.stdout);
    user.login().await.expect_status(200);

    setup.run(&["users", "create", "--email", "not an address"]).await.expect_refusal(1, &["not an address"]);
    let role = ["users", "create", "--email", "a@example.com", "--role", "No Role"];
    setup.run(&role).await.expect_refusal(2, &["--role"]);
    assert_eq!(database.number("SELECT count(*) FROM users_auth").await, 1);
}

#[tokio::test]
async fn users_are_listed_page_by_page_oldest_first() {
    let database = TestDatabase::create().await;
    let setup = Setup::on(&database);
    let server = setup.serve().await;
    let mut made = Vec::new();
    for _ in 0..5 {
        let user = server.anonymous();
        made.push(user.signup().await.expect_status(201).text("id"));
    }
    let ids = |stdout: &str| -> Vec<String> {
        stdout.lines().map(|line| line.split_whitespace().next().unwrap().to_owned()).collect()
    };
    let all = setup.run(&["users", "list"]).await.expect_code(0).stdout;
    assert_eq!(ids(&all), made);
    let first = setup.run(&["users", "list", "--limit", "2"]).await.expect_code(0).stdout;
    assert_eq!(ids(&first), made[..2]);
    let next = setup.run(&["users", "list", "--after", &made[1]]).await.expect_code(0).stdout;
    assert_eq!(ids(&next), made[2..]);
    setup.run(&["users", "list", "--limit", "0"]).await.expect_refusal(2, &["--limit"]);
}

#[tokio::test]
async fn the_first_admin_is_made_once() {
    let database = TestDatabase::create().await;
    let email = unique_email();
    let setup = Setup::on(&database)
        .env("KEYWARD_ADMIN_EMAIL", &*email)
        .env("KEYWARD_ADMIN_PASSWORD", "a river under seven bridges");
    let mut server = setup.serve().await;
    let mut admin = server.anonymous();
    admin.email.clone_from(&email);
    "a river under seven bridges".clone_into(&mut admin.password);
    admin.login().await.expect_status(200);
    assert_eq!(admin.me().await.json["roles"], json!(["admin", "user"]));
    assert_eq!(server.stop().await, 0);

    // Not again, and not with another address or password, as long as somebody is admin.
    let other = setup
        .clone()
        .env("KEYWARD_ADMIN_EMAIL", unique_email())
        .env("KEYWARD_ADMIN_PASSWORD", "some other long password");
    for setup in [&setup, &other] {
        let mut server = setup.serve().await;
        admin = admin.at(server.url(""));
        admin.login().await.expect_status(200);
        assert_eq!(server.stop().await, 0);
    }
    assert_eq!(database.number("SELECT count(*) FROM users_auth").await, 1);
}

#[tokio::test]
async fn an_existing_account_is_never_promoted() {
    let database = TestDatabase::create().await;
    let setup = Setup::on(&database);
    let mut server = setup.serve().await;
    let mut stranger = server.user().await;
    assert_eq!(server.stop().await, 0);

    let greedy = setup
        .clone()
        .env("KEYWARD_ADMIN_EMAIL", &*stranger.email)
        .env("KEYWARD_ADMIN_PASSWORD", "a river under seven bridges");
    greedy.run(&[]).await.expect_refusal(78, &["admin.email", "not promoted", "fix:"]);
    let server = setup.serve().await;
    stranger = stranger.at(server.url(""));
    stranger.login().await.expect_status(200);
    assert_eq!(stranger.me().await.json["roles"], json!(["user"]));

    let weak =
        setup.env("KEYWARD_ADMIN_EMAIL", unique_email()).env("KEYWARD_ADMIN_PASSWORD", "changemechangeme");
    weak.run(&["config", "check"]).await.expect_refusal(78, &["admin.password"]);
}

/// What a sign-up would refuse is told before anything is begun, and both mistakes at once.
#[tokio::test]
async fn a_first_admin_who_could_not_sign_up_is_a_mistake_of_the_settings() {
    let folder = tempfile::tempdir().unwrap();
    let admin = |email: &str, password: &str| {
        Setup::embedded(folder.path())
            .env("KEYWARD_ADMIN_EMAIL", email)
            .env("KEYWARD_ADMIN_PASSWORD", password)
    };
    for command in [&["config", "check"][..], &["serve"]] {
        let both = admin("root@localhost.123", "qwertyuiopasdfgh").run(command).await;
        both.expect_refusal(78, &["admin.email is not an e-mail address", "admin.password is among", "fix:"]);
        let own = admin("marianne@wonderland.example", "marianne@wonderland.example").run(command).await;
        let said = own.expect_refusal(78, &["admin.password is little more than the e-mail address"]);
        assert!(!said.stderr.contains("marianne"), "{}", said.stderr);
    }
    assert!(!folder.path().join("data").exists(), "nothing was made");
    admin("root@example.com", "a river under seven bridges").run(&["config", "check"]).await.expect_code(0);
}
