//! Verification of Keyward access tokens in other services: offline, without a call to Keyward per request.
//!
//! ```no_run
//! use keyward_verify::{CheckError, Keyward};
//!
//! # #[cfg(feature = "fetch")]
//! # async fn example(token: &str) -> Result<(), Box<dyn std::error::Error>> {
//! // Once: the issuer is all that has to be known. Its keys are fetched and kept.
//! let keyward = Keyward::new("https://auth.example.com", "https://api.example.com")?;
//!
//! match keyward.verify(token).await {
//!     Ok(claims) => println!("{} may edit: {}", claims.sub, claims.has_role("editor")),
//!     Err(CheckError::Refused(reason)) => println!("401: {reason}"),
//!     Err(CheckError::Unavailable(reason)) => println!("503: {reason}"),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Routes of [axum](https://docs.rs/axum) are guarded by a layer or an extractor:
//!
//! ```no_run
//! use axum::{Router, routing::get};
//! use keyward_verify::{Caller, Denied, Keyward};
//!
//! # #[cfg(feature = "axum")]
//! # fn example(keyward: Keyward) -> Router {
//! async fn mine(Caller(claims): Caller) -> String {
//!     format!("hello {}", claims.sub)
//! }
//!
//! async fn publish(caller: Caller) -> Result<&'static str, Denied> {
//!     caller.require_role("editor")?; // a decision that the handler makes
//!     Ok("published")
//! }
//!
//! let admin = Router::new()
//!     .route("/report", get(|| async { "for admins" }))
//!     .route_layer(keyward.require_role("admin"));
//! Router::new()
//!     .route("/mine", get(mine))
//!     .route("/publish", get(publish))
//!     .merge(admin)
//!     .with_state(keyward)
//! # }
//! ```
//!
//! Beneath is a function without I/O: a key set and the time go in, claims or a named refusal come out.
//!
//! ```
//! use keyward_verify::{KeySet, VerifyError, Verifier};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let (jwks, token, now) = (r#"{"keys":[]}"#, "not.a.token", 1_760_000_000);
//! let keys = KeySet::from_jwks(jwks.as_bytes())?;
//! let verifier = Verifier::new("https://auth.example.com", "https://api.example.com");
//! assert_eq!(verifier.verify(token, &keys, now), Err(VerifyError::Malformed));
//! # Ok(())
//! # }
//! ```
//!
//! | feature | default | what |
//! |---|---|---|
//! | `fetch` | yes | [`Keyward`] and [`RemoteKeys`]: keys from the issuer, over HTTPS with rustls |
//! | `axum` | yes | [`Caller`], [`Keyward::require_role`], [`Denied`] |
//!
//! Without them nothing here reads a clock, opens a connection or blocks.
//!
//! Only what Keyward mints is accepted: a compact JWS whose header is exactly `alg`, `typ` and `kid`, whose algorithm is
//! the one of the key that `kid` names, and whose claims follow RFC 9068. What a token alone cannot show is whether its
//! session still lives: an offline verifier accepts a token of a session that has ended until the token expires (10
//! minutes by default).

mod algorithm;
mod claims;
#[cfg(feature = "fetch")]
mod clock;
mod error;
#[cfg(feature = "axum")]
mod guard;
mod jwk;
mod key_set;
#[cfg(feature = "fetch")]
mod keyward;
mod members;
#[cfg(feature = "fetch")]
mod remote_keys;
mod token;
mod verifier;

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use claims::{Claims, MAX_LIFETIME_SECONDS};
pub use error::{JwkError, VerifyError};
#[cfg(feature = "axum")]
pub use guard::{Caller, Denied, Guard, Guarded};
pub use jwk::{Jwk, Jwks};
pub use key_set::KeySet;
#[cfg(feature = "fetch")]
pub use keyward::{CheckError, Keyward};
#[cfg(feature = "fetch")]
pub use remote_keys::{FetchError, RemoteKeys, RemoteOptions, SourceError};
pub use token::MAX_TOKEN_BYTES;
pub use verifier::{DEFAULT_LEEWAY_SECONDS, Typ, Verifier};

#[cfg(all(doctest, feature = "axum"))]
#[doc = include_str!("../../docs/integrate/rust.md")]
struct Recipe; // so that the recipe compiles
