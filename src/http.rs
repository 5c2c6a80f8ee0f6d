//! HTTP: parse, call one method of [`App`](crate::app::App), render. Request and answer types live
//! here and nowhere else; `problem.rs` alone knows which error is which status.

mod admin_audit;
mod admin_keys;
mod admin_password;
mod admin_roles;
mod admin_sessions;
mod admin_unlock;
mod admin_users;
mod bearer;
mod caller;
mod client_address;
mod connection;
mod docs;
mod error_pages;
mod event_docs;
mod forwarded;
mod framing;
#[cfg(fuzzing)]
pub mod fuzzing;
mod guide;
mod health;
mod html;
mod input;
mod introspect;
mod jwks;
mod login;
mod logout;
mod management;
mod me;
mod metadata;
mod openapi;
mod password;
mod problem;
mod rate_limit;
mod readiness;
mod refresh;
mod request;
mod request_log;
mod request_metrics;
mod revoke;
mod router;
mod server;
mod sessions;
mod signup;
mod strict_json;
mod tls;
mod unread_body;

pub use error_pages::catalogue as error_catalogue;
pub use openapi::document as openapi_document;
pub use server::{Bound, Server};
pub use tls::Certificate;
