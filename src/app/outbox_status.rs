use super::relay::lease_name;
use super::{Admin, App, Error};
use crate::domain::Timestamp;
use crate::store::{Backlog, HeldLease};

/// How things stand with a sink.
#[derive(Debug)]
pub struct SinkStatus {
    pub name: String,
    /// Whether events are written for it: by the settings of the servers that relay, or else of this process.
    pub configured: bool,
    pub pending: i64,
    /// When the longest waiting event happened.
    pub oldest_at: Option<Timestamp>,
    /// How many events wait because the sink refused them.
    pub refused: i64,
    pub last_error: Option<String>,
    /// The replica that relays to it.
    pub relay: Option<HeldLease>,
}

impl App {
    /// Returns how things stand with the configured sinks, then with former ones that events still wait for.
    pub async fn outbox_status(&self, _: &Admin) -> Result<Vec<SinkStatus>, Error> {
        let backlogs = self.outbox_backlogs().await?;
        let former =
            backlogs.iter().map(|backlog| &backlog.sink).filter(|sink| !self.events_for.contains(sink));
        let mut found = Vec::new();
        for sink in self.events_for.iter().chain(former) {
            let backlog = backlogs.iter().find(|backlog| backlog.sink == *sink);
            found.push(self.sink_status(sink, backlog).await?);
        }
        Ok(found)
    }

    async fn sink_status(&self, sink: &str, backlog: Option<&Backlog>) -> Result<SinkStatus, Error> {
        let (name, now) = (sink.to_owned(), self.now());
        let refusals = self
            .store
            .read("outbox_refusals", move |tx| {
                Box::pin(async move { Ok::<_, Error>(tx.outbox_refusals(&name).await?) })
            })
            .await?;
        Ok(SinkStatus {
            name: sink.to_owned(),
            configured: self.events_for.iter().any(|written| written == sink),
            pending: backlog.map_or(0, |backlog| backlog.pending),
            oldest_at: backlog.map(|backlog| backlog.oldest_at),
            refused: refusals.count,
            last_error: refusals.last_error,
            relay: self.relay_lease_of(sink).await?.filter(|lease| lease.expires_at > now),
        })
    }

    /// Tells whether the settings of this process name a sink.
    pub(super) fn has_sink(&self, sink: &str) -> bool {
        self.sinks.iter().any(|configured| configured == sink)
    }

    /// Returns who relays to a sink, or was the last to do so.
    pub(super) async fn relay_lease_of(&self, sink: &str) -> Result<Option<HeldLease>, Error> {
        let name = lease_name(sink);
        self.store
            .read("lease_find", move |tx| Box::pin(async move { Ok(tx.lease_find(&name).await?) }))
            .await
    }
}
