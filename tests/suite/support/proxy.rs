use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Stands between a server and its broker, and cuts the line when told to.
pub struct Proxy {
    pub address: SocketAddr,
    open: Arc<watch::Sender<bool>>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Lets everything through to `target`.
    pub async fn open_to(target: &str) -> Self {
        let proxy = Self::cut_from(target).await;
        proxy.restore();
        proxy
    }

    /// Begins as a line that is cut.
    pub async fn cut_from(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let open = Arc::new(watch::Sender::new(false));
        let (target, state) = (target.to_owned(), Arc::clone(&open));
        let task = tokio::spawn(async move {
            loop {
                let Ok((client, _)) = listener.accept().await else { return };
                if *state.borrow() {
                    tokio::spawn(carry(client, target.clone(), state.subscribe()));
                }
            }
        });
        Self { address, open, task }
    }

    /// Breaks every connection, and those that are tried until it is restored.
    pub fn cut(&self) {
        self.open.send_replace(false);
    }

    pub fn restore(&self) {
        self.open.send_replace(true);
    }

    /// Cuts the line for a moment.
    pub async fn cut_for(&self, time: Duration) {
        self.cut();
        tokio::time::sleep(time).await;
        self.restore();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.cut();
        self.task.abort();
    }
}

async fn carry(mut client: TcpStream, target: String, mut open: watch::Receiver<bool>) {
    let Ok(mut broker) = TcpStream::connect(target).await else { return };
    tokio::select! {
        _ = copy_bidirectional(&mut client, &mut broker) => {}
        _ = open.wait_for(|open| !open) => {}
    }
}
