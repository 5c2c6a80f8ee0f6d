use clap::{Args, Subcommand};

use super::log::{self, Stream};
use super::{Exit, SettingFlags, print};
use crate::app::{StartError, open_store};
use crate::clock::Clock;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Apply the steps that are missing (the default)
    Up,
    /// Take steps back, newest first. What their tables hold is lost
    Down {
        /// The newest step to keep; 0 takes everything back
        #[arg(long, value_name = "VERSION")]
        to: i64,
    },
    /// List the steps that were applied
    Status,
}

pub(super) async fn run(flags: &SettingFlags, arguments: Arguments) -> Result<(), Exit> {
    let (settings, _) = flags.load()?;
    log::start(&settings, Stream::Stderr);
    let store = open_store(&settings).await?;
    match arguments.action.unwrap_or(Action::Up) {
        Action::Up => {
            let applied = store.migrate_up(Clock::System.now()).await.map_err(StartError::from)?.0;
            print(&match applied.as_slice() {
                [] => "the schema is up to date\n".to_owned(),
                steps => format!("applied {}\n", steps.join(", ")),
            });
        }
        Action::Down { to } => {
            let taken_back = store.migrate_down(to).await.map_err(StartError::from)?.0;
            print(&match taken_back.as_slice() {
                [] => "nothing to take back\n".to_owned(),
                steps => format!("took back {}\n", steps.join(", ")),
            });
        }
        Action::Status => {
            for step in store.migrations().await.map_err(StartError::from)? {
                print(&format!("{}  {}\n", step.applied_at, step.name));
            }
        }
    }
    store.close().await;
    Ok(())
}
