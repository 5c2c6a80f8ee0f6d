//! Redis for tests: they choose keys of their own. Some also start one that they may break.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

use crate::servers::{Server, folders_of_path};
use crate::workspace::{Outcome, Workspace, apt_install};

pub(crate) const REDIS: Server = Server {
    name: "Redis",
    variable: "KEYWARD_TEST_REDIS_URL",
    debian_package: Some("redis-server"),
    port: 6379,
    answers: |port| answers_ping(port).then(|| format!("redis://127.0.0.1:{port}")),
    programs,
    keeper: r#"keep "$1/redis-server" --bind 127.0.0.1 --port "$2" --save '' --dir "$folder""#,
};

/// Tells tests where the program is that they start for themselves.
pub(crate) const PROGRAM_VARIABLE: &str = "KEYWARD_TEST_REDIS_SERVER";

/// The program, installed if need be, also where a server listens already.
pub(crate) fn program(workspace: &Workspace) -> Outcome<PathBuf> {
    if programs(workspace).is_none() {
        apt_install(&["redis-server"])
            .map_err(|error| format!("some tests start a Redis to break it: {error}"))?;
    }
    let folder = programs(workspace).ok_or("redis-server was installed, but is not on the PATH")?;
    Ok(folder.join("redis-server"))
}

/// One that wants a password answers otherwise.
fn answers_ping(port: u16) -> bool {
    let ping = || -> std::io::Result<[u8; 7]> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        stream.write_all(b"PING\r\n")?;
        let mut answer = [0; 7];
        stream.read_exact(&mut answer)?;
        Ok(answer)
    };
    ping().is_ok_and(|answer| &answer == b"+PONG\r\n")
}

fn programs(_: &Workspace) -> Option<PathBuf> {
    folders_of_path().into_iter().find(|folder| folder.join("redis-server").exists())
}
