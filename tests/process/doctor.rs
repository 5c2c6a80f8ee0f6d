//! `keyward doctor`: a healthy set-up, and broken ones of every kind, as an operator finds them.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::support::{
    Authority, Exchange, PrivateRedis, Server, Setup, TestDatabase, free_port, serve_as_issuer,
};

const EVICTS: [&str; 5] = ["--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru", "--port"];

#[tokio::test]
async fn all_is_well_with_a_healthy_set_up_beside_its_server() {
    let database = TestDatabase::create().await;
    let (authority, redis) = (Authority::new(), PrivateRedis::start_with(&EVICTS).await);
    let exchange = Exchange::create().await;
    // Who is bound to everything would get whatever a doctor publishes.
    let queue = exchange.queue(&["#"]).await;
    let base = Setup::on(&database)
        .without("KEYWARD_ARGON2_MEMORY_KIB")
        .without("KEYWARD_ARGON2_ITERATIONS")
        .env("KEYWARD_LIMITS_ENABLED", "true")
        .env("KEYWARD_TLS_CERT", authority.path("server.pem"))
        .env("KEYWARD_TLS_KEY", authority.path("server.key"))
        .env("SSL_CERT_FILE", authority.path("ca.pem"))
        .env("KEYWARD_REDIS_URL", redis.url())
        .env("KEYWARD_EVENTS_URL", format!("log:,{}", exchange.events_url()))
        .env("KEYWARD_ADMIN_EMAIL", "root@example.com")
        .env("KEYWARD_ADMIN_PASSWORD", "a river under seven bridges");
    make_private(&authority);
    set_mode(database.folder.path(), 0o700);
    let mut served = None;
    while served.is_none() {
        let port = free_port();
        let setup = base
            .clone()
            .env("KEYWARD_LISTEN", format!("127.0.0.1:{port}"))
            .env("KEYWARD_ISSUER", format!("https://localhost:{port}"))
            .env("KEYWARD_MANAGEMENT_LISTEN", format!("127.0.0.1:{}", free_port()));
        served = Server::listening_unless_port_taken(setup.start(&[])).await.map(|server| (setup, server));
    }
    let (setup, mut server) = served.expect("served");
    // The first admin's event is all there is.
    let report = crate::support::until("a healthy set-up", async || {
        let report = setup.doctor().await;
        let backlog =
            report.findings.iter().any(|finding| finding["meaning"].to_string().contains("events that wait"));
        (!backlog).then_some(report)
    })
    .await
    .expect_code(0);
    let known: &[&str] = if database.embedded() { &[] } else { &["audit.append_only"] };
    assert_eq!(report.complaints(), known, "{:#?}", report.findings);
    for code in [
        "settings.read",
        "issuer.scheme",
        "proxies.trust",
        "tls.validity",
        "tls.name",
        "memory.hashes",
        "database.answers",
        "database.version",
        "clock.skew",
        "schema.steps",
        "master_key.known",
        "signing_keys.active",
        "signing_keys.pending",
        "signing_keys.rotation",
        "admins.exist",
        "redis.answers",
        "redis.policy",
        "server.ready",
        "issuer.answers",
        "issuer.keys",
    ] {
        report.the(code).expect("ok", &[]);
    }
    for sink in ["log", "amqp"] {
        report.about("sink.takes", sink).expect("ok", &[]);
        report.about("outbox.backlog", sink).expect("ok", &[]);
    }
    assert_eq!(database.number("SELECT count(*) FROM outbox").await, 1);
    assert_eq!(queue.waiting().await, 1, "nothing but the event of the first admin");
    let text = setup.run(&["doctor"]).await.expect_code(0).stdout;
    assert!(text.lines().next().unwrap().starts_with("ok       settings.read"), "{text}");
    assert!(text.contains("\n0 problems, ") && !text.contains('\u{1b}'), "{text}");
    assert_eq!(server.stop().await, 0);

    let silent = setup.doctor().await.expect_code(0);
    silent.the("server.ready").expect("note", &["no server answers probes"]);
    silent.the("issuer.answers").expect("note", &["cannot be reached"]);
    exchange.delete([queue]).await;
}

/// The authority of tests does not mind who reads its keys.
fn make_private(authority: &Authority) {
    set_mode(&authority.file("server.key"), 0o600);
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn a_look_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::embedded(folder.path());
    let report = setup.doctor().await.expect_code(0);
    report.the("database.answers").expect("note", &["no database", "first start"]);
    report.the("data_dir.writable").expect("note", &["not there yet"]);
    assert!(!folder.path().join("data").exists());

    let mut server = setup.serve().await;
    server.user().await;
    assert_eq!(server.stop().await, 0);
    let before = contents(&folder.path().join("data"));
    let report = setup.doctor().await.expect_code(0);
    for code in
        ["database.answers", "schema.steps", "master_key.known", "master_key.mode", "signing_keys.active"]
    {
        report.the(code).expect("ok", &[]);
    }
    assert!(contents(&folder.path().join("data")) == before, "every byte of every file is as it was");

    // After a crash, what is not in the file yet is read too, and stays where it is.
    let mut server = setup.serve().await;
    server.user().await;
    server.process.kill();
    let log = fs::read(folder.path().join("data/keyward.db-wal")).unwrap();
    assert!(!log.is_empty());
    setup.doctor().await.expect_code(0).the("schema.steps").expect("ok", &[]);
    assert!(fs::read(folder.path().join("data/keyward.db-wal")).unwrap() == log);
}

fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap());
    files
        .map(|file| (file.file_name().to_string_lossy().into_owned(), fs::read(file.path()).unwrap()))
        .collect()
}

#[tokio::test]
async fn each_that_is_away_is_told_and_the_rest_is_looked_at() {
    let database = TestDatabase::create().await;
    // A place that takes connections and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().unwrap();
    let brokers = "amqp://keyward:hunter2@127.0.0.1:1/%2f,nats://keyward:hunter2@127.0.0.1:1,\
                   http://127.0.0.1:1/hunter2#hook";
    let setup = Setup::on(&database)
        .env("KEYWARD_REDIS_URL", "redis://keyward:hunter2@127.0.0.1:1")
        .env("KEYWARD_EVENTS_WEBHOOK_SECRETS", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=")
        .env("KEYWARD_EVENTS_URL", brokers);
    let mut server = setup.serve().await;
    let report = setup.doctor().await.expect_code(69);
    report.the("redis.answers").expect("problem", &["Redis is away", "own counters", "redis_url"]);
    for sink in ["amqp", "nats", "hook"] {
        report.about("sink.takes", sink).expect("problem", &["it is away", "outbox"]);
    }
    report.the("schema.steps").expect("ok", &[]);
    assert_eq!(server.stop().await, 0);

    let all = "amqp://keyward:hunter2@SILENT/%2f,nats://keyward:hunter2@SILENT,http://SILENT/hunter2#hook";
    let setup = setup
        .env("KEYWARD_DATABASE_URL", format!("postgres://keyward:hunter2@{silent}/keyward"))
        .env("KEYWARD_REDIS_URL", format!("redis://keyward:hunter2@{silent}"))
        .env("KEYWARD_ISSUER", format!("http://{silent}"))
        .env("KEYWARD_EVENTS_URL", all.replace("SILENT", &silent.to_string()));
    let report = setup.doctor().await.expect_code(69);
    report.the("database.answers").expect("problem", &["does not answer", &silent.to_string()]);
    report.the("redis.answers").expect("problem", &["in time"]);
    report.the("issuer.answers").expect("note", &["cannot be reached"]);
    for sink in ["amqp", "nats", "hook"] {
        report.about("sink.takes", sink).expect("problem", &["it is away"]);
    }
    report.the("memory.hashes").expect("ok", &[]);
}

#[cfg(feature = "kafka")]
#[tokio::test]
async fn a_kafka_that_is_away_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::embedded(folder.path())
        .env("KEYWARD_EVENTS_URL", "kafka://keyward:hunter2@127.0.0.1:1/auth.events?sasl=plain");
    setup.doctor().await.expect_code(69).about("sink.takes", "kafka").expect("problem", &["it is away"]);
}

#[tokio::test]
async fn every_mistake_in_the_settings_is_a_finding() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::embedded(folder.path());
    let wrong = setup
        .clone()
        .env("KEYWARD_DOCS", "maybe")
        .env("KEYWARD_DATABASE_URL", "mysql://keyward:hunter2@db/k");
    let report = wrong.doctor().await.expect_code(78);
    let told: Vec<String> = report.findings.iter().map(|finding| finding["meaning"].to_string()).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.iter().any(|one| one.contains("docs (from environment KEYWARD_DOCS)")), "{told:?}");
    assert!(told.iter().any(|one| one.contains("mysql://, which is not supported")), "{told:?}");

    let doubtful = setup.clone().env("KEYWARD_ISSUER", "http://auth.example.com");
    let report = doubtful.doctor().await.expect_code(0);
    report.saying("settings.doubtful", "is plain http").expect("warning", &["config show"]);
    let admin = setup
        .clone()
        .env("KEYWARD_ADMIN_EMAIL", "root")
        .env("KEYWARD_ADMIN_PASSWORD", "a river under seven bridges");
    let report = admin.doctor().await.expect_code(78);
    report.the("settings.mistake").expect("problem", &["admin.email", "you@example.com"]);
    setup.run(&["doctor", "--nonsense"]).await.expect_refusal(2, &["--nonsense"]);
}

#[tokio::test]
async fn certificates_are_held_against_time_and_issuer() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    make_private(&authority);
    let setup = Setup::embedded(folder.path())
        .env("KEYWARD_ISSUER", "https://localhost")
        .env("KEYWARD_TLS_CERT", authority.path("server.pem"))
        .env("KEYWARD_TLS_KEY", authority.path("server.key"));
    let report = setup.doctor().await.expect_code(0);
    report.the("tls.validity").expect("ok", &[]);
    report.the("tls.name").expect("ok", &["localhost"]);
    set_mode(&authority.file("server.key"), 0o604);
    setup.doctor().await.expect_code(0).the("tls.key_mode").expect("warning", &["server.key", "chmod 600"]);

    let elsewhere = setup.clone().env("KEYWARD_ISSUER", "https://auth.example.com");
    let report = elsewhere.doctor().await.expect_code(78);
    report.the("tls.name").expect("problem", &["is not for auth.example.com"]);
    let in_days = |days: i64| {
        let then = time::OffsetDateTime::UNIX_EPOCH
            + std::time::UNIX_EPOCH.elapsed().unwrap()
            + time::Duration::days(days);
        authority.renew(|params| params.not_after = then);
    };
    in_days(5);
    setup.doctor().await.expect_code(0).the("tls.validity").expect("warning", &["expires at", "days"]);
    authority.renew(|params| params.not_after = rcgen::date_time_ymd(2001, 1, 1));
    setup.doctor().await.expect_code(78).the("tls.validity").expect("problem", &["expired at 2001-01-01"]);
    // What cannot be served at all hides nothing else.
    authority.write("server.key", &Authority::new().read("server.key"));
    let report = setup.doctor().await.expect_code(78);
    report.the("settings.mistake").expect("problem", &["is not the key of the certificate"]);
    report.the("database.answers").expect("note", &[]);
}

#[tokio::test]
async fn files_that_others_can_read_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::embedded(folder.path());
    setup.run(&["users", "list"]).await.expect_code(0);
    let data = folder.path().join("data");
    set_mode(&data.join("master.key"), 0o644);
    let report = setup.doctor().await.expect_code(78);
    report.the("master_key.mode").expect("problem", &["every user", "mode 644", "chmod 600"]);
    set_mode(&data.join("master.key"), 0o640);
    setup.doctor().await.expect_code(0).the("master_key.mode").expect("warning", &["a group", "mode 640"]);
    set_mode(&data.join("master.key"), 0o600);
    set_mode(&data, 0o755);
    set_mode(&data.join("keyward.db"), 0o644);
    setup
        .doctor()
        .await
        .expect_code(0)
        .the("data_dir.mode")
        .expect("warning", &["password hashes", "chmod 700"]);
    set_mode(&data, 0o700);
    setup.doctor().await.expect_code(0).the("data_dir.mode").expect("ok", &[]);

    fs::remove_file(data.join("master.key")).unwrap();
    let report = setup.doctor().await.expect_code(78);
    report.the("master_key.known").expect("problem", &["master.key is missing", "restore the file"]);
    fs::write(data.join("master.key"), "not a key\n").unwrap();
    setup.doctor().await.expect_code(78).the("master_key.known").expect("problem", &["master.key"]);

    // Even who may do everything cannot make a folder where a file is.
    let in_the_way = Setup::embedded(folder.path()).file("taken", "");
    let setup = in_the_way.env("KEYWARD_DATA_DIR", "taken/data");
    let report = setup.doctor().await.expect_code(78);
    report.the("data_dir.writable").expect("problem", &["taken is in the way", "another path"]);
    setup.run(&["serve"]).await.expect_refusal(78, &["taken/data"]);
}

#[tokio::test]
async fn more_hashes_than_fit_into_memory_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::embedded(folder.path())
        .env("KEYWARD_ARGON2_THREADS", "1024")
        .env("KEYWARD_ARGON2_MEMORY_KIB", "4194304");
    let report = setup.doctor().await.expect_code(78);
    report.the("memory.hashes").expect("problem", &["1024 hashes", "4096 MiB", "argon2.threads"]);
}

#[tokio::test]
async fn a_proxy_that_nobody_trusts_is_told() {
    let database = TestDatabase::create().await;
    let setup = Setup::on(&database).env("KEYWARD_ISSUER", "https://auth.example.com");
    let warning = ["all of its clients share one rate limit", "trusted_proxies"];
    setup.doctor().await.expect_code(0).the("proxies.trust").expect("warning", &warning);
    let trusting = setup.env("KEYWARD_TRUSTED_PROXIES", "10.0.0.0/8");
    trusting.doctor().await.the("proxies.trust").expect("ok", &["10.0.0.0/8"]);

    let server = Setup::on(&database).serve().await;
    let probes = ["--management-listen", &server.management.to_string()];
    let look = async || Setup::on(&database).doctor_with(&probes).await;
    assert!(!look().await.complaints().contains(&"proxies.ignored"));
    let request = server.anonymous().http.get(server.url("/health")).header("X-Forwarded-For", "203.0.113.7");
    request.send().await.unwrap();
    look().await.the("proxies.ignored").expect("warning", &["so far: 1", "trusted_proxies"]);
}

#[tokio::test]
async fn who_answers_as_issuer_must_be_this_installation() {
    let (ours, theirs) = (TestDatabase::create().await, TestDatabase::create().await);
    let (_, server) = serve_as_issuer(&theirs).await;
    Setup::on(&ours).run(&["keys", "list"]).await.expect_code(0);
    // Another database behind our address.
    let setup = Setup::on(&ours).env("KEYWARD_ISSUER", server.url(""));
    let report = setup.doctor().await.expect_code(78);
    report.the("issuer.answers").expect("ok", &[]);
    report.the("issuer.keys").expect("problem", &["do not find these keys", "another installation"]);
    // Another name at our address.
    let setup = Setup::on(&ours).env("KEYWARD_ISSUER", format!("http://localhost:{}", server.public.port()));
    let report = setup.doctor().await.expect_code(78);
    report.the("issuer.answers").expect("problem", &["calls itself", "letter by letter"]);
    // Something else altogether.
    let setup = Setup::on(&ours).env("KEYWARD_ISSUER", server.url("/auth"));
    setup.doctor().await.expect_code(0).the("issuer.answers").expect("warning", &["answers 404"]);
}
