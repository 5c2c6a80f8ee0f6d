//! The servers that tests talk to: found here, or started for this run and removed after it.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::workspace::{Outcome, apt_install};

pub(crate) struct Server {
    pub(crate) name: &'static str,
    /// Tells tests the URL, and lets a developer choose it.
    pub(crate) variable: &'static str,
    pub(crate) debian_package: &'static str,
    /// The URL of one that listens here and lets us do what tests do.
    pub(crate) listening: fn() -> Option<String>,
    /// The folder of its programs.
    pub(crate) programs: fn() -> Option<PathBuf>,
    /// A shell script: starts it, prints its URL, waits for stdin to close, and removes all traces.
    pub(crate) keeper: &'static str,
}

/// The URL, and what keeps the server running if we started it.
pub(crate) type Found = (String, Option<Running>);

/// Finds or starts the server, and says in one line which it is.
pub(crate) fn find(server: &Server) -> Outcome<Found> {
    let (name, variable, package) = (server.name, server.variable, server.debian_package);
    if let Ok(url) = std::env::var(variable) {
        println!("{name}: the one in {variable}"); // whose URL may hold a password
        return Ok((url, None));
    }
    let own = std::env::var("KEYWARD_TEST_SERVERS").is_ok_and(|servers| servers == "own");
    if !own && let Some(url) = (server.listening)() {
        println!("{name}: {url} (was already listening)");
        return Ok((url, None));
    }
    if (server.programs)().is_none() {
        // The package may start a server of its own; ours takes a free port and does not mind.
        apt_install(&[package]).map_err(|error| {
            format!(
                "no {name} for the tests: none listens that lets us in, none is installed; {error}\n\
                 Set {variable} to one where tests may create what they need, or install\n\
                 `{package}`. Without PostgreSQL: `cargo xtask test --database sqlite`."
            )
        })?;
    }
    let missing = || format!("`{package}` was installed, but its programs are not found");
    let programs = (server.programs)().ok_or_else(missing)?;
    let (url, running) = Running::start(server, &programs)?;
    println!("{name}: {url} (started from {})", programs.display());
    Ok((url, Some(running)))
}

/// Holds the stdin of the keeper, which closes on drop, and also when xtask is killed.
pub(crate) struct Running(Child);

impl Running {
    fn start(server: &Server, programs: &Path) -> Outcome<(String, Self)> {
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let mut keeper = Command::new("sh");
        keeper.args(["-c", server.keeper, "keeper"]).arg(programs).arg(port.to_string());
        // In a group of its own, where Ctrl-C does not reach it.
        keeper.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
        let mut running = Self(keeper.spawn()?);
        let mut url = String::new();
        let stdout = running.0.stdout.take().ok_or("no stdout")?;
        BufReader::new(stdout).read_line(&mut url)?;
        match url.trim() {
            "" => Err(format!("{} did not start", server.name).into()),
            url => Ok((url.to_owned(), running)),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        if let Err(error) = self.0.wait() {
            eprintln!("a server was perhaps left running: {error}");
        }
    }
}
