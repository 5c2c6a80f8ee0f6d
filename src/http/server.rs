use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum_server::Handle;

use super::management::{self, Management};
use super::router;
use crate::app::App;
use crate::config::Settings;

const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
const HEADERS_MAX: u16 = 16 * 1024;
const HTTP2_STREAMS_MAX: u32 = 128;
const HTTP2_PING_EVERY: Duration = Duration::from_secs(20);
/// What requests in flight get to finish after a stop, of the 25 s that the process has.
const DRAIN: Duration = Duration::from_secs(20);

/// The addresses that were bound, with the ports that port 0 became.
#[derive(Debug, Clone, Copy)]
pub struct Bound {
    pub public: SocketAddr,
    pub management: SocketAddr,
}

/// The two listeners, bound but not yet accepting.
#[derive(Debug)]
pub struct Server {
    public: TcpListener,
    management: TcpListener,
    routes: (Router, Router),
    draining: Arc<AtomicBool>,
}

impl Server {
    /// Binds both addresses; the error names the one that could not be had.
    pub fn bind(app: &Arc<App>, settings: &Settings) -> io::Result<Self> {
        let draining = Arc::new(AtomicBool::new(false));
        let management = Management { app: Arc::clone(app), draining: Arc::clone(&draining) };
        Ok(Self {
            public: listen(settings.listen)?,
            management: listen(settings.management_listen)?,
            routes: (router::router(Arc::clone(app), settings), management::router(management)),
            draining,
        })
    }

    pub fn bound(&self) -> io::Result<Bound> {
        Ok(Bound { public: self.public.local_addr()?, management: self.management.local_addr()? })
    }

    /// Serves until `stop` completes, then lets requests in flight finish. The management listener
    /// goes on until the end, so that probes see the draining.
    pub async fn serve(self, stop: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        let (public_routes, management_routes) = self.routes;
        let (public_handle, management_handle) = (Handle::new(), Handle::new());
        let management = tokio::spawn(run(self.management, management_routes, management_handle.clone()));
        let draining = self.draining;
        let handle = public_handle.clone();
        tokio::spawn(async move {
            stop.await;
            draining.store(true, Ordering::Relaxed);
            handle.graceful_shutdown(Some(DRAIN));
        });
        let served = run(self.public, public_routes, public_handle).await;
        management_handle.shutdown();
        management.await.map_err(io::Error::other)??;
        served
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address)
        .map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {address}: {error}")))
}

async fn run(listener: TcpListener, routes: Router, handle: Handle<SocketAddr>) -> io::Result<()> {
    let mut server = axum_server::from_tcp(listener)?.handle(handle).first_request_timeout(HEADER_TIMEOUT);
    let builder = server.http_builder();
    builder.http1().header_read_timeout(HEADER_TIMEOUT).max_buf_size(HEADERS_MAX.into());
    builder
        .http2()
        .max_concurrent_streams(HTTP2_STREAMS_MAX)
        .max_header_list_size(HEADERS_MAX.into())
        .keep_alive_interval(HTTP2_PING_EVERY)
        .keep_alive_timeout(HEADER_TIMEOUT);
    server.serve(routes.into_make_service_with_connect_info::<SocketAddr>()).await
}
