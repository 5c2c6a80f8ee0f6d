//! The counters of wrong passwords, one statement at a time.

use std::time::Duration;

use keyward::domain::{DeviceId, Failures, Pool};
use keyward::store::FailuresKey;

use super::{open, run};

fn key(identifier: &str, pool: Pool) -> FailuresKey {
    FailuresKey { identifier: identifier.to_owned(), pool }
}

#[tokio::test]
async fn failures_are_charged_given_back_and_cleared() {
    let (_database, store, now) = open().await;
    run(&store, move |tx| {
        Box::pin(async move {
            let later = now + Duration::from_secs(1);
            let (strangers, device) =
                (key("a", Pool::Untrusted), key("a", Pool::Device(DeviceId([u8::MAX; 16]))));
            let one = Failures { count: 1, in_a_row: 1, began_at: now, charged_at: now };
            let two = Failures { count: 2, in_a_row: 2, charged_at: later, ..one };
            assert_eq!(tx.login_failures_find(&strangers).await?, None);
            assert!(tx.login_failures_charge(&strangers, None, &one, Some(later)).await?);
            assert!(!tx.login_failures_charge(&strangers, None, &one, Some(later)).await?, "not the first");
            assert!(tx.login_failures_charge(&strangers, Some(&one), &two, None).await?);
            assert!(!tx.login_failures_charge(&strangers, Some(&one), &two, None).await?, "out of date");
            assert_eq!(tx.login_failures_find(&strangers).await?, Some(two));
            assert_eq!(tx.login_failures_find(&device).await?, None);
            assert!(!tx.login_failures_charge(&device, Some(&one), &two, None).await?, "gone meanwhile");
            assert_eq!(tx.login_failures_find(&device).await?, None);

            let earlier = Failures { began_at: later, ..two };
            tx.login_failures_give_back(&strangers, &earlier, now, None).await?;
            assert_eq!(tx.login_failures_find(&strangers).await?, Some(two), "of another row");
            tx.login_failures_give_back(&strangers, &two, now, Some(later)).await?;
            assert_eq!(tx.login_failures_find(&strangers).await?, Some(one));
            tx.login_failures_give_back(&strangers, &two, now, Some(later)).await?;
            tx.login_failures_give_back(&strangers, &two, now, Some(later)).await?;
            let none = Failures { count: 0, in_a_row: 0, ..one };
            assert_eq!(tx.login_failures_find(&strangers).await?, Some(none), "never below nothing");
            assert_eq!(tx.login_failures_purge(later, 10).await?, 1, "what had no end has one");
            assert!(tx.login_failures_charge(&strangers, None, &none, None).await?);

            assert!(tx.login_failures_charge(&device, None, &one, None).await?);
            tx.login_failures_clear(&strangers).await?;
            assert_eq!(tx.login_failures_find(&strangers).await?, None);
            assert_eq!(tx.login_failures_find(&device).await?, Some(one));
            assert!(tx.login_failures_charge(&strangers, None, &one, None).await?);
            assert_eq!(tx.login_failures_clear_all("b").await?, 0);
            assert_eq!(tx.login_failures_clear_all("a").await?, 2);
            Ok(())
        })
    })
    .await;
}

#[tokio::test]
async fn failures_that_are_over_are_purged_in_steps() {
    let (_database, store, now) = open().await;
    run(&store, move |tx| {
        Box::pin(async move {
            let later = now + Duration::from_secs(1);
            let one = Failures { count: 1, in_a_row: 1, began_at: now, charged_at: now };
            for identifier in ["a", "b", "c"] {
                assert!(
                    tx.login_failures_charge(&key(identifier, Pool::Untrusted), None, &one, Some(now))
                        .await?
                );
            }
            for (identifier, expires_at) in [("d", Some(later)), ("e", None)] {
                assert!(
                    tx.login_failures_charge(&key(identifier, Pool::Untrusted), None, &one, expires_at)
                        .await?
                );
            }
            for purged in [2, 1, 0] {
                assert_eq!(tx.login_failures_purge(now, 2).await?, purged);
            }
            assert_eq!(tx.login_failures_purge(later, 2).await?, 1);
            assert!(tx.login_failures_find(&key("e", Pool::Untrusted)).await?.is_some(), "only by an admin");
            Ok(())
        })
    })
    .await;
}
