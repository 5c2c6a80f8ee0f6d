//! Master keys and signing keys: whether they fit together, and how old they are.

use std::time::Duration;

use super::{Fault, Finding};
use crate::app::start::key_rules;
use crate::app::{StartError, keys, master_key};
use crate::config::Settings;
use crate::crypto::Keyring;
use crate::domain::{KeyStage, KeyState, Kid, RotationRules, Timestamp, due_at};
use crate::store::{SigningKeyRow, Store, StoreError};

/// Servers look every half minute.
const OVERDUE: Duration = Duration::from_secs(600);
const DAY: u64 = 24 * 60 * 60;

pub(super) async fn look(
    store: &Store,
    settings: &Settings,
    now: Timestamp,
    found: &mut Vec<Finding>,
    published: &mut Option<Vec<Kid>>,
) -> Result<(), StoreError> {
    let rows = keys::published(store).await?;
    let keyring = match master_keys(store, settings, rows.is_empty()).await? {
        Ok((keyring, finding)) => {
            found.push(finding);
            keyring
        }
        Err(refused) => {
            let advice = "put back the key that was used with this database";
            found.push(Finding::refusal("master_key.known", &refused, advice));
            None
        }
    };
    if let Some(keyring) = &keyring {
        found.extend(rows.iter().filter_map(|row| unreadable(keyring, row)));
    }
    let stages: Vec<KeyStage> = rows.into_iter().map(|row| row.stage).collect();
    found.extend(judge(&stages, &key_rules(settings).rotation, now));
    *published = Some(stages.into_iter().map(|stage| stage.kid).collect());
    Ok(())
}

/// Holds the configured keys against the check values in the database, and makes none.
async fn master_keys(
    store: &Store,
    settings: &Settings,
    new: bool,
) -> Result<Result<(Option<Keyring>, Finding), StartError>, StoreError> {
    const CODE: &str = "master_key.known";
    let known =
        store.read("master_keys_list", |tx| Box::pin(async move { tx.master_keys_list().await })).await?;
    let keyring = match master_key::present(settings) {
        Ok(Some(keyring)) => keyring,
        Ok(None) if known.is_empty() && new => {
            let meaning = "there is no master key yet, and nothing that would need it";
            let finding = Finding::note(CODE, meaning, "nothing: the first start makes it");
            return Ok(Ok((None, finding)));
        }
        Ok(None) => return Ok(Err(master_key::missing(&settings.data_dir))),
        Err(error) => return Ok(Err(error)),
    };
    if let Err(error) = master_key::check(&keyring, &known) {
        return Ok(Err(error));
    }
    let ids: Vec<String> = keyring.iter().map(|key| key.id().to_string()).collect();
    let ids = ids.join(", ");
    let meaning = if known.is_empty() {
        format!("no server has used a master key with this database yet; here it is {ids}")
    } else {
        format!("the database knows the master keys that are configured: {ids}")
    };
    Ok(Ok((Some(keyring), Finding::ok(CODE, meaning))))
}

fn unreadable(keyring: &Keyring, row: &SigningKeyRow) -> Option<Finding> {
    let error = keys::open(keyring, row).err()?;
    let kid = &row.stage.kid;
    let advice = format!(
        "add the master key that it is sealed with to KEYWARD_MASTER_KEY; if that is lost, no server and no command starts \
         before the key is removed: UPDATE signing_keys SET state = 'removed' WHERE kid = '{kid}'"
    );
    let problem = Finding::problem("signing_keys.sealed", Fault::Configuration, error.to_string(), advice);
    Some(problem.about(kid.as_str()))
}

fn judge(keys: &[KeyStage], rules: &RotationRules, now: Timestamp) -> Vec<Finding> {
    const ACTIVE: &str = "signing_keys.active";
    const PENDING: &str = "signing_keys.pending";
    let of = |state| keys.iter().filter(move |key| key.state == state);
    if keys.is_empty() {
        let meaning = "there are no signing keys yet";
        return vec![Finding::note(ACTIVE, meaning, "nothing: the first start makes them")];
    }
    let days = |since: Timestamp| now.since(since).as_secs() / DAY;
    let began = |key: &KeyStage| key.promoted_at.unwrap_or(key.created_at);
    let mut found = Vec::new();
    let active: Vec<&KeyStage> = of(KeyState::Active).collect();
    found.push(match active.as_slice() {
        [one] => {
            let meaning = format!("{} signs ({}), for {} days now", one.kid, one.algorithm, days(began(one)));
            Finding::ok(ACTIVE, meaning)
        }
        [] => Finding::problem(
            ACTIVE,
            Fault::Other,
            "no signing key is active: no token can be issued",
            "start a server, which promotes the pending key or makes one within a minute, and look at its log",
        ),
        several => Finding::problem(
            ACTIVE,
            Fault::Other,
            format!("{} signing keys are active, which an index rules out", several.len()),
            "restore the schema: compare it with one that `keyward migrate` makes; then `keyward keys revoke` one",
        ),
    });
    let pending = of(KeyState::Pending).next();
    found.push(match pending {
        Some(pending) => Finding::ok(PENDING, format!("{} is published and will sign next", pending.kid)),
        None => Finding::warning(
            PENDING,
            "no key is published to sign next: after a revocation verifiers would meet a key that they do not know",
            "start a server: it makes one within a minute; if one runs, look at its log",
        ),
    });
    if let ([active], Some(pending)) = (active.as_slice(), pending) {
        found.push(rotation(due_at(active, pending, rules), now));
    }
    found
}

fn rotation(due: Timestamp, now: Timestamp) -> Finding {
    const CODE: &str = "signing_keys.rotation";
    if now > due + OVERDUE {
        let meaning = format!("the signing key was to change at {due}, and did not");
        let advice =
            "start a server, which does it within a minute; if one runs, look for \"maintenance\" in its log";
        return Finding::warning(CODE, meaning, advice);
    }
    Finding::ok(CODE, format!("the signing key changes at {due}"))
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    fn key(kid: &str, state: KeyState) -> KeyStage {
        let created_at = Timestamp::from_micros(0);
        let (kid, algorithm) = (Kid::parse(kid).unwrap(), "ES256".to_owned());
        KeyStage { kid, algorithm, state, created_at, promoted_at: None, retired_at: None }
    }

    #[test]
    fn ages_and_states_are_judged() {
        let day = Duration::from_secs(DAY);
        let rules = RotationRules {
            algorithm: "ES256".to_owned(),
            rotate_every: 30 * day,
            publish_before: day,
            retire_for: day,
        };
        let at = |days: u32| Timestamp::from_micros(0) + day * days;
        let judged = |keys: &[KeyStage], days| -> Vec<_> {
            judge(keys, &rules, at(days)).into_iter().map(|finding| (finding.code, finding.level)).collect()
        };
        let (active, pending) = (key("a", KeyState::Active), key("p", KeyState::Pending));
        let pair = [active.clone(), pending.clone()];
        let [is, next, change] = ["signing_keys.active", "signing_keys.pending", "signing_keys.rotation"];
        assert_eq!(judged(&pair, 29), [(is, Level::Ok), (next, Level::Ok), (change, Level::Ok)]);
        assert_eq!(judged(&pair, 31).last(), Some(&(change, Level::Warning)));
        assert_eq!(judged(&[active], 1), [(is, Level::Ok), (next, Level::Warning)]);
        assert_eq!(judged(&[pending], 1), [(is, Level::Problem), (next, Level::Ok)]);
        assert_eq!(judged(&[], 1), [(is, Level::Note)]);
    }
}
