use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, FromRef, Query, State};
use axum::routing::get;
use axum::{Json, Router};
use keyward_verify::{Caller, Keyward};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::problem::Problem;
use crate::profiles::{Profile, Profiles};

const MAX_BODY_BYTES: usize = 16 * 1024;
const MAX_DISPLAY_NAME: usize = 100;
const MAX_BIO: usize = 2000;

#[derive(Clone, FromRef)]
struct Service {
    profiles: Profiles,
    keyward: Keyward,
}

/// Every route, and who may use it.
pub(crate) fn router(profiles: Profiles, keyward: Keyward) -> Router {
    let own = Router::new()
        .route("/profiles/me", get(mine).put(put_mine))
        .route_layer(keyward.require_role("user"));
    let admin = Router::new().route("/profiles", get(all)).route_layer(keyward.require_role("admin"));
    Router::new()
        .route("/health", get(health))
        .merge(own)
        .merge(admin)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(Service { profiles, keyward })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Put {
    display_name: String,
    #[serde(default)]
    bio: String,
}

async fn put_mine(
    State(profiles): State<Profiles>,
    Caller(claims): Caller,
    body: Result<Json<Put>, JsonRejection>,
) -> Result<Json<Profile>, Problem> {
    let Json(Put { display_name, bio }) = body?;
    let display_name = display_name.trim();
    let length = display_name.chars().count();
    if length == 0 || length > MAX_DISPLAY_NAME || display_name.chars().any(char::is_control) {
        return Err(Problem::Invalid(format!(
            "display_name has 1 to {MAX_DISPLAY_NAME} printable characters"
        )));
    }
    if bio.chars().count() > MAX_BIO {
        return Err(Problem::Invalid(format!("bio has at most {MAX_BIO} characters")));
    }
    profiles.put(&claims.sub, display_name, &bio).await?.map(Json).ok_or(Problem::Deleted)
}

async fn mine(State(profiles): State<Profiles>, Caller(claims): Caller) -> Result<Json<Profile>, Problem> {
    profiles.find(&claims.sub).await?.map(Json).ok_or(Problem::NotFound)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    /// The `user_id` of the last one seen.
    #[serde(default)]
    after: String,
    #[serde(default = "default_limit")]
    limit: u32,
}

const fn default_limit() -> u32 {
    50
}

async fn all(
    State(profiles): State<Profiles>,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(Page { after, limit }) = page?;
    if !(1..=200).contains(&limit) {
        return Err(Problem::Invalid("limit is 1 to 200".to_owned()));
    }
    Ok(Json(json!({ "items": profiles.page(&after, limit).await? })))
}

async fn health(State(profiles): State<Profiles>) -> Result<Json<Value>, Problem> {
    profiles.ping().await?;
    Ok(Json(json!({ "status": "ok" })))
}
