//! Just enough of an HTTP client to cost next to nothing beside the server it loads.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::Outcome;

/// A connection that is kept open.
pub(crate) struct Connection {
    stream: TcpStream,
    pub(crate) host: String,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: &str) -> Outcome<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, host: address.to_owned(), buffer: Vec::with_capacity(4_096) })
    }

    pub(crate) async fn reopen(&mut self) -> Outcome<()> {
        self.stream = TcpStream::connect(&self.host).await?;
        self.stream.set_nodelay(true)?;
        Ok(())
    }

    /// Posts JSON and returns status and body.
    pub(crate) async fn post(&mut self, path: &str, body: &str) -> Outcome<(u16, &str)> {
        let request = post(&self.host, path, body);
        self.exchange(&request).await
    }

    /// Sends a request and returns status and body of its answer.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Outcome<(u16, &str)> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let head_end = loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                break end + 4;
            }
            self.more().await?;
        };
        let head = std::str::from_utf8(self.buffer.get(..head_end).unwrap_or_default())?;
        let status = head.split(' ').nth(1).ok_or("no status")?.parse()?;
        let length: usize =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(Ok(0), str::parse)?;
        while self.buffer.len() < head_end + length {
            self.more().await?;
        }
        let body = self.buffer.get(head_end..head_end + length).unwrap_or_default();
        Ok((status, std::str::from_utf8(body)?))
    }

    async fn more(&mut self) -> Outcome<()> {
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err("the server closed the connection".into()),
            _ => Ok(()),
        }
    }
}

pub(crate) fn get(host: &str, path: &str, access_token: Option<&str>) -> Vec<u8> {
    let authorization =
        access_token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{authorization}\r\n").into_bytes()
}

pub(crate) fn post(host: &str, path: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

/// Takes a text member out of flat JSON without building a tree of it.
pub(crate) fn member<'a>(json: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = json.split_once(&format!("\"{name}\":\""))?;
    rest.split_once('"').map(|(value, _)| value)
}
