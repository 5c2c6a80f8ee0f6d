use serde_json::{Map, Value, json};

use super::catalogue::{EventType, catalogue};

const CONTENT_TYPE: &str = "application/cloudevents+json";
/// Stands where an installation has its own; the document is the same for all of them.
const ISSUER: &str = "https://auth.example.com";

/// Writes the AsyncAPI 3.0 document, made from the catalogue.
#[must_use]
pub fn document() -> String {
    let document = json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Keyward events",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What happens to users, their sessions and the signing keys, as CloudEvents 1.0 in structured \
                JSON.\n\nEach event is written in the transaction that causes it and then delivered at least once, in \
                order per user: know an event by its `id`, which is the same on every attempt. Its data is described at \
                `dataschema`; a new optional member leaves the version as it is, anything else is a new one, so ignore \
                members that you do not know.",
            "license": { "name": "MIT OR Apache-2.0" },
        },
        "defaultContentType": CONTENT_TYPE,
        "servers": servers(),
        "channels": by_kind(channel),
        "operations": by_kind(operation),
        "components": {
            "messages": by_kind(message),
            "schemas": schemas(),
        },
    });
    let mut json = serde_json::to_string_pretty(&document).unwrap_or_default();
    json.push('\n');
    json
}

fn by_kind(describe: fn(&EventType) -> Value) -> Map<String, Value> {
    catalogue().iter().map(|kind| (kind.kind.to_owned(), describe(kind))).collect()
}

fn servers() -> Value {
    json!({
        "rabbitmq": {
            "host": "rabbitmq.example.com:5672",
            "protocol": "amqp",
            "protocolVersion": "0.9.1",
            "description": "A durable topic exchange; persistent messages, mandatory, with publisher confirms.",
        },
        "kafka": {
            "host": "kafka.example.com:9092",
            "protocol": "kafka",
            "description": "All types in one topic, `auth.events`. The key is the subject of the event, or the nil UUID \
                when it has none; `ce_id` and `ce_type` are among the headers.",
        },
        "nats": {
            "host": "nats.example.com:4222",
            "protocol": "nats",
            "description": "A JetStream stream. The subject is `auth.events.` and the address of the channel; \
                `Nats-Msg-Id` is the id of the event.",
        },
        "webhook": {
            "host": "hooks.example.com",
            "protocol": "https",
            "description": "A receiver of yours. A POST each, signed after Standard Webhooks: `webhook-id` is the id of the \
                event, `webhook-timestamp` the time of the attempt, `webhook-signature` has one `v1,` signature for each \
                secret. Any 2xx takes the event.",
        },
    })
}

/// On a topic exchange the address is the routing key.
fn channel(kind: &EventType) -> Value {
    json!({
        "address": kind.kind,
        "description": kind.when,
        "messages": { kind.kind: { "$ref": format!("#/components/messages/{}", kind.kind) } },
        "bindings": {
            "amqp": {
                "is": "routingKey",
                "exchange": { "name": "auth.events", "type": "topic", "durable": true, "autoDelete": false },
                "bindingVersion": "0.3.0",
            },
            "kafka": { "topic": "auth.events", "bindingVersion": "0.5.0" },
        },
    })
}

fn operation(kind: &EventType) -> Value {
    json!({
        "action": "send",
        "title": kind.kind,
        "summary": kind.summary,
        "description": kind.when,
        "channel": { "$ref": format!("#/channels/{}", kind.kind) },
        "messages": [{ "$ref": format!("#/channels/{}/messages/{}", kind.kind, kind.kind) }],
        "bindings": {
            "amqp": { "deliveryMode": 2, "mandatory": true, "bindingVersion": "0.3.0" },
            "http": { "method": "POST", "bindingVersion": "0.3.0" },
        },
    })
}

fn message(kind: &EventType) -> Value {
    json!({
        "name": kind.kind,
        "title": kind.kind,
        "summary": kind.summary,
        "description": kind.when,
        "contentType": CONTENT_TYPE,
        "payload": {
            "allOf": [
                { "$ref": "#/components/schemas/CloudEvent" },
                {
                    "type": "object",
                    "properties": {
                        "type": { "const": kind.kind },
                        "data": { "$ref": format!("#/components/schemas/{}", kind.kind) },
                    },
                },
            ],
        },
        "bindings": {
            "amqp": { "messageType": kind.kind, "bindingVersion": "0.3.0" },
            "kafka": {
                "key": { "type": "string", "format": "uuid", "description": "The subject of the event, or the nil UUID." },
                "bindingVersion": "0.5.0",
            },
        },
        "examples": [{ "name": kind.kind, "payload": kind.example(ISSUER) }],
    })
}

fn schemas() -> Map<String, Value> {
    let mut schemas = by_kind(|kind| Value::Object(kind.schema()));
    schemas.insert("CloudEvent".to_owned(), envelope());
    schemas
}

fn envelope() -> Value {
    json!({
        "title": "CloudEvent",
        "description": "The envelope, after CloudEvents 1.0.",
        "type": "object",
        "required": [
            "specversion", "id", "source", "type", "time", "datacontenttype", "dataschema", "sequence", "data",
        ],
        "properties": {
            "specversion": { "const": "1.0" },
            "id": {
                "type": "string", "format": "uuid",
                "description": "Names the event; the same on every attempt and at every sink.",
            },
            "source": { "type": "string", "format": "uri", "description": "The issuer." },
            "type": { "type": "string", "description": "What happened." },
            "subject": {
                "type": "string", "format": "uuid",
                "description": "The user whom it is about; missing when it is about none.",
            },
            "time": { "type": "string", "format": "date-time", "description": "When it happened." },
            "datacontenttype": { "const": "application/json" },
            "dataschema": { "type": "string", "format": "uri", "description": "Where the schema of `data` is." },
            "sequence": {
                "type": "string", "pattern": "^[1-9][0-9]*$",
                "description": "Counts the events of a user from 1, without gaps; a number written as text.",
            },
            "data": { "type": "object" },
        },
    })
}
