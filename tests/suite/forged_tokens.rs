//! T1 and T2: access tokens that somebody made up, most of them signed with the server's own key, so
//! that only the one thing they try is left to refuse them. None makes the server call anybody.

use std::net::TcpListener;

use aws_lc_rs::hmac;
use serde_json::{Value, json};

use crate::support::{Actor, Forge, ISSUER, TestServer, encode};

async fn expect_refused(user: &Actor, token: &str) {
    let answer = user.me_with(token).await.expect_problem(401, "invalid_token");
    assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"keyward\", error=\"invalid_token\"");
}

/// A server, a user with a live session, and its key in the wrong hands.
async fn stage() -> (TestServer, Actor, Forge) {
    let server = TestServer::start().await;
    let user = server.user().await;
    let forge = Forge::of(&server, &user).await;
    user.me_with(&forge.good()).await.expect_status(200);
    (server, user, forge)
}

#[tokio::test]
async fn no_algorithm_but_ours_counts() {
    let (_server, user, forge) = stage().await;
    let payload = encode(forge.claims.to_string());
    let good_signature = forge.good().rsplit('.').next().unwrap().to_owned();
    for alg in ["none", "None", "NONE", "nOnE", "none ", "", " ", "ES256 ", "es256", "\u{0}", "null"] {
        let mut header = forge.header();
        header["alg"] = json!(alg);
        expect_refused(&user, &forge.sign(&header, &forge.claims)).await;
        for signature in ["", "AA", good_signature.as_str()] {
            expect_refused(&user, &format!("{}.{payload}.{signature}", encode(header.to_string()))).await;
        }
    }
    let others = [json!(null), json!(["ES256"]), json!({ "alg": "ES256" }), json!(256), json!(true)];
    for alg in others.into_iter().chain(
        ["HS256", "HS384", "HS512", "RS256", "RS512", "PS256", "ES384", "ES512", "ES256K", "EdDSA", "dir"]
            .map(Value::from),
    ) {
        expect_refused(&user, &forge.with_header("alg", alg)).await;
    }
    expect_refused(&user, &forge.sign(&without(forge.header(), "alg"), &forge.claims)).await;
    let twice = format!(r#"{{"alg":"none","alg":"ES256","typ":"at+jwt","kid":"{}"}}"#, forge.kid);
    expect_refused(&user, &forge.sign_texts(&twice, &forge.claims.to_string())).await;
}

/// The oldest trick: the public key, which everybody has, as the secret of an HMAC.
#[tokio::test]
async fn the_public_key_is_nobodys_secret() {
    let (_server, user, forge) = stage().await;
    let jwks = user.get("/.well-known/jwks.json").await.expect_status(200);
    let jwk = jwks.json["keys"].as_array().unwrap().iter().find(|jwk| jwk["kid"] == forge.kid).unwrap();
    let point = forge.public_point();
    // SubjectPublicKeyInfo of a P-256 key (RFC 5480 §2).
    let prefix = b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00";
    let der = [prefix.as_slice(), point].concat();
    let secrets: Vec<Vec<u8>> = vec![
        pem(&der, "\n", true),
        pem(&der, "\n", false),
        pem(&der, "\r\n", true),
        der,
        point.to_vec(),
        point[1..].to_vec(),
        [jwk["x"].as_str().unwrap(), jwk["y"].as_str().unwrap()].concat().into(),
        jwk.to_string().into(),
        jwks.body.clone(),
        forge.kid.clone().into(),
        vec![],
    ];
    for secret in secrets {
        for (alg, algorithm) in
            [("HS256", hmac::HMAC_SHA256), ("HS512", hmac::HMAC_SHA512), ("ES256", hmac::HMAC_SHA256)]
        {
            let mut header = forge.header();
            header["alg"] = json!(alg);
            let input = format!("{}.{}", encode(header.to_string()), encode(forge.claims.to_string()));
            let tag = hmac::sign(&hmac::Key::new(algorithm, &secret), input.as_bytes());
            expect_refused(&user, &format!("{input}.{}", encode(tag))).await;
        }
    }
}

fn pem(der: &[u8], newline: &str, at_end: bool) -> Vec<u8> {
    use base64::Engine as _;
    let body = base64::prelude::BASE64_STANDARD.encode(der);
    let lines: Vec<&str> = [&body[..64], &body[64..]].to_vec();
    let end = if at_end { newline } else { "" };
    let lines = lines.join(newline);
    format!("-----BEGIN PUBLIC KEY-----{newline}{lines}{newline}-----END PUBLIC KEY-----{end}").into_bytes()
}

/// A key that the token brings along, or says where to fetch, is not even looked at.
#[tokio::test]
async fn a_token_does_not_choose_its_key() {
    let (_server, user, forge) = stage().await;
    let own = forge.with_own_key();
    expect_refused(&user, &own.good()).await;

    let trap = TcpListener::bind("127.0.0.1:0").unwrap();
    trap.set_nonblocking(true).unwrap();
    let url = format!("http://{}/keys", trap.local_addr().unwrap());
    let (x, y) = own.public_point()[1..].split_at(32);
    let jwk = json!({ "kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y), "kid": own.kid, "alg": "ES256" });
    let members = [
        ("jwk", jwk),
        ("jku", json!(url)),
        ("x5u", json!(url)),
        ("x5c", json!(["MIIB"])),
        ("x5t", json!("AAAA")),
        ("x5t#S256", json!("AAAA")),
        ("crit", json!(["exp"])),
        ("crit", json!(["b64"])),
        ("crit", json!([])),
        ("crit", json!(null)),
        ("b64", json!(false)),
        ("b64", json!(true)),
        ("zip", json!("DEF")),
        ("enc", json!("A256GCM")),
        ("cty", json!("JWT")),
        ("nonce", json!("a")),
        ("unheard-of", json!(1)),
    ];
    for (name, value) in members {
        expect_refused(&user, &own.with_header(name, value.clone())).await;
        expect_refused(&user, &forge.with_header(name, value)).await;
    }
    // RFC 7797: unencoded payload.
    let header =
        format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":"{}","b64":false,"crit":["b64"]}}"#, forge.kid);
    let token = forge.sign_texts(&header, "{}");
    expect_refused(&user, &token.replace(&encode("{}"), "{}")).await;
    assert!(trap.accept().is_err(), "nobody was called");
}

#[tokio::test]
async fn a_hostile_kid_finds_no_key() {
    let (server, user, forge) = stage().await;
    let kid = forge.kid.clone();
    let texts = [
        "",
        " ",
        "../../../../dev/null",
        "/proc/self/environ",
        "file:///etc/passwd",
        "' OR '1'='1",
        "x' UNION SELECT sealed_private FROM signing_keys --",
        "'; DROP TABLE signing_keys; --",
        "%00",
        "\u{0}",
        "\r\nX-Injected: 1",
        "${jndi:ldap://127.0.0.1/a}",
        "*",
        "\u{202e}\u{1f511}",
        &kid.to_lowercase(),
        &format!("{kid} "),
        &format!("{kid}\u{0}"),
        &kid[..kid.len() - 1],
        &kid.repeat(20),
        &"k".repeat(5_000),
    ];
    for text in texts {
        expect_refused(&user, &forge.with_header("kid", json!(text))).await;
    }
    for value in [json!(null), json!(0), json!(-1.5e300), json!([kid]), json!({ "kid": kid }), json!(true)] {
        expect_refused(&user, &forge.with_header("kid", value)).await;
    }
    expect_refused(&user, &forge.sign(&without(forge.header(), "kid"), &forge.claims)).await;
    user.me().await.expect_status(200);
    assert_eq!(server.database.number("SELECT count(*) FROM signing_keys WHERE state = 'active'").await, 1);
}

#[tokio::test]
async fn only_an_access_token_in_compact_form_is_one() {
    let (_server, user, forge) = stage().await;
    for typ in
        ["JWT", "jwt", "rt+jwt", "id+jwt", "dpop+jwt", "logout+jwt", "at+jwt ", "at", "", "application/jwt"]
    {
        expect_refused(&user, &forge.with_header("typ", json!(typ))).await;
    }
    for typ in [json!(null), json!(1), json!(["at+jwt"])] {
        expect_refused(&user, &forge.with_header("typ", typ)).await;
    }
    expect_refused(&user, &forge.sign(&without(forge.header(), "typ"), &forge.claims)).await;

    let good = forge.good();
    let [header, payload, signature] = good.split('.').collect::<Vec<_>>().try_into().unwrap();
    let jwe = json!({ "alg": "dir", "enc": "A256GCM", "kid": forge.kid, "typ": "at+jwt" });
    expect_refused(
        &user,
        &format!("{}..AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA", encode(jwe.to_string())),
    )
    .await;
    expect_refused(&user, &format!("{header}..{payload}.{signature}.")).await;
    let protected = json!({ "payload": payload, "protected": header, "signature": signature });
    let general =
        json!({ "payload": payload, "signatures": [{ "protected": header, "signature": signature }] });
    for serialisation in [protected.to_string(), general.to_string(), format!("[{protected}]")] {
        expect_refused(&user, &serialisation).await;
    }
    let zeros = encode([0_u8; 64]);
    let order = "____ _wAAAAD__________7zm-q2nF56E87nKwvxjJVE".replace(' ', "");
    for signature in
        [zeros.as_str(), "", "AA", &format!("{order}{order}"), &zeros[..43], &format!("{zeros}AAAA")]
    {
        expect_refused(&user, &format!("{header}.{payload}.{signature}")).await;
    }
}

#[tokio::test]
async fn claims_are_of_their_type_there_once_and_not_absurd() {
    let (_server, user, forge) = stage().await;
    let (iat, exp) = (forge.claims["iat"].as_i64().unwrap(), forge.claims["exp"].as_i64().unwrap());
    let bad = [
        (
            "exp",
            vec![
                json!(exp.to_string()),
                json!(null),
                json!([exp]),
                json!(-1),
                json!(0),
                json!(iat),
                json!(1e300),
                json!(i64::MAX),
                json!(u64::MAX),
                json!(iat + 24 * 3600 + 1),
                json!(true),
            ],
        ),
        (
            "iat",
            vec![
                json!(iat.to_string()),
                json!(null),
                json!(exp),
                json!(-1),
                json!(i64::MIN),
                json!(iat + 3_600),
            ],
        ),
        ("nbf", vec![json!(null), json!("0"), json!(iat + 3_600), json!(i64::MAX)]),
        (
            "iss",
            vec![
                json!(null),
                json!(""),
                json!([ISSUER]),
                json!(format!("{ISSUER}/")),
                json!("http://127.0.0.1:7301"),
            ],
        ),
        (
            "aud",
            vec![
                json!(null),
                json!(""),
                json!([]),
                json!({}),
                json!([null]),
                json!(["other"]),
                json!(format!("{ISSUER}/")),
            ],
        ),
        ("sub", vec![json!(null), json!(""), json!(1)]),
        ("sid", vec![json!(null), json!(""), json!("x"), json!(1), json!("' OR 1=1 --"), json!("../x")]),
        ("jti", vec![json!(null), json!(1)]),
        ("client_id", vec![json!(null), json!(""), json!(["keyward"])]),
        ("roles", vec![json!(null), json!("admin"), json!([1]), json!({ "admin": true })]),
        ("email_verified", vec![json!("true"), json!(null)]),
    ];
    for (name, values) in bad {
        for value in values {
            expect_refused(&user, &forge.with_claim(name, value)).await;
        }
    }
    for name in ["iss", "sub", "aud", "client_id", "iat", "exp", "jti", "sid", "roles"] {
        expect_refused(&user, &forge.sign(&forge.header(), &without(forge.claims.clone(), name))).await;
    }
    let text = forge.claims.to_string();
    let twice = text.replacen('{', &format!(r#"{{"exp":{},"#, exp + 60), 1);
    for payload in
        [twice.as_str(), "", "null", "[]", "{}", "\"\"", &text[..text.len() - 1], &format!("{text} x")]
    {
        expect_refused(&user, &forge.sign_texts(&forge.header().to_string(), payload)).await;
    }
    // A session that nobody has: well-formed, and simply over.
    let nobody = forge.with_claim("sid", json!("01a20bb5-05fd-78cc-9029-3c5ba2827f50"));
    user.me_with(&nobody).await.expect_problem(401, "session_ended");
}

fn without(mut object: Value, name: &str) -> Value {
    object.as_object_mut().unwrap().remove(name).unwrap();
    object
}
