use reqwest::Url;
use thiserror::Error;

use crate::JwkError;

/// Says why keys cannot be fetched from a source at all.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The text is not an absolute `http` or `https` URL.
    #[error("not a URL: {0:?}")]
    Url(String),
    /// Keys that come over plain HTTP can be anybody's, except from this machine.
    #[error("{0} is not https")]
    Insecure(Url),
    /// A certificate authority is not PEM, or the system has none.
    #[error("cannot set up TLS: {0}")]
    Tls(String),
}

/// Says why a fetch brought no key set.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FetchError {
    /// No whole answer came in time.
    #[error("no answer from {url}: {reason}")]
    Request {
        /// What was asked for.
        url: Url,
        /// Why it did not come, from the outside in.
        reason: String,
    },
    /// The answer is not the document; a redirect counts as such, since it may lead anywhere.
    #[error("{url} answered with status {status}")]
    Status {
        /// What was asked for.
        url: Url,
        /// The status of the answer.
        status: u16,
    },
    /// The document is longer than any key set or metadata.
    #[error("{url} is longer than {limit} bytes")]
    TooLong {
        /// What was asked for.
        url: Url,
        /// The longest document that is read.
        limit: usize,
    },
    /// The metadata is not JSON with `issuer` and `jwks_uri`.
    #[error("{url} is not the metadata of an issuer")]
    Metadata {
        /// What was asked for.
        url: Url,
    },
    /// The metadata is that of another issuer (RFC 8414 §3.3).
    #[error("{url} is the metadata of {found:?}")]
    OtherIssuer {
        /// What was asked for.
        url: Url,
        /// The issuer that it names.
        found: String,
    },
    /// The metadata names a place for keys where none may be fetched from.
    #[error("cannot fetch keys from the issuer's jwks_uri")]
    JwksUri(#[from] SourceError),
    /// The document is not a key set that can be relied upon.
    #[error("{url} is not a usable key set: {reason}")]
    Keys {
        /// What was asked for.
        url: Url,
        /// What is wrong with it.
        #[source]
        reason: JwkError,
    },
    /// The set has no key that Keyward could have signed with.
    #[error("{url} holds no usable key")]
    NoKeys {
        /// What was asked for.
        url: Url,
    },
    /// The runtime that fetched ended in the middle of it.
    #[error("the fetch was interrupted")]
    Interrupted,
}
