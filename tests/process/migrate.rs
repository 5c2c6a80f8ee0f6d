//! `keyward migrate`: up, down, status, and what a server does with an empty database.

use crate::support::{Setup, TestDatabase};

#[tokio::test]
async fn steps_are_taken_back_and_applied_again() {
    let database = TestDatabase::create().await;
    let setup = Setup::on(&database);
    let up = setup.run(&["migrate", "up"]).await.expect_code(0).stdout;
    if database.embedded() {
        assert!(up.starts_with("applied 0001_users_auth, 0002_"), "{up}");
    } else {
        assert_eq!(up, "the schema is up to date\n", "the template has it all");
    }
    assert_eq!(setup.run(&["migrate"]).await.expect_code(0).stdout, "the schema is up to date\n");
    let status = setup.run(&["migrate", "status"]).await.expect_code(0).stdout;
    let names: Vec<&str> = status.lines().filter_map(|line| line.split_whitespace().last()).collect();
    assert_eq!(names.first(), Some(&"0001_users_auth"));
    assert!(names.len() >= 5, "{status}");

    let newest_first: Vec<&str> = names.iter().rev().copied().collect();
    let expected = format!("took back {}\n", newest_first[..names.len() - 2].join(", "));
    assert_eq!(setup.run(&["migrate", "down", "--to", "2"]).await.expect_code(0).stdout, expected);
    let expected = "took back 0002_refresh_tokens, 0001_users_auth\n";
    assert_eq!(setup.run(&["migrate", "down", "--to", "0"]).await.expect_code(0).stdout, expected);
    let nothing = setup.run(&["migrate", "down", "--to", "0"]).await.expect_code(0).stdout;
    assert_eq!(nothing, "nothing to take back\n");
    assert_eq!(setup.run(&["migrate", "status"]).await.expect_code(0).stdout, "");
    setup.run(&["migrate", "down"]).await.expect_refusal(2, &["--to"]);

    // Serving brings it up to date by itself.
    let mut server = setup.serve().await;
    server.user().await;
    assert!(server.process.stdout().contains("schema brought up to date"));
    assert_eq!(server.stop().await, 0);
    let again = setup.run(&["migrate", "status"]).await.expect_code(0).stdout;
    assert_eq!(again.lines().count(), names.len());
}
