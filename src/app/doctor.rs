//! Looks at everything that a server needs, and tells what is wrong before a user does.
//!
//! A look changes nothing: no row, no file, no setting of a server, no event in anybody's queue. It works beside running
//! servers and without them, and each part has its own time limit, so that what is away hides nothing else.

mod certificate;
mod data_dir;
mod database;
mod exposure;
mod fetch;
mod finding;
mod issuer;
mod memory;
mod outbox;
mod redis;
mod rows;
mod running;
mod schema;
mod signing_keys;
mod sinks;

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::timeout;

use super::StartError;
use super::start::check_first_admin;
use crate::clock::Clock;
use crate::config::{Problems, Settings};
use finding::one_line;
pub use finding::{Fault, Finding, Level};

/// How long one part may take. Connections have limits of their own below that, which say more than this one.
const PART_TIMEOUT: Duration = Duration::from_secs(15);

/// Tells each mistake in the settings.
#[must_use]
pub fn mistakes(problems: &Problems) -> Vec<Finding> {
    let mistakes = problems.0.iter().map(|problem| {
        let meaning = format!("{} (from {}): {}", problem.key, problem.origin, one_line(&problem.message));
        Finding::problem("settings.mistake", Fault::Configuration, meaning, one_line(&problem.fix))
    });
    mistakes.collect()
}

/// Looks at all of it. The order of the findings is that of the parts, whichever is done first.
pub async fn examine(settings: &Settings, clock: &Clock) -> Vec<Finding> {
    let sinks =
        settings.events_url.iter().map(|sink| in_time(sink.name.clone(), sinks::look(sink, settings)));
    let (data_dir, database, redis, sinks, issuer, running) = tokio::join!(
        aside("the data folder", {
            let settings = settings.clone();
            move || data_dir::look(&settings)
        }),
        timeout(PART_TIMEOUT, database::look(settings, clock)),
        in_time("Redis", redis::look(settings)),
        join_all(sinks),
        timeout(PART_TIMEOUT, issuer::fetch(settings)),
        in_time("the server", running::look(settings)),
    );
    let (database, published) = database.unwrap_or_else(|_| (vec![late("the database")], None));
    let mut found = doubts(settings);
    found.extend(exposure::look(settings));
    found.extend(certificate::look(settings, clock.now()));
    found.extend(memory::look(&settings.argon2));
    found.extend(data_dir);
    found.extend(database);
    found.extend(redis);
    found.extend(sinks.into_iter().flatten());
    found.extend(running);
    match issuer {
        Ok(issuer) => found.extend(issuer.judge(settings, published.as_deref())),
        Err(_) => found.push(late("the issuer")),
    }
    found
}

/// What the settings say of themselves.
fn doubts(settings: &Settings) -> Vec<Finding> {
    let mut found: Vec<Finding> = settings
        .warnings
        .iter()
        .map(|warning| {
            let advice =
                "`keyward config show` tells where each value comes from; leave it only if it is meant so";
            Finding::warning("settings.doubtful", warning.clone(), advice)
        })
        .collect();
    if let Err(error) = check_first_admin(settings) {
        let mistakes = StartError::to_string(&error);
        let mut rest = mistakes.as_str();
        // Two mistakes at most, each with its advice on the line below.
        while let Some((meaning, after)) = rest.split_once("\n  fix: ") {
            let (advice, next) = after.split_once('\n').unwrap_or((after, ""));
            found.push(Finding::problem("settings.mistake", Fault::Configuration, meaning, advice));
            rest = next;
        }
    }
    found
}

async fn in_time(part: impl Into<String>, look: impl Future<Output = Vec<Finding>>) -> Vec<Finding> {
    timeout(PART_TIMEOUT, look).await.unwrap_or_else(|_| vec![late(part)])
}

/// Looks at files, which may be on a file system that hangs.
async fn aside(part: &'static str, look: impl FnOnce() -> Vec<Finding> + Send + 'static) -> Vec<Finding> {
    in_time(part, async { tokio::task::spawn_blocking(look).await.unwrap_or_default() }).await
}

fn late(part: impl Into<String>) -> Finding {
    let meaning = format!("no answer within {} s", PART_TIMEOUT.as_secs());
    let advice = "look at it by hand: it hangs, and servers that need it wait for it too";
    Finding::problem("part.late", Fault::Away, meaning, advice).about(part)
}
