//! Settings that are named before their feature is here (`docs/decisions/0004`). A setting that
//! protects must not be taken and then not kept.

use super::Exit;
use crate::app::check_sinks;
use crate::config::Settings;

/// Refuses what would be unsafe to ignore.
pub(super) fn check(settings: &Settings) -> Result<(), Exit> {
    if settings.tls.files.is_some() || settings.tls.require_https {
        return Err(Exit::configuration(
            "tls.*: this version does not serve TLS itself\n  fix: leave tls.cert, tls.key and tls.require_https \
             unset and put a gateway that does in front",
        ));
    }
    check_sinks(settings)?;
    Ok(())
}
