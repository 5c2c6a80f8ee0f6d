use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A bare connection, for what no HTTP client would send.
pub struct Raw(TcpStream);

impl Raw {
    pub async fn connect(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.expect("a connection"))
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        // The server may have hung up already, which the answer shows.
        let _ = self.0.write_all(bytes).await;
    }

    /// Says that nothing more will be sent.
    pub async fn finish(&mut self) {
        let _ = self.0.shutdown().await;
    }

    /// Everything until the server hangs up.
    pub async fn rest(&mut self) -> String {
        String::from_utf8_lossy(&self.rest_bytes().await).into_owned()
    }

    /// The same, of what is no text.
    pub async fn rest_bytes(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let whole = tokio::time::timeout(Duration::from_secs(60), self.0.read_to_end(&mut bytes)).await;
        assert!(whole.is_ok(), "the server keeps the connection: {}", String::from_utf8_lossy(&bytes));
        bytes
    }

    /// One answer, with its body, on a connection that stays open.
    pub async fn answer(&mut self) -> String {
        let mut bytes = Vec::new();
        loop {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n")
                && body.len() >= content_length(head)
            {
                return text;
            }
            let read = self.0.read_buf(&mut bytes).await.expect("an answer");
            assert_ne!(read, 0, "the server hung up: {text}");
        }
    }
}

fn content_length(head: &str) -> usize {
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    let mut lengths = lines.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    lengths.next().and_then(|(_, value)| value.parse().ok()).unwrap_or(0)
}
