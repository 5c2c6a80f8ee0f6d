//! How each type of the domain is stored on each database; nothing else knows.

use std::net::IpAddr;

use sqlx::{Decode, Encode, Postgres, Sqlite, Type};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::{
    AuditId, ClientId, EndReason, Epoch, EventId, Generation, Handle, KeyId, KeyState, Kid, Origin, Outcome,
    Roles, SessionId, Timestamp, UserId, UserStatus,
};

/// A type that fits in one column.
pub trait Column: Sized {
    type Sqlite: for<'q> Encode<'q, Sqlite> + for<'r> Decode<'r, Sqlite> + Type<Sqlite>;
    type Postgres: for<'q> Encode<'q, Postgres> + for<'r> Decode<'r, Postgres> + Type<Postgres>;

    fn to_sqlite(self) -> Self::Sqlite;
    fn to_postgres(self) -> Self::Postgres;
    fn from_sqlite(stored: Self::Sqlite) -> Result<Self, String>;
    fn from_postgres(stored: Self::Postgres) -> Result<Self, String>;
}

/// Stores a type the same way on both databases.
macro_rules! stored {
    ($type:ty as $stored:ty, $to:expr, $from:expr) => {
        impl Column for $type {
            type Sqlite = $stored;
            type Postgres = $stored;

            fn to_sqlite(self) -> $stored {
                ($to)(self)
            }

            fn to_postgres(self) -> $stored {
                ($to)(self)
            }

            fn from_sqlite(stored: $stored) -> Result<Self, String> {
                ($from)(stored)
            }

            fn from_postgres(stored: $stored) -> Result<Self, String> {
                ($from)(stored)
            }
        }
    };
}

stored!(i64 as i64, |value| value, Ok);
stored!(u32 as i64, i64::from, |number: i64| u32::try_from(number).map_err(|e| e.to_string()));
stored!(bool as bool, |value| value, Ok);
stored!(String as String, |value| value, Ok);
stored!(Vec<u8> as Vec<u8>, |value| value, Ok);
stored!(Uuid as Uuid, |value| value, Ok);
stored!(UserId as Uuid, UserId::uuid, |uuid| Ok(UserId::new(uuid)));
stored!(SessionId as Uuid, SessionId::uuid, |uuid| Ok(SessionId::new(uuid)));
stored!(EventId as Uuid, EventId::uuid, |uuid| Ok(EventId::new(uuid)));
stored!(AuditId as Uuid, AuditId::uuid, |uuid| Ok(AuditId::new(uuid)));
stored!(Epoch as i64, |epoch: Epoch| epoch.0, |number| Ok(Epoch(number)));
stored!(KeyId as i64, |key: KeyId| i64::from(key.0), |number: i64| {
    u32::try_from(number).map(KeyId).map_err(|e| e.to_string())
});
stored!(Generation as i64, |generation: Generation| i64::from(generation.0), |number: i64| {
    u32::try_from(number).map(Generation).map_err(|e| e.to_string())
});
stored!(Handle as Vec<u8>, |handle: Handle| handle.0.to_vec(), |bytes: Vec<u8>| {
    bytes.try_into().map(Handle).map_err(|_| "not 16 bytes".to_owned())
});
stored!(IpAddr as String, |ip: IpAddr| ip.to_string(), |text: String| {
    text.parse().map_err(|_| "not an address".to_owned())
});
stored!(Roles as String, |roles: Roles| roles.to_words(), |words: String| {
    Roles::from_words(&words).map_err(|e| e.to_string())
});
stored!(UserStatus as String, |status: UserStatus| status.as_str().to_owned(), |text: String| {
    text.parse().map_err(|_| "not a status".to_owned())
});
stored!(ClientId as String, |id: ClientId| id.to_string(), |text: String| {
    text.parse().map_err(|_| "not a client id".to_owned())
});
stored!(Kid as String, |kid: Kid| kid.as_str().to_owned(), |text: String| {
    Kid::parse(&text).ok_or_else(|| "not a key id".to_owned())
});
stored!(KeyState as String, |state: KeyState| state.as_str().to_owned(), |text: String| {
    KeyState::parse(&text).ok_or_else(|| "not a state".to_owned())
});
stored!(Outcome as String, |outcome: Outcome| outcome.as_str().to_owned(), |text: String| {
    Outcome::parse(&text).ok_or_else(|| "not an outcome".to_owned())
});
stored!(Origin as String, |origin: Origin| origin.as_str().to_owned(), |text: String| {
    Origin::parse(&text).ok_or_else(|| "not an origin".to_owned())
});
stored!(EndReason as String, |reason: EndReason| reason.as_str().to_owned(), |text: String| {
    EndReason::parse(&text).ok_or_else(|| "not a reason".to_owned())
});

/// Integer microseconds on SQLite: its text forms do not sort. `timestamptz` on PostgreSQL.
impl Column for Timestamp {
    type Sqlite = i64;
    type Postgres = OffsetDateTime;

    fn to_sqlite(self) -> i64 {
        self.micros()
    }

    fn to_postgres(self) -> OffsetDateTime {
        self.to_offset_date_time()
    }

    fn from_sqlite(stored: i64) -> Result<Self, String> {
        Ok(Self::from_micros(stored))
    }

    fn from_postgres(stored: OffsetDateTime) -> Result<Self, String> {
        Ok(stored.into())
    }
}
