//! Redis for tests: they choose keys of their own. Some also start one that they may break.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::servers::Server;
use crate::workspace::{Outcome, apt_install};

pub(crate) const REDIS: Server = Server {
    name: "Redis",
    variable: "KEYWARD_TEST_REDIS_URL",
    debian_package: "redis-server",
    listening,
    programs,
    keeper: include_str!("redis.sh"),
};

/// Tells tests where the program is that they start for themselves.
pub(crate) const PROGRAM_VARIABLE: &str = "KEYWARD_TEST_REDIS_SERVER";

/// The program, installed if need be, also where a server listens already.
pub(crate) fn program() -> Outcome<PathBuf> {
    if programs().is_none() {
        apt_install(&[REDIS.debian_package]).map_err(|error| {
            format!("some tests start a Redis to break it, and there is no redis-server: {error}")
        })?;
    }
    let folder = programs().ok_or("redis-server was installed, but is not on the PATH")?;
    Ok(folder.join("redis-server"))
}

fn listening() -> Option<String> {
    let address = "127.0.0.1:6379".parse().ok()?;
    let mut redis = TcpStream::connect_timeout(&address, Duration::from_secs(1)).ok()?;
    redis.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
    let mut answer = [0; 7];
    std::io::Write::write_all(&mut redis, b"PING\r\n").ok()?;
    std::io::Read::read_exact(&mut redis, &mut answer).ok()?;
    // One that wants a password answers otherwise.
    (&answer == b"+PONG\r\n").then(|| format!("redis://{address}"))
}

fn programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).find(|folder: &PathBuf| Path::new(folder).join("redis-server").exists())
}
