//! Routes behind the extractor and the layer.

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use axum::response::Response;
use axum::routing::get;
use keyward_verify::{Caller, Denied, Keyward, RemoteKeys, RemoteOptions, Verifier};
use serde_json::Value;
use tower_service::Service as _;

use crate::issuer::{EDDSA, ES256, NOW, claims};
use crate::site::{Service, Site};

fn app(keyward: &Keyward) -> Router {
    async fn needs_the_role(caller: Caller) -> Result<String, Denied> {
        caller.require_role("owner")?;
        Ok(caller.0.sub)
    }
    let guarded = |role: &str| {
        Router::new()
            .route(&format!("/{role}"), get(|Caller(claims): Caller| async move { claims.sub }))
            .route_layer(keyward.require_role(role))
    };
    Router::new()
        .route("/mine", get(|Caller(claims): Caller| async move { claims.sub }))
        .route(
            "/greeting",
            get(|caller: Option<Caller>| async move {
                caller.map_or("stranger".to_owned(), |caller| caller.0.sub)
            }),
        )
        .route("/owner", get(needs_the_role))
        .route("/any", get(|| async { "any" }).route_layer(keyward.require_token()))
        .merge(guarded("editor"))
        .merge(guarded("admin"))
        .with_state(keyward.clone())
}

async fn ask(app: &mut Router, path: &str, authorization: &[&str]) -> Response {
    let mut request = Request::get(path);
    for value in authorization {
        request = request.header(header::AUTHORIZATION, *value);
    }
    app.call(request.body(Body::empty()).unwrap()).await.unwrap()
}

fn text<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer.headers().get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
}

async fn json(answer: Response) -> Value {
    let body = axum::body::to_bytes(answer.into_body(), 1000).await.unwrap();
    serde_json::from_slice(&body).unwrap()
}

#[tokio::test]
async fn each_route_gives_each_caller_the_documented_answer() {
    let site = Site::start(&[&ES256]);
    let mut app = app(&Service::of(&site).keyward);
    let good = format!("Bearer {}", site.token(&ES256));
    let lower = good.replace("Bearer", "bearer");
    let forged = format!("Bearer {}", site.token(&EDDSA));
    let expired = {
        let mut claims = claims();
        claims["iss"] = site.issuer().into();
        claims["exp"] = (NOW - 30).into();
        format!("Bearer {}", ES256.token(&ES256.header().to_string(), &claims.to_string()))
    };
    let missing = r#"Bearer realm="keyward""#;
    let invalid =
        r#"Bearer realm="keyward", error="invalid_token", error_description="the access token is not valid""#;
    let over =
        r#"Bearer realm="keyward", error="invalid_token", error_description="the access token has expired""#;
    let scope = r#"Bearer realm="keyward", error="insufficient_scope", error_description="this needs a role that you do not have""#;
    for (path, authorization, status, challenge) in [
        ("/mine", &[][..], 401, missing),
        ("/mine", &["Basic dTpw"], 401, missing),
        ("/mine", &[&good], 200, ""),
        ("/mine", &[&lower], 200, ""),
        ("/mine", &[&forged], 401, invalid),
        ("/mine", &[&expired], 401, over),
        ("/mine", &["Bearer "], 401, invalid),
        ("/mine", &["Bearer x\u{fc}"], 401, invalid),
        ("/mine", &[&good, &good], 401, invalid),
        ("/mine", &["Bearer"], 401, missing),
        ("/greeting", &[], 200, ""),
        ("/greeting", &[&good], 200, ""),
        ("/greeting", &[&forged], 401, invalid),
        ("/any", &[], 401, missing),
        ("/any", &[&good], 200, ""),
        ("/any", &[&forged], 401, invalid),
        ("/editor", &[], 401, missing),
        ("/editor", &[&good], 200, ""),
        ("/editor", &[&expired], 401, over),
        ("/admin", &[], 401, missing),
        ("/admin", &[&good], 403, scope),
        ("/admin", &[&forged], 401, invalid),
        ("/owner", &[&good], 403, scope),
        ("/owner", &[], 401, missing),
        ("/nothing", &[], 404, ""),
        ("/nothing", &[&good], 404, ""),
    ] {
        let answer = ask(&mut app, path, authorization).await;
        assert_eq!(answer.status(), status, "{path} {authorization:?}");
        assert_eq!(text(&answer, "www-authenticate"), challenge, "{path} {authorization:?}");
        if status != 200 && status != 404 {
            assert_eq!(text(&answer, "content-type"), "application/problem+json");
            assert_eq!(text(&answer, "cache-control"), "no-store");
            let body = json(answer).await;
            assert_eq!(body["status"], status);
            for member in ["type", "title", "code", "detail"] {
                assert!(body[member].is_string(), "{body}");
            }
        }
    }
    // A token in the query never counts.
    let answer = ask(&mut app, &format!("/mine?access_token={}", site.token(&ES256)), &[]).await;
    assert_eq!(answer.status(), 401);
}

#[tokio::test]
async fn before_the_keys_were_ever_fetched_it_is_503() {
    let site = Site::start(&[&ES256]);
    site.change(|page| page.status = StatusCode::BAD_GATEWAY);
    let mut app = app(&Service::of(&site).keyward);
    let good = format!("Bearer {}", site.token(&ES256));
    for path in ["/mine", "/any", "/editor", "/greeting"] {
        let answer = ask(&mut app, path, &[&good]).await;
        assert_eq!(answer.status(), 503);
        assert_eq!((text(&answer, "retry-after"), text(&answer, "www-authenticate")), ("1", ""));
        let shown = json(answer).await;
        assert_eq!(shown["code"], "unavailable");
        assert!(!shown.to_string().contains("502"), "what went wrong is for the log");
    }
    assert_eq!(ask(&mut app, "/mine", &[]).await.status(), 401, "without a token nothing has to be known");
    assert_eq!(ask(&mut app, "/greeting", &[]).await.status(), 200);
}

#[tokio::test]
async fn a_token_counts_for_the_keyward_that_verified_it_and_no_other() {
    let (ours, theirs) = (Site::start(&[&ES256]), Site::start(&[&ES256]));
    let (ours_service, theirs_service) = (Service::of(&ours), Service::of(&theirs));
    let handler = get(|Caller(claims): Caller| async move { claims.iss });
    let mut app: Router = Router::new()
        .route("/", handler.route_layer(ours_service.keyward.require_token()))
        .with_state(theirs_service.keyward.clone());
    let token = format!("Bearer {}", ours.token(&ES256));
    assert_eq!(ask(&mut app, "/", &[&token]).await.status(), 401, "good for the layer, not for the handler");

    // The same issuer and keys, but another audience.
    let keys = RemoteKeys::of_issuer(&ours.issuer(), RemoteOptions::default()).unwrap();
    let other = Keyward::with(Verifier::new(ours.issuer(), "https://other.example.com"), keys);
    let mut app: Router = Router::new()
        .route("/", get(|| async {}))
        .route_layer(other.require_role("editor"))
        .route_layer(ours_service.keyward.require_role("editor"));
    assert_eq!(ask(&mut app, "/", &[&token]).await.status(), 401);
}
