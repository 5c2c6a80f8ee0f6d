use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{Html, IntoResponse, Response};

use super::html::{Prose, STYLE_ALONE};
use super::problem::{Code, Problem};
use crate::app::App;

const INTRODUCTION: &str = "\
<!-- Made by `cargo xtask generate` from src/http/problem.rs. -->

# Errors

Every error is [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457) `application/problem+json`. Programs go by `code`, which is
stable; `status`, `title` and `detail` are for people, and `detail` may say more than the advice here. `type` leads to a page
about the code on the server itself, and `request_id` finds the request in its log. `errors` is there for bad fields:

```json
{
  \"type\": \"http://127.0.0.1:7300/docs/errors/invalid_request\",
  \"title\": \"The request has bad fields\",
  \"status\": 422,
  \"detail\": \"Each entry of `errors` names a field by a JSON pointer and says what is wrong with it. Unknown fields are refused.\",
  \"code\": \"invalid_request\",
  \"request_id\": \"01a20ba5-8cb9-7ea1-847b-3476ad006a0d\",
  \"errors\": [{ \"pointer\": \"/password\", \"code\": \"too_short\", \"detail\": \"must have at least 15 characters\" }]
}
```

Two things go with a status. 401 comes with `WWW-Authenticate`. 429 and 503 come with `Retry-After` in seconds: wait so long,
then try the same again; after a 503 it is not known whether a write took effect. Only what is not HTTP at all, or has more
than 16 KiB of headers, gets a bare 400 or 431.

`POST /oauth/introspect` and `POST /oauth/revoke` have the same errors in the same form.

| code | status | what it is | what to do |
|---|---|---|---|
";

/// The page that a problem's `type` URL leads to. It is there, if plainer, where other documentation is off.
pub(super) async fn page(State(app): State<Arc<App>>, Path(code): Path<String>) -> Result<Response, Problem> {
    let code = Code::parse(&code).ok_or(Problem::new(Code::NotFound))?;
    let (status, title, advice) = code.entry();
    let docs = app.rules().docs;
    // The style sheet is that of the pages of events.
    let (style, others) = if docs {
        (
            "<link rel=\"stylesheet\" href=\"../events/style.css\">\n",
            "<p><a href=\"../guide/errors\">All errors</a></p>\n",
        )
    } else {
        ("", "")
    };
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{code}</title>\n{style}</head>\n<body>\n<h1><code>{code}</code></h1>\n<p>{status}</p>\n\
         <p><strong>{title}.</strong> {advice}</p>\n{others}</body>\n</html>\n",
        code = code.as_str(),
        advice = Prose(advice),
    );
    let cached = [(header::CACHE_CONTROL, "public, max-age=3600")];
    let policy = docs.then_some([STYLE_ALONE]);
    Ok((cached, policy, Html(html)).into_response())
}

/// Every code with its status and what its caller can do, as a page of the guide in Markdown.
#[must_use]
pub fn catalogue() -> String {
    let mut codes = Code::ALL.map(|code| (code.entry(), code.as_str()));
    codes.sort_by_key(|((status, ..), code)| (*status, *code));
    let rows = codes.map(|((status, title, advice), code)| {
        format!("| `{code}` | {} | {title} | {advice} |\n", status.as_u16())
    });
    INTRODUCTION.to_owned() + &rows.concat()
}
