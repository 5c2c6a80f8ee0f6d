//! A service of its own, with its own database, that keeps profiles of Keyward's users.
//!
//! It never asks Keyward who is calling: `keyward-verify` reads that from the access token. And it never asks who has
//! signed up or left: Keyward's events tell.

mod events;
mod problem;
mod profiles;
mod routes;
mod settings;

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use axum_server::Handle;
use keyward_verify::Keyward;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing_subscriber::EnvFilter;

use events::follow;
use profiles::Profiles;
use settings::Settings;

/// Requests that are under way when we are asked to stop have this long.
const DRAIN: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).init();
    let settings = Settings::from_env(|name| std::env::var(name).ok())?;

    let profiles = Profiles::open(&settings.database).await?;
    let keyward = settings.keyward()?;
    tokio::spawn(fetch_keys(keyward.clone()));
    let app = routes::router(profiles.clone(), keyward);

    let (stop, stopped) = watch::channel(false);
    let following = settings.events.map(|source| tokio::spawn(follow(source, profiles.clone(), stopped)));

    let handle = Handle::new();
    tokio::spawn(stop_on_signal(handle.clone()));
    tokio::spawn(announce(handle.clone()));
    axum_server::bind(settings.listen).handle(handle).serve(app.into_make_service()).await?;
    // The event that is being applied is finished, and confirmed.
    let _ = stop.send(true);
    if let Some(following) = following {
        following.await?;
    }
    profiles.close().await;
    tracing::info!("stopped");
    Ok(())
}

/// Before the first request needs them. Keyward may as well start later; until then requests get 503.
async fn fetch_keys(keyward: Keyward) {
    if let Err(error) = keyward.keys().current().await {
        tracing::warn!(%error, "no keys yet");
    }
}

async fn announce(handle: Handle<SocketAddr>) {
    if let Some(address) = handle.listening().await {
        tracing::info!(%address, "listening");
    }
}

async fn stop_on_signal(handle: Handle<SocketAddr>) {
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return;
    };
    tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
    handle.graceful_shutdown(Some(DRAIN));
}
