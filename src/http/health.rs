use std::sync::Arc;

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::{Problem, ProblemBody};
use crate::app::App;

#[derive(Serialize, ToSchema)]
#[schema(as = Health)]
pub(super) struct HealthBody {
    #[schema(example = "ok")]
    status: &'static str,
}

/// Health
///
/// Whether requests can be served now, which takes the database.
#[utoipa::path(
    get, path = "/health", tag = "discovery", operation_id = "health",
    responses(
        (status = 200, description = "They can", body = HealthBody),
        (status = 503, description = "`unavailable`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn health(State(app): State<Arc<App>>) -> Result<axum::Json<HealthBody>, Problem> {
    app.ready().await?;
    Ok(axum::Json(HealthBody { status: "ok" }))
}
