use percent_encoding::percent_decode_str;
use url::{Host, Url};

use super::options::Options;
use crate::config::{Secret, problem::Mistake, urls};

/// The parts of `scheme://user:password@a:1,b:2/path?options`, which clients of clusters take and which is no URL by the
/// letter.
pub(super) struct ClusterUrl {
    pub(super) user: Option<String>,
    pub(super) password: Option<Secret>,
    /// Each `host:port`.
    pub(super) servers: Vec<String>,
    /// Without the slash that it begins with.
    pub(super) path: String,
    pub(super) options: Options,
}

impl ClusterUrl {
    pub(super) fn parse(text: &str, default_port: u16, example: &str) -> Result<Self, Mistake> {
        let (scheme, rest) = text.split_once("://").unwrap_or_default();
        let (authority, tail) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (user, hosts) = authority.rsplit_once('@').map_or(("", authority), |(user, hosts)| (user, hosts));
        let at = if authority.contains('@') { "@" } else { "" };
        // A URL each, so that all of them are held to the same rules.
        let urls = hosts
            .split(',')
            .map(|host| urls::with_host(&format!("{scheme}://{user}{at}{host}{tail}"), example));
        let mut urls = urls.collect::<Result<Vec<_>, _>>()?;
        let servers = urls.iter().map(|url| server(url, default_port).ok_or_else(|| no_host(example)));
        let servers = servers.collect::<Result<Vec<_>, _>>()?;
        let url = urls.first_mut().ok_or_else(|| no_host(example))?;
        let user = Some(url.username()).filter(|user| !user.is_empty()).map(decoded).transpose()?;
        let password = url.password().map(decoded).transpose()?.map(Secret::from);
        let path = decoded(url.path().trim_start_matches('/'))?;
        Ok(Self { user, password, servers, path, options: Options::take(url) })
    }
}

/// Whether any of these is another machine.
pub(super) fn any_is_remote(servers: &[String]) -> bool {
    let local =
        |server: &String| Url::parse(&format!("server://{server}")).is_ok_and(|url| urls::is_local(&url));
    !servers.iter().all(local)
}

fn server(url: &Url, default_port: u16) -> Option<String> {
    let host: Host<&str> = url.host()?;
    Some(format!("{host}:{}", url.port().unwrap_or(default_port)))
}

fn no_host(example: &str) -> Mistake {
    Mistake::new("names no host", format!("write {example}"))
}

fn decoded(text: &str) -> Result<String, Mistake> {
    let text = percent_decode_str(text).decode_utf8();
    let text = text
        .map_err(|_| Mistake::new("is not UTF-8 once it is percent-decoded", "encode the bytes of UTF-8"))?;
    Ok(text.into_owned())
}
