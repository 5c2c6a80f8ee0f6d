//! Tools of other people, in Python, that know nothing of Keyward but its URL.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::support::{Finished, Process, Setup, TestDatabase, python, serve_as_issuer, unique_email};

#[tokio::test]
async fn pyjwt_verifies_an_access_token_from_the_issuers_url_alone() {
    let database = TestDatabase::create().await;
    let (setup, server) = serve_as_issuer(&database).await;
    let issuer = server.url("");
    let user = server.user().await;
    let verified = verify(&setup, &issuer, &issuer, &user.access_token).await.expect_code(0);
    let claims: Value = serde_json::from_str(&verified.stdout).unwrap();
    let me = user.me().await.json;
    for (claim, expected) in [("sub", &me["id"]), ("sid", &me["session_id"]), ("roles", &me["roles"])] {
        assert_eq!(&claims[claim], expected, "{claims}");
    }

    for (token, said) in [
        (with_changed_claims(&user.access_token), "InvalidSignatureError"),
        (with_changed_signature(&user.access_token), "InvalidSignatureError"),
        (user.refresh_token.clone(), "DecodeError"),
    ] {
        verify(&setup, &issuer, &issuer, &token).await.expect_refusal(1, &[said]);
    }
    let elsewhere = verify(&setup, &issuer, "https://other.example.com", &user.access_token).await;
    elsewhere.expect_refusal(1, &["InvalidAudienceError"]);
}

#[tokio::test]
async fn the_openapi_document_tells_the_truth() {
    let database = TestDatabase::create().await;
    let (setup, server) = serve_as_issuer(&database).await;
    let made = setup.run(&["clients", "create", "schemathesis"]).await.expect_code(0).stdout;
    let words: Vec<&str> = made.split_whitespace().collect();
    let admin = unique_email();
    let create = ["users", "create", "--email", &admin, "--role", "admin", "--password-stdin"];
    setup.run_with_input(&create, "seven herons on one leg").await.expect_code(0);
    let setup = setup
        .env("KEYWARD_TEST_BASE", server.url(""))
        .env("KEYWARD_TEST_CLIENT", format!("{}:{}", words[1], words[3]))
        .env("KEYWARD_TEST_ADMIN", admin)
        .env("SCHEMATHESIS_HOOKS", script("schemathesis_hooks.py").display().to_string())
        .env("NO_COLOR", "1");
    let mut schemathesis = setup.command(python().with_file_name("schemathesis").to_str().unwrap());
    schemathesis.arg("--config-file").arg(script("schemathesis.toml"));
    schemathesis.arg("run").arg(server.url("/openapi.json"));
    let mut tried = Process::spawn(schemathesis, "");
    // Thousands of requests by a slow client: half a minute where nothing else runs.
    assert_eq!(tried.exit_code_within(Duration::from_secs(600)).await, 0, "{}", tried.said());
    for phase in ["Examples", "Coverage", "Fuzzing"] {
        assert!(tried.stdout().contains(&format!("✅ {phase}")), "{}", tried.said());
    }
    assert!(!server.process.stdout().contains("\"ERROR\""), "{}", server.process.said());
}

async fn verify(setup: &Setup, issuer: &str, audience: &str, token: &str) -> Finished {
    let mut command = setup.command(python().to_str().unwrap());
    command.arg(script("verify.py")).args([issuer, audience]);
    Setup::finish(Process::spawn(command, token)).await
}

/// Promotes its owner, and keeps the signature.
fn with_changed_claims(token: &str) -> String {
    let parts: Vec<&str> = token.split('.').collect();
    let claims = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
    let changed = claims.replace(r#"["user"]"#, r#"["admin"]"#);
    assert_ne!(changed, claims);
    format!("{}.{}.{}", parts[0], BASE64_URL_SAFE_NO_PAD.encode(changed), parts[2])
}

fn with_changed_signature(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
    bytes[40] ^= 1;
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python").join(name)
}
