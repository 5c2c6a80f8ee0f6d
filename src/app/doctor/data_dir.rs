//! The data folder and what is in it: who can read it, who can write it, and how much more fits.

use std::fs::{self, Metadata};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::fs::{Access, access, statvfs};

use super::{Fault, Finding};
use crate::app::master_key;
use crate::config::{DatabaseUrl, Settings};

const MIB: u64 = 1024 * 1024;
const SPACE_WARN: u64 = 1024 * MIB;
const SPACE_PROBLEM: u64 = 100 * MIB;

pub(super) fn look(settings: &Settings) -> Vec<Finding> {
    let mut found = Vec::new();
    if settings.master_key.is_none() {
        found.extend(master_key_mode(&master_key::path(&settings.data_dir)));
    }
    if let DatabaseUrl::Sqlite { path } = &settings.database_url {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        found.push(usable(folder));
        found.extend(readable_by_all(folder, path));
        found.extend(space(folder));
    }
    found
}

fn master_key_mode(path: &Path) -> Option<Finding> {
    const CODE: &str = "master_key.mode";
    let mode = fs::metadata(path).ok()?.permissions().mode() & 0o777;
    let shown = path.display();
    let advice = format!("chmod 600 {shown}");
    Some(match mode {
        _ if mode & 0o007 != 0 => Finding::problem(
            CODE,
            Fault::Configuration,
            format!(
                "every user of this machine can read {shown} (mode {mode:03o}), and with it make any token"
            ),
            advice
                + "; if others may have read it, change the key: `keyward keys --help`, and revoke the signing keys",
        ),
        _ if mode & 0o070 != 0 => Finding::warning(
            CODE,
            format!("a group can read {shown} (mode {mode:03o}), and with it make any token"),
            advice,
        ),
        _ => Finding::ok(CODE, format!("{shown} is its owner's alone (mode {mode:03o})")),
    })
}

/// Asks what a write would be told, and writes nothing.
fn usable(folder: &Path) -> Finding {
    const CODE: &str = "data_dir.writable";
    let shown = folder.display();
    let unusable = |why: String, advice: &str| Finding::problem(CODE, Fault::Configuration, why, advice);
    // A folder that is not there yet is made, so it is the next one above it that counts.
    let there = folder.ancestors().find_map(|part| {
        let part = if part.as_os_str().is_empty() { Path::new(".") } else { part };
        fs::metadata(part).ok().map(|metadata| (part, metadata))
    });
    let Some((part, metadata)) = there else {
        return unusable(
            format!("{shown} cannot be made"),
            "give data_dir a path that begins with a folder that exists",
        );
    };
    if !metadata.is_dir() {
        let why = format!("{} is in the way: it is no folder", part.display());
        return unusable(why, "move it away, or give data_dir another path");
    }
    if let Err(error) = access(part, Access::WRITE_OK | Access::EXEC_OK) {
        let why =
            format!("{} cannot be written by this user: {}", part.display(), std::io::Error::from(error));
        return unusable(why, "let the user that runs keyward write it, or give data_dir another path");
    }
    if part != folder {
        let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        let meaning = format!("{} is not there yet", absolute.display());
        let advice =
            "nothing before the first start, which makes it; if there is a server, give its data_dir";
        return Finding::note(CODE, meaning, advice);
    }
    Finding::ok(CODE, format!("{shown} can be written"))
}

/// A database that everybody can read gives away addresses and password hashes.
fn readable_by_all(folder: &Path, database: &Path) -> Option<Finding> {
    const CODE: &str = "data_dir.mode";
    let (folder_is, database_is) = (fs::metadata(folder).ok()?, fs::metadata(database).ok()?);
    let open = |metadata: &Metadata, bits| metadata.permissions().mode() & bits != 0;
    if open(&folder_is, 0o001) && open(&database_is, 0o004) {
        let meaning = format!(
            "every user of this machine can read {}: addresses, password hashes, the audit log",
            database.display()
        );
        return Some(Finding::warning(CODE, meaning, format!("chmod 700 {}", folder.display())));
    }
    if folder_is.uid() != database_is.uid() {
        let meaning = format!("{} and {} have different owners", folder.display(), database.display());
        return Some(Finding::warning(CODE, meaning, "chown both to the user that runs keyward"));
    }
    Some(Finding::ok(CODE, format!("{} is closed to other users", database.display())))
}

fn space(folder: &Path) -> Option<Finding> {
    let stat = statvfs(folder).ok()?;
    Some(enough(stat.f_bavail.saturating_mul(stat.f_frsize), &folder.display().to_string()))
}

fn enough(free: u64, folder: &str) -> Finding {
    const CODE: &str = "data_dir.space";
    let advice = "make room: when it is full, all that writes answers 503 until there is room again";
    let meaning = format!("{} MiB are free in {folder}", free / MIB);
    match free {
        0..SPACE_PROBLEM => Finding::problem(CODE, Fault::Other, meaning, advice),
        SPACE_PROBLEM..SPACE_WARN => Finding::warning(CODE, meaning, advice),
        _ => Finding::ok(CODE, meaning),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn little_space_is_told_in_time() {
        let levels = [0, 99, 100, 1023, 1024].map(|mib| enough(mib * MIB, "data").level);
        assert_eq!(levels, [Level::Problem, Level::Problem, Level::Warning, Level::Warning, Level::Ok]);
    }
}
