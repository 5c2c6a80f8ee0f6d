use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsAcceptor;
use tokio::net::TcpSocket;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::connection::{Reception, places};
use super::framing::LookingAtHeads;
use super::management::{self, Management};
use super::readiness::Readiness;
use super::router;
use super::tls::Certificate;
use crate::app::App;
use crate::config::Settings;
use crate::telemetry::CONNECTIONS_REFUSED;

/// For the headers of a request, the first byte of an idle connection's next one included, and for a TLS handshake.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
pub(super) const HEADERS_MAX: u16 = 16 * 1024;
const HTTP2_STREAMS_MAX: u32 = 128;
/// Bodies are small: nobody needs to send much before it is read.
const HTTP2_STREAM_WINDOW: u32 = 64 * 1024;
const HTTP2_CONNECTION_WINDOW: u32 = 128 * 1024;
/// Connections that wait to be accepted: a crowd that comes at once is not to wait for another try.
const BACKLOG: u32 = 4096;
/// Probes get through, however many clients there are.
const MANAGEMENT_PLACES: usize = 64;
const TELL_EVERY: Duration = Duration::from_secs(10);
/// After a stop, new connections are taken for as long as those who watch `/readyz` may need to send requests elsewhere:
/// three looks two seconds apart, and one second.
const TURN_AWAY: Duration = Duration::from_secs(7);
/// What requests in flight then get to finish, of the 25 s that the process has.
const DRAIN: Duration = Duration::from_secs(16);

/// The addresses that were bound, with the ports that port 0 became.
#[derive(Debug, Clone, Copy)]
pub struct Bound {
    pub public: SocketAddr,
    pub management: SocketAddr,
}

/// The two listeners, bound but not yet accepting.
#[derive(Debug)]
pub struct Server {
    public: std::net::TcpListener,
    management: std::net::TcpListener,
    routes: (Router, Router),
    certificate: Option<Arc<Certificate>>,
    readiness: Arc<Readiness>,
}

impl Server {
    /// Binds both addresses, within a runtime; the error names what could not be had.
    pub fn bind(app: &Arc<App>, settings: &Settings) -> io::Result<Self> {
        let readiness = Arc::new(Readiness::default());
        let management = Management { app: Arc::clone(app), readiness: Arc::clone(&readiness) };
        let public = router::router(Arc::clone(app), settings, Arc::clone(&readiness));
        let files = settings.tls.files.as_ref();
        Ok(Self {
            certificate: files.map(|files| Certificate::read(files, app).map(Arc::new)).transpose()?,
            public: listen(settings.listen)?,
            management: listen(settings.management_listen)?,
            routes: (public, management::router(management)),
            readiness,
        })
    }

    pub fn bound(&self) -> io::Result<Bound> {
        Ok(Bound { public: self.public.local_addr()?, management: self.management.local_addr()? })
    }

    /// The certificate, where TLS is served here.
    #[must_use]
    pub fn certificate(&self) -> Option<Arc<Certificate>> {
        self.certificate.clone()
    }

    /// Serves until it is told to stop, and then for as long as those who watch the readiness may still send requests here,
    /// or until it is told again; then lets requests in flight finish. The management listener goes on until the end, so
    /// that probes see the draining.
    pub async fn serve(self, mut stops: mpsc::Receiver<()>) -> io::Result<()> {
        let (public_routes, management_routes) = self.routes;
        let (public_handle, management_handle) = (Handle::new(), Handle::new());
        let probes = Reception::new(MANAGEMENT_PLACES);
        let management =
            tokio::spawn(run(self.management, management_routes, management_handle.clone(), probes, None));
        let readiness = self.readiness;
        let handle = public_handle.clone();
        tokio::spawn(async move {
            stops.recv().await;
            readiness.drain();
            if readiness.watched() {
                let seconds = TURN_AWAY.as_secs();
                tracing::info!(
                    seconds,
                    "who asks /readyz is given time to send requests elsewhere; a second signal cuts it short"
                );
                tokio::select! {
                    () = tokio::time::sleep(TURN_AWAY) => {}
                    Some(()) = stops.recv() => {}
                }
            }
            handle.graceful_shutdown(Some(DRAIN));
        });
        let public = Reception::new(places());
        let served = run(self.public, public_routes, public_handle, public, self.certificate).await;
        management_handle.shutdown();
        management.await.map_err(io::Error::other)??;
        served
    }
}

fn listen(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let bind = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)?.into_std()
    };
    bind().map_err(|error| {
        let fix =
            "free it, or choose another with listen or management_listen; issuer has the port of listen, too";
        io::Error::new(error.kind(), format!("cannot listen on {address}: {error}\n  fix: {fix}"))
    })
}

async fn run(
    listener: std::net::TcpListener,
    routes: Router,
    handle: Handle<SocketAddr>,
    reception: Reception,
    certificate: Option<Arc<Certificate>>,
) -> io::Result<()> {
    let mut server = axum_server::from_tcp(listener)?
        .handle(handle)
        .first_request_timeout(HEADER_TIMEOUT)
        .accept_error_handler(tell_of_refused());
    let builder = server.http_builder();
    builder.http1().header_read_timeout(HEADER_TIMEOUT).max_buf_size(HEADERS_MAX.into());
    builder
        .http2()
        .max_concurrent_streams(HTTP2_STREAMS_MAX)
        .max_header_list_size(HEADERS_MAX.into())
        .initial_stream_window_size(HTTP2_STREAM_WINDOW)
        .initial_connection_window_size(HTTP2_CONNECTION_WINDOW);
    let service = routes.into_make_service_with_connect_info::<SocketAddr>();
    let Some(certificate) = certificate else {
        return server.acceptor(LookingAtHeads(reception)).serve(service).await;
    };
    let acceptor = RustlsAcceptor::new(certificate.config()).handshake_timeout(HEADER_TIMEOUT);
    let serving = server.acceptor(LookingAtHeads(acceptor.acceptor(reception))).serve(service);
    tokio::select! {
        served = serving => served,
        () = certificate.watch() => Ok(()),
    }
}

/// Anybody can break off a handshake, as often as they like. That there is no room is worth a line, now and then.
fn tell_of_refused() -> impl Fn(Option<&SocketAddr>, &io::Error) + Send + Sync {
    let (told_at, refused) = (Mutex::new(None::<Instant>), CONNECTIONS_REFUSED.counter(&[]));
    move |client, error| {
        refused.increment(1);
        if client.is_some() && error.kind() != io::ErrorKind::QuotaExceeded {
            tracing::debug!(?client, %error, "connection refused");
            return;
        }
        let mut told_at = told_at.lock().unwrap_or_else(PoisonError::into_inner);
        if told_at.is_none_or(|at| at.elapsed() >= TELL_EVERY) {
            *told_at = Some(Instant::now());
            tracing::warn!(%error, "connections are turned away");
        }
    }
}
