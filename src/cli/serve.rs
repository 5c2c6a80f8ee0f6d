use std::fs::{File, OpenOptions};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout, timeout_at};

use super::log::{self, LevelHandle, Stream};
use super::{Exit, SettingFlags, print};
use crate::app::{App, AuditGuard, check_first_admin, check_sinks, create_data_dir};
use crate::clock::Clock;
use crate::config::{DatabaseUrl, Settings};
use crate::http::{Bound, Certificate, Server};
use crate::telemetry::start_traces;

/// From a signal on, of the 25 s that orchestrators are told: what is left are traces, and threads that still work.
const STOP_WITHIN: Duration = Duration::from_secs(23);
/// For what goes on beside requests. Events that a sink has not confirmed by then are published again, by another server or the
/// next one.
const BACKGROUND_STOP: Duration = Duration::from_secs(5);
const TRACES_STOP: Duration = Duration::from_secs(1);

pub(super) async fn run(flags: &SettingFlags) -> Result<(), Exit> {
    let (settings, _) = flags.load_to_serve()?;
    let level = log::start(&settings, Stream::Stdout);
    check_sinks(&settings)?;
    check_first_admin(&settings)?;
    for warning in &settings.warnings {
        tracing::warn!("{warning}");
    }
    let traces = start_traces(&settings.telemetry).map_err(Exit::configuration)?;
    let (stops, asked_at) = stop_signals()?;
    let mut hangup = listen_for(SignalKind::hangup())?;
    raise_file_limit();

    let _lock = serve_lock(&settings)?;
    let app = Arc::new(App::start(&settings, Clock::System).await?);
    let server = Server::bind(&app, &settings).map_err(|error| Exit::configuration(error.to_string()))?;
    let certificate = server.certificate();
    let flags = flags.clone();
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            reload(&flags, &level, certificate.as_ref()).await;
        }
    });
    app.limits_connect().await;
    warn_of_audit_role(&app).await;
    announce(&settings, server.bound().map_err(|error| Exit::failure(error.to_string()))?);

    let (stop_background, background_stopped) = watch::channel(false);
    let background = app.background(&background_stopped);
    let served = server.serve(stops).await;
    let _ = stop_background.send(true);
    let end = asked_at.get().copied().unwrap_or_else(Instant::now) + STOP_WITHIN;
    if timeout_at(end.min(Instant::now() + BACKGROUND_STOP), background).await.is_err() {
        tracing::info!("what is under way beside requests is not waited for any longer");
    }
    if timeout_at(end, app.close()).await.is_err() {
        tracing::info!("the database is left without a farewell");
    }
    if let Some(traces) = traces {
        // It logs what it could not send.
        let _ = timeout(TRACES_STOP, traces.stop()).await;
    }
    tracing::info!("stopped");
    served.map_err(|error| Exit::failure(error.to_string()))
}

/// Records that whoever breaks in can change prove little.
async fn warn_of_audit_role(app: &App) {
    match app.audit_guard().await {
        Ok(AuditGuard::Changeable) => tracing::warn!(
            "the database role of this server may change audit records; give it a role that may not: `keyward migrate grants`"
        ),
        Ok(AuditGuard::AppendOnly | AuditGuard::Embedded) => {}
        Err(error) => tracing::warn!(%error, "what keeps audit records from being changed is not known"),
    }
}

/// One server a database file: its relay, its caches and its one writer assume that.
fn serve_lock(settings: &Settings) -> Result<Option<File>, Exit> {
    let DatabaseUrl::Sqlite { path } = &settings.database_url else { return Ok(None) };
    let lock_path = path.with_extension("lock");
    let unusable = |error: &dyn std::fmt::Display| {
        let lock_path = lock_path.display();
        Exit::configuration(format!(
            "{lock_path} cannot be written: {error}\n  fix: give data_dir a folder that this user can write"
        ))
    };
    create_data_dir(lock_path.parent().unwrap_or(Path::new(".")))?;
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&lock_path);
    let file = file.map_err(|error| unusable(&error))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(std::fs::TryLockError::WouldBlock) => Err(Exit::configuration(format!(
            "another keyward serves {}\n  fix: stop it, or give this one another data_dir; several servers share a \
             database on PostgreSQL",
            path.display()
        ))),
        Err(std::fs::TryLockError::Error(error)) => Err(unusable(&error)),
    }
}

/// A message for each signal to stop, and when the first came. Registered before anything is open, so that an early one is not
/// lost.
fn stop_signals() -> Result<(mpsc::Receiver<()>, Arc<OnceLock<Instant>>), Exit> {
    let mut terminate = listen_for(SignalKind::terminate())?;
    let mut interrupt = listen_for(SignalKind::interrupt())?;
    let (told, stops) = mpsc::channel(1);
    let asked_at = Arc::new(OnceLock::new());
    let first_at = Arc::clone(&asked_at);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            let _ = first_at.set(Instant::now());
            tracing::info!("stopping: requests in flight are finished first");
            if told.send(()).await.is_err() {
                return;
            }
        }
    });
    Ok((stops, asked_at))
}

fn listen_for(kind: SignalKind) -> Result<Signal, Exit> {
    signal(kind).map_err(|error| Exit::failure(format!("cannot listen for signals: {error}")))
}

/// What SIGHUP asks for. The certificate does not depend on the rest.
async fn reload(flags: &SettingFlags, level: &LevelHandle, certificate: Option<&Arc<Certificate>>) {
    if let Some(certificate) = certificate {
        certificate.reload().await;
    }
    match flags.load() {
        Ok((settings, _)) => {
            level.set(settings.log_level);
            tracing::info!(log_level = %settings.log_level, "log level read again");
        }
        Err(exit) => tracing::warn!(problem = exit.message, "settings unchanged: they have mistakes"),
    }
}

/// Each connection is an open file, and many systems let a process have 1024 until it asks for more.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    if let Err(error) = raised {
        tracing::warn!(%error, limit = limit.current, "the limit of open files stays as it is");
    }
}

/// Says where everything is. On a terminal with lines that can be pasted.
fn announce(settings: &Settings, bound: Bound) {
    let data = match &settings.database_url {
        DatabaseUrl::Sqlite { path } => path.display().to_string(),
        DatabaseUrl::Postgres { .. } => "PostgreSQL".to_owned(),
    };
    let Bound { public, management } = bound;
    if log::is_text(settings, Stream::Stdout) {
        print(&banner(settings, &data, bound));
    } else {
        tracing::info!(listen = %public, management = %management, data, issuer = settings.issuer, "ready");
    }
}

fn banner(settings: &Settings, data: &str, Bound { public, management }: Bound) -> String {
    let scheme = if settings.tls.files.is_some() { "https" } else { "http" };
    let here = format!("{scheme}://{public}");
    let docs = if settings.docs { format!("{here}/docs") } else { "off".to_owned() };
    format!(
        "
  Keyward {version} is ready.

    address     {here}
    probes      http://{management}/readyz
    API docs    {docs}
    data        {data}
    settings    keyward config show

  Try it:

    curl -s {here}/auth/signup -H 'content-type: application/json' \\
      -d '{{\"email\":\"ada@example.com\",\"password\":\"a quiet lake at dawn\"}}'

    curl -s {here}/auth/login -H 'content-type: application/json' \\
      -d '{{\"email\":\"ada@example.com\",\"password\":\"a quiet lake at dawn\"}}'

",
        version = env!("CARGO_PKG_VERSION"),
    )
}
