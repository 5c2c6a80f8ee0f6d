//! Log lines for machines: one JSON object each, the members of the event beside its time, level and target.
//!
//! The subscriber's own formatter passes every piece of a line through layers that check it again; at thousands of
//! requests a second that is a good part of a request. Here a line is written to bytes and checked once.

use std::fmt;
use std::time::SystemTime;

use serde::ser::{SerializeMap as _, Serializer as _};
use time::OffsetDateTime;
use time::format_description::StaticFormatDescription;
use time::macros::format_description;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::registry::LookupSpan;

/// RFC 3339, always as long, so that lines sort by their text.
const TIMESTAMP: StaticFormatDescription =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");
/// What a line of a request comes to, about.
const LINE: usize = 512;

#[derive(Debug)]
pub(super) struct JsonLine;

impl<S, N> FormatEvent<S, N> for JsonLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = Vec::with_capacity(LINE);
        write(event, &mut line).map_err(|_| fmt::Error)?;
        line.push(b'\n');
        writer.write_str(std::str::from_utf8(&line).map_err(|_| fmt::Error)?)
    }
}

fn write(event: &Event<'_>, line: &mut Vec<u8>) -> serde_json::Result<()> {
    let mut serializer = serde_json::Serializer::new(line);
    let mut object = serializer.serialize_map(None)?;
    let metadata = event.metadata();
    object.serialize_entry("timestamp", &now())?;
    object.serialize_entry("level", metadata.level().as_str())?;
    let mut members = Members { object, outcome: Ok(()) };
    event.record(&mut members);
    members.outcome?;
    members.object.serialize_entry("target", metadata.target())?;
    members.object.end()
}

#[expect(clippy::disallowed_methods, reason = "when a line was written, whatever time the service goes by")]
fn now() -> String {
    OffsetDateTime::from(SystemTime::now()).format(TIMESTAMP).unwrap_or_default()
}

struct Members<M> {
    object: M,
    outcome: serde_json::Result<()>,
}

impl<M: serde::ser::SerializeMap<Error = serde_json::Error>> Members<M> {
    fn add(&mut self, field: &Field, value: &(impl serde::Serialize + ?Sized)) {
        if self.outcome.is_ok() {
            // Names that are words of the language are written `r#type` in the code.
            let name = field.name();
            self.outcome = self.object.serialize_entry(name.strip_prefix("r#").unwrap_or(name), value);
        }
    }
}

impl<M: serde::ser::SerializeMap<Error = serde_json::Error>> Visit for Members<M> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, &value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, &value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, &value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, &value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, &format_args!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use serde_json::{Value, json};
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_event_is_an_object_on_a_line() {
        let kept = Kept::default();
        let writer = kept.clone();
        let layer =
            tracing_subscriber::fmt::layer().with_writer(move || writer.clone()).event_format(JsonLine);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let (hostile, absent) = ("\"}\r\n\u{1b}{\"a\":\"", None::<&str>);
            tracing::warn!(hostile, absent, whole = -3, ratio = 1.5, yes = true, r#type = %hostile, "so {}", "much");
        });
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        assert!(text.ends_with('\n') && text.lines().count() == 1, "{text:?}");
        let mut object: Value = serde_json::from_str(&text).unwrap();
        let timestamp = object["timestamp"].take();
        assert_eq!(
            timestamp.as_str().map(str::len),
            Some("2026-11-25T09:28:30.724892Z".len()),
            "{timestamp}"
        );
        let hostile = "\"}\r\n\u{1b}{\"a\":\"";
        let expected = json!({
            "timestamp": null, "level": "WARN", "message": "so much", "hostile": hostile, "whole": -3, "ratio": 1.5,
            "yes": true, "type": hostile, "target": module_path!(),
        });
        assert_eq!(object, expected);
    }
}
