//! The entries. A type that is added here needs nothing anywhere else but its variant of `Event`.

use serde_json::{Value, json};

use super::schema::{
    boolean, count, email, key_id, list, open_word, or_null, roles, time, user_id, uuid, word,
};
use super::{EventType, Member};
use crate::domain::{EndReason, UserStatus};

const USER: &str = "01a20ba5-8b63-7751-b30b-733a4758b26d";
const SESSION: &str = "01a20ba5-8cb7-7d02-8a6e-2f4c9b7d1e35";
const KEY: &str = "q5vTb1y0oXg7mN3rJ8kLz2wF6hD4cS9pE1aQxYuVtBs";
const PREVIOUS_KEY: &str = "Zk8Lr2mXw0Jq4nTbC7vYs1hG9dF5pE3aUoIyRtBxQwM";

#[expect(clippy::too_many_lines, reason = "a list of entries, each a few lines")]
pub(super) fn all() -> Vec<EventType> {
    vec![
        EventType {
            kind: "auth.user_created",
            version: 1,
            summary: "There is a new user.",
            when: "Somebody signed up, or an operator made the user. Always the first event of its user.",
            members: members([
                ("user_id", user_id()),
                ("email", email("As it was typed.")),
                (
                    "email_verified",
                    boolean("Whether somebody vouches for the address; false after a sign-up."),
                ),
                ("roles", roles("The roles that the user begins with.")),
            ]),
            example: json!({
                "user_id": USER, "email": "ada@example.com", "email_verified": false, "roles": ["user"],
            }),
        },
        EventType {
            kind: "auth.user_updated",
            version: 1,
            summary: "Something about the user changed that has no event of its own.",
            when: "An admin let a disabled user in again.",
            members: members([
                ("user_id", user_id()),
                (
                    "status",
                    word(
                        &[UserStatus::Active.as_str(), UserStatus::Disabled.as_str()],
                        "Whether the user can log in, from now on.",
                    ),
                ),
            ]),
            example: json!({ "user_id": USER, "status": "active" }),
        },
        EventType {
            kind: "auth.user_roles_changed",
            version: 1,
            summary: "The user holds other roles.",
            when: "An admin replaced them. Access tokens name the old ones until they expire.",
            members: members([
                ("user_id", user_id()),
                ("roles", roles("All roles that the user holds from now on.")),
            ]),
            example: json!({ "user_id": USER, "roles": ["billing:read", "user"] }),
        },
        EventType {
            kind: "auth.user_disabled",
            version: 1,
            summary: "The user cannot log in any more.",
            when: "An admin disabled the user. Every session has ended; `auth.session_revoked` follows if there was one.",
            members: members([("user_id", user_id())]),
            example: json!({ "user_id": USER }),
        },
        EventType {
            kind: "auth.user_deleted",
            version: 1,
            summary: "The user is gone for good.",
            when: "An admin deleted the user. Always the last event of its user: the id is never used again, though \
                   the address may sign up anew.",
            members: members([("user_id", user_id())]),
            example: json!({ "user_id": USER }),
        },
        EventType {
            kind: "auth.user_locked",
            version: 1,
            summary: "Too many wrong passwords: logins from unknown devices are refused for a while.",
            when: "A failed login that began a lock, or prolonged it. Devices that have logged in before go on. Unlocking \
                   causes no event.",
            members: members([
                ("user_id", user_id()),
                ("failures", count("Wrong passwords from unknown devices since the last success.")),
                (
                    "locked_until",
                    or_null(time("When unknown devices may try again; null: when an admin unlocks.")),
                ),
            ]),
            example: json!({ "user_id": USER, "failures": 10, "locked_until": "2026-11-24T03:43:08.22715Z" }),
        },
        EventType {
            kind: "auth.password_changed",
            version: 1,
            summary: "The user has another password.",
            when: "The user changed it, which ends the other sessions, or an admin reset it, which ends all. \
                   `auth.session_revoked` follows if there were any.",
            members: members([("user_id", user_id())]),
            example: json!({ "user_id": USER }),
        },
        EventType {
            kind: "auth.session_revoked",
            version: 1,
            summary: "Sessions ended before their time.",
            when: "A logout, an admin, a password change, or one login more than a user may have. Sessions that run \
                   out cause no event, nor does `keyward sessions end --all`. Access tokens of these sessions verify \
                   offline until they expire: whoever keeps something by `sid` drops it now.",
            members: members([
                ("user_id", user_id()),
                (
                    "session_ids",
                    list(&uuid("The `sid` of tokens."), "The sessions that ended; the `sid` of tokens."),
                ),
                ("reason", open_word(&EndReason::ALL.map(EndReason::as_str), "Why they ended.")),
            ]),
            example: json!({ "user_id": USER, "session_ids": [SESSION], "reason": "logout" }),
        },
        EventType {
            kind: "auth.refresh_token_reused",
            version: 1,
            summary: "A refresh token was presented that had been replaced: somebody holds a copy.",
            when: "The session has ended, so neither the thief nor the owner goes on with it. Worth an alarm when it \
                   happens often.",
            members: members([
                ("user_id", user_id()),
                ("session_id", uuid("The session that ended; the `sid` of tokens.")),
            ]),
            example: json!({ "user_id": USER, "session_id": SESSION }),
        },
        EventType {
            kind: "auth.signing_key_rotated",
            version: 1,
            summary: "Another key signs tokens from now on.",
            when: "The active key was due, an operator rotated it, or it was revoked. It is about no user, so the \
                   envelope has no `subject`. Verifiers need not listen: they look into the key set.",
            members: members([
                ("kid", key_id("The key that signs; RFC 7638 thumbprint.")),
                ("previous_kid", or_null(key_id("The key that signed before; null when none did."))),
            ]),
            example: json!({ "kid": KEY, "previous_kid": PREVIOUS_KEY }),
        },
    ]
}

fn members<const N: usize>(members: [(&'static str, Value); N]) -> Vec<Member> {
    members.into_iter().map(|(name, schema)| Member { name, schema }).collect()
}
