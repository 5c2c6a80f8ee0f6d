use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use lapin::{Connection, ConnectionProperties};
use tempfile::TempDir;

use super::{Authority, free_port};

/// A `RabbitMQ` of a test's own, which may be killed.
pub struct RabbitServer {
    folder: TempDir,
    port: u16,
    epmd_port: u16,
    dist_port: u16,
    epmd: Child,
    server: Child,
}

impl RabbitServer {
    pub async fn start() -> Self {
        Self::start_with("").await
    }

    /// Starts one that also listens on a port of its own for TLS, as this authority vouches for it.
    pub async fn start_tls(authority: &Authority) -> (Self, u16) {
        let port = free_port();
        let [ca, cert, key] = ["ca.pem", "server.pem", "server.key"].map(|name| authority.path(name));
        let settings = format!(
            "listeners.ssl.default = 127.0.0.1:{port}\nssl_options.cacertfile = {ca}\nssl_options.certfile = {cert}\n\
             ssl_options.keyfile = {key}\nssl_options.verify = verify_none\n"
        );
        (Self::start_with(&settings).await, port)
    }

    async fn start_with(settings: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let [port, epmd_port, dist_port] = [free_port(), free_port(), free_port()];
        std::fs::write(folder.path().join("plugins"), "[].").expect("a file");
        std::fs::write(
            folder.path().join("rabbitmq.conf"),
            format!("listeners.tcp.default = 127.0.0.1:{port}\n{settings}"),
        )
        .expect("a file");
        let epmd = Command::new("epmd")
            .args(["-port", &epmd_port.to_string(), "-address", "127.0.0.1"])
            .stdin(Stdio::null())
            .spawn()
            .expect("Erlang's port mapper is installed with RabbitMQ");
        let server = spawn(folder.path(), port, epmd_port, dist_port);
        let started = Self { folder, port, epmd_port, dist_port, epmd, server };
        started.answers().await;
        started
    }

    pub fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}", self.port)
    }

    /// kill -9, then the same disk again.
    pub async fn kill_and_start_again(&mut self) {
        self.kill();
        self.server = spawn(self.folder.path(), self.port, self.epmd_port, self.dist_port);
        self.answers().await;
    }

    fn kill(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }

    async fn answers(&self) {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(90);
        while Connection::connect(&self.url(), ConnectionProperties::default()).await.is_err() {
            assert!(tokio::time::Instant::now() < deadline, "RabbitMQ does not start");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

impl Drop for RabbitServer {
    fn drop(&mut self) {
        self.kill();
        let _ = self.epmd.kill();
        let _ = self.epmd.wait();
    }
}

fn spawn(folder: &Path, port: u16, epmd_port: u16, dist_port: u16) -> Child {
    // What Debian has on the PATH insists on its own user.
    Command::new("/usr/lib/rabbitmq/bin/rabbitmq-server")
        .env("HOME", folder)
        .env("RABBITMQ_NODENAME", format!("keyward-{port}@localhost"))
        .env("RABBITMQ_DIST_PORT", dist_port.to_string())
        .env("ERL_EPMD_ADDRESS", "127.0.0.1")
        .env("ERL_EPMD_PORT", epmd_port.to_string())
        .env("RABBITMQ_MNESIA_BASE", folder)
        .env("RABBITMQ_LOG_BASE", folder)
        .env("RABBITMQ_CONFIG_FILE", folder.join("rabbitmq"))
        .env("RABBITMQ_ENABLED_PLUGINS_FILE", folder.join("plugins"))
        // Its script then turns into the server, so that we can kill it.
        .env("RUNNING_UNDER_SYSTEMD", "true")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("RabbitMQ is installed where Debian has it")
}
