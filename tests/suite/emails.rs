//! E-mail addresses: spellings of one meet, look-alikes do not, and nothing breaks.

use std::collections::BTreeMap;

use crate::support::{PASSWORD, TestServer};

/// Each stands beside the plain one that it could be mistaken for.
const LOOK_ALIKES: [&str; 26] = [
    "admin.kelvin@example.com",
    "admin.\u{212a}elvin@example.com",
    "\u{430}dmin.kelvin@example.com",
    "adm\u{131}n.kelvin@example.com",
    "adm\u{130}n.kelvin@example.com",
    "admin\u{ff0e}kelvin@example.com",
    "\u{ff41}dmin.kelvin@example.com",
    "admin.kelvin@ex\u{430}mple.com",
    "admin.kelvin@\u{435}xample.com",
    "\u{fb01}sh.kelvin@example.com",
    "fish.kelvin@example.com",
    "stra\u{df}e.kelvin@example.com",
    "strasse.kelvin@example.com",
    "admin.kelvin@stra\u{df}e.example",
    "admin.kelvin@strasse.example",
    "admin\u{200b}.kelvin@example.com",
    "admin\u{ad}.kelvin@example.com",
    "admin.kelvin\u{202e}@example.com",
    "admin.kelvin@example\u{3002}com",
    "\u{3c3}\u{3b1}\u{3c2}.kelvin@example.com",
    "\u{3c3}\u{3b1}\u{3c3}.kelvin@example.com",
    "adm\u{ec}n.kelvin@example.com",
    "ADM\u{cc}N.kelvin@example.com",
    "admin+kelvin@example.com",
    "a.dmin.kelvin@example.com",
    "\u{1f512}.kelvin@example.com",
];

#[tokio::test]
async fn look_alikes_never_share_an_account() {
    let server = TestServer::start().await;
    let stranger = server.anonymous();
    let mut accounts = BTreeMap::new();
    for address in LOOK_ALIKES {
        let answer = stranger.signup_as(address, PASSWORD).await;
        match answer.status.as_u16() {
            201 => drop(accounts.insert(address, answer.text("id"))),
            // What IDNA folds is one domain to every mail server; what upper case folds is one name.
            409 => assert!(
                ["admin.kelvin@example\u{3002}com", "ADM\u{cc}N.kelvin@example.com"].contains(&address),
                "{address:?}"
            ),
            _ => drop(answer.expect_problem(422, "invalid_request")),
        }
    }
    assert_eq!(server.database.number("SELECT count(*) FROM users_auth").await, count(accounts.len()));
    for plain in ["admin.kelvin@example.com", "fish.kelvin@example.com", "strasse.kelvin@example.com"] {
        assert!(accounts.contains_key(plain), "{plain}");
    }
    for (address, id) in &accounts {
        let mut owner = server.anonymous();
        (*address).clone_into(&mut owner.email);
        owner.login().await.expect_status(200);
        let me = owner.me().await.expect_status(200);
        assert_eq!((me.text("id"), me.text("email")), (id.clone(), (*address).to_owned()));
    }
}

#[tokio::test]
async fn what_is_no_address_is_refused_by_pointer() {
    let server = TestServer::start().await;
    let stranger = server.anonymous();
    let rows = server.database.rows().await;
    let long = format!("{}@example.com", "a".repeat(65));
    let huge = format!("a@{}com", "aaaaaaaaa.".repeat(100));
    for (bad, code) in [
        ("", "invalid_email"),
        ("@", "invalid_email"),
        ("nobody", "invalid_email"),
        ("a@", "invalid_email"),
        ("@example.com", "invalid_email"),
        ("a@b@example.com", "invalid_email"),
        ("a@example", "invalid_email"),
        ("a@127.0.0.1", "invalid_email"),
        ("a@[::1]", "invalid_email"),
        ("\"a b\"@example.com", "invalid_email"),
        ("a b@example.com", "invalid_email"),
        ("Ada <a@example.com>", "invalid_email"),
        ("a@exa mple.com", "invalid_email"),
        ("a@example.com\r\nBcc: b@example.com", "confusable"),
        ("a@example.com\0", "invalid_email"),
        ("a@example.com\u{2028}b", "invalid_email"),
        ("a\0@example.com", "confusable"),
        ("a\r\n@example.com", "confusable"),
        ("a\u{2028}@example.com", "confusable"),
        ("a\u{2029}@example.com", "confusable"),
        ("a\u{7f}@example.com", "confusable"),
        ("a\u{1b}[2J@example.com", "confusable"),
        ("a\u{feff}b@example.com", "confusable"),
        ("a\u{fffd}@example.com", "confusable"),
        (&long, "too_long"),
        (&huge, "too_long"),
    ] {
        stranger.signup_as(bad, PASSWORD).await.expect_field("/email", code);
        stranger.login_as(bad, PASSWORD).await.expect_field("/email", code);
    }
    assert_eq!(server.database.rows().await, rows);
}

fn count(length: usize) -> i64 {
    i64::try_from(length).expect("few")
}
