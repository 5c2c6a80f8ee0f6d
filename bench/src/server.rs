//! A Keyward in release, as a stranger would start it.

use std::net::TcpListener;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::{Child, Command};

use crate::database::Database;
use crate::http::{Connection, get};
use crate::process::Process;
use crate::{Outcome, Site};

const START_TIMEOUT: Duration = Duration::from_secs(10);

/// Charged as in earnest, but far above what a load generator can send.
const LIMITS: [&str; 5] = [
    "KEYWARD_LIMITS_PER_IP",
    "KEYWARD_LIMITS_LOGIN_PER_IP",
    "KEYWARD_LIMITS_LOGIN_PER_ACCOUNT_IP",
    "KEYWARD_LIMITS_SIGNUP_PER_IP",
    "KEYWARD_LIMITS_REFRESH_PER_SESSION",
];

/// For measurements in which logins only make sessions.
pub(crate) const CHEAP_HASHES: [(&str, &str); 2] =
    [("KEYWARD_ARGON2_MEMORY_KIB", "64"), ("KEYWARD_ARGON2_ITERATIONS", "1")];

pub(crate) struct Server {
    pub(crate) address: String,
    /// From the start of the process until `/readyz` said yes.
    pub(crate) ready_after: Duration,
    pub(crate) process: Process,
    _child: Child,
}

impl Server {
    pub(crate) async fn start(site: &Site, database: &Database, settings: &[(&str, &str)]) -> Outcome<Self> {
        let (port, management) = (free_port()?, free_port()?);
        let address = format!("127.0.0.1:{port}");
        let management = format!("127.0.0.1:{management}");
        let mut command = Command::new(&site.binary);
        command
            .env("KEYWARD_LISTEN", &address)
            .env("KEYWARD_MANAGEMENT_LISTEN", &management)
            .env("KEYWARD_ISSUER", format!("http://{address}"))
            .envs(LIMITS.map(|limit| (limit, "1000000/s")))
            // A user of the load generator logs in as often as a crowd.
            .env("KEYWARD_MAX_SESSIONS_PER_USER", "10000")
            .envs(database.settings())
            .envs(settings.iter().copied())
            .stdout(Stdio::null())
            .kill_on_drop(true);
        let started = Instant::now();
        let child = command.spawn()?;
        let process = Process(child.id().ok_or("keyward ended at once")?);
        while started.elapsed() < START_TIMEOUT {
            if ready(&management).await.is_ok_and(|status| status == 200) {
                return Ok(Self { address, ready_after: started.elapsed(), process, _child: child });
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Err(format!("keyward did not start within {} s", START_TIMEOUT.as_secs()).into())
    }
}

async fn ready(address: &str) -> Outcome<u16> {
    let mut connection = Connection::open(address).await?;
    let (status, _) = connection.exchange(&get(address, "/readyz", None)).await?;
    Ok(status)
}

fn free_port() -> Outcome<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
