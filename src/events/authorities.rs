use std::path::Path;

use crate::config::{AUTHORITIES_FIX, check_authorities};

/// Looks at the file of authorities that a sink is to trust; `Err` says what to write instead.
pub(super) fn check(path: &Path) -> Result<(), String> {
    check_authorities(path).map_err(|wrong| format!("events_url: ca {wrong}\n  fix: {AUTHORITIES_FIX}"))
}
