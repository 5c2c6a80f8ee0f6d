//! How long a text, how large a number and how many items of a list can be: for whoever makes a client of the document.

use utoipa::openapi::schema::{ArrayItems, KnownFormat, Object, Schema, SchemaFormat, SchemaType, Type};
use utoipa::openapi::{OpenApi, RefOr};

use super::operations;

/// The last second of the year 9999, beyond which no date is written.
const LAST_SECOND: usize = 253_402_300_799;

/// Adds a bound wherever the document has none yet.
pub(super) fn add(openapi: &mut OpenApi) {
    let schemas = openapi.components.iter_mut().flat_map(|components| &mut components.schemas);
    schemas.for_each(|(name, schema)| walk("", name, schema));
    for operation in operations(openapi) {
        for parameter in operation.parameters.iter_mut().flatten() {
            if let RefOr::T(parameter) = parameter
                && let Some(schema) = &mut parameter.schema
            {
                walk("", &parameter.name, schema);
            }
        }
        for response in operation.responses.responses.values_mut() {
            let RefOr::T(response) = response else { continue };
            for (name, header) in &mut response.headers {
                if let RefOr::T(header) = header
                    && let Some(schema) = &mut header.schema
                {
                    walk("", name, schema);
                }
            }
        }
    }
}

fn walk(parent: &str, name: &str, schema: &mut RefOr<Schema>) {
    let RefOr::T(schema) = schema else { return };
    match schema {
        Schema::Object(object) => {
            bound(name, object);
            object.properties.iter_mut().for_each(|(inner, schema)| walk(name, inner, schema));
        }
        Schema::Array(array) => {
            array.max_items.get_or_insert(items_max(parent, name));
            if let ArrayItems::RefOrSchema(items) = &mut array.items {
                walk(parent, name, items);
            }
        }
        Schema::OneOf(either) => either.items.iter_mut().for_each(|part| walk(parent, name, part)),
        Schema::AllOf(all) => all.items.iter_mut().for_each(|part| walk(parent, name, part)),
        Schema::AnyOf(any) => any.items.iter_mut().for_each(|part| walk(parent, name, part)),
        _ => {}
    }
}

fn bound(name: &str, object: &mut Object) {
    let is = |wanted: Type| match &object.schema_type {
        SchemaType::Type(one) => *one == wanted,
        SchemaType::Array(several) => several.contains(&wanted),
        SchemaType::AnyValue => false,
    };
    if is(Type::String) && object.enum_values.is_none() {
        let max = text_max(name, object.format.as_ref());
        object.max_length.get_or_insert(max);
    }
    if is(Type::Integer) {
        let (least, most) = if name == "status" { (100, 599) } else { (0, LAST_SECOND) };
        object.minimum.get_or_insert(least.into());
        object.maximum.get_or_insert(most.into());
    }
}

/// In characters. Tokens and what quotes a request are bounded by the 16 KiB of a body or its headers.
fn text_max(name: &str, format: Option<&SchemaFormat>) -> usize {
    match (name, format) {
        (_, Some(SchemaFormat::KnownFormat(KnownFormat::Uuid))) => 36,
        (_, Some(SchemaFormat::KnownFormat(KnownFormat::DateTime))) => 64,
        ("cursor" | "next_cursor", _) | (_, Some(SchemaFormat::KnownFormat(KnownFormat::Password))) => 4_096,
        ("iss" | "aud" | "type" | "Location", _) => 2_048,
        ("detail" | "pointer", _) => 65_536,
        (name, _) if name.contains("token") => 16_384,
        ("Role" | "role", _) => 64,
        _ => 1_024,
    }
}

fn items_max(parent: &str, name: &str) -> usize {
    match (parent, name) {
        (_, "roles") => 16,
        ("Users" | "AuditRecords", "items") => 200,
        // `max_sessions_per_user` may be as much.
        ("Sessions", "items") => 10_000,
        // As many members as a body can have, and as many keys as were ever rotated within a token's life.
        _ => 16_384,
    }
}
