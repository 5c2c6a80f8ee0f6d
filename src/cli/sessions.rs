use clap::{Args, Subcommand};

use super::{Exit, SettingFlags, beside, print};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// End sessions: everybody logs in again. For one user there is `keyward users end-sessions`
    End {
        /// Those of every user, as after a restored backup
        #[arg(long, required = true)]
        all: bool,
    },
}

pub(super) async fn run(flags: &SettingFlags, arguments: Arguments) -> Result<(), Exit> {
    let (app, admin) = beside::start(flags).await?;
    let Action::End { all: _ } = arguments.action;
    let ended = app.sessions_end_everywhere(&admin).await;
    app.close().await;
    print(&format!("{} sessions ended; everybody has to log in again\n", ended?));
    Ok(())
}
