//! Where settings come from, and how mistakes in them are told.

use crate::support::{Setup, TestDatabase};

#[tokio::test]
async fn every_mistake_is_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::bare(folder.path())
        .env("KEYWARD_LISTEN", "nowhere")
        .env("KEYWARD_TOKEN_ACCESS_TTL", "soon")
        .env("KEYWARD_TOKEN_REFRESH_GRACE", "2m")
        .env("KEYWARD_DOCS", "maybe")
        .env("KEYWARD_ISUER", "https://auth.example.com")
        .env("KEYWARD_MASTER_KEY", "a-key-of-mine-that-is-none")
        .env("KEYWARD_ADMIN_EMAIL", "root@example.com");
    for command in
        [&["serve"][..], &["config", "check"], &["config", "show"], &["users", "list"], &["migrate"]]
    {
        let refused = setup.run(command).await.expect_refusal(
            78,
            &[
                "7 settings need attention",
                "listen (from environment KEYWARD_LISTEN)",
                "\"nowhere\" is not an address with a port",
                "token.access_ttl (from environment KEYWARD_TOKEN_ACCESS_TTL)",
                "write at most 60s",
                "\"maybe\" is neither true nor false",
                "did you mean KEYWARD_ISSUER?",
                "master_key (from environment KEYWARD_MASTER_KEY)",
                "admin.",
            ],
        );
        assert!(!refused.stderr.contains("a-key-of-mine"), "{}", refused.stderr);
        assert_eq!(refused.stdout, "");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was made");
}

#[tokio::test]
async fn flag_over_environment_over_dotenv_over_file_over_default() {
    let folder = tempfile::tempdir().unwrap();
    let file =
        "[token]\naccess_ttl = \"1m\"\nrefresh_idle_ttl = \"1h\"\n[lock]\nwindow = \"1m\"\nfailures = 7\n";
    let setup = Setup::bare(folder.path())
        .file("mine.toml", file)
        .file(
            ".env",
            "KEYWARD_TOKEN_ACCESS_TTL=2m\nKEYWARD_TOKEN_REFRESH_IDLE_TTL=2h\nKEYWARD_LOCK_WINDOW=2m\n",
        )
        .env("KEYWARD_TOKEN_ACCESS_TTL", "3m")
        .env("KEYWARD_TOKEN_REFRESH_IDLE_TTL", "3h");
    let show = ["config", "show", "--config", "mine.toml", "--set", "token.access_ttl=4m"];
    let shown = setup.run(&show).await.expect_code(0).stdout;
    assert_line(&shown, "token.access_ttl", "4m", "command line");
    assert_line(&shown, "token.refresh_idle_ttl", "3h", "environment KEYWARD_TOKEN_REFRESH_IDLE_TTL");
    assert_line(&shown, "lock.window", "2m", ".env KEYWARD_LOCK_WINDOW");
    assert_line(&shown, "lock.failures", "7", "mine.toml line 6");
    assert_line(&shown, "lock.max_duration", "15m", "default");

    let by_variable = setup.clone().env("KEYWARD_CONFIG", "mine.toml");
    let shown = by_variable.run(&["config", "show"]).await.expect_code(0).stdout;
    assert_line(&shown, "lock.failures", "7", "mine.toml line 6");
    let shown = setup.run(&["config", "show"]).await.expect_code(0).stdout;
    assert_line(&shown, "lock.failures", "10", "default");

    setup
        .run(&["config", "check", "--config", "gone.toml"])
        .await
        .expect_refusal(78, &["gone.toml", "command line"]);
    let misspelt = setup.file("bad.toml", "[tokn]\naccess_ttl = \"1m\"\n");
    misspelt
        .run(&["config", "check", "--config", "bad.toml"])
        .await
        .expect_refusal(78, &["did you mean [token]?"]);
}

#[tokio::test]
async fn fallback_names_of_platforms_count_after_ours() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::bare(folder.path()).without("KEYWARD_LISTEN").env("PORT", "8080");
    let shown = setup.run(&["config", "show"]).await.expect_code(0).stdout;
    assert_line(&shown, "listen", "0.0.0.0:8080", "environment PORT");
    let setup = setup.env("KEYWARD_LISTEN", "127.0.0.1:9").env("DATABASE_URL", "sqlite://elsewhere.db");
    let shown = setup.run(&["config", "show"]).await.expect_code(0).stdout;
    assert_line(&shown, "listen", "127.0.0.1:9", "environment KEYWARD_LISTEN");
    assert_line(&shown, "database_url", "sqlite://elsewhere.db", "environment DATABASE_URL");
}

#[tokio::test]
async fn secrets_are_read_from_files_and_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let key = crate::support::master_key();
    let setup = Setup::bare(folder.path())
        .file("key", &format!("{key}\n"))
        .file("admin", "a river under seven bridges\n")
        .file("hook", &format!("whsec_{key}\n"))
        .env("KEYWARD_EVENTS_WEBHOOK_SECRETS_FILE", "hook")
        .env("KEYWARD_MASTER_KEY_FILE", "key")
        .env("KEYWARD_ADMIN_EMAIL", "root@example.com")
        .env("KEYWARD_ADMIN_PASSWORD_FILE", "admin")
        .env("DATABASE_URL", "postgres://keyward:hunter-2-hunter@db.example.com/keyward")
        .env("KEYWARD_EVENTS_URL", "https://hooks.example.com/t0ken-in-a-path");
    let shown = setup.run(&["config", "show"]).await.expect_code(0).stdout;
    assert_line(&shown, "master_key", "[redacted]", "environment KEYWARD_MASTER_KEY_FILE");
    assert_line(&shown, "admin.password", "[redacted]", "environment KEYWARD_ADMIN_PASSWORD_FILE");
    assert_line(&shown, "admin.email", "root@example.com", "environment KEYWARD_ADMIN_EMAIL");
    for secret in [key.as_str(), "river", "hunter-2", "t0ken"] {
        assert!(!shown.contains(secret), "{secret} is in {shown}");
    }
    assert!(shown.contains("postgres://keyward:[redacted]@db.example.com/keyward"), "{shown}");

    let setup = setup.without("KEYWARD_EVENTS_URL");
    let checked = setup.run(&["config", "check"]).await.expect_code(0).stdout;
    assert!(checked.ends_with("the settings are good\n"), "{checked}");
    let both = setup.clone().env("KEYWARD_MASTER_KEY", &*key).run(&["config", "check"]).await;
    let both = both.expect_refusal(78, &["is given twice, as a value and as a file"]);
    assert!(!both.stderr.contains(&key));
    let gone = setup.env("KEYWARD_MASTER_KEY_FILE", "gone").run(&["config", "check"]).await;
    gone.expect_refusal(78, &["gone cannot be read", "KEYWARD_MASTER_KEY_FILE"]);
}

#[tokio::test]
async fn a_secret_from_a_file_opens_the_database() {
    let database = TestDatabase::create().await;
    let setup = Setup::on(&database);
    let mut server = setup.serve().await;
    let user = server.user().await;
    assert_eq!(server.stop().await, 0);
    let setup = setup.without("KEYWARD_MASTER_KEY").file("key", &crate::support::master_key());
    let setup = setup.file(".env", "KEYWARD_MASTER_KEY_FILE=key\n");
    let server = setup.serve().await;
    user.at(server.url("")).me().await.expect_status(200);
}

#[tokio::test]
async fn what_this_version_cannot_keep_is_refused_rather_than_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let sqs = Setup::embedded(folder.path())
        .env("KEYWARD_EVENTS_URL", "log:, sqs://keyward:hunter2@broker.example.com, amqp://");
    sqs.run(&["config", "check"]).await.expect_refusal(78, &["events_url"]);
    let refused = sqs.run(&[]).await.expect_refusal(78, &["events_url", "sqs://", "names no host", "log:"]);
    assert!(!refused.stderr.contains("hunter2") && !refused.stdout.contains("hunter2"));
}

#[tokio::test]
async fn a_database_that_is_away_is_69_and_not_a_mistake_of_the_settings() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::embedded(folder.path())
        .env("KEYWARD_MASTER_KEY", crate::support::master_key())
        .env("KEYWARD_DATABASE_URL", "postgres://keyward:hunter2@127.0.0.1:1/keyward");
    for command in [&["serve"][..], &["users", "list"], &["migrate", "status"]] {
        let away = setup.run(command).await.expect_refusal(69, &["127.0.0.1:1 does not answer"]);
        assert!(!away.stderr.contains("hunter2"), "{}", away.stderr);
    }
}

/// Asserts that `config show` has this setting, with this value, from there.
#[track_caller]
fn assert_line(shown: &str, key: &str, value: &str, origin: &str) {
    let line = shown.lines().find(|line| line.split_whitespace().next() == Some(key));
    let line = line.unwrap_or_else(|| panic!("no {key} in {shown}"));
    let rest = line.trim_start_matches(key).trim();
    let (seen, from) = rest.split_once("  ").unwrap_or_else(|| panic!("{line}"));
    assert_eq!((seen, from.trim()), (value, origin));
}

#[tokio::test]
async fn a_sink_that_cannot_be_served_is_refused_before_anything_starts() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::bare(folder.path()).file("junk.pem", "no certificate");
    let refused = async |url: &str, words: &[&str]| {
        let setup = setup.clone().env("KEYWARD_EVENTS_URL", url);
        for command in [&["serve"][..], &["config", "check"]] {
            let refused = setup.run(command).await.expect_refusal(78, words);
            assert!(!refused.stderr.contains("hunter2"), "{}", refused.stderr);
        }
    };
    let both = "nats://hunter2@h?tls=true&ca=nowhere.pem,amqps://u:hunter2@h?ca=junk.pem";
    let told = ["ca nowhere.pem cannot be read", "ca junk.pem holds no certificate", "fix: name a PEM file"];
    refused(both, &told).await;
    let two = "kafka://u:hunter2@h/a%20b?sasl=digest&acks=1";
    let told =
        ["3 settings need attention", "names no topic", "sasl=scram-sha-256", "unknown option \"acks\""];
    refused(two, &told).await;
    if cfg!(not(feature = "kafka-tls")) {
        for url in ["kafka://u:hunter2@h", "kafka://u:hunter2@h?sasl=plain&tls=true"] {
            refused(url, &["needs a keyward that was built with it", "--features kafka-tls"]).await;
        }
    }
}
