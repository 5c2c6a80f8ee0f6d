//! The servers that tests talk to: found here, or started for this run and removed after it.

use std::env;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::workspace::{Outcome, Workspace, apt_install};

const START_TIMEOUT: Duration = Duration::from_secs(60);

pub(crate) struct Server {
    pub(crate) name: &'static str,
    /// Tells tests the URL, and lets a developer choose it.
    pub(crate) variable: &'static str,
    /// `None`: it is among the Python requirements.
    pub(crate) debian_package: Option<&'static str>,
    /// Where one usually listens.
    pub(crate) port: u16,
    /// The URL of one that listens on this port and lets us do what tests do.
    pub(crate) answers: fn(u16) -> Option<String>,
    /// The folder of its programs.
    pub(crate) programs: fn(&Workspace) -> Option<PathBuf>,
    /// A shell script after `keeper.sh`: starts it, waits for stdin to close, and removes all traces.
    pub(crate) keeper: &'static str,
}

/// The URL, and what keeps the server running if we started it.
pub(crate) type Found = (String, Option<Running>);

/// Finds or starts the server, and says in one line which it is.
pub(crate) fn find(workspace: &Workspace, server: &Server) -> Outcome<Found> {
    find_with(workspace, server, &[])
}

/// Likewise; the keeper gets these variables.
pub(crate) fn find_with(
    workspace: &Workspace,
    server: &Server,
    environment: &[(&str, &str)],
) -> Outcome<Found> {
    let (name, variable) = (server.name, server.variable);
    if let Ok(url) = env::var(variable) {
        println!("{name}: the one in {variable}"); // whose URL may hold a password
        return Ok((url, None));
    }
    let own = env::var("KEYWARD_TEST_SERVERS").is_ok_and(|servers| servers == "own");
    if !own && let Some(url) = (server.answers)(server.port) {
        println!("{name}: {url} (was already listening)");
        return Ok((url, None));
    }
    if (server.programs)(workspace).is_none() {
        // The package may start a server of its own; ours takes a free port and does not mind.
        let installed = match server.debian_package {
            Some(package) => apt_install(&[package]),
            None => Err("the Python requirements hold none for this machine".into()),
        };
        installed.map_err(|error| {
            let install = server.debian_package.unwrap_or(name);
            format!(
                "no {name} for the tests: none listens that lets us in, none is installed; {error}\n\
                 Set {variable} to one where tests may create what they need, or install `{install}`."
            )
        })?;
    }
    let missing = || format!("{name} was installed, but its programs are not found");
    let programs = (server.programs)(workspace).ok_or_else(missing)?;
    let (url, running) = Running::start(server, &programs, environment)?;
    println!("{name}: {url} (started from {})", programs.display());
    Ok((url, Some(running)))
}

pub(crate) fn folders_of_path() -> Vec<PathBuf> {
    env::split_paths(&env::var_os("PATH").unwrap_or_default()).collect()
}

/// Holds the stdin of the keeper, which closes on drop, and also when xtask is killed.
pub(crate) struct Running(Child);

impl Running {
    fn start(server: &Server, programs: &Path, environment: &[(&str, &str)]) -> Outcome<(String, Self)> {
        let script = [include_str!("keeper.sh"), server.keeper].concat();
        let [port, second, third] = free_ports()?;
        let mut keeper = Command::new("sh");
        keeper.args(["-c", &script, "keeper"]).arg(programs);
        keeper.args([port, second, third].map(|port| port.to_string()));
        keeper.envs(environment.iter().copied());
        // In a group of its own, where Ctrl-C does not reach it.
        keeper.stdin(Stdio::piped()).stdout(Stdio::null()).process_group(0);
        let mut running = Self(keeper.spawn()?);
        let started = Instant::now();
        while started.elapsed() < START_TIMEOUT && running.0.try_wait()?.is_none() {
            if let Some(url) = (server.answers)(port) {
                return Ok((url, running));
            }
            sleep(Duration::from_millis(50));
        }
        Err(format!("{} did not start", server.name).into())
    }
}

/// Free now, and hardly taken by somebody else before they are used.
fn free_ports() -> Outcome<[u16; 3]> {
    let bind = || TcpListener::bind(("127.0.0.1", 0));
    let (first, second, third) = (bind()?, bind()?, bind()?);
    Ok([first.local_addr()?.port(), second.local_addr()?.port(), third.local_addr()?.port()])
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        if let Err(error) = self.0.wait() {
            eprintln!("a server was perhaps left running: {error}");
        }
    }
}
