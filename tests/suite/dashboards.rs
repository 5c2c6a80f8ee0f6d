//! Dashboards and alerts ask for metrics, and labels of them, that there are.

use std::collections::BTreeSet;

use keyward::telemetry::{Kind, METRICS, Metric};

/// What Prometheus itself adds.
const TARGET: [&str; 2] = ["instance", "job"];

#[test]
fn the_dashboard_knows_the_metrics() {
    let shown = check("dashboard.json");
    // All but what is of use only where something is being looked for.
    assert!(shown.len() > METRICS.len() / 2, "{shown:?}");
}

#[test]
fn alerts_know_the_metrics() {
    assert!(check("alerts.yaml").contains("keyward_outbox_oldest_seconds"));
}

/// Returns the metrics that the file names.
fn check(file: &str) -> BTreeSet<&'static str> {
    let text = std::fs::read_to_string(format!("deploy/kubernetes/components/monitoring/{file}"))
        .expect("tests run in the package's folder");
    let mut named = BTreeSet::new();
    for (start, _) in text.match_indices("keyward_").chain(text.match_indices("process_")) {
        let in_a_word = text[..start].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        if in_a_word {
            continue;
        }
        let rest = &text[start..];
        let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '_').unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let metric = metric(name).unwrap_or_else(|| panic!("{file} asks for {name}, which is no metric"));
        for label in labels(after) {
            let known = metric.labels.contains(&label) || TARGET.contains(&label);
            assert!(known, "{file}: {name} has no label {label}");
        }
        named.insert(metric.name);
    }
    named
}

/// A histogram is known by the names of its series.
fn metric(name: &str) -> Option<&'static Metric> {
    METRICS.iter().find(|metric| match (metric.kind, name.strip_prefix(metric.name)) {
        (Kind::Histogram(_), Some(part)) => matches!(part, "" | "_bucket" | "_count" | "_sum"),
        (_, part) => part == Some(""),
    })
}

/// Returns those of a selector, `{a="x",b=~"y"}`, if one follows.
fn labels(after: &str) -> Vec<&str> {
    let selector = after.strip_prefix('{').and_then(|rest| rest.split_once('}'));
    let pairs = selector.map_or("", |(pairs, _)| pairs).split(',').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split(['=', '!']).next().unwrap_or(pair)).collect()
}
