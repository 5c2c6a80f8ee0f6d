mod bounds;

use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Content, ContentBuilder, HeaderBuilder, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{Modify, OpenApi};

use super::router;

/// Operations with limits of their own; the flood limit holds for all.
const LIMITED: [&str; 5] = ["signup", "login", "refresh", "changePassword", "introspect"];

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Keyward",
        description = "Sign-up, login, JWTs that other services verify on their own, refresh tokens that rotate, \
                       logout that takes effect at once.\n\nErrors are RFC 9457 `application/problem+json` with a \
                       stable `code`. Only what is not HTTP at all, or has more than 16 KiB of headers, gets a bare \
                       400 or 431. Where `tls.require_https` is set, what did not come over https gets 403 \
                       `https_required`, wherever it goes.\n\nThe guide is at [`/docs/guide`](/docs/guide), what other services \
                       can hear of at [`/docs/events`](/docs/events).",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    servers((url = "/", description = "This server")),
    tags(
        (name = "auth", description = "For users and their clients"),
        (name = "oauth", description = "For services that cannot wait for a token to expire"),
        (name = "admin", description = "For users with the role `admin`, as the database has it at the moment of the request"),
        (name = "discovery", description = "For services that verify tokens, and for monitors"),
    ),
    modifiers(&Bearer)
)]
pub(super) struct Description;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let mut scheme = Http::new(HttpAuthScheme::Bearer);
        scheme.bearer_format = Some("JWT".to_owned());
        scheme.description =
            Some("The `access_token` of a login or a refresh, verified after RFC8725".to_owned());
        let components = openapi.components.get_or_insert_with(Default::default);
        components.add_security_scheme("bearer", SecurityScheme::Http(scheme));
        let mut client = Http::new(HttpAuthScheme::Basic);
        client.description = Some("A service client: `keyward clients create NAME`".to_owned());
        components.add_security_scheme("client", SecurityScheme::Http(client));
    }
}

/// Writes the OpenAPI 3.1 document, made from the handlers.
#[must_use]
pub fn document() -> String {
    let mut openapi = router::api().into_openapi();
    operations(&mut openapi).for_each(complete);
    bounds::add(&mut openapi);
    let mut json = openapi.to_pretty_json().unwrap_or_default();
    json.push('\n');
    json
}

fn operations(openapi: &mut utoipa::openapi::OpenApi) -> impl Iterator<Item = &mut Operation> {
    openapi.paths.paths.values_mut().flat_map(|path| {
        [&mut path.get, &mut path.post, &mut path.put, &mut path.patch, &mut path.delete]
            .into_iter()
            .flatten()
    })
}

/// Adds what holds for every route, so that no handler needs to repeat it.
fn complete(operation: &mut Operation) {
    let limited = operation.operation_id.as_deref().is_some_and(|id| LIMITED.contains(&id));
    let responses = &mut operation.responses.responses;
    let mut problem = |status: &str, code: &str| {
        responses.entry(status.to_owned()).or_insert_with(|| RefOr::T(problem_response(code)));
    };
    problem("429", "`too_many_attempts`");
    problem("500", "`internal_error`");
    problem("503", "`unavailable`");
    if let Some(RefOr::T(body)) = &mut operation.request_body {
        problem("400", "`bad_request`");
        problem("408", "`request_timeout`");
        body.content.values_mut().for_each(left_out_not_null);
    }
    for (status, response) in responses {
        let RefOr::T(response) = response else { continue };
        let mut header = |name: &str, description: &str| {
            let text = ObjectBuilder::new().schema_type(Type::String);
            let header = HeaderBuilder::new().schema(Some(text)).description(Some(description)).build();
            response.headers.insert(name.to_owned(), RefOr::T(header));
        };
        header("X-Request-Id", "Names the request in logs; the caller's own if it sent a harmless one");
        match status.as_str() {
            "401" => header("WWW-Authenticate", "`Bearer`, with an error code where a token was sent"),
            "429" | "503" => header("Retry-After", "Seconds"),
            _ => {}
        }
        if limited || status == "429" {
            header("RateLimit", "What is left of each limit that was met, and seconds until there is more");
            header("RateLimit-Policy", "Each limit that was met: how many, in how many seconds");
        }
    }
}

/// `Option<T>` is written as null or `T`; but a body that may be left out is not null when it is there.
fn left_out_not_null(content: &mut RefOr<Content>) {
    if let RefOr::T(Content { schema: Some(schema), .. }) = content
        && let RefOr::T(Schema::OneOf(either)) = schema
        && let Some(present) = either.items.iter().find(|item| matches!(item, RefOr::Ref(_)))
    {
        *schema = present.clone();
    }
}

fn problem_response(code: &str) -> Response {
    let body = Ref::from_schema_name("Problem");
    let content = ContentBuilder::new().schema(Some(body)).build();
    ResponseBuilder::new().description(code).content("application/problem+json", content).build()
}
