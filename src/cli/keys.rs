use clap::{Args, Subcommand};

use super::{Exit, SettingFlags, beside, print};
use crate::app::{Admin, App, Error, RotateWhen};
use crate::domain::{KeyStage, KeyState, Kid, RotationRules, due_at, promotable_at};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the published keys, newest first
    List,
    /// Let the pending key sign from now on
    Rotate {
        /// Even if it was not public for long enough: verifiers that cache the key set refuse new tokens for a while
        #[arg(long, conflicts_with = "plan")]
        now: bool,
        /// Change nothing, and print what will happen when
        #[arg(long)]
        plan: bool,
    },
    /// Take a compromised key out of use: its tokens are refused within seconds
    Revoke {
        // One key id in sixty-four begins with a hyphen.
        #[arg(allow_hyphen_values = true)]
        kid: Kid,
    },
    /// Seal every private key with the first of the configured master keys
    Reseal,
}

pub(super) async fn run(flags: &SettingFlags, arguments: Arguments) -> Result<(), Exit> {
    let (app, admin) = beside::start(flags).await?;
    let done = match arguments.action {
        Action::List => list(&app, &admin).await,
        Action::Rotate { plan: true, .. } => plan(&app, &admin).await,
        Action::Rotate { now, .. } => rotate(&app, &admin, now).await,
        Action::Revoke { kid } => revoke(&app, &admin, kid).await,
        Action::Reseal => reseal(&app, &admin).await,
    };
    app.close().await;
    done
}

async fn list(app: &App, admin: &Admin) -> Result<(), Exit> {
    for key in app.keys_list(admin).await?.0 {
        print(&format!("{}  {:7}  {}  since {}\n", key.kid, key.state.as_str(), key.algorithm, since(&key)));
    }
    Ok(())
}

fn since(key: &KeyStage) -> String {
    key.retired_at.or(key.promoted_at).unwrap_or(key.created_at).to_string()
}

async fn plan(app: &App, admin: &Admin) -> Result<(), Exit> {
    let (keys, rules) = app.keys_list(admin).await?;
    print(&time_line(&keys, rules));
    Ok(())
}

/// Says in the order of time what the keys will do by themselves.
fn time_line(keys: &[KeyStage], rules: &RotationRules) -> String {
    let find = |state| keys.iter().find(|key| key.state == state);
    let mut lines = Vec::new();
    if let (Some(active), Some(pending)) = (find(KeyState::Active), find(KeyState::Pending)) {
        let due = due_at(active, pending, rules);
        let promotable = promotable_at(pending, rules);
        lines.push((pending.created_at, format!("{} is published", pending.kid)));
        lines.push((promotable, format!("{} may sign: `keyward keys rotate` works from here", pending.kid)));
        lines.push((due, format!("{} signs by itself; {} retires", pending.kid, active.kid)));
        lines
            .push((due + rules.retire_for, format!("{} is removed: its last token has expired", active.kid)));
    }
    for key in keys.iter().filter(|key| key.state == KeyState::Retired) {
        if let Some(retired_at) = key.retired_at {
            lines.push((
                retired_at + rules.retire_for,
                format!("{} is removed: its last token has expired", key.kid),
            ));
        }
    }
    lines.sort();
    let lines: Vec<String> = lines.into_iter().map(|(at, what)| format!("{at}  {what}\n")).collect();
    lines.concat()
}

async fn rotate(app: &App, admin: &Admin, now: bool) -> Result<(), Exit> {
    let when = if now { RotateWhen::Now } else { RotateWhen::Published };
    match app.keys_rotate(admin, when).await {
        Ok(key) => {
            print(&format!("{} signs from now on\n", key.kid));
            if now {
                print(
                    "warning: verifiers that cache the key set may refuse its tokens until they fetch the set again\n",
                );
            }
            Ok(())
        }
        Err(Error::KeyTooFresh { ready_at }) => Err(Exit::failure(format!(
            "the pending key is public for too short a time: verifiers may not know it yet; it may sign from {ready_at}\n  \
             fix: wait, or use --now and accept that some tokens are refused for up to keys.jwks_max_age"
        ))),
        Err(error) => Err(error.into()),
    }
}

async fn revoke(app: &App, admin: &Admin, kid: Kid) -> Result<(), Exit> {
    match app.keys_revoke(admin, kid.clone()).await {
        Ok(()) => {
            print(&format!("{kid} is out of use\n"));
            Ok(())
        }
        Err(Error::NotFound) => Err(Exit::failure(format!("no published key is named {kid}"))),
        Err(error) => Err(error.into()),
    }
}

async fn reseal(app: &App, admin: &Admin) -> Result<(), Exit> {
    let count = app.keys_reseal(admin).await?;
    print(&format!(
        "{count} signing keys sealed anew with the first master key\n\
         keep the older ones configured for token.refresh_absolute_ttl: refresh tokens made under them live that long\n"
    ));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Timestamp;
    use std::time::Duration;

    #[test]
    fn a_key_id_may_begin_with_a_hyphen() {
        #[derive(Debug, clap::Parser)]
        struct Line {
            #[command(flatten)]
            keys: Arguments,
        }
        let line: Line = clap::Parser::try_parse_from(["keys", "revoke", "-zT9_a"]).unwrap();
        assert!(matches!(line.keys.action, Action::Revoke { kid } if kid.as_str() == "-zT9_a"));
    }

    #[test]
    fn the_plan_is_in_the_order_of_time() {
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        let key = |kid: &str, state, created, promoted: Option<i64>| KeyStage {
            kid: Kid::parse(kid).unwrap(),
            algorithm: "ES256".to_owned(),
            state,
            created_at: at(created),
            promoted_at: promoted.map(at),
            retired_at: None,
        };
        let keys = [key("new", KeyState::Pending, 50, None), key("old", KeyState::Active, 0, Some(0))];
        let rules = RotationRules {
            algorithm: "ES256".to_owned(),
            rotate_every: Duration::from_secs(3_600),
            publish_before: Duration::from_secs(60),
            retire_for: Duration::from_secs(600),
        };
        assert_eq!(
            time_line(&keys, &rules),
            "1970-01-01T00:00:50Z  new is published\n\
             1970-01-01T00:01:50Z  new may sign: `keyward keys rotate` works from here\n\
             1970-01-01T01:00:00Z  new signs by itself; old retires\n\
             1970-01-01T01:10:00Z  old is removed: its last token has expired\n"
        );
    }
}
