use clap::{Args, Subcommand};

use super::{Exit, SettingFlags, print};
use crate::app::{check_first_admin, check_sinks};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List every mistake; exit code 78 if there is one
    Check,
    /// Print every setting and where its value comes from; secrets are not shown
    Show,
}

pub(super) fn run(flags: &SettingFlags, arguments: &Arguments) -> Result<(), Exit> {
    match arguments.action {
        Action::Check => {
            let (settings, _) = flags.load_to_serve()?;
            check_sinks(&settings)?;
            check_first_admin(&settings)?;
            for warning in &settings.warnings {
                print(&format!("warning: {warning}\n"));
            }
            print("the settings are good\n");
        }
        Action::Show => {
            let (_, description) = flags.load()?;
            print(&format!("{description}\n"));
        }
    }
    Ok(())
}
