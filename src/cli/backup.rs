use std::path::PathBuf;

use clap::Args;

use super::{Exit, SettingFlags, print};
use crate::app::{Backup, BackupError, StartError, backup};
use crate::config::Settings;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The backup, which must not be there yet
    file: PathBuf,
}

pub(super) async fn run(flags: &SettingFlags, Arguments { file }: Arguments) -> Result<(), Exit> {
    let (settings, _) = flags.load()?;
    let made = backup(&settings, &file).await?;
    print(&told(&settings, &file, &made));
    Ok(())
}

fn told(settings: &Settings, file: &std::path::Path, made: &Backup) -> String {
    let ids: Vec<String> = made.master_keys.iter().map(ToString::to_string).collect();
    let ids = ids.join(", ");
    let key = match &settings.master_key {
        Some(_) => "the master keys of KEYWARD_MASTER_KEY".to_owned(),
        None => settings.data_dir.join("master.key").display().to_string(),
    };
    format!(
        "backed up {} to {}: {} KiB, {} users, schema {}, integrity_check ok\n\
         It is of no use without {key} (key ids {ids}), and that is not in it: keep a copy of the key elsewhere.\n",
        made.database.display(),
        file.display(),
        made.bytes.div_ceil(1024),
        made.users,
        made.schema,
    )
}

impl From<BackupError> for Exit {
    fn from(error: BackupError) -> Self {
        let message = error.to_string();
        match error {
            BackupError::NotEmbedded => Self {
                code: 2,
                message: "backup is for SQLite, and this database is PostgreSQL: use pg_dump or point-in-time recovery, \
                          as docs/backup-and-upgrade.md shows"
                    .to_owned(),
            },
            BackupError::NoDatabase(_) => {
                Self::configuration(format!("{message}\n  fix: give data_dir or database_url as the server has it"))
            }
            BackupError::Exists(_) => {
                Self::failure(format!("{message}, and is not overwritten\n  fix: choose another name, as one with the date"))
            }
            BackupError::File { .. } => {
                Self::failure(format!("{message}\n  fix: name a file in a folder that exists and can be written"))
            }
            BackupError::Broken(_) => Self::failure(format!(
                "{message}\n  fix: no backup was made, since the database itself is probably broken: keep it as it is, and look at \
                 the last good backup"
            )),
            BackupError::Store(error) => StartError::from(error).into(),
        }
    }
}
