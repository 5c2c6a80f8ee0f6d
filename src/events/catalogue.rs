//! Every type of event that other services can hear of. Schemas, `asyncapi.json`, the page at
//! `/docs/events` and the check of every event that a test writes are all made from these entries.

mod schema;
mod types;

use std::sync::LazyLock;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::Envelope;
use crate::domain::{EventId, PendingEvent, Timestamp, UserId};

static CATALOGUE: LazyLock<Vec<EventType>> = LazyLock::new(types::all);

/// The moment and the id of examples.
const EXAMPLE_TIME: Timestamp = Timestamp::from_micros(1_795_500_488_227_150);
const EXAMPLE_ID: EventId = EventId::new(Uuid::from_u128(0x01a2_0ba5_8b64_7a10_9f3c_5d1e_7b20_44c1));

/// What can be known of an event before it happens.
#[derive(Debug)]
pub struct EventType {
    /// Such as `auth.user_created`.
    pub kind: &'static str,
    /// Of its data. An optional member more is the same version, anything else is the next.
    pub version: u32,
    /// What it means, in a sentence.
    pub summary: &'static str,
    /// What makes it happen, and what else its readers should know.
    pub when: &'static str,
    members: Vec<Member>,
    example: Value,
}

/// A member of an event's data.
#[derive(Debug)]
pub struct Member {
    pub name: &'static str,
    /// JSON Schema, in words that draft-07, which AsyncAPI speaks, and 2020-12 share.
    schema: Value,
}

/// Returns every type, in the order in which people read of them.
#[must_use]
pub fn catalogue() -> &'static [EventType] {
    &CATALOGUE
}

impl EventType {
    /// Finds a type by its name.
    #[must_use]
    pub fn find(kind: &str) -> Option<&'static Self> {
        CATALOGUE.iter().find(|entry| entry.kind == kind)
    }

    /// Returns the members of the data, in the order in which people read of them.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Returns where the schema of the data is served; behind the issuer, the `dataschema` of the envelope.
    #[must_use]
    pub fn schema_path(&self) -> String {
        format!("/docs/events/schemas/{}/{}.json", self.kind, self.version)
    }

    /// Returns the schema of the data as a document of its own (JSON Schema 2020-12).
    #[must_use]
    pub fn schema_document(&self, issuer: &str) -> Value {
        let mut schema = self.schema();
        schema.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        schema.insert("$id".to_owned(), json!(format!("{issuer}{}", self.schema_path())));
        Value::Object(schema)
    }

    /// Returns an envelope as this issuer would send it.
    #[must_use]
    pub fn example(&self, issuer: &str) -> Value {
        let subject = self.example.get("user_id").and_then(Value::as_str);
        let event = PendingEvent {
            id: EXAMPLE_ID,
            subject: subject.and_then(|id| id.parse::<UserId>().ok()),
            sequence: 1,
            kind: self.kind.to_owned(),
            occurred_at: EXAMPLE_TIME,
            data: self.example.clone(),
        };
        serde_json::to_value(Envelope::new(issuer, &event)).unwrap_or_default()
    }

    /// Says what is in the data. Readers are to ignore members that they do not know, so it lets others through.
    pub(super) fn schema(&self) -> Map<String, Value> {
        let properties: Map<String, Value> =
            self.members.iter().map(|member| (member.name.to_owned(), member.schema.clone())).collect();
        let required: Vec<&str> = self.members.iter().map(|member| member.name).collect();
        Map::from_iter([
            ("title".to_owned(), json!(self.kind)),
            ("description".to_owned(), json!(self.summary)),
            ("type".to_owned(), json!("object")),
            ("properties".to_owned(), Value::Object(properties)),
            ("required".to_owned(), json!(required)),
        ])
    }
}

impl Member {
    #[must_use]
    pub fn description(&self) -> &str {
        self.schema.get("description").and_then(Value::as_str).unwrap_or_default()
    }

    /// Says in words what the member holds, such as `list of UUID`.
    #[must_use]
    pub fn shape(&self) -> String {
        schema::in_words(&self.schema)
    }
}

#[cfg(test)]
mod tests;
