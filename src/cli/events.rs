mod replay;
mod status;
mod tail;

use std::time::Duration;

use clap::{Args, Subcommand};

use super::moment::Moment;
use super::{Exit, SettingFlags, beside};
use crate::app::{Admin, App, OutboxError};
use crate::config::parse_duration;
use crate::domain::UserId;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Tell for each sink what waits, why, and who relays to it
    Status {
        /// One JSON object
        #[arg(long)]
        json: bool,
        /// Exit with 1 when an event waits for longer than this, such as 5m
        #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
        max_age: Option<Duration>,
    },
    /// Print events as they are committed, until Ctrl-C
    Tail {
        #[command(flatten)]
        which: Which,
        /// Begin with those since then: 2h ago, or 2026-11-24T03:42:08Z; without it, with the next
        #[arg(long, value_name = "TIME")]
        since: Option<Moment>,
        /// The envelope that sinks get, one a line
        #[arg(long)]
        json: bool,
    },
    /// Publish events again, those of a user in their order; they keep their ids, by which consumers know them
    Replay {
        /// Events since then: 2h ago, or 2026-11-24T03:42:08Z
        #[arg(long, value_name = "TIME")]
        since: Moment,
        /// Only events before then
        #[arg(long, value_name = "TIME")]
        until: Option<Moment>,
        #[command(flatten)]
        which: Which,
        /// Only to this sink; otherwise to every configured one
        #[arg(long, value_name = "NAME")]
        sink: Option<String>,
        /// Change nothing, and print how many events it would be
        #[arg(long, conflicts_with = "yes")]
        dry_run: bool,
        /// That you mean it
        #[arg(long)]
        yes: bool,
    },
    /// Give up what waits for a sink that is not configured any more
    Abandon {
        /// As `keyward events status` names it
        #[arg(long, value_name = "NAME")]
        sink: String,
        /// That you mean it
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
struct Which {
    /// Only events of this type, such as `auth.user_created`
    #[arg(long = "type", value_name = "TYPE", value_parser = event_type)]
    kind: Option<String>,
    /// Only events about this user
    #[arg(long, value_name = "ID")]
    user: Option<UserId>,
}

pub(super) async fn run(flags: &SettingFlags, arguments: Arguments) -> Result<(), Exit> {
    let (app, admin) = beside::start(flags).await?;
    let operator = Operator { app, admin };
    let done = match arguments.action {
        Action::Status { json, max_age } => operator.status(json, max_age).await,
        Action::Tail { which, since, json } => operator.tail(which, since, json).await,
        Action::Replay { since, until, which, sink, dry_run, yes } => {
            let asked = replay::Asked { since, until, which, sink };
            operator.replay(asked, dry_run, yes).await
        }
        Action::Abandon { sink, yes } => operator.abandon(&sink, yes).await,
    };
    operator.app.close().await;
    done
}

/// A person at the command line, with what the commands work on.
struct Operator {
    app: App,
    admin: Admin,
}

fn event_type(text: &str) -> Result<String, &'static str> {
    let rest = text.strip_prefix("auth.").unwrap_or_default();
    let named = !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if named { Ok(text.to_owned()) } else { Err("write a type such as auth.user_created") }
}

/// Says why a command was refused, and what to do about it.
fn refused(error: OutboxError, sink: Option<&str>) -> Exit {
    let sink = sink.unwrap_or_default();
    match error {
        OutboxError::NotKept { kept_since } => Exit::failure(format!(
            "events from before {kept_since} may have been deleted: retention.outbox keeps them no longer; nothing was \
             changed\n  fix: say --since {kept_since} or later, and get older state from where it is kept, such as \
             GET /admin/users"
        )),
        OutboxError::NoSuchSink { configured } => Exit::failure(format!(
            "events_url names no sink {sink:?}; nothing was changed\n  fix: choose one of {}",
            configured.join(", ")
        )),
        OutboxError::SinkConfigured => Exit::failure(format!(
            "{sink} is in events_url; nothing was changed\n  fix: take it out there and restart the servers first"
        )),
        OutboxError::SinkInUse => Exit::failure(format!(
            "a server relays to {sink}, or did less than a minute ago; nothing was changed\n  fix: give this command the \
             settings of the servers, or wait a minute if none of them has it any more"
        )),
        OutboxError::NothingWaits => Exit::failure(format!(
            "nothing waits for a sink named {sink:?}\n  fix: `keyward events status` shows the names"
        )),
        OutboxError::Other(error) => error.into(),
    }
}
