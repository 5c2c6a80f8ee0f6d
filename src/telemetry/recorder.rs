//! Where series live: one place for the process, as the `metrics` crate has it.

use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

use metrics::{KeyName, SharedString};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

use super::{BUILD_INFO, Kind, METRICS, process};

/// Samples of histograms are kept singly until somebody looks, or this has passed. Without it they would pile up where
/// nobody scrapes.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// Made with the first handle, whoever that is of: a handle from before would count nothing.
static RECORDER: LazyLock<Option<PrometheusHandle>> =
    LazyLock::new(|| install().inspect_err(|error| tracing::warn!(%error, "there will be no metrics")).ok());

pub(super) fn installed() {
    LazyLock::force(&RECORDER);
}

/// Returns all series in Prometheus' text format.
#[must_use]
pub fn render() -> String {
    let Some(recorder) = &*RECORDER else { return String::new() };
    BUILD_INFO.gauge(&[env!("CARGO_PKG_VERSION")]).set(1);
    let mut text = recorder.render();
    text.push_str(&process::render());
    text
}

fn install() -> Result<PrometheusHandle, BuildError> {
    let builder = METRICS.iter().try_fold(PrometheusBuilder::new(), |builder, metric| match metric.kind {
        Kind::Histogram(bounds) => {
            builder.set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), bounds)
        }
        Kind::Counter | Kind::Gauge => Ok(builder),
    })?;
    let handle = builder.install_recorder()?;
    metrics::with_recorder(|recorder| {
        for metric in METRICS {
            let (name, help) = (KeyName::from_const_str(metric.name), SharedString::const_str(metric.help));
            match metric.kind {
                Kind::Counter => recorder.describe_counter(name, None, help),
                Kind::Gauge => recorder.describe_gauge(name, None, help),
                Kind::Histogram(_) => recorder.describe_histogram(name, None, help),
            }
        }
    });
    let upkept = handle.clone();
    // Without the thread, whoever scrapes does its work.
    let _ = thread::Builder::new().name("metrics".to_owned()).spawn(move || {
        loop {
            thread::sleep(UPKEEP_EVERY);
            upkept.run_upkeep();
        }
    });
    Ok(handle)
}
