//! Attempts that a lock turned away. An attacker makes thousands, so they are summed here and
//! written to the audit log once a minute and identifier.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::json;
use tokio::sync::watch;

use super::{App, Error};
use crate::domain::{AuditRecord, Caller, SecurityEvent, Timestamp, UserId};

const EVERY: Duration = Duration::from_secs(60);
/// So many identifiers are told apart in one minute; what comes beyond them is summed as one.
const IDENTIFIERS_MAX: usize = 10_000;

/// What was turned away since the last record.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<HashMap<Option<String>, Refused>>);

#[derive(Debug, Clone)]
struct Refused {
    attempts: u64,
    user_id: Option<UserId>,
    /// Who came first; the others are only counted.
    caller: Caller,
    first_at: Timestamp,
    last_at: Timestamp,
}

impl Refusals {
    pub(super) fn count(&self, identifier: &str, user_id: Option<UserId>, caller: &Caller, now: Timestamp) {
        let mut refused = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut key = Some(identifier.to_owned());
        let mut user_id = user_id;
        if refused.len() >= IDENTIFIERS_MAX && !refused.contains_key(&key) {
            (key, user_id) = (None, None);
        }
        let sum = refused.entry(key).or_insert_with(|| Refused {
            attempts: 0,
            user_id,
            caller: caller.clone(),
            first_at: now,
            last_at: now,
        });
        sum.attempts += 1;
        sum.last_at = now;
    }

    fn put_back(&self, taken: HashMap<Option<String>, Refused>) {
        let mut refused = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, earlier) in taken {
            let sum = refused.entry(key).or_insert_with(|| Refused { attempts: 0, ..earlier.clone() });
            sum.attempts += earlier.attempts;
            sum.first_at = earlier.first_at;
        }
    }

    fn take(&self) -> HashMap<Option<String>, Refused> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl App {
    /// Writes what was turned away once a minute until `stop` turns true, and then the rest.
    pub(super) async fn refusals_run(&self, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                _ = stop.changed() => {}
            }
            if let Err(error) = self.refusals_record().await {
                tracing::warn!(%error, "sums of refused attempts were not recorded");
            }
        }
    }

    /// Writes one audit record for each identifier that was turned away; returns how many.
    pub async fn refusals_record(&self) -> Result<usize, Error> {
        let (taken, now) = (self.refusals.take(), self.now());
        if taken.is_empty() {
            return Ok(0);
        }
        let count = taken.len();
        let records: Vec<AuditRecord> = taken.clone().into_iter().map(record).collect();
        let recorded = self.store.transaction("refusals_record", move |tx| {
            Box::pin(async move {
                for record in records {
                    tx.audit_insert(record, now).await?;
                }
                Ok::<_, Error>(())
            })
        });
        if let Err(error) = recorded.await {
            self.refusals.put_back(taken);
            return Err(error);
        }
        Ok(count)
    }
}

fn record((identifier, refused): (Option<String>, Refused)) -> AuditRecord {
    let Refused { attempts, user_id, caller, first_at, last_at } = refused;
    let detail = json!({
        "identifier": identifier,
        "attempts": attempts,
        "first_at": first_at,
        "last_at": last_at,
    });
    let mut record = AuditRecord::new(SecurityEvent::LoginsRefused, &caller).detail(detail);
    record.user_id = user_id;
    record
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_summed_and_their_number_is_bounded() {
        let refusals = Refusals::default();
        let at = |second: i64| Timestamp::from_micros(second * 1_000_000);
        for second in 0..3 {
            refusals.count("one", None, &Caller::default(), at(second));
        }
        for n in 0..IDENTIFIERS_MAX + 5 {
            refusals.count(&format!("other {n}"), None, &Caller::default(), at(9));
        }
        let sums = refusals.take();
        assert_eq!(sums.len(), IDENTIFIERS_MAX + 1);
        let one = &sums[&Some("one".to_owned())];
        assert_eq!((one.attempts, one.first_at, one.last_at), (3, at(0), at(2)));
        assert_eq!(sums[&None].attempts, 6, "the rest is one sum");
        assert!(refusals.take().is_empty());
        refusals.count("one", None, &Caller::default(), at(5));
        refusals.put_back(sums);
        let one = &refusals.take()[&Some("one".to_owned())];
        assert_eq!((one.attempts, one.first_at, one.last_at), (4, at(0), at(5)));
    }
}
