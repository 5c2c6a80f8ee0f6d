//! The server with these settings, if one runs on this machine: what it says of itself.

use serde_json::Value;

use super::{Fault, Finding, fetch::get};
use crate::config::Settings;
use crate::telemetry::FORWARDED_IGNORED;

const READY: &str = "server.ready";

pub(super) async fn look(settings: &Settings) -> Vec<Finding> {
    let address = settings.probe_address();
    let (status, body) = match get(&format!("http://{address}/readyz")).await {
        Ok(answer) => answer,
        Err(reason) => {
            let meaning = format!("no server answers probes on {address}: {reason}");
            return vec![Finding::note(READY, meaning, "nothing, if none is to run on this machine now")];
        }
    };
    let report: Value = serde_json::from_slice(&body).unwrap_or_default();
    let mut found = vec![ready(status, &report)];
    if let Ok((200, metrics)) = get(&format!("http://{address}/metrics")).await {
        found.extend(forwarded(&String::from_utf8_lossy(&metrics)));
    }
    found
}

fn ready(status: u16, report: &Value) -> Finding {
    let degraded = report.get("degraded").and_then(Value::as_array).into_iter().flatten();
    let degraded: Vec<&str> = degraded.filter_map(Value::as_str).collect();
    match status {
        200 if degraded.is_empty() => Finding::ok(READY, "the server here is ready"),
        200 => {
            let meaning =
                format!("the server here is ready, and not all of it works: {}", degraded.join("; "));
            Finding::warning(READY, meaning, "see what is said above about each of these")
        }
        503 => {
            let meaning = "the server here is not ready: its database is away, or it is stopping";
            Finding::problem(
                READY,
                Fault::Away,
                meaning,
                "see what is said above about the database, and its log",
            )
        }
        _ => {
            let meaning = format!("who answers on management_listen is no Keyward: /readyz gives {status}");
            Finding::problem(READY, Fault::Configuration, meaning, "give management_listen a port of its own")
        }
    }
}

/// Requests that named a client, by somebody who is not believed.
fn forwarded(metrics: &str) -> Option<Finding> {
    let line = metrics.lines().find_map(|line| line.strip_prefix(FORWARDED_IGNORED.name))?;
    let seen: f64 = line.trim().parse().ok()?;
    (seen > 0.0).then(|| {
        let meaning = format!(
            "a near address that trusted_proxies does not hold says for whom it asks (X-Forwarded-For or Forwarded), and is \
             not believed; requests so far: {seen}"
        );
        let advice = "if that is a proxy of yours, add its address to trusted_proxies; the server's log names the first";
        Finding::warning("proxies.ignored", meaning, advice)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Level;
    use super::*;

    #[test]
    fn what_a_server_says_of_itself_is_passed_on() {
        let levels =
            [(200, json!([])), (200, json!(["events: amqp is away"])), (503, json!([])), (404, json!([]))]
                .map(|(status, degraded)| ready(status, &json!({ "degraded": degraded })).level);
        assert_eq!(levels, [Level::Ok, Level::Warning, Level::Problem, Level::Problem]);
        let name = FORWARDED_IGNORED.name;
        assert_eq!(forwarded(&format!("{name} 0\n")), None);
        assert!(forwarded(&format!("# HELP {name} x\n{name} 3\n")).unwrap().meaning.ends_with("so far: 3"));
    }
}
