use super::log::{self, Stream};
use super::{Exit, SettingFlags};
use crate::app::{Admin, App};
use crate::clock::Clock;
use crate::config::DatabaseUrl;

/// Brings up what a command works on, beside the servers of an installation or without one.
pub(super) async fn start(flags: &SettingFlags) -> Result<(App, Admin), Exit> {
    let (settings, _) = flags.load()?;
    log::start(&settings, Stream::Stderr);
    // In another folder than the server's, the data folder of the defaults is another one, too.
    if let DatabaseUrl::Sqlite { path } = &settings.database_url
        && !path.exists()
    {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
        tracing::warn!(
            "there is no database at {}: a new one is made; if the server's is elsewhere, give its --data-dir",
            path.display()
        );
    }
    Ok((App::start_beside(&settings, Clock::System).await?, Admin::operator(&settings)))
}
