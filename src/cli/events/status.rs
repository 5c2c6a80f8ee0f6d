use std::time::Duration;

use serde_json::{Value, json};

use super::Operator;
use crate::app::SinkStatus;
use crate::cli::{Exit, print};
use crate::domain::Timestamp;

impl Operator {
    pub(super) async fn status(&self, json: bool, max_age: Option<Duration>) -> Result<(), Exit> {
        let sinks = self.app.outbox_status(&self.admin).await?;
        let now = self.app.now();
        if json {
            let sinks: Vec<Value> = sinks.iter().map(|sink| as_json(sink, now)).collect();
            print(&format!("{}\n", json!({ "sinks": sinks })));
        } else {
            print(&sinks.iter().map(|sink| as_text(sink, now)).collect::<String>());
        }
        let late = |sink: &&SinkStatus| max_age.is_some_and(|most| age(sink, now) > Some(most));
        match sinks.iter().filter(late).map(|sink| sink.name.as_str()).collect::<Vec<_>>() {
            late if late.is_empty() => Ok(()),
            late => Err(Exit::failure(format!("events wait for longer than --max-age: {}", late.join(", ")))),
        }
    }
}

fn age(sink: &SinkStatus, now: Timestamp) -> Option<Duration> {
    sink.oldest_at.map(|oldest_at| now.since(oldest_at))
}

fn as_json(sink: &SinkStatus, now: Timestamp) -> Value {
    let relay = sink.relay.as_ref();
    json!({
        "name": sink.name,
        "configured": sink.configured,
        "pending": sink.pending,
        "oldest_at": sink.oldest_at,
        "oldest_seconds": age(sink, now).map(|age| age.as_secs()),
        "refused": sink.refused,
        "last_error": sink.last_error,
        "relay": relay.map(|relay| json!({ "holder": relay.holder, "expires_at": relay.expires_at })),
    })
}

fn as_text(sink: &SinkStatus, now: Timestamp) -> String {
    let name = &sink.name;
    let mut lines = vec![if sink.configured { name.clone() } else { format!("{name} (not configured)") }];
    lines.push(match age(sink, now) {
        None => "  pending  0".to_owned(),
        Some(age) => format!("  pending  {}, the oldest for {}", sink.pending, in_words(age)),
    });
    if sink.refused > 0 {
        let why = sink.last_error.as_deref().unwrap_or("it did not say why");
        lines.push(format!("  refused  {}, tried again: {why}", sink.refused));
    }
    lines.push(match &sink.relay {
        None => "  relay    none: no server has it, or it is away".to_owned(),
        Some(relay) => format!("  relay    {} until {}", relay.holder, relay.expires_at),
    });
    if !sink.configured {
        lines.push(format!(
            "  fix      put it back into events_url, or `keyward events abandon --sink {name}`"
        ));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn in_words(age: Duration) -> String {
    match age.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::HeldLease;

    #[test]
    fn a_sink_is_shown_with_what_to_do() {
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        let amqp = SinkStatus {
            name: "amqp".to_owned(),
            configured: true,
            pending: 0,
            oldest_at: None,
            refused: 0,
            last_error: None,
            relay: Some(HeldLease { holder: "me".to_owned(), expires_at: at(4) }),
        };
        assert_eq!(as_text(&amqp, at(0)), "amqp\n  pending  0\n  relay    me until 1970-01-01T00:00:04Z\n");
        let hook = SinkStatus {
            name: "hook".to_owned(),
            configured: false,
            pending: 3,
            oldest_at: Some(at(0)),
            refused: 2,
            last_error: Some("500".to_owned()),
            relay: None,
        };
        assert_eq!(
            as_text(&hook, at(600)),
            "hook (not configured)\n  pending  3, the oldest for 10 min\n  refused  2, tried again: 500\n  \
             relay    none: no server has it, or it is away\n  \
             fix      put it back into events_url, or `keyward events abandon --sink hook`\n"
        );
        assert_eq!(as_json(&hook, at(600))["oldest_seconds"], 600);
    }
}
