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
    let warnings = [(
        settings.limits.enabled,
        "the account lock is not part of this version yet: only the limits of each address hold",
    )];
    Ok(warnings.into_iter().filter_map(|(set, warning)| set.then_some(warning)).collect())
}
