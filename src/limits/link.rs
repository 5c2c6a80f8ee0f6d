//! The connection to Redis, or that there is none. Whatever goes wrong breaks the link: requests go on
//! without Redis and without waiting for it, and a task in the background looks for it anew.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;

use metrics::{Gauge, Histogram};
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, FromRedisValue, RedisError, ScriptInvocation, TlsCertificates};
use tokio::time::{Instant, sleep, timeout};

use super::shared::Scripts;
use crate::config::RedisTarget;
use crate::telemetry::{REDIS_DURATION, REDIS_UP};

const CONNECT_TIMEOUT: Duration = Duration::from_millis(200);
/// What a request waits for Redis at most.
pub(super) const RESPONSE_TIMEOUT: Duration = Duration::from_millis(100);
/// Connecting with one retry, and the first script.
const FIND_TIMEOUT: Duration = Duration::from_millis(500);
const FIND_EVERY: Duration = Duration::from_millis(500);
const ALARM_EVERY: Duration = Duration::from_secs(10);
/// Scripts on their way at the same time; the library's 50 would make a burst of logins queue.
const PIPELINE: usize = 1_024;

pub(super) struct Link {
    client: Client,
    /// Read again at each connection, so that it may change.
    ca: Option<PathBuf>,
    scripts: Scripts,
    live: RwLock<Live>,
    alarm: Mutex<Alarm>,
    up_gauge: Gauge,
    answered: Histogram,
}

/// Numbered, so that the last requests on a broken connection do not break the next one.
#[derive(Default)]
struct Live {
    number: u64,
    connection: Option<ConnectionManager>,
}

#[derive(Default)]
struct Alarm {
    last: Option<Instant>,
    /// Whether the last line said that Redis is away.
    raised: bool,
}

impl Link {
    pub(super) fn new(target: &RedisTarget, scripts: Scripts) -> Result<Arc<Self>, String> {
        let client = Client::open(target.url.expose()).map_err(|error| error.to_string())?;
        Ok(Arc::new(Self {
            client,
            ca: target.ca.clone(),
            scripts,
            live: RwLock::default(),
            alarm: Mutex::default(),
            up_gauge: REDIS_UP.gauge(&[]),
            answered: REDIS_DURATION.histogram(&[]),
        }))
    }

    pub(super) const fn scripts(&self) -> &Scripts {
        &self.scripts
    }

    pub(super) fn up(&self) -> bool {
        self.live.read().unwrap_or_else(PoisonError::into_inner).connection.is_some()
    }

    /// Looks for Redis once, and goes on in the background.
    pub(super) async fn connect(self: &Arc<Self>) {
        if self.up() {
            return;
        }
        if let Err(error) = self.find().await {
            self.up_gauge.set(0);
            self.raise(&error);
            tokio::spawn(find_again(Arc::downgrade(self)));
        }
    }

    /// Runs a script; `None` when Redis is away, late, or does not run it.
    pub(super) async fn run<T: FromRedisValue>(
        self: &Arc<Self>,
        invocation: &ScriptInvocation<'_>,
    ) -> Option<T> {
        let (number, mut connection) = {
            let live = self.live.read().unwrap_or_else(PoisonError::into_inner);
            (live.number, live.connection.clone()?)
        };
        let asked = Instant::now();
        match answer(invocation, &mut connection).await {
            Ok(answer) => {
                self.answered.record(asked.elapsed());
                Some(answer)
            }
            Err(error) => {
                self.lose(number, &error);
                None
            }
        }
    }

    fn lose(self: &Arc<Self>, number: u64, error: &Away) {
        {
            let mut live = self.live.write().unwrap_or_else(PoisonError::into_inner);
            if live.number != number || live.connection.take().is_none() {
                return;
            }
        }
        self.up_gauge.set(0);
        self.raise(error);
        tokio::spawn(find_again(Arc::downgrade(self)));
    }

    /// Connects anew, as after a fail-over, and takes the connection if a script runs on it in time.
    async fn find(&self) -> Result<(), Away> {
        let (connection, _) = self.dial().await?;
        {
            let mut live = self.live.write().unwrap_or_else(PoisonError::into_inner);
            *live = Live { number: live.number + 1, connection: Some(connection) };
        }
        self.up_gauge.set(1);
        self.calm();
        Ok(())
    }

    /// Connects, and returns how long the first script took.
    pub(super) async fn dial(&self) -> Result<(ConnectionManager, Duration), Away> {
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(RESPONSE_TIMEOUT))
            .set_number_of_retries(1)
            .set_max_delay(RESPONSE_TIMEOUT)
            .set_pipeline_buffer_size(PIPELINE);
        let client = self.trusting_client().await?;
        let connecting = Box::pin(ConnectionManager::new_with_config(client, config));
        let mut connection = timeout(FIND_TIMEOUT, connecting).await.map_err(|_| Away::Late)??;
        // Not PING: a replica that is read-only, or rights that are missing, answer that well.
        let asked = Instant::now();
        let _: Vec<i64> = answer(&self.scripts.probe(), &mut connection).await?;
        Ok((connection, asked.elapsed()))
    }

    async fn trusting_client(&self) -> Result<Client, Away> {
        let Some(ca) = &self.ca else { return Ok(self.client.clone()) };
        let root_cert = Some(tokio::fs::read(ca).await.map_err(Away::Authorities)?);
        let certificates = TlsCertificates { client_tls: None, root_cert };
        Ok(Client::build_with_tls(self.client.get_connection_info().clone(), certificates)?)
    }

    fn raise(&self, error: &Away) {
        let mut alarm = self.alarm.lock().unwrap_or_else(PoisonError::into_inner);
        if alarm.last.is_none_or(|last| last.elapsed() >= ALARM_EVERY) {
            *alarm = Alarm { last: Some(Instant::now()), raised: true };
            tracing::error!(%error, "redis is away: until it is back, this server limits by its own counters");
        }
    }

    fn calm(&self) {
        let mut alarm = self.alarm.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::take(&mut alarm.raised) {
            tracing::info!("redis is back: servers limit together");
        }
    }
}

async fn find_again(link: Weak<Link>) {
    loop {
        sleep(FIND_EVERY).await;
        let Some(link) = link.upgrade() else { return };
        match link.find().await {
            Ok(()) => return,
            Err(error) => link.raise(&error),
        }
    }
}

async fn answer<T: FromRedisValue>(
    invocation: &ScriptInvocation<'_>,
    connection: &mut ConnectionManager,
) -> Result<T, Away> {
    Ok(timeout(RESPONSE_TIMEOUT, invocation.invoke_async(connection)).await.map_err(|_| Away::Late)??)
}

#[derive(Debug, thiserror::Error)]
pub(super) enum Away {
    #[error("it does not answer in time")]
    Late,
    #[error("the file of authorities cannot be read: {0}")]
    Authorities(std::io::Error),
    #[error(transparent)]
    Redis(#[from] RedisError),
}

/// Without the URL, which may hold a password.
impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Link(up: {})", self.up())
    }
}
