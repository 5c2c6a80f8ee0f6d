//! Where the master keys come from, and the proof that they are this database's.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::{StartError, keys};
use crate::config::{self, MasterKeys, Settings};
use crate::crypto::{Keyring, MasterKey};
use crate::domain::Timestamp;
use crate::random;
use crate::store::{MasterKeyRow, Store};

const FILE_NAME: &str = "master.key";

/// Makes the keyring of this replica, and refuses one that does not fit the database: a new key
/// beside old data would make every session and signing key unreadable.
pub(super) async fn keyring(
    settings: &Settings,
    store: &Store,
    now: Timestamp,
) -> Result<Keyring, StartError> {
    let known =
        store.read("master_keys_list", |tx| Box::pin(async move { tx.master_keys_list().await })).await?;
    let keyring = match present(settings)? {
        Some(keyring) => keyring,
        None if known.is_empty() => {
            let path = path(&settings.data_dir);
            of(&parse(&path, &create(&settings.data_dir, &path)?)?)
        }
        None => return Err(missing(&settings.data_dir)),
    };
    check(&keyring, &known)?;
    // Before anything is written: a key that came to nothing must not be asked of the next replica.
    keys::check_openable(store, &keyring).await?;
    let current_id = keyring.current().id();
    let rows: Vec<MasterKeyRow> = keyring
        .iter()
        .map(|key| MasterKeyRow { key_id: key.id(), check_value: key.check_value().to_vec(), retired: false })
        .collect();
    let stored = store
        .transaction("master_key_insert", move |tx| {
            Box::pin(async move {
                for row in rows {
                    tx.master_key_insert(row, now).await?;
                }
                // One that was retired may come back, as when a rotation is called off.
                tx.master_key_return(current_id).await?;
                tx.master_keys_list().await
            })
        })
        .await?;
    check(&keyring, &stored)?;
    Ok(keyring)
}

pub(super) fn check(keyring: &Keyring, known: &[MasterKeyRow]) -> Result<(), StartError> {
    for row in known {
        let key = keyring.find(row.key_id);
        if key.is_none() && row.retired {
            continue;
        }
        if key.is_none_or(|key| key.check_value().as_slice() != row.check_value) {
            return Err(StartError::Configuration(format!(
                "this database was made with master key {}, which is not among the configured ones\n  \
                 fix: add that key to KEYWARD_MASTER_KEY (or restore {FILE_NAME}); no new key was made",
                row.key_id
            )));
        }
    }
    Ok(())
}

/// Returns the keyring that the settings or the file make; `None` where there is no file yet.
pub(super) fn present(settings: &Settings) -> Result<Option<Keyring>, StartError> {
    if let Some(keys) = &settings.master_key {
        return Ok(Some(of(keys)));
    }
    let path = path(&settings.data_dir);
    match fs::read_to_string(&path).map(Zeroizing::new) {
        Ok(text) => parse(&path, &text).map(|keys| Some(of(&keys))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unusable(&path, &error)),
    }
}

/// The file of the embedded mode.
pub(super) fn path(data_dir: &Path) -> PathBuf {
    data_dir.join(FILE_NAME)
}

/// Says that there are rows which only a lost key could read.
pub(super) fn missing(data_dir: &Path) -> StartError {
    StartError::Configuration(format!(
        "the database in {} has data, but {} is missing\n  fix: restore the file from a backup; \
         no new key was made, since it could not read what the old one sealed",
        data_dir.display(),
        path(data_dir).display()
    ))
}

fn of(keys: &MasterKeys) -> Keyring {
    let key = |key: &config::MasterKey| MasterKey::new(&Zeroizing::new(*key.expose()));
    Keyring::new(key(keys.current()), keys.iter().skip(1).map(key).collect())
}

fn parse(path: &Path, text: &str) -> Result<MasterKeys, StartError> {
    MasterKeys::parse(text.trim()).map_err(|error| unusable(path, &error))
}

/// Makes the key under another name first: a file called `master.key` is whole, whatever happens to us meanwhile.
fn create(data_dir: &Path, path: &Path) -> Result<Zeroizing<String>, StartError> {
    let text = Zeroizing::new(config::MasterKey::new(random::bytes()).to_base64().to_string() + "\n");
    let draft = path.with_extension(format!("{:08x}", u32::from_ne_bytes(random::bytes())));
    let write = || -> std::io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        // Unlike a rename, this refuses to replace a key.
        fs::hard_link(&draft, path)
    };
    let written = write();
    let tidied = fs::remove_file(&draft).and_then(|()| File::open(data_dir)?.sync_all());
    match written.and(tidied) {
        Ok(()) => Ok(text),
        // Another process that started with us was first: its key counts.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            fs::read_to_string(path).map(Zeroizing::new).map_err(|error| unusable(path, &error))
        }
        Err(error) => Err(unusable(path, &error)),
    }
}

/// Makes the data folder, readable by its owner alone.
pub fn create_data_dir(path: &Path) -> Result<(), StartError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| {
        StartError::Configuration(format!(
            "the data folder {} cannot be made: {error}\n  fix: give data_dir a folder that this user can make or write",
            path.display()
        ))
    })
}

fn unusable(path: &Path, error: &dyn std::fmt::Display) -> StartError {
    StartError::Configuration(format!("{}: {error}", path.display()))
}
