use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Timestamp;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            pub const MIN: Self = Self(Uuid::nil());
            /// Above every identifier that was made.
            pub const MAX: Self = Self(Uuid::max());

            /// Returns the least identifier that can have been made at this time: `UUIDv7` begins with milliseconds
            /// (RFC 9562 §5.7).
            #[must_use]
            pub fn first_at(time: Timestamp) -> Self {
                let millis = u128::try_from(time.micros() / 1_000).unwrap_or(0);
                Self(Uuid::from_u128((millis & 0xffff_ffff_ffff) << 80))
            }

            #[must_use]
            pub const fn new(uuid: Uuid) -> Self {
                Self(uuid)
            }

            #[must_use]
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    };
}

id!(
    /// A user; the `sub` claim. Never used again after a deletion.
    UserId
);
id!(
    /// A session, which is one family of refresh tokens; the `sid` claim.
    SessionId
);
id!(
    /// An event in the outbox; the `id` of its CloudEvents envelope, the same on every retry.
    EventId
);
id!(
    /// A row of the audit log.
    AuditId
);
