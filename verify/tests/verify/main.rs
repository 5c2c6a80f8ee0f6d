//! Keyward's tokens and keys as an offline verifier meets them, good and bad.

#[cfg(test)]
mod accepted;
#[cfg(test)]
mod issuer;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod refused_claims;
#[cfg(test)]
mod refused_forms;
#[cfg(test)]
mod refused_headers;
