//! Clients that each send a request when the one before has been answered.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::http::Connection;
use crate::process::Process;
use crate::report::{Percentiles, Round};
use crate::{Outcome, SLICE};

/// Pools fill and pages are touched before anything counts.
const WARM_UP: Duration = Duration::from_millis(500);

/// What a client sends, one after the other.
pub(crate) trait Client: Send + 'static {
    fn request(&mut self, host: &str) -> Vec<u8>;

    /// Hears of each success.
    fn succeeded(&mut self, _body: &str) {}
}

/// One request, again and again.
#[derive(Clone)]
pub(crate) struct Same(pub(crate) Vec<u8>);

impl Client for Same {
    fn request(&mut self, _: &str) -> Vec<u8> {
        self.0.clone()
    }
}

pub(crate) struct Load<C> {
    clients: Vec<(Connection, C)>,
    process: Process,
    success: u16,
    /// Each client rests so long after an answer: nothing is saturated then.
    pause: Option<Duration>,
}

impl<C: Client> Load<C> {
    /// Only answers of the status `success` count as throughput.
    pub(crate) async fn new(
        (address, process): (&str, Process),
        success: u16,
        clients: impl IntoIterator<Item = C>,
    ) -> Outcome<Self> {
        let mut connected = Vec::new();
        for client in clients {
            connected.push((Connection::open(address).await?, client));
        }
        let mut load = Self { clients: connected, process, success, pause: None };
        load.measure_for(WARM_UP).await?;
        Ok(load)
    }

    pub(crate) fn pausing(mut self, pause: Duration) -> Self {
        self.pause_for(pause);
        self
    }

    pub(crate) const fn pause_for(&mut self, pause: Duration) {
        self.pause = Some(pause);
    }

    pub(crate) async fn measure(&mut self) -> Outcome<Round> {
        self.measure_for(SLICE).await
    }

    async fn measure_for(&mut self, slice: Duration) -> Outcome<Round> {
        for (connection, _) in &mut self.clients {
            // The server closes what was idle while the other side was measured.
            connection.reopen().await?;
        }
        let cpu_before = self.process.cpu_seconds()?;
        let started = Instant::now();
        let mut running = JoinSet::new();
        let count = u32::try_from(self.clients.len())?.max(1);
        for (number, (connection, client)) in (0_u32..).zip(self.clients.drain(..)) {
            let (success, pause) = (self.success, self.pause);
            running.spawn(async move {
                if let Some(pause) = pause {
                    // Not all at once, neither now nor ever after.
                    tokio::time::sleep(pause * number / count).await;
                }
                send(connection, client, (success, pause), started + slice).await
            });
        }
        let (mut waits, mut answers) = (Vec::new(), BTreeMap::new());
        while let Some(ended) = running.join_next().await {
            let Sent { connection, client, waits: more, others } = ended??;
            self.clients.push((connection, client));
            waits.extend(more);
            for (status, count) in others {
                *answers.entry(status).or_default() += count;
            }
        }
        let seconds = started.elapsed().as_secs_f64();
        answers.insert(self.success, waits.len() as u64);
        let mut round = Round::rate(waits.len() as u64, seconds);
        round.cpu_seconds = Some(self.process.cpu_seconds()? - cpu_before);
        round.resident_mib = Some(self.process.resident_mib()?);
        round.latency = Percentiles::of(waits);
        round.answers = answers;
        Ok(round)
    }
}

struct Sent<C> {
    connection: Connection,
    client: C,
    /// Of successes.
    waits: Vec<Duration>,
    others: BTreeMap<u16, u64>,
}

async fn send<C: Client>(
    connection: Connection,
    client: C,
    (success, pause): (u16, Option<Duration>),
    until: Instant,
) -> Outcome<Sent<C>> {
    let mut sent = Sent { connection, client, waits: Vec::new(), others: BTreeMap::new() };
    while Instant::now() < until {
        let request = sent.client.request(&sent.connection.host);
        let begun = Instant::now();
        let (status, body) = sent.connection.exchange(&request).await?;
        let waited = begun.elapsed();
        if status == success {
            sent.client.succeeded(body);
            sent.waits.push(waited);
        } else {
            *sent.others.entry(status).or_default() += 1;
        }
        if let Some(pause) = pause {
            tokio::time::sleep(pause).await;
        }
    }
    Ok(sent)
}
