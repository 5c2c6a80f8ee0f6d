use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use tempfile::TempDir;

use super::{free_port, until};

/// A PostgreSQL of a test's own, which may be broken. It has to outlive the databases on it.
pub struct PostgresServer {
    folder: TempDir,
    port: u16,
    server: Child,
}

impl PostgresServer {
    pub async fn start() -> Self {
        Self::start_in(&std::env::temp_dir()).await
    }

    /// One whose files are on a disk that may be filled.
    pub async fn start_in(place: &Path) -> Self {
        let folder = tempfile::tempdir_in(place).expect("a temporary folder");
        let path = folder.path();
        let mut initdb = as_its_user(path, &programs().join("initdb"));
        initdb.args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]);
        let made = initdb.arg(path.join("cluster")).output().expect("initdb is installed with PostgreSQL");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let port = free_port();
        let started = Self { server: spawn(path, port), folder, port };
        started.answers().await;
        started
    }

    pub fn options(&self) -> PgConnectOptions {
        let options = PgConnectOptions::new_without_pgpass().host("127.0.0.1").port(self.port);
        options.username("postgres").database("postgres")
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The folder of the database, as `PGDATA` has it.
    pub fn cluster(&self) -> PathBuf {
        self.folder.path().join("cluster")
    }

    /// Adds lines to `postgresql.conf`; they hold from the next start.
    pub fn configure(&self, lines: &str) {
        let file = std::fs::OpenOptions::new().append(true).open(self.cluster().join("postgresql.conf"));
        file.and_then(|mut file| file.write_all(lines.as_bytes())).expect("a file that can be written");
    }

    /// Runs lines of shell as the user of the server, with its programs and where it is.
    pub fn shell(&self, lines: &str) {
        let mut shell = as_its_user(self.folder.path(), Path::new("/bin/sh"));
        let system = std::env::var("PATH").unwrap_or_default();
        shell.args(["-euc", lines]).env("PATH", format!("{}:{system}", programs().display()));
        shell.envs([("PGHOST", "127.0.0.1"), ("PGUSER", "postgres"), ("PGDATABASE", "postgres")]);
        let done = shell.env("PGPORT", self.port.to_string()).output().expect("there is a shell");
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{lines}\n{said}");
    }

    /// What `pg_ctl stop` does.
    pub fn stop(&mut self) {
        self.signal("INT");
    }

    /// What `pg_ctl stop --mode immediate` does: no check point, no farewell; the next start recovers as after a crash.
    pub fn stop_immediate(&mut self) {
        self.signal("QUIT");
    }

    fn signal(&mut self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.server.id().to_string()]).status();
        assert!(sent.expect("kill is installed").success());
        self.server.wait().expect("it ends");
    }

    /// Starts it again on the same disk; returns once it lets somebody in.
    pub async fn start_again(&mut self) {
        self.server = spawn(self.folder.path(), self.port);
        self.answers().await;
    }

    /// Waits until it lets somebody in; if it gave up, it is started first.
    pub async fn answers_or_starts_again(&mut self) {
        until("PostgreSQL lets somebody in", async || {
            if self.server.try_wait().expect("a child of ours").is_some() {
                self.server = spawn(self.folder.path(), self.port);
            }
            let connection = self.options().connect().await.ok()?;
            connection.close().await.ok()
        })
        .await;
    }

    async fn answers(&self) {
        until("PostgreSQL lets somebody in", async || {
            let connection = self.options().connect().await.ok()?;
            connection.close().await.ok()
        })
        .await;
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        let quit = Command::new("kill").args(["-QUIT", &self.server.id().to_string()]).status();
        // Its workers leave with it then; killed, they would first have to notice.
        if !quit.is_ok_and(|sent| sent.success()) {
            let _ = self.server.kill();
        }
        let _ = self.server.wait();
    }
}

fn spawn(folder: &Path, port: u16) -> Child {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("log")).expect("a file");
    let mut postgres = as_its_user(folder, &programs().join("postgres"));
    postgres.arg("-D").arg(folder.join("cluster")).args(["-h", "127.0.0.1", "-p", &port.to_string()]);
    postgres.args(["-c", "unix_socket_directories=", "-c", "max_connections=200"]);
    postgres.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().expect("PostgreSQL starts")
}

/// PostgreSQL refuses to run as root.
fn as_its_user(folder: &Path, program: &Path) -> Command {
    let output = |command: &str, argument: &str| {
        let done = Command::new(command).arg(argument).arg("postgres").output().expect("it is installed");
        done.status.success().then(|| String::from_utf8_lossy(&done.stdout).trim().to_owned())
    };
    let root = Command::new("id").arg("-u").output().is_ok_and(|done| done.stdout.trim_ascii() == b"0");
    if !root {
        let mut command = Command::new(program);
        command.current_dir(folder);
        return command;
    }
    let (user, group) = match (output("id", "-u"), output("id", "-g")) {
        (Some(user), Some(group)) => (user, group),
        _ => ("65534".to_owned(), "65534".to_owned()),
    };
    let owned = Command::new("chown").arg(format!("{user}:{group}")).arg(folder).status();
    assert!(owned.expect("chown is installed").success());
    let mut command = Command::new("setpriv");
    command.args([format!("--reuid={user}"), format!("--regid={group}"), "--clear-groups".to_owned()]);
    command.arg(program).current_dir(folder);
    command
}

/// Debian keeps the programs off the PATH, in a folder for each version; `cargo xtask test` names it.
fn programs() -> PathBuf {
    if let Some(named) = std::env::var_os("KEYWARD_TEST_POSTGRES_PROGRAMS") {
        return named.into();
    }
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut folders: Vec<PathBuf> = versions.flatten().map(|entry| entry.path().join("bin")).collect();
    folders.sort_unstable();
    folders.retain(|folder| folder.join("initdb").exists());
    folders.pop().expect("PostgreSQL is installed; `cargo xtask test` sees to it")
}
