//! Settings that are named before their feature is here (`docs/decisions/0004`). A setting that
//! protects must not be taken and then not kept.

use super::Exit;
use crate::app::check_sinks;
use crate::config::Settings;

/// Returns what is worth a warning, or refuses what would be unsafe to ignore.
pub(super) fn check(settings: &Settings) -> Result<Vec<&'static str>, Exit> {
    if settings.tls.files.is_some() || settings.tls.require_https {
        return Err(Exit::configuration(
            "tls.*: this version does not serve TLS itself\n  fix: leave tls.cert, tls.key and tls.require_https \
             unset and put a gateway that does in front",
        ));
    }
    check_sinks(settings)?;
    let warnings = [
        (settings.redis_url.is_some(), "redis_url is set, but this version does not use Redis yet"),
        (
            !settings.trusted_proxies.is_empty(),
            "trusted_proxies is set, but this version takes the address of the connection",
        ),
        (settings.limits.enabled, "rate limits are not part of this version yet: limit logins in front"),
    ];
    Ok(warnings.into_iter().filter_map(|(set, warning)| set.then_some(warning)).collect())
}
