use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// The Redis that all tests share, each with a key prefix of its own.
pub fn redis_url() -> String {
    std::env::var("KEYWARD_TEST_REDIS_URL")
        .expect("KEYWARD_TEST_REDIS_URL names a server; `cargo xtask test` sets it")
}

/// A prefix that no other test uses.
pub fn key_prefix() -> String {
    format!("keyward-test-{}:", uuid::Uuid::from_bytes(keyward::random::bytes()).simple())
}

/// A Redis for one test, which may break it.
pub struct PrivateRedis {
    child: Child,
    address: SocketAddr,
    _folder: TempDir,
}

impl PrivateRedis {
    pub async fn start() -> Self {
        Self::start_with(&["--port"]).await
    }

    /// Starts it with options, of which the last is followed by the port.
    pub async fn start_with(options: &[&str]) -> Self {
        let free = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr());
        Self::start_at(free.expect("a free port"), options).await
    }

    /// Starts it again, with nothing in it.
    pub async fn restart(mut self) -> Self {
        self.kill();
        let address = self.address;
        drop(self);
        Self::start_at(address, &["--port"]).await
    }

    async fn start_at(address: SocketAddr, options: &[&str]) -> Self {
        let program =
            std::env::var("KEYWARD_TEST_REDIS_SERVER").unwrap_or_else(|_| "redis-server".to_owned());
        let folder = tempfile::tempdir().expect("a temporary folder");
        let child = Command::new(program)
            .args(["--bind", "127.0.0.1"])
            .args(options)
            .arg(address.port().to_string())
            .args(["--save", "", "--appendonly", "no", "--dir"])
            .arg(folder.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed; `cargo xtask test` sees to it");
        let redis = Self { child, address, _folder: folder };
        let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(address).await.is_err() {
            assert!(tokio::time::Instant::now() < deadline, "Redis does not listen");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        redis
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    pub fn kill(&mut self) {
        self.child.kill().expect("it is there to be killed");
        self.child.wait().expect("it ends");
    }

    /// Stops it where it is: connections stay open, and nobody answers.
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    pub fn thaw(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        assert!(sent.expect("kill is installed").success());
    }
}

impl Drop for PrivateRedis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A way to a server on which each answer takes as long as the test says.
pub struct SlowLink {
    address: SocketAddr,
    delay_ms: Arc<AtomicU64>,
}

impl SlowLink {
    pub async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let delay_ms = Arc::new(AtomicU64::new(0));
        let delay = Arc::clone(&delay_ms);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass_on(client, server, Arc::clone(&delay)));
            }
        });
        Self { address, delay_ms }
    }

    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    pub fn delay(&self, delay: Duration) {
        self.delay_ms.store(delay.as_millis().try_into().expect("a short delay"), Ordering::Relaxed);
    }
}

async fn pass_on(client: TcpStream, server: SocketAddr, delay_ms: Arc<AtomicU64>) -> std::io::Result<()> {
    let server = TcpStream::connect(server).await?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let asking = tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
    let mut chunk = [0; 4_096];
    loop {
        let count = from_server.read(&mut chunk).await?;
        if count == 0 {
            asking.abort();
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(delay_ms.load(Ordering::Relaxed))).await;
        to_client.write_all(&chunk[..count]).await?;
    }
}
