use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

#[derive(Clone, Copy)]
enum State {
    /// Each answer takes so much longer.
    Slow(Duration),
    /// What is sent is lost, and nobody is told: no answer, no reset, no end.
    Swallows,
}

/// A line to a database that can be slow, or swallow everything. A connection that lost something stays silent for
/// ever, as when a firewall forgot it; new ones get through again once the line is restored.
pub struct Line {
    pub address: SocketAddr,
    state: Arc<watch::Sender<State>>,
    task: JoinHandle<()>,
}

impl Line {
    pub async fn to(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(watch::Sender::new(State::Slow(Duration::ZERO)));
        let (target, told) = (target.to_owned(), Arc::clone(&state));
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, target.clone(), told.subscribe()));
            }
        });
        Self { address, state, task }
    }

    pub fn slow_by(&self, delay: Duration) {
        self.state.send_replace(State::Slow(delay));
    }

    pub fn swallow(&self) {
        self.state.send_replace(State::Swallows);
    }

    pub fn restore(&self) {
        self.slow_by(Duration::ZERO);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(client: TcpStream, target: String, state: watch::Receiver<State>) {
    let Ok(server) = TcpStream::connect(target).await else { return };
    for end in [&client, &server] {
        let _ = end.set_nodelay(true);
    }
    let lost = Arc::new(AtomicBool::new(false));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::join!(
        pass_on(from_client, to_server, false, Arc::clone(&lost), state.clone()),
        pass_on(from_server, to_client, true, lost, state),
    );
}

async fn pass_on(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    slowed: bool,
    lost: Arc<AtomicBool>,
    state: watch::Receiver<State>,
) {
    let mut chunk = vec![0; 16 * 1024];
    loop {
        let count = from.read(&mut chunk).await.unwrap_or(0);
        let now = *state.borrow();
        match now {
            State::Swallows => lost.store(true, Ordering::Relaxed),
            State::Slow(delay) if slowed => tokio::time::sleep(delay).await,
            State::Slow(_) => {}
        }
        if lost.load(Ordering::Relaxed) {
            if count == 0 {
                // The other side does not hear of the end either.
                std::future::pending::<()>().await;
            }
            continue;
        }
        if count == 0 {
            let _ = to.shutdown().await;
            return;
        }
        if to.write_all(&chunk[..count]).await.is_err() {
            return;
        }
    }
}
