//! What was turned away and must not cost a write each time: attempts at a locked address, wrong
//! secrets of clients, users at admin routes. An attacker makes thousands, so they are summed here and
//! written to the audit log once a minute and subject.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::json;
use tokio::sync::watch;

use super::{App, Error};
use crate::domain::{AuditRecord, Caller, SecurityEvent, Timestamp, UserId};

const EVERY: Duration = Duration::from_secs(60);
/// So many subjects are told apart in one minute; what comes beyond them is summed as one.
const SUBJECTS_MAX: usize = 10_000;
/// Records of one transaction: small, so that it ends in time, and so that little is to be done again if it does not.
const RECORDED_TOGETHER: usize = 250;

/// What is summed: the event, and by what it is told apart; `None` for what nothing is known of.
type Key = (SecurityEvent, Option<String>);

/// What was turned away since the last record.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<HashMap<Key, Refused>>);

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
    pub(super) fn count(
        &self,
        event: SecurityEvent,
        subject: Option<&str>,
        user_id: Option<UserId>,
        caller: &Caller,
        now: Timestamp,
    ) {
        let mut refused = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut key = (event, subject.map(str::to_owned));
        let mut user_id = user_id;
        if refused.len() >= SUBJECTS_MAX && !refused.contains_key(&key) {
            (key, user_id) = ((event, None), None);
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

    fn put_back(&self, taken: HashMap<Key, Refused>) {
        let mut refused = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, earlier) in taken {
            let sum = refused.entry(key).or_insert_with(|| Refused { attempts: 0, ..earlier.clone() });
            sum.attempts += earlier.attempts;
            sum.first_at = earlier.first_at;
        }
    }

    fn take(&self) -> HashMap<Key, Refused> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl App {
    /// Writes what was turned away once a minute until `stop` turns true, and then the rest.
    pub(super) async fn refusals_run(&self, mut stop: watch::Receiver<bool>) {
        loop {
            let stopped = tokio::time::timeout(EVERY, stop.wait_for(|stop| *stop)).await.is_ok();
            if let Err(error) = self.refusals_record().await {
                tracing::warn!(%error, "sums of refused attempts were not recorded");
            }
            if stopped {
                return;
            }
        }
    }

    /// Writes one audit record for each subject that was turned away; returns how many.
    pub async fn refusals_record(&self) -> Result<usize, Error> {
        let (mut left, now) = (self.refusals.take(), self.now());
        let count = left.len();
        while !left.is_empty() {
            let keys: Vec<Key> = left.keys().take(RECORDED_TOGETHER).cloned().collect();
            let these: Vec<_> =
                keys.iter().filter_map(|key| Some((key.clone(), left.get(key)?.clone()))).collect();
            let recorded = self.store.transaction("refusals_record", move |tx| {
                Box::pin(async move {
                    for refused in these {
                        tx.audit_insert(record(refused), now).await?;
                    }
                    Ok::<_, Error>(())
                })
            });
            if let Err(error) = recorded.await {
                self.refusals.put_back(left);
                return Err(error);
            }
            for key in keys {
                left.remove(&key);
            }
        }
        Ok(count)
    }
}

fn record(((event, subject), refused): (Key, Refused)) -> AuditRecord {
    let Refused { attempts, user_id, caller, first_at, last_at } = refused;
    let mut detail = json!({ "attempts": attempts, "first_at": first_at, "last_at": last_at });
    let named = match event {
        SecurityEvent::ClientDenied => Some("client_id"),
        // A user is in the record anyway.
        SecurityEvent::AdminDenied => None,
        _ => Some("identifier"),
    };
    if let (Some(named), Some(detail)) = (named, detail.as_object_mut()) {
        detail.insert(named.to_owned(), subject.into());
    }
    let mut record = AuditRecord::new(event, &caller).detail(detail);
    record.user_id = user_id;
    record
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGINS: SecurityEvent = SecurityEvent::LoginsRefused;

    #[test]
    fn a_subject_is_summed_and_their_number_is_bounded() {
        let refusals = Refusals::default();
        let at = |second: i64| Timestamp::from_micros(second * 1_000_000);
        let count = |event, subject: &str, second| {
            refusals.count(event, Some(subject), None, &Caller::default(), at(second));
        };
        for second in 0..3 {
            count(LOGINS, "one", second);
        }
        count(SecurityEvent::ClientDenied, "one", 4);
        for n in 0..SUBJECTS_MAX + 5 {
            count(LOGINS, &format!("other {n}"), 9);
        }
        let sums = refusals.take();
        assert_eq!(sums.len(), SUBJECTS_MAX + 1);
        let one = &sums[&(LOGINS, Some("one".to_owned()))];
        assert_eq!((one.attempts, one.first_at, one.last_at), (3, at(0), at(2)));
        assert_eq!(sums[&(LOGINS, None)].attempts, 7, "the rest is one sum");
        assert!(refusals.take().is_empty());
        count(LOGINS, "one", 5);
        refusals.put_back(sums);
        let one = &refusals.take()[&(LOGINS, Some("one".to_owned()))];
        assert_eq!((one.attempts, one.first_at, one.last_at), (4, at(0), at(5)));
    }
}
