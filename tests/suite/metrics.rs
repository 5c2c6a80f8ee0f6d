//! The names that dashboards and alerts stand on.

use keyward::telemetry::{Kind, METRICS, Metric};

#[test]
fn metrics_are_as_they_were_reviewed() {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_snapshot_path("snapshots");
    let _bound = settings.bind_to_scope();
    let lines = METRICS
        .iter()
        .map(|metric| format!("{} {} {{{}}}\n", kind(metric), metric.name, metric.labels.join(", ")));
    insta::assert_snapshot!("metrics", lines.collect::<String>());
}

#[test]
fn names_follow_the_customs_of_prometheus() {
    for Metric { name, kind, labels, help } in METRICS {
        let ours = name.starts_with("keyward_") || name.starts_with("process_");
        assert!(ours && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
        assert_eq!(name.ends_with("_total"), *kind == Kind::Counter, "{name}");
        assert!(help.ends_with('.') && !help.contains(['|', '\n']), "{name}");
        assert!(labels.iter().all(|label| label.bytes().all(|byte| byte.is_ascii_lowercase())), "{name}");
        if let Kind::Histogram(bounds) = kind {
            assert!(bounds.is_sorted() && bounds.len() <= 13, "{name}");
        }
    }
}

#[test]
fn the_table_of_the_docs_is_the_catalogue() {
    let rows = METRICS.iter().map(|metric| {
        let labels = metric.labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
        format!("| `{}` | {} | {labels} | {} |\n", metric.name, kind(metric), metric.help)
    });
    let table = format!("| metric | type | labels | what |\n|---|---|---|---|\n{}", rows.collect::<String>());
    let page = std::fs::read_to_string("docs/metrics.md").expect("tests run in the package's folder");
    assert!(page.contains(&table), "docs/metrics.md must hold this:\n\n{table}");
}

fn kind(metric: &Metric) -> &'static str {
    match metric.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram(_) => "histogram",
    }
}
