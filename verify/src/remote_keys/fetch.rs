use std::error::Error as _;
use std::time::Duration;

use reqwest::header::{ACCEPT, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Response, StatusCode, Url};
use serde::Deserialize;

use super::freshness::fresh_for;
use super::{FetchError, RemoteOptions, SourceError};
use crate::KeySet;

/// Longest document that is read, in bytes: dozens of the largest keys.
const MAX_DOCUMENT_BYTES: usize = 64 * 1024;

/// Where the keys are.
#[derive(Debug)]
pub(super) enum Source {
    Issuer(String),
    Jwks(Url),
}

/// Gets key sets over HTTP, from one source and nowhere else: no redirects, no proxy, no scheme but `https`.
#[derive(Debug)]
pub(super) struct Fetcher {
    source: Source,
    http: Client,
    plain_http: bool,
}

/// What was learnt with the keys at hand: where they are, and which version of the document holds them.
#[derive(Debug, Clone)]
pub(super) struct Known {
    url: Url,
    etag: Option<HeaderValue>,
}

pub(super) struct Fetched {
    /// None when the known version is still the newest.
    pub(super) keys: Option<KeySet>,
    pub(super) known: Known,
    pub(super) fresh_for: Duration,
}

struct Document {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

/// What counts of an issuer's metadata (RFC 8414 §2).
#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: String,
}

impl Fetcher {
    pub(super) fn new(source: Source, options: &RemoteOptions) -> Result<Self, SourceError> {
        let plain_http = options.plain_http;
        let start = match &source {
            Source::Issuer(issuer) => metadata_url(issuer)?,
            Source::Jwks(url) => url.clone(),
        };
        safe(&start, plain_http)?;
        let no_tls = |error: reqwest::Error| SourceError::Tls(reason(&error));
        let mut http = Client::builder()
            .user_agent(concat!("keyward-verify/", env!("CARGO_PKG_VERSION")))
            .timeout(options.timeout)
            .redirect(Policy::none())
            .no_proxy()
            .tls_backend_rustls();
        // Without https the system's authorities are not needed, and an image from scratch has none.
        if !options.certificates.is_empty() || start.scheme() == "http" {
            let trusted = Certificate::from_pem_bundle(&options.certificates).map_err(no_tls)?;
            if trusted.is_empty() && !options.certificates.is_empty() {
                return Err(SourceError::Tls("there is no certificate in the PEM text".to_owned()));
            }
            http = http.tls_certs_only(trusted);
        }
        Ok(Self { source, http: http.build().map_err(no_tls)?, plain_http })
    }

    pub(super) async fn fetch(&self, known: Option<Known>) -> Result<Fetched, FetchError> {
        let (url, etag) = match (&self.source, known) {
            (_, Some(known)) => (known.url, known.etag),
            (Source::Jwks(url), None) => (url.clone(), None),
            (Source::Issuer(issuer), None) => (self.jwks_uri(issuer).await?, None),
        };
        let document = self.get(&url, etag.as_ref()).await?;
        let fresh_for = fresh_for(&document.headers);
        let newest = document.headers.get(ETAG).cloned();
        match document.status {
            StatusCode::OK => {
                let keys = KeySet::from_jwks(&document.body)
                    .map_err(|reason| FetchError::Keys { url: url.clone(), reason })?;
                if keys.is_empty() {
                    return Err(FetchError::NoKeys { url });
                }
                Ok(Fetched { keys: Some(keys), known: Known { url, etag: newest }, fresh_for })
            }
            StatusCode::NOT_MODIFIED if etag.is_some() => {
                Ok(Fetched { keys: None, known: Known { url, etag: newest.or(etag) }, fresh_for })
            }
            status => Err(FetchError::Status { url, status: status.as_u16() }),
        }
    }

    async fn jwks_uri(&self, issuer: &str) -> Result<Url, FetchError> {
        let url = metadata_url(issuer)?;
        let document = self.get(&url, None).await?;
        if document.status != StatusCode::OK {
            return Err(FetchError::Status { url, status: document.status.as_u16() });
        }
        let Ok(metadata) = serde_json::from_slice::<Metadata>(&document.body) else {
            return Err(FetchError::Metadata { url });
        };
        if metadata.issuer != issuer {
            return Err(FetchError::OtherIssuer { url, found: metadata.issuer });
        }
        let url = Url::parse(&metadata.jwks_uri).map_err(|_| SourceError::Url(metadata.jwks_uri))?;
        // A document that came over https must not lead back to plain http, not even on this machine.
        let encrypted = metadata_url(issuer)?.scheme() == "https";
        if encrypted && url.scheme() != "https" {
            return Err(SourceError::Insecure(url).into());
        }
        safe(&url, self.plain_http)?;
        Ok(url)
    }

    async fn get(&self, url: &Url, etag: Option<&HeaderValue>) -> Result<Document, FetchError> {
        let mut request =
            self.http.get(url.clone()).header(ACCEPT, "application/jwk-set+json, application/json");
        if let Some(etag) = etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        let away = |error: reqwest::Error| FetchError::Request { url: url.clone(), reason: reason(&error) };
        let mut response = request.send().await.map_err(away)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = match status {
            StatusCode::OK => body(&mut response).await.map_err(away)?,
            _ => Some(Vec::new()),
        };
        match body {
            Some(body) => Ok(Document { status, headers, body }),
            None => Err(FetchError::TooLong { url: url.clone(), limit: MAX_DOCUMENT_BYTES }),
        }
    }
}

/// Reads the body piece by piece; none when it is too long, whatever `Content-Length` said.
async fn body(response: &mut Response) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await? {
        if body.len() + piece.len() > MAX_DOCUMENT_BYTES {
            return Ok(None);
        }
        body.extend_from_slice(&piece);
    }
    Ok(Some(body))
}

/// The path goes after the issuer's own (OpenID Connect Discovery 1.0 §4.1).
fn metadata_url(issuer: &str) -> Result<Url, SourceError> {
    let text = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    Url::parse(&text).map_err(|_| SourceError::Url(issuer.to_owned()))
}

fn safe(url: &Url, plain_http: bool) -> Result<(), SourceError> {
    match url.scheme() {
        "https" => Ok(()),
        "http" if plain_http || loopback(url) => Ok(()),
        "http" => Err(SourceError::Insecure(url.clone())),
        _ => Err(SourceError::Url(url.to_string())),
    }
}

fn loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    address.map_or(host == "localhost", |address| address.is_loopback())
}

/// The whole chain in one line: the outermost error says only that a request failed.
fn reason(error: &reqwest::Error) -> String {
    let mut text = String::new();
    let mut next = error.source();
    while let Some(cause) = next {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    if text.is_empty() { error.to_string() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_this_machine_alone() {
        let judged = |text: &str, plain| safe(&Url::parse(text).unwrap(), plain);
        for text in ["http://127.0.0.1:7300/k", "http://127.1.2.3/", "http://[::1]:1/", "http://localhost/"] {
            assert_eq!(judged(text, false), Ok(()), "{text}");
        }
        for text in [
            "http://auth.example.com/",
            "http://localhost.example.com/",
            "http://127.0.0.1.example.com/",
            "http://10.0.0.1/",
            "http://[::2]/",
        ] {
            assert!(matches!(judged(text, false), Err(SourceError::Insecure(_))), "{text}");
            assert_eq!(judged(text, true), Ok(()), "{text}");
        }
        for text in ["file:///etc/passwd", "ftp://127.0.0.1/", "data:,x"] {
            assert!(matches!(judged(text, true), Err(SourceError::Url(_))), "{text}");
        }
    }

    #[test]
    fn metadata_is_below_the_issuer() {
        for (issuer, expected) in [
            ("https://a.example.com", "https://a.example.com/.well-known/openid-configuration"),
            ("https://a.example.com/", "https://a.example.com/.well-known/openid-configuration"),
            ("https://a.example.com/t/1", "https://a.example.com/t/1/.well-known/openid-configuration"),
        ] {
            assert_eq!(metadata_url(issuer).unwrap().as_str(), expected);
        }
        assert!(matches!(metadata_url("auth.example.com"), Err(SourceError::Url(_))));
    }
}
