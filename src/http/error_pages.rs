use axum::extract::Path;
use axum::http::header;
use axum::response::{Html, IntoResponse, Response};

use super::problem::{Code, Problem};

/// The page that a problem's `type` URL leads to.
pub(super) async fn page(Path(code): Path<String>) -> Result<Response, Problem> {
    let code = Code::parse(&code).ok_or(Problem::new(Code::NotFound))?;
    let (status, title, advice) = code.entry();
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{code}</title>\n\
         <h1><code>{code}</code></h1>\n<p>{status}</p>\n<p><strong>{title}.</strong> {advice}</p>\n</html>\n",
        code = code.as_str()
    );
    Ok(([(header::CACHE_CONTROL, "public, max-age=3600")], Html(html)).into_response())
}
