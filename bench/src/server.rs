//! A Keyward in release, as a stranger would start it.

use std::net::TcpListener;
use std::process::Stdio;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::Outcome;

/// 32 bytes that a test may know; nobody else's data is under it.
const MASTER_KEY: &str = "c2Jz3Xo0mJm1b0m4yq9JrW7pQk5dV8hTnL2xE6uA1gI=";

pub(crate) struct Server {
    pub(crate) address: String,
    _process: Child,
}

impl Server {
    /// Starts with a cheap password hash: sessions are made by logins, and logins are not measured here.
    pub(crate) async fn start(binary: &str, database_url: &str) -> Outcome<Self> {
        Self::start_with(binary, database_url, &[]).await
    }

    pub(crate) async fn start_with(
        binary: &str,
        database_url: &str,
        environment: &[(&str, &str)],
    ) -> Outcome<Self> {
        let (port, management) = (free_port()?, free_port()?);
        let address = format!("127.0.0.1:{port}");
        let process = Command::new(binary)
            .env("KEYWARD_LISTEN", &address)
            .env("KEYWARD_MANAGEMENT_LISTEN", format!("127.0.0.1:{management}"))
            .env("KEYWARD_ISSUER", format!("http://{address}"))
            .env("KEYWARD_DATABASE_URL", database_url)
            .env("KEYWARD_MASTER_KEY", MASTER_KEY)
            .env("KEYWARD_ARGON2_MEMORY_KIB", "64")
            .env("KEYWARD_ARGON2_ITERATIONS", "1")
            .env("KEYWARD_LIMITS_ENABLED", "false")
            .envs(environment.iter().copied())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        for _ in 0..200 {
            if TcpStream::connect(&address).await.is_ok() {
                return Ok(Self { address, _process: process });
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err("keyward did not start within 10 s".into())
    }
}

fn free_port() -> Outcome<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
