//! A copy of the embedded database, whole or not there at all.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use crate::config::{DatabaseUrl, Settings};
use crate::domain::KeyId;
use crate::random;
use crate::store::{CopyState, Store, StoreError};

/// What was backed up.
#[derive(Debug)]
pub struct Backup {
    pub database: PathBuf,
    pub bytes: u64,
    pub users: i64,
    /// The newest step of its schema.
    pub schema: String,
    /// The master keys without which it is of no use.
    pub master_keys: Vec<KeyId>,
}

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// `PostgreSQL` brings its own, which is better.
    #[error("the database is PostgreSQL, which has backups of its own")]
    NotEmbedded,
    #[error("there is no database in {}", .0.display())]
    NoDatabase(PathBuf),
    #[error("{} is there already", .0.display())]
    Exists(PathBuf),
    #[error("{}: {error}", .path.display())]
    File { path: PathBuf, error: io::Error },
    /// Most likely the database itself is broken.
    #[error("the copy is broken: {}", .0.join("; "))]
    Broken(Vec<String>),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Backs up the embedded database into a file that is not there yet. Works beside a running server. Under the name that was
/// asked for there is a whole, checked copy or nothing, whatever happens meanwhile.
pub async fn backup(settings: &Settings, file: &Path) -> Result<Backup, BackupError> {
    let DatabaseUrl::Sqlite { path: database } = &settings.database_url else {
        return Err(BackupError::NotEmbedded);
    };
    if !database.exists() {
        return Err(BackupError::NoDatabase(database.clone()));
    }
    // Asked again at the end; here it saves the work.
    if file.symlink_metadata().is_ok() {
        return Err(BackupError::Exists(file.to_owned()));
    }
    let draft = Draft::create(file)?;
    Store::sqlite_copy(database, &draft.0).await?;
    let CopyState { flaws, users, schema, master_keys } = Store::sqlite_copy_check(&draft.0).await?;
    if !flaws.is_empty() {
        return Err(BackupError::Broken(flaws));
    }
    let bytes = draft.put_in_place(file)?;
    let key = |id: i64| u32::try_from(id).ok().map(KeyId);
    let master_keys = master_keys.into_iter().filter_map(key).collect();
    Ok(Backup { database: database.clone(), bytes, users, schema, master_keys })
}

/// A copy under another name, gone again if it comes to nothing.
struct Draft(PathBuf);

impl Draft {
    /// In the same folder, so that it can be renamed, and its owner's alone from the beginning.
    fn create(file: &Path) -> Result<Self, BackupError> {
        let mut name = file.as_os_str().to_owned();
        name.push(format!(".{:08x}", u32::from_ne_bytes(random::bytes())));
        let draft = PathBuf::from(name);
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft);
        made.map_err(|error| BackupError::File { path: file.to_owned(), error })?;
        Ok(Self(draft))
    }

    /// Returns its size.
    fn put_in_place(self, file: &Path) -> Result<u64, BackupError> {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let place = || -> io::Result<u64> {
            let copy = File::open(&self.0)?;
            copy.sync_all()?;
            rename(&self.0, file)?;
            File::open(folder)?.sync_all()?;
            Ok(copy.metadata()?.len())
        };
        place().map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => BackupError::Exists(file.to_owned()),
            _ => BackupError::File { path: file.to_owned(), error },
        })
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Once it was renamed there is nothing under this name.
        let _ = fs::remove_file(&self.0);
    }
}

/// Renames, and replaces nothing.
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Some file systems (NFS) cannot promise that; nobody else is likely to make the same file at this moment.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) if to.symlink_metadata().is_err() => {
            fs::rename(from, to)
        }
        outcome => Ok(outcome?),
    }
}
