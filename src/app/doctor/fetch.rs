use std::error::Error as _;
use std::time::Duration;

use reqwest::{Client, redirect};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const TIMEOUT: Duration = Duration::from_secs(5);
/// Metadata and keys are a tenth of this.
const BODY_MAX: usize = 256 * 1024;

/// Fetches a page as a verifier would: no proxy, no redirect, and not more than is expected. Returns status and body.
pub(super) async fn get(url: &str) -> Result<(u16, Vec<u8>), String> {
    let builder = Client::builder()
        .user_agent(concat!("keyward-doctor/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TIMEOUT)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .tls_backend_rustls();
    // Without https the system's authorities are not needed, and an image from scratch has none.
    let builder = if url.starts_with("https:") { builder } else { builder.tls_certs_only([]) };
    let client = builder.build().map_err(|error| reason(&error))?;
    let mut response = client.get(url).send().await.map_err(|error| reason(&error))?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| reason(&error))? {
        body.extend_from_slice(&chunk);
        if body.len() > BODY_MAX {
            return Err("its answer does not end".to_owned());
        }
    }
    Ok((response.status().as_u16(), body))
}

/// The innermost cause, which says most.
fn reason(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {} s", TIMEOUT.as_secs());
    }
    let mut innermost: Option<&dyn std::error::Error> = error.source();
    while let Some(cause) = innermost.and_then(std::error::Error::source) {
        innermost = Some(cause);
    }
    innermost.map_or_else(|| "the request failed".to_owned(), ToString::to_string)
}
