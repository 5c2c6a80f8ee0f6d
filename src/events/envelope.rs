use serde::Serialize;
use serde_json::Value;

use super::EventType;
use crate::domain::{EventId, PendingEvent, Timestamp, UserId};

/// A CloudEvents 1.0 envelope in structured JSON, with the `sequence` extension: a number per
/// subject, written as a string as CloudEvents wants it.
#[derive(Debug, Serialize)]
pub struct Envelope<'a> {
    specversion: &'static str,
    id: EventId,
    source: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<UserId>,
    time: Timestamp,
    datacontenttype: &'static str,
    /// Missing only while a newer replica writes types that this one does not know.
    #[serde(skip_serializing_if = "Option::is_none")]
    dataschema: Option<String>,
    sequence: String,
    data: &'a Value,
}

impl<'a> Envelope<'a> {
    #[must_use]
    pub fn new(issuer: &'a str, event: &'a PendingEvent) -> Self {
        Self {
            specversion: "1.0",
            id: event.id,
            source: issuer,
            kind: &event.kind,
            subject: event.subject,
            time: event.occurred_at,
            datacontenttype: "application/json",
            dataschema: EventType::find(&event.kind).map(|kind| format!("{issuer}{}", kind.schema_path())),
            sequence: event.sequence.to_string(),
            data: &event.data,
        }
    }

    /// Returns the event's type, such as `auth.user_created`.
    #[must_use]
    pub const fn kind(&self) -> &str {
        self.kind
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use uuid::Uuid;

    #[test]
    fn an_envelope_is_cloudevents_structured_json() {
        let event = PendingEvent {
            id: EventId::new(Uuid::from_u128(1)),
            subject: Some(UserId::new(Uuid::from_u128(2))),
            sequence: 7,
            kind: "auth.user_created".to_owned(),
            occurred_at: Timestamp::from_micros(1_000_000),
            data: json!({ "email": "a@example.com" }),
        };
        assert_eq!(
            serde_json::to_value(Envelope::new("https://auth.example.com", &event)).unwrap(),
            json!({
                "specversion": "1.0",
                "id": "00000000-0000-0000-0000-000000000001",
                "source": "https://auth.example.com",
                "type": "auth.user_created",
                "subject": "00000000-0000-0000-0000-000000000002",
                "time": "1970-01-01T00:00:01Z",
                "datacontenttype": "application/json",
                "dataschema": "https://auth.example.com/docs/events/schemas/auth.user_created/1.json",
                "sequence": "7",
                "data": { "email": "a@example.com" },
            })
        );
    }
}
