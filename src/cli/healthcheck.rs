use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Exit, SettingFlags};

const TIMEOUT: Duration = Duration::from_secs(5);

/// Asks `/readyz` of the server with the same settings; silent when all is well. Whatever is wrong, the exit code is 1:
/// the healthcheck of a container knows no other.
pub(super) async fn run(flags: &SettingFlags) -> Result<(), Exit> {
    let (settings, _) = flags.load().map_err(|exit| Exit { code: 1, ..exit })?;
    let address = settings.probe_address();
    match tokio::time::timeout(TIMEOUT, status_line(address)).await {
        Ok(Ok(line)) if line.starts_with("HTTP/1.1 200 ") => Ok(()),
        Ok(Ok(line)) => Err(Exit::failure(format!("{address} is not ready: {line}"))),
        Ok(Err(error)) => Err(Exit::failure(format!("{address}: {error}"))),
        Err(_) => Err(Exit::failure(format!("{address} did not answer within {} s", TIMEOUT.as_secs()))),
    }
}

/// The management listener speaks plain HTTP, and one line of the answer says it all.
async fn status_line(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(4_096).read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer);
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}
