//! A service that knows an issuer by its URL alone, over real connections: fetching, keeping, and what happens when the
//! issuer changes, misbehaves or is away.

#[cfg(test)]
mod caching;
#[cfg(test)]
mod failing;
#[cfg(test)]
mod guarding;
#[cfg(test)]
mod site;
#[cfg(test)]
mod transport;

#[cfg(test)]
#[expect(dead_code, reason = "shared with the offline tests, which use more of it")]
#[path = "../verify/issuer.rs"]
mod issuer;
