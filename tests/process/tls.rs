//! TLS as the process serves it: bad files at the start, better and worse ones on SIGHUP.

use serde_json::Value;

use crate::support::{Actor, Authority, Server, Setup, TestDatabase, until};

const STAYS: &str = "the certificate stays as it is: what the files hold now cannot be served";

fn serving(setup: Setup, authority: &Authority) -> Setup {
    setup
        .env("KEYWARD_TLS_CERT", authority.path("server.pem"))
        .env("KEYWARD_TLS_KEY", authority.path("server.key"))
}

/// Someone who trusts the authority.
fn visitor(server: &Server, authority: &Authority) -> Actor {
    let pem = authority.read("ca.pem");
    let certificate = reqwest::Certificate::from_pem(pem.as_bytes()).expect("a certificate");
    let http = reqwest::Client::builder().no_proxy().tls_certs_only([certificate]).build().expect("a client");
    Actor { http, ..Actor::new(format!("https://{}", server.public)) }
}

/// Lines of the log with this message.
fn lines(server: &Server, message: &str) -> Vec<Value> {
    let stdout = server.process.stdout();
    let lines = stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["message"] == message).collect()
}

#[tokio::test]
async fn files_that_cannot_be_served_are_told_with_all_other_mistakes() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, other) = (Authority::new(), Authority::new());
    let setup = Setup::embedded(folder.path());
    ours.write("other.key", &other.read("server.key"));
    ours.write("empty.pem", "");
    for (cert, key, told) in [
        ("none.pem", "server.key", &["tls.cert (from environment KEYWARD_TLS_CERT)", "cannot be read"][..]),
        ("empty.pem", "none.key", &["none.key cannot be read", "name a file that exists"]),
        ("empty.pem", "empty.pem", &["holds no certificate", "holds no private key", "PEM"]),
        ("server.pem", "other.key", &["tls.key", "is not the key of the certificate in tls.cert"]),
        (
            "server.key",
            "server.pem",
            &["tls.cert", "holds no certificate", "tls.key", "holds no private key"],
        ),
    ] {
        let setup =
            setup.clone().env("KEYWARD_TLS_CERT", ours.path(cert)).env("KEYWARD_TLS_KEY", ours.path(key));
        for command in [&["serve"][..], &["config", "check"]] {
            setup.run(command).await.expect_refusal(78, told);
        }
        let both = setup.clone().env("KEYWARD_DOCS", "maybe");
        both.run(&[]).await.expect_refusal(78, &[told, &["neither true nor false"]].concat());
        // Who does not serve may not even be allowed to read them.
        setup.run(&["config", "show"]).await.expect_code(0);
        setup.run(&["users", "list"]).await.expect_code(0);
    }
    let nobody = setup.clone().env("KEYWARD_TLS_REQUIRE_HTTPS", "true");
    nobody.run(&[]).await.expect_refusal(78, &["tls.require_https", "trusted_proxies", "tls.cert"]);
    let half = setup.env("KEYWARD_TLS_CERT", ours.path("server.pem"));
    half.run(&[]).await.expect_refusal(78, &["tls.cert", "given without tls.key"]);
}

#[tokio::test]
async fn the_banner_and_the_probe_know_that_it_is_https() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let setup = serving(Setup::embedded(folder.path()), &authority);
    let checked = setup.run(&["config", "check"]).await.expect_code(0).stdout;
    assert!(checked.contains("warning: issuer http://127.0.0.1:7300 is http"), "{checked}");
    let process = setup.start(&["--log-format", "text"]);
    let banner = until("the banner", async || {
        let said = process.stdout();
        said.contains("settings    keyward config show").then_some(said)
    })
    .await;
    assert!(banner.contains("address     https://127.0.0.1:"), "{banner}");
    assert!(
        banner.contains("curl -s https://127.0.0.1:") && banner.contains("probes      http://"),
        "{banner}"
    );
}

#[tokio::test]
async fn sighup_takes_a_better_certificate_and_leaves_a_worse_one() {
    let database = TestDatabase::create().await;
    let authority = Authority::new();
    let setup = serving(Setup::on(&database), &authority);
    let mut server = Server::listening(setup.start(&[])).await;
    let mut user = visitor(&server, &authority);
    user.signup().await.expect_status(201);
    user.login().await.expect_status(200);

    authority.renew(|_| ());
    server.process.signal("HUP");
    let read = async || (!lines(&server, "certificate read again").is_empty()).then_some(());
    until("the new certificate", read).await;
    user.me().await.expect_status(200);
    visitor(&server, &authority).get("/health").await.expect_status(200);

    let other = Authority::new();
    authority.write("server.key", &other.read("server.key"));
    server.process.signal("HUP");
    let told = until("an error line", async || lines(&server, STAYS).into_iter().next()).await;
    assert_eq!(told["level"], "ERROR");
    let problem = told["problem"].as_str().unwrap();
    assert!(
        problem.contains("tls.key is not the key of the certificate") && problem.contains("fix: "),
        "{problem}"
    );
    assert!(!server.process.stdout().contains("PRIVATE KEY"));
    visitor(&server, &authority).get("/health").await.expect_status(200);
    assert_eq!(server.stop().await, 0);

    // An expired one is served, and said to be.
    authority.renew(|params| params.not_after = rcgen::date_time_ymd(2001, 1, 1));
    let server = Server::listening(setup.start(&[])).await;
    let expired = "the certificate in tls.cert has expired: clients will refuse it";
    assert_eq!(lines(&server, expired).len(), 1, "{}", server.process.said());
}
