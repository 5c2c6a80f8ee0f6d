pub mod clock;
pub mod crypto;
pub mod domain;
pub mod random;
pub mod store;
