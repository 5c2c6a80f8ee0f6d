use std::collections::BTreeSet;

use jsonschema::Validator;

use super::*;
use crate::domain::{Email, EndReason, Event, Kid, Roles, SessionId, Timestamp, UserStatus};

/// One of each and, where a member may be null, two.
fn variants() -> Vec<Event> {
    let user_id = UserId::new(Uuid::from_u128(1));
    let session_id = SessionId::new(Uuid::from_u128(2));
    let email = Email::parse("Ada@example.com").unwrap();
    let (kid, other) = (Kid::parse(&"k".repeat(43)).unwrap(), Kid::parse(&"K".repeat(43)).unwrap());
    let roles = Roles::of_new_user();
    let mut all = vec![
        Event::UserCreated { user_id, email, email_verified: true, roles: roles.clone() },
        Event::UserUpdated { user_id, status: UserStatus::Active },
        Event::UserUpdated { user_id, status: UserStatus::Disabled },
        Event::UserRolesChanged { user_id, roles: Roles::default() },
        Event::UserRolesChanged { user_id, roles },
        Event::UserDisabled { user_id },
        Event::UserDeleted { user_id },
        Event::UserLocked { user_id, failures: 10, locked_until: Some(Timestamp::from_micros(1_000_000)) },
        Event::UserLocked { user_id, failures: 101, locked_until: None },
        Event::PasswordChanged { user_id },
        Event::RefreshTokenReused { user_id, session_id },
        Event::SigningKeyRotated { kid: kid.clone(), previous: None },
        Event::SigningKeyRotated { kid, previous: Some(other) },
    ];
    all.extend(EndReason::ALL.map(|reason| Event::SessionRevoked {
        user_id,
        sessions: vec![session_id, SessionId::new(Uuid::from_u128(3))],
        reason,
    }));
    // What does not compile here is missing above.
    for event in &all {
        match event {
            Event::UserCreated { .. }
            | Event::UserUpdated { .. }
            | Event::UserRolesChanged { .. }
            | Event::UserDisabled { .. }
            | Event::UserDeleted { .. }
            | Event::UserLocked { .. }
            | Event::PasswordChanged { .. }
            | Event::SessionRevoked { .. }
            | Event::RefreshTokenReused { .. }
            | Event::SigningKeyRotated { .. } => {}
        }
    }
    all
}

/// Lets nothing through that the catalogue does not name.
fn strict(kind: &EventType) -> Validator {
    let mut schema = kind.schema_document("https://auth.example.com");
    schema["additionalProperties"] = json!(false);
    jsonschema::draft202012::options().should_validate_formats(true).build(&schema).unwrap()
}

#[test]
fn every_event_is_as_the_catalogue_says() {
    let mut seen = BTreeSet::new();
    for event in variants() {
        let entry = EventType::find(event.kind()).unwrap_or_else(|| panic!("no entry for {}", event.kind()));
        let data = event.data();
        strict(entry).validate(&data).unwrap_or_else(|error| panic!("{}: {error} in {data}", entry.kind));
        assert_eq!(entry.example["user_id"].is_string(), event.subject().is_some(), "{}", entry.kind);
        seen.insert(entry.kind);
    }
    let known: BTreeSet<_> = catalogue().iter().map(|entry| entry.kind).collect();
    assert_eq!(known, seen, "each type has an entry, and each entry a variant of `Event`");
    assert_eq!(known.len(), catalogue().len(), "no type stands twice");
}

#[test]
fn entries_are_whole_and_their_examples_fit() {
    for entry in catalogue() {
        strict(entry).validate(&entry.example).unwrap_or_else(|error| panic!("{}: {error}", entry.kind));
        for text in [entry.summary, entry.when] {
            assert!(text.ends_with('.') && !text.contains("  "), "{}: {text}", entry.kind);
        }
        for member in entry.members() {
            assert!(member.description().ends_with('.'), "{} {}", entry.kind, member.name);
            assert!(!member.shape().is_empty(), "{} {}", entry.kind, member.name);
        }
        let named: BTreeSet<_> = entry.members().iter().map(|member| member.name).collect();
        let shown: BTreeSet<_> = entry.example.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(named, shown, "{}", entry.kind);
    }
}

#[test]
fn a_schema_lets_members_through_that_it_does_not_know_and_nothing_else() {
    let entry = EventType::find("auth.user_created").unwrap();
    let schema = entry.schema_document("https://auth.example.com");
    assert_eq!(schema["$id"], "https://auth.example.com/docs/events/schemas/auth.user_created/1.json");
    let validator = jsonschema::draft202012::options().should_validate_formats(true).build(&schema).unwrap();
    let changed = |name: &str, value: Value| {
        let mut data = entry.example.clone();
        data[name] = value;
        validator.is_valid(&data)
    };
    assert!(changed("locale", json!("en")));
    assert!(!changed("user_id", json!("ada")) && !changed("email", json!("ada")));
    assert!(!changed("email_verified", json!(0)) && !changed("roles", json!(["Admin"])));
    assert!(!validator.is_valid(&json!({ "user_id": entry.example["user_id"] })));
}

#[test]
fn shapes_are_read_to_people() {
    let shape = |kind: &str, name: &str| {
        let entry = EventType::find(kind).unwrap();
        entry.members().iter().find(|member| member.name == name).unwrap().shape()
    };
    assert_eq!(shape("auth.user_created", "email"), "e-mail address");
    assert_eq!(shape("auth.user_created", "roles"), "list of text");
    assert_eq!(shape("auth.user_updated", "status"), "one of active, disabled");
    assert_eq!(shape("auth.session_revoked", "session_ids"), "list of UUID");
    assert!(shape("auth.session_revoked", "reason").starts_with("a word such as logout, logout_all"));
    assert_eq!(shape("auth.signing_key_rotated", "previous_kid"), "text, or null");
}
