use clap::{Args, Subcommand};

use super::log::{self, Stream};
use super::{Exit, SettingFlags, print};
use crate::app::{StartError, grants, open_owner_store};
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
    /// Print what a role for servers needs on PostgreSQL, to be run by the owner of the tables: the role can then add
    /// audit records, and neither change nor delete any
    Grants {
        #[arg(default_value = "keyward_app")]
        role: String,
    },
}

pub(super) async fn run(flags: &SettingFlags, arguments: Arguments) -> Result<(), Exit> {
    let action = arguments.action.unwrap_or(Action::Up);
    if let Action::Grants { role } = action {
        let script = grants(&role);
        print(
            &script.ok_or_else(|| Exit::failure("a role's name is 1 to 63 of a-z, 0-9, '_' and '-' here"))?,
        );
        return Ok(());
    }
    let (settings, _) = flags.load()?;
    log::start(&settings, Stream::Stderr);
    let store = open_owner_store(&settings).await?;
    match action {
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
        Action::Grants { .. } => {}
        Action::Status => {
            for step in store.migrations().await.map_err(StartError::from)? {
                print(&format!("{}  {}\n", step.applied_at, step.name));
            }
        }
    }
    store.close().await;
    Ok(())
}
