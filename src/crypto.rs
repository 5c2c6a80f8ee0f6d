//! Keys and what is done with them: the master keys and their derivations, refresh-token MACs,
//! sealing, JWT signing, password hashing.

mod cursor;
mod hash_pool;
mod keyring;
mod refresh_token;
mod signing;

pub use cursor::{Cursors, InvalidCursor};
pub use hash_pool::{HashError, HashPool, HashSettings, Verified};
pub use keyring::{Keyring, MasterKey, SealError};
pub use refresh_token::{ForgedToken, RefreshToken, RefreshTokens};
pub use signing::{SigningError, SigningKey, SigningKeys};
