//! The guide: the pages of `docs/`, compiled in and rendered here, so that it is there without a network.

mod book;
mod page;
mod prose;

use axum::extract::Path;
use axum::http::header;
use axum::response::{Html, IntoResponse, Redirect, Response};

use super::html::{CACHED, style_sheet};
use super::problem::{Code, Problem};

/// A style sheet and pictures, from here, and nothing else.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'none'; \
     frame-ancestors 'none'; base-uri 'none'";
const STYLE: &str = style_sheet!("guide/style.css");

pub(super) async fn index() -> Response {
    html(&book::INDEX)
}

/// Its links are relative to a page without a slash at the end.
pub(super) async fn index_with_slash() -> Redirect {
    Redirect::permanent("/docs/guide")
}

pub(super) async fn file(Path(path): Path<String>) -> Result<Response, Problem> {
    if path == "style.css" {
        return Ok(([(header::CONTENT_TYPE, "text/css; charset=utf-8"), CACHED], STYLE).into_response());
    }
    if let Some(picture) = book::picture(&path) {
        let headers = [
            (header::CONTENT_TYPE, "image/svg+xml; charset=utf-8"),
            (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
            CACHED,
        ];
        return Ok((headers, picture).into_response());
    }
    let page = book::page_at(&path).ok_or(Problem::new(Code::NotFound))?;
    Ok(html(page))
}

fn html(page: &book::Page) -> Response {
    ([(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY), CACHED], Html(page::render(page)))
        .into_response()
}
