//! T4: a token has one spelling, and every other one is refused, wherever the change is.

use reqwest::Method;
use serde_json::json;
use tokio::task::JoinSet;

use crate::support::{Answer, TestServer};

const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Every text that is one small accident away from a token.
fn changed(token: &str) -> Vec<String> {
    let mut out = vec![];
    for at in 0..token.len() {
        let byte = token.as_bytes()[at];
        let other = match ALPHABET.iter().position(|letter| *letter == byte) {
            // Bits high and low in turn; the lowest of a last letter are the ones that decoders drop.
            Some(value) => ALPHABET[value ^ [1, 32, 16, 2][at % 4]],
            None => b'A',
        };
        out.push(format!("{}{}{}", &token[..at], char::from(other), &token[at + 1..]));
    }
    for cut in [1, 2, 3, 4, token.len() / 2, token.len() - 1] {
        out.push(token[..token.len() - cut].to_owned());
        out.push(token[cut..].to_owned());
    }
    for more in ["=", "==", "A", "AA", "AAAA", ".", ".e30", "%3D", "\u{fffd}"] {
        out.push(format!("{token}{more}"));
        out.push(format!("{more}{token}"));
    }
    // The last letter of each part, with bits set that its decoding does not need.
    let ends = token.match_indices('.').map(|(at, _)| at).chain([token.len()]);
    for end in ends {
        let last = ALPHABET.iter().position(|letter| *letter == token.as_bytes()[end - 1]).unwrap();
        for bits in 1..16 {
            let other = char::from(ALPHABET[last ^ bits]);
            out.push(format!("{}{other}{}", &token[..end - 1], &token[end..]));
        }
        out.push(format!("{}={}", &token[..end], &token[end..]));
    }
    let standard = token.replace('-', "+").replace('_', "/");
    out.extend([standard, token.to_lowercase(), token.to_uppercase(), token.repeat(2), String::new()]);
    out.retain(|text| text != token);
    out
}

#[tokio::test]
async fn every_changed_access_token_is_refused() {
    let server = TestServer::start().await;
    let user = server.user().await;
    let mut requests = JoinSet::new();
    for part in in_parts(&changed(&user.access_token)) {
        let user = user.clone();
        requests.spawn(async move {
            for text in part {
                let request =
                    user.request(Method::GET, "/auth/me").header("authorization", format!("Bearer {text}"));
                expect_refused(&Answer::of(request).await, "invalid_token", &text);
            }
        });
    }
    requests.join_all().await;
    user.me().await.expect_status(200);
}

#[tokio::test]
async fn every_changed_refresh_token_is_refused_without_a_look_at_the_database() {
    let server = TestServer::start().await;
    let mut user = server.user().await;
    let mut requests = JoinSet::new();
    let blank = ["\n", " ", "\u{0}"].map(|blank| format!("{}{blank}", user.refresh_token));
    let texts: Vec<String> = changed(&user.refresh_token).into_iter().chain(blank).collect();
    for part in in_parts(&texts) {
        let user = user.clone();
        requests.spawn(async move {
            for text in part {
                expect_refused(&user.present(&text).await, "invalid_refresh_token", &text);
                expect_refused(&user.logout_by(&text, "").await, "invalid_refresh_token", &text);
            }
        });
    }
    requests.join_all().await;
    for wrong in
        [json!(null), json!(1), json!([user.refresh_token]), json!({ "refresh_token": user.refresh_token })]
    {
        user.post("/auth/refresh", &json!({ "refresh_token": wrong }))
            .await
            .expect_problem(422, "invalid_request");
    }
    assert_eq!(server.database.number("SELECT generation FROM refresh_tokens").await, 0);
    user.refresh().await.expect_status(200);
}

/// Four connections share the work.
fn in_parts(texts: &[String]) -> Vec<Vec<String>> {
    texts.chunks(texts.len().div_ceil(4)).map(<[String]>::to_vec).collect()
}

#[track_caller]
fn expect_refused(answer: &Answer, code: &str, text: &str) {
    assert_eq!(answer.status, 401, "{text:?}");
    assert_eq!(answer.json["code"], code, "{text:?}");
}
