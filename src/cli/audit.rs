use std::time::Duration;

use clap::{Args, Subcommand};

use super::log::{self, Stream};
use super::moment::Moment;
use super::{Exit, SettingFlags, print};
use crate::app::{Admin, AuditLog, AuditPage};
use crate::clock::Clock;
use crate::config::parse_duration;
use crate::domain::{AuditEntry, AuditFilter, SecurityEvent, Timestamp, UserId};

/// Records that are asked for at a time.
const PAGE: u16 = 500;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List records, newest first
    List {
        #[command(flatten)]
        which: Which,
        /// How many at most
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Delete old records, as the role that owns the tables (`database.direct_url`)
    Prune {
        /// Those that are older than this, such as 90d; without it, than retention.audit
        #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
        older_than: Option<Duration>,
        /// That you mean it, if retention.audit keeps them longer
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
struct Which {
    /// Only records about this user
    #[arg(long, value_name = "ID")]
    user: Option<UserId>,
    /// Only what this admin did
    #[arg(long, value_name = "ID")]
    actor: Option<UserId>,
    /// Only this event, such as `login_failed`
    #[arg(long)]
    event: Option<SecurityEvent>,
    /// Since then: 2h ago, or 2026-11-24T03:42:08Z
    #[arg(long, value_name = "TIME")]
    since: Option<Moment>,
    /// Only before then
    #[arg(long, value_name = "TIME")]
    until: Option<Moment>,
}

pub(super) async fn run(flags: &SettingFlags, arguments: Arguments) -> Result<(), Exit> {
    let (settings, _) = flags.load()?;
    log::start(&settings, Stream::Stderr);
    let log = AuditLog::open(&settings, &Clock::System).await?;
    let (admin, now) = (Admin::operator(&settings), Clock::System.now());
    let done = match arguments.action {
        Action::List { which, limit, json } => list(&log, &admin, which.filter(now), limit, json).await,
        Action::Prune { older_than, yes } => prune(&log, &admin, older_than, yes, now).await,
    };
    log.close().await;
    done
}

impl Which {
    fn filter(self, now: Timestamp) -> AuditFilter {
        let Self { user, actor, event, since, until } = self;
        let at = |moment: Option<Moment>| moment.map(|moment| moment.before(now));
        AuditFilter { user, actor, event, since: at(since), until: at(until) }
    }
}

async fn list(
    log: &AuditLog,
    admin: &Admin,
    filter: AuditFilter,
    limit: u32,
    json: bool,
) -> Result<(), Exit> {
    let (mut left, mut before) = (limit, None);
    loop {
        let page = AuditPage { before, limit: u16::try_from(left).map_or(PAGE, |left| left.min(PAGE)) };
        let entries = log.list(admin, filter, page).await?;
        for entry in &entries {
            print(&if json { as_json(entry)? } else { as_text(entry) });
        }
        left = left.saturating_sub(u32::try_from(entries.len()).unwrap_or(u32::MAX));
        match entries.last() {
            Some(last) if left > 0 => before = Some(last.id),
            _ => return Ok(()),
        }
    }
}

fn as_json(entry: &AuditEntry) -> Result<String, Exit> {
    let json = serde_json::to_string(entry).map_err(|error| Exit::failure(error.to_string()))?;
    Ok(json + "\n")
}

/// What is not known is left out.
fn as_text(entry: &AuditEntry) -> String {
    let mut line = format!("{}  {}", entry.occurred_at, entry.event);
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            line.push_str("  ");
            line.push_str(name);
            line.push_str(&value);
        }
    };
    add("", entry.outcome.map(|outcome| outcome.as_str().to_owned()));
    add("", entry.origin.map(|origin| origin.as_str().to_owned()));
    add("user=", entry.user_id.map(|id| id.to_string()));
    add("actor=", entry.actor_id.map(|id| id.to_string()));
    add("session=", entry.session_id.map(|id| id.to_string()));
    add("ip=", entry.ip.map(|ip| ip.to_string()));
    add("request=", Some(entry.request_id.clone()));
    add("", entry.detail.as_ref().map(ToString::to_string));
    line.push('\n');
    line
}

async fn prune(
    log: &AuditLog,
    admin: &Admin,
    older_than: Option<Duration>,
    yes: bool,
    now: Timestamp,
) -> Result<(), Exit> {
    let older_than = older_than.unwrap_or(log.kept_for());
    let before = now - older_than;
    if older_than < log.kept_for() && !yes {
        return Err(Exit::failure(format!(
            "records since {} are to be kept (retention.audit); nothing was deleted\n  fix: say --yes, or give a longer \
             --older-than",
            now - log.kept_for()
        )));
    }
    let pruned = log.prune(admin, before, now).await?;
    print(&format!("{pruned} audit records from before {before} were deleted\n"));
    Ok(())
}
