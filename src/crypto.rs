//! Keys and what is done with them: the master keys and their derivations, MACs of tokens,
//! sealing, JWT signing, password hashing.

mod cursor;
mod device_token;
mod hash_pool;
mod keyring;
mod refresh_token;
mod signing;

pub use cursor::{Cursors, InvalidCursor};
pub use device_token::{DeviceToken, DeviceTokens, PresentedDevice};
pub use hash_pool::{HashError, HashPool, HashSettings, Place, Verified};
pub use keyring::{Keyring, MasterKey, SealError};
pub use refresh_token::{ForgedToken, RefreshToken, RefreshTokens};
pub use signing::{SigningError, SigningKey, SigningKeys};
