//! The API's documentation, served from the binary: nothing is loaded from elsewhere.

use std::sync::{Arc, LazyLock};

use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};
use utoipa_swagger_ui::Config;

use super::openapi;
use super::problem::{Code, Problem};

/// Swagger UI's own scripts and styles, from here, and requests to here.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data:; font-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'";

static CONFIG: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| {
    Arc::new(
        Config::new(["/openapi.json"])
            .try_it_out_enabled(true)
            .display_request_duration(true)
            .validator_url("none"),
    )
});

static OPENAPI: LazyLock<String> = LazyLock::new(openapi::document);

pub(super) async fn openapi_json() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI.as_str()).into_response()
}

/// Its assets are named relative to a folder, so the slash matters.
pub(super) async fn index() -> Redirect {
    Redirect::permanent("/docs/")
}

pub(super) async fn page() -> Result<Response, Problem> {
    asset("index.html")
}

pub(super) async fn file(Path(path): Path<String>) -> Result<Response, Problem> {
    asset(&path)
}

fn asset(path: &str) -> Result<Response, Problem> {
    let found = utoipa_swagger_ui::serve(path, Arc::clone(&CONFIG));
    let file = found.ok().flatten().ok_or(Problem::new(Code::NotFound))?;
    let text = file.content_type.starts_with("text/") || file.content_type.ends_with("/javascript");
    let charset = if text { "; charset=utf-8" } else { "" };
    let mut response = (
        [
            (header::CONTENT_TYPE, file.content_type + charset),
            (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY.to_owned()),
        ],
        file.bytes.into_owned(),
    )
        .into_response();
    if file.gzpipped {
        response.headers_mut().insert(header::CONTENT_ENCODING, header::HeaderValue::from_static("gzip"));
    }
    Ok(response)
}
