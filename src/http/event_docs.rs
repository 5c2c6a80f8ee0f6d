//! What other services can hear of, for people and for their tools; served from the binary alone.

mod page;

use std::sync::{Arc, LazyLock};

use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{Html, IntoResponse, Response};

use super::html::{CACHED, STYLE_ALONE, style_sheet};
use super::problem::{Code, Problem};
use crate::app::{App, EventType, asyncapi_document};

const STYLE: &str = style_sheet!("event_docs/style.css");

static ASYNCAPI: LazyLock<String> = LazyLock::new(asyncapi_document);

pub(super) async fn asyncapi_json() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], ASYNCAPI.as_str()).into_response()
}

pub(super) async fn page(State(app): State<Arc<App>>) -> Response {
    let html = page::render(&app.rules().issuer);
    ([STYLE_ALONE, CACHED], Html(html)).into_response()
}

pub(super) async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8"), CACHED], STYLE).into_response()
}

/// The document that `dataschema` leads to.
pub(super) async fn schema(
    State(app): State<Arc<App>>,
    Path((kind, file)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let kind = EventType::find(&kind)
        .filter(|kind| file.strip_suffix(".json") == Some(kind.version.to_string().as_str()))
        .ok_or(Problem::new(Code::NotFound))?;
    let schema = format!("{:#}\n", kind.schema_document(&app.rules().issuer));
    Ok(([(header::CONTENT_TYPE, "application/schema+json"), CACHED], schema).into_response())
}
