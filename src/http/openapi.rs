use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::router;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Keyward",
        description = "Sign-up, login, JWTs that other services verify on their own, refresh tokens that rotate, \
                       logout that takes effect at once.\n\nErrors are RFC 9457 `application/problem+json` with a \
                       stable `code`.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    servers((url = "/", description = "This server")),
    tags(
        (name = "auth", description = "For users and their clients"),
        (name = "oauth", description = "For services that cannot wait for a token to expire"),
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
        scheme.description = Some("The `access_token` of a login or a refresh".to_owned());
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
    let mut json = router::api().into_openapi().to_pretty_json().unwrap_or_default();
    json.push('\n');
    json
}
