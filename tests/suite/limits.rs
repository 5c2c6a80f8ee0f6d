//! Rate limits: how often, counted by whom, and that nobody moves a counter but by what is counted.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder};
use serde_json::json;

use crate::support::{Actor, Answer, PASSWORD, TestServer, unique_email};

const WRONG: &str = "not the right one";

/// A server with limits, whose clients say through a trusted proxy who they are.
async fn limited(settings: &[(&str, &str)]) -> TestServer {
    let base = [("limits.enabled", "true"), ("trusted_proxies", "127.0.0.1")];
    TestServer::start_with(&[&base, settings].concat()).await
}

fn login_request(server: &TestServer, address: &str, email: &str, password: &str) -> RequestBuilder {
    let body = json!({ "email": email, "password": password });
    let request = server.anonymous().request(Method::POST, "/auth/login").json(&body);
    request.header("x-forwarded-for", address)
}

async fn login_from(server: &TestServer, address: &str, email: &str, password: &str) -> Answer {
    Answer::of(login_request(server, address, email, password)).await
}

/// Asserts that an answer is the whole of a refusal.
#[track_caller]
fn expect_limited(answer: Answer, policy: &str, retry_after: u64) {
    let answer = answer.expect_problem(429, "too_many_attempts");
    assert_eq!(answer.header("retry-after"), retry_after.to_string());
    let used_up = format!("\"{policy}\";r=0;t={retry_after}");
    assert!(answer.header("ratelimit").contains(&used_up), "{}", answer.header("ratelimit"));
    assert!(answer.header("ratelimit-policy").contains(&format!("\"{policy}\";q=")));
}

#[tokio::test]
async fn guesses_of_one_account_from_one_address_end_and_come_back() {
    let server = limited(&[]).await;
    let user = server.user().await;
    for _ in 0..5 {
        let guess = login_from(&server, "192.0.2.1", &user.email, WRONG).await;
        guess.expect_problem(401, "invalid_credentials");
    }
    expect_limited(login_from(&server, "192.0.2.1", &user.email, PASSWORD).await, "login_per_account_ip", 12);
    // Not evaluated: no record says so.
    let records = "SELECT count(*) FROM audit_log WHERE event = 'login_failed'";
    assert_eq!(server.database.number(records).await, 5);
    login_from(&server, "192.0.2.2", &user.email, PASSWORD).await.expect_status(200);
    login_from(&server, "192.0.2.1", &unique_email(), WRONG).await.expect_status(401);

    server.clock.advance(Duration::from_secs(8));
    let early = login_from(&server, "192.0.2.1", &user.email, PASSWORD).await.expect_status(429);
    assert!((1..=4).contains(&early.header("retry-after").parse::<u64>().unwrap()));
    server.clock.advance(Duration::from_secs(4));
    login_from(&server, "192.0.2.1", &user.email, PASSWORD).await.expect_status(200);
    login_from(&server, "192.0.2.1", &user.email, PASSWORD).await.expect_status(429);
}

#[tokio::test]
async fn logins_that_succeed_are_given_back_to_their_address() {
    let server = limited(&[("limits.login_per_ip", "3/h"), ("limits.login_per_account_ip", "100/h")]).await;
    let user = server.user().await;
    for _ in 0..10 {
        let answer = login_from(&server, "192.0.2.1", &user.email, PASSWORD).await.expect_status(200);
        assert!(answer.header("ratelimit").starts_with("\"login_per_ip\";r=3;t=0, "), "{:?}", answer.headers);
    }
    for left in [2, 1, 0] {
        let answer = login_from(&server, "192.0.2.1", &unique_email(), WRONG).await.expect_status(401);
        let state = format!("\"login_per_ip\";r={left};t=1200, \"login_per_account_ip\";r=99;t=36");
        assert_eq!(answer.header("ratelimit"), state);
        let policy = "\"login_per_ip\";q=3;w=3600, \"login_per_account_ip\";q=100;w=3600";
        assert_eq!(answer.header("ratelimit-policy"), policy);
    }
    expect_limited(login_from(&server, "192.0.2.1", &user.email, PASSWORD).await, "login_per_ip", 1_200);
}

#[tokio::test]
async fn a_login_that_was_turned_away_unheard_is_no_attempt() {
    let server = limited(&[
        ("limits.login_per_ip", "6/h"),
        ("argon2.threads", "1"),
        ("argon2.queue", "1"),
        ("argon2.memory_kib", "131072"),
        ("argon2.iterations", "2"),
    ])
    .await;
    let guess = || {
        let request = login_request(&server, "192.0.2.1", &unique_email(), WRONG);
        tokio::spawn(async move { Answer::of(request).await.status.as_u16() })
    };
    let together: Vec<_> = (0..5).map(|_| guess()).collect();
    let mut statuses = Vec::new();
    for guess in together {
        statuses.push(guess.await.unwrap());
    }
    assert!(statuses.contains(&503), "{statuses:?}");
    for _ in 0..7 {
        statuses.push(guess().await.unwrap());
    }
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 6, "{statuses:?}");
    assert_eq!(statuses.last(), Some(&429));
}

#[tokio::test]
async fn sign_ups_are_counted_by_address_whether_the_name_was_free_or_not() {
    let server = limited(&[("limits.signup_per_ip", "3/h")]).await;
    let (ada, stranger) = (unique_email(), server.anonymous());
    let signup = async |address: &str, email: &str| {
        let request = stranger.request(Method::POST, "/auth/signup").header("x-forwarded-for", address);
        Answer::of(request.json(&json!({ "email": email, "password": PASSWORD }))).await
    };
    let made = signup("192.0.2.1", &ada).await.expect_status(201);
    assert_eq!(made.header("ratelimit"), "\"signup_per_ip\";r=2;t=1200");
    signup("192.0.2.1", "not an address").await.expect_status(422);
    signup("192.0.2.1", &ada).await.expect_problem(409, "email_taken");
    signup("192.0.2.1", &ada).await.expect_problem(409, "email_taken");
    expect_limited(signup("192.0.2.1", &unique_email()).await, "signup_per_ip", 1_200);
    signup("192.0.2.2", &unique_email()).await.expect_status(201);
}

#[tokio::test]
async fn refreshes_are_counted_by_session_and_only_for_those_who_hold_it() {
    let server = limited(&[("limits.refresh_per_session", "4/h")]).await;
    let mut user = server.user().await;
    let mut other = user.on_another_device().await;
    // Neither garbage nor a token whose MAC is wrong is counted, whatever session it names.
    let mut forged = user.refresh_token.clone();
    forged.truncate(forged.len() - 4);
    forged.push_str("AAAA");
    for _ in 0..6 {
        let refused = user.present(&forged).await.expect_problem(401, "invalid_refresh_token");
        assert_eq!(refused.header("ratelimit"), "");
    }
    for left in (0..4).rev() {
        let answer = user.refresh().await.expect_status(200);
        assert_eq!(answer.header("ratelimit"), format!("\"refresh_per_session\";r={left};t=900"));
    }
    expect_limited(user.refresh().await, "refresh_per_session", 900);
    user.me().await.expect_status(200);
    other.refresh().await.expect_status(200);
    server.clock.advance(Duration::from_secs(900));
    user.refresh().await.expect_status(200);
}

#[tokio::test]
async fn introspections_are_counted_by_client() {
    let server = limited(&[("limits.introspect_per_client", "2/h")]).await;
    let user = server.user().await;
    let operator = server.operator();
    let [billing, mail] = ["billing", "mail"].map(|name| name.parse().unwrap());
    let billing = server.app.client_create(&operator, billing).await.unwrap();
    let mail = server.app.client_create(&operator, mail).await.unwrap();
    let introspect = async |name: &str, secret: &str| {
        let request = user.request(Method::POST, "/oauth/introspect").basic_auth(name, Some(secret));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        Answer::of(request.body(format!("token={}", user.access_token))).await
    };
    for _ in 0..4 {
        introspect("billing", "kwc_wrong").await.expect_problem(401, "invalid_client");
    }
    introspect("billing", &billing).await.expect_status(200);
    introspect("billing", &billing).await.expect_status(200);
    expect_limited(introspect("billing", &billing).await, "introspect_per_client", 1_800);
    introspect("mail", &mail).await.expect_status(200);
}

#[tokio::test]
async fn the_current_password_cannot_be_guessed_faster_than_at_a_login() {
    let server = limited(&[]).await;
    let user = server.user().await;
    let body = json!({ "current_password": WRONG, "new_password": "another lake at dusk" });
    // The login of this user was the first of the five.
    for _ in 0..4 {
        user.tell(Method::POST, "/auth/password", &body).await.expect_problem(401, "invalid_credentials");
    }
    let refused = user.tell(Method::POST, "/auth/password", &body).await;
    expect_limited(refused, "login_per_account_ip", 12);
}

#[tokio::test]
async fn a_flood_from_one_address_is_refused_on_every_route() {
    let server = limited(&[("limits.per_ip", "10/h")]).await;
    let stranger = server.anonymous();
    let ask = async |address: &str, path: &str| {
        Answer::of(stranger.request(Method::GET, path).header("x-forwarded-for", address)).await
    };
    for path in ["/health", "/nothing", "/auth/me", "/.well-known/jwks.json", "/docs/"].repeat(2) {
        let answer = ask("192.0.2.1", path).await;
        assert_ne!(answer.status, 429);
        assert_eq!(
            answer.header("ratelimit"),
            "",
            "a cached answer must not say where its first reader stood"
        );
    }
    for path in ["/health", "/nothing", "/auth/me", "/.well-known/jwks.json"] {
        expect_limited(ask("192.0.2.1", path).await, "per_ip", 360);
    }
    ask("192.0.2.2", "/health").await.expect_status(200);
}

#[tokio::test]
async fn without_limits_nothing_is_refused_and_nothing_said() {
    let server =
        TestServer::start_with(&[("limits.login_per_account_ip", "1/d"), ("limits.per_ip", "1/d")]).await;
    let user = server.user().await;
    for _ in 0..8 {
        let answer = user.login_as(&user.email, WRONG).await.expect_status(401);
        assert_eq!((answer.header("ratelimit"), answer.header("ratelimit-policy")), ("", ""));
    }
}

/// Someone who comes from an address of the loopback network.
fn from_loopback(server: &TestServer, last: u8) -> Actor {
    let address = IpAddr::from(Ipv4Addr::new(127, 0, 0, last));
    let http = Client::builder().no_proxy().local_address(address).build().expect("a client");
    Actor { http, ..server.anonymous() }
}

#[tokio::test]
async fn headers_of_strangers_neither_free_them_nor_limit_a_victim() {
    let settings = [
        ("limits.enabled", "true"),
        ("limits.login_per_ip", "5/h"),
        // Somebody is trusted, but not these.
        ("trusted_proxies", "10.0.0.0/8"),
    ];
    let server = TestServer::start_with(&settings).await;
    let (attacker, victim) = (from_loopback(&server, 2), from_loopback(&server, 3));
    let mut evaluated = 0;
    for round in 0..30 {
        let mut request = attacker.request(Method::POST, "/auth/login");
        for name in ["x-forwarded-for", "x-real-ip", "true-client-ip", "cf-connecting-ip", "x-client-ip"] {
            request = request.header(
                name,
                if round % 2 == 0 { "127.0.0.3".to_owned() } else { format!("192.0.2.{round}") },
            );
        }
        request = request.header("forwarded", format!("for=127.0.0.3, for=198.51.100.{round}"));
        let body = json!({ "email": unique_email(), "password": WRONG });
        let answer = Answer::of(request.json(&body)).await;
        evaluated += u32::from(answer.status == 401);
        assert!(answer.status == 401 || answer.status == 429);
    }
    assert_eq!(evaluated, 5);
    victim.login_as(&unique_email(), WRONG).await.expect_status(401);
}

#[tokio::test]
async fn what_a_client_tells_a_trusted_proxy_does_not_free_it() {
    for (header, line) in [
        ("x-forwarded-for", "{junk}, 192.0.2.9"),
        ("x-forwarded-for", "{junk}, 2001:db8:0:1:{round}::9"),
        ("forwarded", "for={junk}, for=192.0.2.9;proto=https"),
        ("forwarded", "{junk}, for=\"[2001:db8:0:1:{round}::9]:4711\""),
    ] {
        let server = limited(&[("limits.login_per_ip", "5/h")]).await;
        let mut evaluated = 0;
        for round in 10..30 {
            let junk = ["127.0.0.1", "198.51.100.7", "unknown"][round % 3];
            let value = line.replace("{junk}", junk).replace("{round}", &round.to_string());
            // A line that does not read at all counts for the proxy, which is one address as well.
            let body = json!({ "email": unique_email(), "password": WRONG });
            let request = server.anonymous().request(Method::POST, "/auth/login").header(header, value);
            evaluated += u32::from(Answer::of(request.json(&body)).await.status == 401);
        }
        assert_eq!(evaluated, 5, "{header}: {line}");
        let victim = login_from(&server, "198.51.100.7", &unique_email(), WRONG).await;
        victim.expect_status(401);
    }
}

#[tokio::test]
async fn nothing_else_in_a_request_moves_a_counter() {
    let server = limited(&[]).await;
    let user = server.user().await;
    let mut evaluated = 0;
    for round in 0..20 {
        let spelling = match round % 4 {
            0 => user.email.clone(),
            1 => user.email.to_uppercase(),
            2 => format!("  {} ", user.email),
            _ => user.email.replace("example", "Example"),
        };
        let guess = format!("{{\"password\": \"guess {round}\", \"email\": {}}}", json!(spelling));
        let path = format!("/auth/login?email={round}@example.com");
        let request = server.anonymous().request(Method::POST, &path).body(guess);
        let request = request
            .header(
                "content-type",
                if round % 2 == 0 { "application/json" } else { "application/json; charset=utf-8" },
            )
            .header("x-forwarded-for", "192.0.2.1")
            .header("user-agent", format!("agent {round}"))
            .header("x-request-id", format!("id-{round}"))
            .header("host", format!("host-{round}.example"))
            .header("cookie", format!("session={round}"))
            .header("authorization", format!("Bearer {round}"))
            .header("origin", format!("https://{round}.example"))
            .header("accept-language", format!("x-{round}"));
        evaluated += u32::from(Answer::of(request).await.status == 401);
    }
    assert_eq!(evaluated, 5);
}

#[tokio::test]
async fn the_address_of_the_client_is_what_sessions_and_audit_show() {
    let server = limited(&[]).await;
    let mut user = server.anonymous();
    user.signup().await.expect_status(201);
    let forwarded = "::ffff:198.51.100.6, 2001:db8:1:2:3:4:5:6";
    let pair = login_from(&server, forwarded, &user.email, PASSWORD).await.expect_status(200);
    user.access_token = pair.text("access_token");
    let sessions = user.ask(Method::GET, "/auth/sessions").await.expect_status(200);
    assert_eq!(sessions.json["items"][0]["ip"], "2001:db8:1:2:3:4:5:6", "the whole of it");
    login_from(&server, "192.0.2.1, ::ffff:198.51.100.6", &user.email, WRONG).await.expect_status(401);
    let records = "SELECT ip FROM audit_log WHERE event = 'login_failed'";
    assert_eq!(server.database.texts(records).await, ["198.51.100.6"], "mapped IPv4 is IPv4");
}
