//! Events that wait, a finding for each sink.

use std::time::Duration;

use super::Finding;
use crate::app::relay::lease_name;
use crate::config::Settings;
use crate::domain::Timestamp;
use crate::store::{Backlog, Store, StoreError};

const CODE: &str = "outbox.backlog";
/// As the alert that comes with the manifests.
const LATE: Duration = Duration::from_secs(60);

pub(super) async fn look(
    store: &Store,
    settings: &Settings,
    now: Timestamp,
    found: &mut Vec<Finding>,
) -> Result<(), StoreError> {
    let backlogs =
        store.read("outbox_backlogs", |tx| Box::pin(async move { tx.outbox_backlogs().await })).await?;
    let configured: Vec<&str> = settings.events_url.iter().map(|sink| sink.name.as_str()).collect();
    for sink in &configured {
        let finding = match backlogs.iter().find(|backlog| backlog.sink == *sink) {
            None => Finding::ok(CODE, "no event waits"),
            Some(backlog) => waiting(store, backlog, now).await?,
        };
        found.push(finding.about(*sink));
    }
    for former in backlogs.iter().filter(|backlog| !configured.contains(&backlog.sink.as_str())) {
        let meaning =
            format!("events that wait for a sink that is not in events_url (any more): {}", former.pending);
        let advice = format!(
            "put it back into events_url, or give them up: `keyward events abandon --sink {}`",
            former.sink
        );
        found.push(Finding::warning(CODE, meaning, advice).about(&former.sink));
    }
    Ok(())
}

async fn waiting(store: &Store, backlog: &Backlog, now: Timestamp) -> Result<Finding, StoreError> {
    let (sink, lease) = (backlog.sink.clone(), lease_name(&backlog.sink));
    let (refusals, relay) = store
        .read("outbox_refusals", move |tx| {
            Box::pin(async move {
                Ok::<_, StoreError>((tx.outbox_refusals(&sink).await?, tx.lease_find(&lease).await?))
            })
        })
        .await?;
    let Backlog { pending, oldest_at, .. } = backlog;
    let age = now.since(*oldest_at);
    let meaning = format!("events that wait: {pending}, the oldest for {} s", age.as_secs());
    if refusals.count > 0 {
        let why = refusals.last_error.as_deref().unwrap_or("it did not say why");
        let meaning = format!("{meaning}; refused: {}, the last because {why}", refusals.count);
        return Ok(Finding::warning(
            CODE,
            meaning,
            "mend what refuses them: they are offered again by themselves",
        ));
    }
    if age <= LATE {
        return Ok(Finding::ok(CODE, meaning));
    }
    let relays = relay.is_some_and(|lease| lease.expires_at > now);
    Ok(if relays {
        Finding::warning(CODE, meaning, "see what the sink itself says above, and `keyward events status`")
    } else {
        Finding::warning(
            CODE,
            meaning + ", and no server relays them",
            "start a server; events are kept until then",
        )
    })
}
