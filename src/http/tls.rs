//! The certificate of the public listener, which may change while connections are open: those that are keep theirs, new
//! ones get the new one. What cannot be served changes nothing, and the log says so.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum_server::tls_rustls::RustlsConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::ServerConfig;
use rustls::sign::SingleCertAndKey;
use rustls::version::{TLS12, TLS13};

use crate::app::App;
use crate::config::{CertificatePem, ServerCertificate, TlsFiles};
use crate::telemetry::CERTIFICATE_EXPIRES;

/// How often the files are looked at. A change counts once two looks in a row have seen it: somebody may be writing.
const LOOK_EVERY: Duration = Duration::from_secs(2);
const DAY: i64 = 24 * 60 * 60;
/// Who renews by themselves does it long before.
const WARN_DAYS: i64 = 7;

/// The certificate that new connections get, and the files that it came from.
#[derive(Debug)]
pub struct Certificate {
    files: TlsFiles,
    config: RustlsConfig,
    app: Arc<App>,
    looks: Mutex<Looks>,
}

#[derive(Debug)]
struct Looks {
    served: CertificatePem,
    last: Result<CertificatePem, String>,
    /// What the log says of files that cannot be served.
    told: Option<String>,
}

/// What one look is to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// By a signal: whatever is there counts.
    Now,
    /// By the clock: what has not changed, or has just changed, does not.
    Regularly,
}

impl Certificate {
    pub(super) fn read(files: &TlsFiles, app: &Arc<App>) -> io::Result<Self> {
        let served = files.read().map_err(io::Error::other)?;
        let certificate = served.parse().map_err(io::Error::other)?;
        let now = app.now().unix_seconds();
        match wrong_time(&certificate, now) {
            // Clients refuse it, but not all gateways do: those would be cut off for nothing.
            Some(wrong) => tracing::error!("the certificate in tls.cert {wrong}: clients will refuse it"),
            None => tell(&certificate, now, "certificate read"),
        }
        let config = RustlsConfig::from_config(server_config(&certificate).map_err(io::Error::other)?);
        let looks = Mutex::new(Looks { last: Ok(served.clone()), served, told: None });
        Ok(Self { files: files.clone(), config, app: Arc::clone(app), looks })
    }

    pub(super) fn config(&self) -> RustlsConfig {
        self.config.clone()
    }

    /// Reads the files again.
    pub async fn reload(self: &Arc<Self>) {
        self.look(Asked::Now).await;
    }

    /// Takes what the files hold whenever they change.
    pub(super) async fn watch(self: Arc<Self>) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            self.look(Asked::Regularly).await;
        }
    }

    async fn look(self: &Arc<Self>, asked: Asked) {
        let this = Arc::clone(self);
        // The files may be on a file system that hangs.
        let _ = tokio::task::spawn_blocking(move || this.take_in(this.files.read(), asked)).await;
    }

    fn take_in(&self, found: Result<CertificatePem, crate::config::CertificateFlaws>, asked: Asked) {
        let found = found.map_err(|flaws| flaws.to_string());
        let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        let settled = looks.last == found;
        looks.last.clone_from(&found);
        if found.as_ref() == Ok(&looks.served) {
            looks.told = None;
            if asked == Asked::Now {
                tracing::info!("the certificate has not changed");
            }
            return;
        }
        if asked == Asked::Regularly && !settled {
            return;
        }
        match found.and_then(|pem| self.serve(&pem).map(|()| pem)) {
            Ok(pem) => {
                looks.served = pem;
                looks.told = None;
            }
            Err(problem) => {
                if asked == Asked::Now || looks.told.as_ref() != Some(&problem) {
                    tracing::error!(
                        problem,
                        "the certificate stays as it is: what the files hold now cannot be served"
                    );
                }
                looks.told = Some(problem);
            }
        }
    }

    fn serve(&self, pem: &CertificatePem) -> Result<(), String> {
        let certificate = pem.parse().map_err(|flaws| flaws.to_string())?;
        let now = self.app.now().unix_seconds();
        if let Some(wrong) = wrong_time(&certificate, now) {
            return Err(format!("tls.cert {wrong}"));
        }
        self.config.reload_from_config(server_config(&certificate).map_err(|error| error.to_string())?);
        tell(&certificate, now, "certificate read again");
        Ok(())
    }
}

fn server_config(certificate: &ServerCertificate) -> Result<Arc<ServerConfig>, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&TLS13, &TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(&certificate.certified_key))));
    config.alpn_protocols = [&b"h2"[..], b"http/1.1"].map(<[u8]>::to_vec).to_vec();
    Ok(Arc::new(config))
}

fn wrong_time(certificate: &ServerCertificate, now: i64) -> Option<&'static str> {
    let now = u64::try_from(now).unwrap_or(0);
    if now > certificate.not_after {
        Some("has expired")
    } else if now < certificate.not_before {
        Some("is not valid yet")
    } else {
        None
    }
}

fn tell(certificate: &ServerCertificate, now: i64, message: &'static str) {
    // As many as there are until 2106; f64 has no room for all of u64.
    let expires = u32::try_from(certificate.not_after).unwrap_or(u32::MAX);
    CERTIFICATE_EXPIRES.gauge(&[]).set(expires);
    let days = i64::try_from(certificate.not_after).unwrap_or(i64::MAX).saturating_sub(now) / DAY;
    if days < WARN_DAYS {
        tracing::warn!(days, "{message}: it expires soon");
    } else {
        tracing::info!(days, "{message}");
    }
}
