use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};
use utoipa::{IntoParams, ToSchema};

use super::bearer::Admin;
use super::input::{Fields, LIMIT_DEFAULT, Parameters};
use super::problem::{Problem, ProblemBody};
use crate::app::App;
use crate::domain::{AuditEntry, AuditFilter, Origin, Outcome, SecurityEvent};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListParameters {
    /// Only records about this user.
    #[param(format = "uuid")]
    user: Option<String>,
    /// Only what this admin did.
    #[param(format = "uuid")]
    actor: Option<String>,
    /// Only this event.
    #[param(schema_with = event_schema)]
    event: Option<String>,
    /// Only what happened since then, to the millisecond.
    #[param(format = "date-time", example = "2026-11-24T03:42:08Z")]
    since: Option<String>,
    /// Only what happened before then.
    #[param(format = "date-time")]
    until: Option<String>,
    /// How many at most; 50 unless given.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200, example = 50)]
    limit: Option<String>,
    /// The `next_cursor` of the page before, within an hour and with the same filters.
    cursor: Option<String>,
}

fn event_schema() -> Object {
    let names = SecurityEvent::ALL.iter().map(|event| event.as_str());
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names)).build()
}

/// What happened, to whom, by whom, from where. Never holds a secret or an e-mail address.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditRecord)]
pub(super) struct RecordBody {
    #[schema(format = "uuid")]
    id: String,
    #[schema(format = "date-time")]
    occurred_at: String,
    /// Newer versions of Keyward may add events.
    #[schema(example = "login_failed")]
    event: String,
    /// `success` or `failure`: whether the caller got what they asked for.
    #[schema(example = "failure")]
    outcome: Option<&'static str>,
    /// `http`, `command_line`, or `server` for what Keyward does by itself.
    #[schema(example = "http")]
    origin: Option<&'static str>,
    /// Whom it is about.
    #[schema(format = "uuid")]
    user_id: Option<String>,
    /// The admin who did it.
    #[schema(format = "uuid")]
    actor_id: Option<String>,
    /// Which session it is about, or else which one asked for it.
    #[schema(format = "uuid")]
    session_id: Option<String>,
    #[schema(example = "192.0.2.7")]
    ip: Option<String>,
    user_agent: Option<String>,
    /// As in the answer, and in the log of requests.
    request_id: String,
    /// What else there is to know; its members depend on the event.
    #[schema(value_type = Option<Object>)]
    detail: Option<serde_json::Value>,
}

impl From<AuditEntry> for RecordBody {
    fn from(entry: AuditEntry) -> Self {
        Self {
            id: entry.id.to_string(),
            occurred_at: entry.occurred_at.to_string(),
            event: entry.event,
            outcome: entry.outcome.map(Outcome::as_str),
            origin: entry.origin.map(Origin::as_str),
            user_id: entry.user_id.map(|id| id.to_string()),
            actor_id: entry.actor_id.map(|id| id.to_string()),
            session_id: entry.session_id.map(|id| id.to_string()),
            ip: entry.ip.map(|ip| ip.to_string()),
            user_agent: entry.user_agent,
            request_id: entry.request_id,
            detail: entry.detail,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = AuditRecords)]
pub(super) struct RecordsBody {
    items: Vec<RecordBody>,
    /// Asks for the next page; null on the last one.
    next_cursor: Option<String>,
}

/// Read the audit log
///
/// Newest first. Filters must all hold.
#[utoipa::path(
    get, path = "/admin/audit", tag = "admin", operation_id = "listAuditRecords", security(("bearer" = [])),
    params(ListParameters),
    responses(
        (status = 200, description = "A page of records", body = RecordsBody),
        (status = 400, description = "`invalid_cursor`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`missing_token`, `invalid_token`, `session_ended`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`insufficient_role`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`invalid_request`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Admin(admin): Admin,
    Parameters(asked): Parameters<ListParameters>,
) -> Result<axum::Json<RecordsBody>, Problem> {
    let mut fields = Fields::default();
    let filter = AuditFilter {
        user: asked.user.and_then(|text| fields.id("?user", &text)),
        actor: asked.actor.and_then(|text| fields.id("?actor", &text)),
        event: asked.event.and_then(|text| fields.security_event("?event", &text)),
        since: asked.since.and_then(|text| fields.time("?since", &text)),
        until: asked.until.and_then(|text| fields.time("?until", &text)),
    };
    let limit = asked.limit.map_or(Some(LIMIT_DEFAULT), |text| fields.limit("?limit", &text));
    let Some(limit) = limit.filter(|_| fields.all_good()) else {
        return Err(fields.into_problem());
    };
    let page = app.audit_page(&admin, filter, limit, asked.cursor.as_deref()).await?;
    let items = page.items.into_iter().map(RecordBody::from).collect();
    Ok(axum::Json(RecordsBody { items, next_cursor: page.next_cursor }))
}
