//! Offline verification of Keyward access tokens: a JWKS and the time go in, claims or a named refusal come out.
//!
//! ```
//! use keyward_verify::{KeySet, VerifyError, Verifier};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let (jwks, token, now) = (r#"{"keys":[]}"#, "not.a.token", 1_760_000_000);
//! let keys = KeySet::from_jwks(jwks.as_bytes())?; // once per fetch of /.well-known/jwks.json
//! let verifier = Verifier::new("https://auth.example.com", "https://api.example.com");
//! match verifier.verify(token, &keys, now) {
//!     Ok(claims) => println!("{} may edit: {}", claims.sub, claims.has_role("editor")),
//!     Err(refusal) => println!("401: {refusal}"),
//! }
//! # assert_eq!(verifier.verify(token, &keys, now), Err(VerifyError::Malformed));
//! # Ok(())
//! # }
//! ```
//!
//! Nothing here reads a clock, opens a connection or blocks. Only what Keyward mints is accepted: a compact JWS whose
//! header is exactly `alg`, `typ` and `kid`, whose algorithm is the one of the key that `kid` names, and whose claims
//! follow RFC 9068. What a token alone cannot show is whether its session still lives: an offline verifier accepts a
//! token of a session that has ended until the token expires (10 minutes by default).

mod algorithm;
mod claims;
mod error;
mod jwk;
mod key_set;
mod members;
mod token;
mod verifier;

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use claims::{Claims, MAX_LIFETIME_SECONDS};
pub use error::{JwkError, VerifyError};
pub use jwk::{Jwk, Jwks};
pub use key_set::KeySet;
pub use token::MAX_TOKEN_BYTES;
pub use verifier::{DEFAULT_LEEWAY_SECONDS, Typ, Verifier};
