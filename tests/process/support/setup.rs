use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use keyward::config::MasterKey;
use serde_json::Value;

use super::{Actor, Kind, Process, TestDatabase, until};

/// What tokens name, whatever port their server listens on.
pub const ISSUER: &str = "http://127.0.0.1:7300";

/// What the binary is run with: an environment and a working directory, and nothing else of ours.
#[derive(Clone)]
pub struct Setup {
    folder: PathBuf,
    env: BTreeMap<String, String>,
}

/// How a run ended.
#[derive(Debug)]
pub struct Finished {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Finished {
    /// Asserts the exit code, and shows what was said if it is another.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}\n{}", self.stdout, self.stderr);
        self
    }

    /// Asserts that it was refused, and that standard error says each of these.
    #[track_caller]
    pub fn expect_refusal(self, code: i32, words: &[&str]) -> Self {
        let finished = self.expect_code(code);
        for word in words {
            assert!(finished.stderr.contains(word), "{word:?} is not in {}", finished.stderr);
        }
        finished
    }
}

impl Setup {
    /// Nothing but free ports and a working directory: the rest is as in an empty clone.
    pub fn bare(folder: &Path) -> Self {
        let bare = Self { folder: folder.to_owned(), env: BTreeMap::new() };
        bare.env("KEYWARD_LISTEN", "127.0.0.1:0").env("KEYWARD_MANAGEMENT_LISTEN", "127.0.0.1:0")
    }

    /// On the embedded database, in the folder `data` that does not exist yet.
    pub fn embedded(folder: &Path) -> Self {
        Self::bare(folder).cheap()
    }

    /// On a test database, with the master key of all tests.
    pub fn on(database: &TestDatabase) -> Self {
        let folder = database.folder.path();
        let setup = Self::bare(folder)
            .cheap()
            .env("KEYWARD_DATA_DIR", folder.display().to_string())
            .env("KEYWARD_MASTER_KEY", master_key());
        let variable = |key: &str| format!("KEYWARD_{}", key.replace('.', "_").to_uppercase());
        database.settings().into_iter().fold(setup, |setup, (key, value)| setup.env(&variable(key), value))
    }

    fn cheap(self) -> Self {
        self.env("KEYWARD_ISSUER", ISSUER)
            .env("KEYWARD_ARGON2_MEMORY_KIB", "64")
            .env("KEYWARD_ARGON2_ITERATIONS", "1")
            .env("KEYWARD_ARGON2_QUEUE", "1024")
            .env("KEYWARD_ARGON2_QUEUE_TIMEOUT", "20s")
            .env("KEYWARD_LIMITS_ENABLED", "false")
            .env("KEYWARD_DATABASE_MAX_CONNECTIONS", "4")
    }

    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.insert(name.to_owned(), value.into());
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.env.remove(name);
        self
    }

    /// Writes a file into the working directory.
    pub fn file(self, name: &str, text: &str) -> Self {
        std::fs::write(self.folder.join(name), text).expect("the folder can be written");
        self
    }

    /// Any program with this environment.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(&self.env).current_dir(&self.folder);
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command
    }

    pub fn start(&self, arguments: &[&str]) -> Process {
        self.start_with_input(arguments, "")
    }

    fn start_with_input(&self, arguments: &[&str], input: &str) -> Process {
        let mut command = self.command(env!("CARGO_BIN_EXE_keyward"));
        command.args(arguments);
        Process::spawn(command, input)
    }

    /// Runs the binary to its end.
    pub async fn run(&self, arguments: &[&str]) -> Finished {
        self.run_with_input(arguments, "").await
    }

    pub async fn run_with_input(&self, arguments: &[&str], input: &str) -> Finished {
        Self::finish(self.start_with_input(arguments, input)).await
    }

    /// Runs a line of shell to its end.
    pub async fn shell(&self, line: &str) -> Finished {
        let mut command = self.command("sh");
        command.args(["-c", line]);
        Self::finish(Process::spawn(command, "")).await
    }

    pub async fn finish(mut process: Process) -> Finished {
        let code = process.exit_code().await;
        Finished { code, stdout: process.stdout(), stderr: process.stderr() }
    }

    /// Serves, and waits until requests are served.
    pub async fn serve(&self) -> Server {
        self.serve_with(&[]).await
    }

    pub async fn serve_with(&self, arguments: &[&str]) -> Server {
        Server::ready(self.start(arguments)).await
    }
}

/// A server in a process of its own.
pub struct Server {
    pub process: Process,
    pub public: SocketAddr,
    pub management: SocketAddr,
}

impl Server {
    /// Waits until requests are served.
    pub async fn ready(process: Process) -> Self {
        Self::ready_or_ended(process).await.unwrap_or_else(|ended| panic!("the server ended: {ended:?}"))
    }

    /// Waits likewise; `None` when somebody else was quicker to take the port.
    pub async fn ready_unless_port_taken(process: Process) -> Option<Self> {
        match Self::ready_or_ended(process).await {
            Ok(server) => Some(server),
            Err(ended) if ended.stderr.contains("cannot listen on") => None,
            Err(ended) => panic!("the server ended: {ended:?}"),
        }
    }

    /// Waits until it listens; `None` when somebody else was quicker to take the port.
    pub async fn listening_unless_port_taken(process: Process) -> Option<Self> {
        match Self::listening_or_ended(process).await {
            Ok(server) => Some(server),
            Err(ended) if ended.stderr.contains("cannot listen on") => None,
            Err(ended) => panic!("the server ended: {ended:?}"),
        }
    }

    /// Waits until it listens, whatever it is spoken to there.
    pub async fn listening(process: Process) -> Self {
        Self::listening_or_ended(process).await.unwrap_or_else(|ended| panic!("the server ended: {ended:?}"))
    }

    async fn listening_or_ended(mut process: Process) -> Result<Self, Finished> {
        let addresses = until("the address of the server", async || match process.exited() {
            Some(_) => Some(None),
            None => addresses(&process.stdout()).map(Some),
        });
        let Some((public, management)) = addresses.await else { return Err(Setup::finish(process).await) };
        Ok(Self { process, public, management })
    }

    async fn ready_or_ended(process: Process) -> Result<Self, Finished> {
        let server = Self::listening_or_ended(process).await?;
        let http = server.anonymous().http;
        until("a healthy server", async || {
            let answer = http.get(server.url("/health")).send().await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
        Ok(server)
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.public)
    }

    /// Someone without a token.
    pub fn anonymous(&self) -> Actor {
        Actor::new(format!("http://{}", self.public))
    }

    /// Someone who has signed up and logged in.
    pub async fn user(&self) -> Actor {
        let mut user = self.anonymous();
        user.signup().await.expect_status(201);
        user.login().await.expect_status(200);
        user
    }

    /// Someone at the listener of probes.
    pub fn operator(&self) -> Actor {
        Actor::new(format!("http://{}", self.management))
    }

    /// Asks it to stop, and returns its exit code.
    pub async fn stop(&mut self) -> i32 {
        self.process.signal("TERM");
        self.process.exit_code().await
    }
}

/// Reads where it listens from the line of the log, or from the banner.
fn addresses(stdout: &str) -> Option<(SocketAddr, SocketAddr)> {
    let ready = stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    if let Some(line) = { ready }.find(|line| line["message"] == "ready") {
        return Some((line["listen"].as_str()?.parse().ok()?, line["management"].as_str()?.parse().ok()?));
    }
    let after = |label: &str| {
        let (_, rest) = stdout.split_once(label)?;
        rest.split_once('\n')?.0.trim().strip_prefix("http://")?.trim_end_matches("/readyz").parse().ok()
    };
    Some((after("    address ")?, after("    probes ")?))
}

/// One key for every server of a test run: replicas must share it.
pub fn master_key() -> String {
    static KEY: OnceLock<String> = OnceLock::new();
    KEY.get_or_init(|| MasterKey::new(keyward::random::bytes()).to_base64().to_string()).clone()
}

impl TestDatabase {
    /// Tells whether this run of the tests is about the embedded database.
    pub fn embedded(&self) -> bool {
        self.kind == Kind::Sqlite
    }
}
