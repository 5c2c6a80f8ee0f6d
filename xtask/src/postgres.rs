//! PostgreSQL for tests: they create a database each, so the role must be allowed to.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::servers::{Server, folders_of_path};
use crate::workspace::{Outcome, Workspace, apt_install, output};

pub(crate) const POSTGRES: Server = Server {
    name: "PostgreSQL",
    variable: "KEYWARD_TEST_POSTGRES_URL",
    debian_package: Some("postgresql"),
    port: 5432,
    answers,
    programs,
    keeper: include_str!("postgres.sh"),
};

/// Tells tests where the programs are that they start for themselves.
pub(crate) const PROGRAMS_VARIABLE: &str = "KEYWARD_TEST_POSTGRES_PROGRAMS";

/// The folder of the programs, installed if need be, also where a server listens already.
pub(crate) fn installed_programs(workspace: &Workspace) -> Outcome<PathBuf> {
    if programs(workspace).is_none() {
        apt_install(&["postgresql"])
            .map_err(|error| format!("some tests start a PostgreSQL to break it: {error}"))?;
    }
    programs(workspace).ok_or_else(|| "PostgreSQL was installed, but its programs are not found".into())
}

fn answers(port: u16) -> Option<String> {
    let me = std::env::var("USER").unwrap_or_else(|_| "root".to_owned());
    let over_tcp = |user| format!("postgres://{user}@127.0.0.1:{port}/postgres");
    let over_socket = format!("postgres://{me}@localhost:{port}/postgres?host=/var/run/postgresql");
    let logins = ["postgres", "root", &me].map(over_tcp);
    logins.into_iter().chain([over_socket]).find(|url| may_create_databases(url))
}

fn may_create_databases(url: &str) -> bool {
    let question = "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user";
    let mut psql = Command::new("psql");
    psql.args(["-XwtAc", question, url]).env("PGCONNECT_TIMEOUT", "2");
    output(&mut psql).is_ok_and(|answer| answer.trim() == "t")
}

/// Debian keeps the programs off the PATH, in a folder for each version.
fn programs(_: &Workspace) -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut folders: Vec<_> = versions.flatten().map(|entry| entry.path().join("bin")).collect();
    folders.sort_unstable_by(|older, newer| newer.cmp(older));
    folders.extend(folders_of_path());
    let complete = |folder: &Path| folder.join("initdb").exists() && folder.join("pg_ctl").exists();
    folders.into_iter().find(|folder| complete(folder))
}
