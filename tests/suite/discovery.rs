//! Discovery: what other services read to verify tokens on their own.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use keyward_verify::{KeySet, Typ, Verifier};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, ISSUER, TestServer};

const JWKS: &str = "/.well-known/jwks.json";
const METADATA: [&str; 2] = ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"];

#[tokio::test]
async fn a_stranger_verifies_tokens_of_every_algorithm_from_the_key_set_alone() {
    for (algorithm, kty, members, typ) in [
        ("ES256", "EC", &["crv", "kty", "x", "y"][..], "at+jwt"),
        ("EdDSA", "OKP", &["crv", "kty", "x"][..], "JWT"),
        ("RS256", "RSA", &["e", "kty", "n"][..], "at+jwt"),
    ] {
        let settings =
            [("token.algorithm", algorithm), ("token.typ", typ), ("audience", "https://api.example.com")];
        let server = TestServer::start_with(&settings).await;
        let user = server.user().await;
        let set = user.get(JWKS).await.expect_status(200);
        let header = part(&user.access_token, 0);
        let published = set.json["keys"].as_array().expect("keys");
        let signing: Vec<_> = published.iter().filter(|key| key["kid"] == header["kid"]).collect();
        assert_eq!(signing.len(), 1, "{published:?}");

        let mut public = [members, &["alg", "kid", "use"]].concat();
        public.sort_unstable();
        for key in published {
            let shown: Vec<_> = key.as_object().expect("an object").keys().collect();
            assert_eq!(shown, public, "public members only");
            assert_eq!(
                (&key["kty"], &key["use"], &key["alg"]),
                (&json!(kty), &json!("sig"), &json!(algorithm))
            );
            assert_eq!(key["kid"], thumbprint(key, members));
        }
        assert_eq!(header, json!({ "alg": algorithm, "typ": typ, "kid": signing[0]["kid"] }));
        let keys = KeySet::from_jwks(&set.body).expect("a key set");
        let kind = if typ == "JWT" { Typ::Jwt } else { Typ::AtJwt };
        let verifier = Verifier::new(ISSUER, "https://api.example.com").typ(kind);
        let now = server.app.now().unix_seconds();
        let claims = verifier.verify(&user.access_token, &keys, now).expect("a good token");
        let me = user.me().await.expect_status(200);
        assert_eq!((&claims.sub, &claims.sid), (&me.text("id"), &me.text("session_id")));
        assert!(claims.has_role("user") && claims.exp == claims.iat + 600);
        assert!(verifier.verify(&user.access_token, &keys, claims.exp + 60).is_err());
        assert!(Verifier::new(ISSUER, ISSUER).typ(kind).verify(&user.access_token, &keys, now).is_err());
    }
}

#[tokio::test]
async fn replicas_and_restarts_publish_the_same_keys() {
    let server = TestServer::start().await;
    let replica = server.replica().await;
    let first = server.anonymous().get(JWKS).await;
    assert_eq!(replica.anonymous().get(JWKS).await.body, first.body);
    drop(replica);
    let server = server.restart().await;
    let again = server.anonymous().get(JWKS).await;
    assert_eq!((again.header("etag"), &again.body), (first.header("etag"), &first.body));
    let active = "SELECT count(*) FROM signing_keys WHERE state = 'active'";
    assert_eq!(server.database.number(active).await, 1);
}

#[tokio::test]
async fn documents_are_cacheable_and_answer_304() {
    let server = TestServer::start_with(&[("keys.jwks_max_age", "2m")]).await;
    let stranger = server.anonymous();
    for (path, kind) in [
        (JWKS, "application/jwk-set+json"),
        (METADATA[0], "application/json"),
        (METADATA[1], "application/json"),
    ] {
        let fresh = stranger.get(path).await.expect_status(200);
        assert_eq!(fresh.header("content-type"), kind);
        assert_eq!(fresh.header("cache-control"), "public, max-age=120");
        let tag = fresh.header("etag").to_owned();
        assert!(tag.len() > 10 && tag.starts_with('"') && tag.ends_with('"'), "{tag}");
        let known = [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}"), "*".to_owned()];
        for value in known {
            let answer = Answer::of(stranger.request(Method::GET, path).header("if-none-match", value)).await;
            let answer = answer.expect_status(304);
            assert!(answer.body.is_empty());
            assert_eq!(
                (answer.header("etag"), answer.header("cache-control")),
                (tag.as_str(), "public, max-age=120")
            );
        }
        for value in ["\"x\"", tag.trim_matches('"'), ""] {
            let answer = Answer::of(stranger.request(Method::GET, path).header("if-none-match", value)).await;
            assert_eq!(answer.expect_status(200).body, fresh.body);
        }
    }
}

#[tokio::test]
async fn metadata_names_the_issuer_and_only_what_answers() {
    for docs in ["true", "false"] {
        let settings = [("issuer", "https://auth.example.com/base"), ("docs", docs)];
        let server = TestServer::start_with(&settings).await;
        let stranger = server.anonymous();
        for path in METADATA {
            let metadata = stranger.get(path).await.expect_status(200).json;
            assert_eq!(metadata["issuer"], "https://auth.example.com/base");
            assert_eq!(metadata["jwks_uri"], "https://auth.example.com/base/.well-known/jwks.json");
            assert_eq!(metadata.get("service_documentation").is_some(), docs == "true");
            for (name, value) in metadata.as_object().expect("an object") {
                let Some(url) = value.as_str().filter(|_| name != "issuer") else { continue };
                let local = url.strip_prefix("https://auth.example.com/base").expect("a URL of the issuer");
                let answer = stranger.get(local).await;
                assert_ne!(answer.status, 404, "{name}: {url}");
                let readable = answer.status.is_success() || answer.status.is_redirection();
                assert!(readable || name.ends_with("_endpoint") && answer.status == 405, "{name}: {url}");
            }
            for claimed in ["response_types_supported", "grant_types_supported"] {
                assert_eq!(metadata[claimed], json!([]), "nothing that is not there");
            }
        }
        let algorithms = stranger.get(METADATA[0]).await.json["id_token_signing_alg_values_supported"].take();
        assert_eq!(algorithms, json!(["ES256"]));
        let user = server.user().await;
        assert_eq!(part(&user.access_token, 1)["iss"], "https://auth.example.com/base");
        assert_eq!(part(&user.access_token, 1)["aud"], "https://auth.example.com/base");
    }
}

/// RFC 7638 §3: the required members alone, in the order of their names, without spaces.
fn thumbprint(key: &Value, members: &[&str]) -> String {
    let text: Vec<String> = members.iter().map(|name| format!("\"{name}\":{}", key[name])).collect();
    let digest =
        aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, format!("{{{}}}", text.join(",")).as_bytes());
    BASE64_URL_SAFE_NO_PAD.encode(digest)
}

fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).expect("three parts");
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON")
}
