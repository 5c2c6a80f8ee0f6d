use std::sync::Arc;

use sqlx::Error as Sqlx;

/// What went wrong with the database, by what the caller can do about it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Try again later: away, restarting, out of connections or of disk, locked for too long.
    #[error("database unavailable: {0}")]
    Unavailable(#[source] Sqlx),
    /// Nobody answers there, or not in time.
    #[error("database at {address} does not answer: {reason}")]
    Unreachable { address: String, reason: String },
    /// No answer in time. Whether a write took effect is not known.
    #[error("database work {work:?} took too long")]
    Timeout { work: &'static str },
    /// Too much waits already; nothing was begun.
    #[error("too much database work {work:?} is waiting")]
    Busy { work: &'static str },
    /// One statement served several callers, and failed for all of them.
    #[error(transparent)]
    Shared(#[from] Arc<StoreError>),
    /// A statement is wrong, or a row holds what it cannot hold: a defect of ours.
    #[error("database: {0}")]
    Defect(#[source] Sqlx),
    #[error("column {column:?} holds what it cannot hold: {reason}")]
    Column { column: &'static str, reason: String },
    #[error("database work {work:?} stopped: {reason}")]
    Stopped { work: &'static str, reason: String },
}

impl StoreError {
    pub(super) fn column(column: &'static str, reason: &dyn std::fmt::Display) -> Self {
        Self::Column { column, reason: reason.to_string() }
    }

    pub(super) fn panicked(work: &'static str, error: &tokio::task::JoinError) -> Self {
        Self::Stopped { work, reason: error.to_string() }
    }

    /// Tells whether the database's role has no right to do this.
    #[must_use]
    pub fn forbidden(&self) -> bool {
        let Self::Defect(Sqlx::Database(error)) = self else { return false };
        error.code().as_deref() == Some(INSUFFICIENT_PRIVILEGE)
    }

    /// Tells whether trying again later can help.
    #[must_use]
    pub fn transient(&self) -> bool {
        match self {
            Self::Unavailable(_) | Self::Unreachable { .. } | Self::Timeout { .. } | Self::Busy { .. } => {
                true
            }
            Self::Shared(error) => error.transient(),
            Self::Defect(_) | Self::Column { .. } | Self::Stopped { .. } => false,
        }
    }
}

impl From<Sqlx> for StoreError {
    fn from(error: Sqlx) -> Self {
        let transient = match &error {
            Sqlx::Io(_)
            | Sqlx::Tls(_)
            | Sqlx::Protocol(_)
            | Sqlx::PoolTimedOut
            | Sqlx::PoolClosed
            | Sqlx::WorkerCrashed => true,
            Sqlx::Database(database) => database.code().is_some_and(|code| transient_code(&code)),
            _ => false,
        };
        if transient { Self::Unavailable(error) } else { Self::Defect(error) }
    }
}

/// SQLite's primary result codes that pass by themselves (<https://sqlite.org/rescode.html>).
const BUSY: u32 = 5;
const LOCKED: u32 = 6;
const IOERR: u32 = 10;
const FULL: u32 = 13;
const CANTOPEN: u32 = 14;

/// SQLSTATE: `GRANT` is what helps.
const INSUFFICIENT_PRIVILEGE: &str = "42501";

/// An operator lets nobody connect for a while (`ALTER DATABASE … ALLOW_CONNECTIONS false`).
const CLOSED_DATABASE: &str = "55000";

/// SQLSTATE classes on PostgreSQL (five characters), primary result codes on SQLite (a number).
fn transient_code(code: &str) -> bool {
    if code.len() == 5 && !code.starts_with('-') {
        return matches!(code.get(..2), Some("08" | "40" | "53" | "57" | "58"))
            || matches!(code, "55P03" | "25006" | "25P03" | CLOSED_DATABASE);
    }
    code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, BUSY | LOCKED | IOERR | FULL | CANTOPEN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_that_pass_by_themselves() {
        for code in
            ["08006", "57P01", "53300", "40P01", "55P03", "25006", "55000", "5", "6", "13", "10", "522"]
        {
            assert!(transient_code(code), "{code}");
        }
        for code in ["23505", "42P01", "22001", "1", "19", "2067"] {
            assert!(!transient_code(code), "{code}");
        }
        assert!(StoreError::from(Sqlx::PoolTimedOut).transient());
        assert!(!StoreError::from(Sqlx::RowNotFound).transient());
    }
}
