//! The vocabulary of Keyward: types that are valid once they exist, and decisions as pure
//! functions that take `now`. Nothing here waits, stores or speaks HTTP.

mod audit;
mod audit_filter;
mod blocklist;
mod caller;
mod client;
mod email;
mod event;
mod event_filter;
mod family;
mod ids;
mod key_id;
mod lock;
mod password;
mod roles;
mod session;
mod signing_key;
mod timestamp;
mod user;

pub use audit::{AuditEntry, AuditRecord, Outcome, SecurityEvent, UnknownSecurityEvent};
pub use audit_filter::AuditFilter;
pub use caller::{Caller, Origin};
pub use client::{ClientId, ClientIdError};
pub use email::{Email, EmailError};
pub use event::{Event, PendingEvent};
pub use event_filter::EventFilter;
pub use family::{EndReason, Family, FamilyLimits, Generation, Handle, PresentedToken, Verdict, judge};
pub use ids::{AuditId, EventId, SessionId, UserId};
pub use key_id::KeyId;
pub use lock::{DeviceId, Failures, LockEnd, LockRules, Pool};
pub use password::{NewPassword, Password, PasswordFlaw, PasswordPolicy};
pub use roles::{Role, RoleError, Roles};
pub use session::Session;
pub use signing_key::{KeyStage, KeyState, KeyStep, Kid, RotationRules, due_at, next_step, promotable_at};
pub use timestamp::{NoTime, Timestamp};
pub use user::{Epoch, User, UserFilter, UserStatus};
