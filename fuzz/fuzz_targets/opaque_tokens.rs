//! Refresh tokens, device tokens and cursors: what was minted is good in one spelling, and nothing
//! near it or of another kind is.
#![no_main]

use std::sync::LazyLock;

use keyward::crypto::{Cursors, DeviceTokens, PresentedDevice, RefreshTokens};
use keyward::domain::{DeviceId, Epoch, Generation, Handle, Timestamp, UserId};
use keyward_fuzz::{edited, keyring, take};
use libfuzzer_sys::fuzz_target;
use uuid::Uuid;

const USER: UserId = UserId::new(Uuid::from_bytes([3; 16]));
const EPOCH: Epoch = Epoch(5);
const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);
const LATER: Timestamp = Timestamp::from_micros(1_800_000_000_000_001);

static REFRESH: LazyLock<RefreshTokens> = LazyLock::new(|| RefreshTokens::new(&keyring(), 0));
static DEVICES: LazyLock<DeviceTokens> = LazyLock::new(|| DeviceTokens::new(&keyring()));
static CURSORS: LazyLock<Cursors> = LazyLock::new(|| Cursors::new(&keyring()));

fuzz_target!(|input: &[u8]| {
    if let Ok(text) = std::str::from_utf8(input) {
        accepted(text);
    }
    let mut edits = input;
    let (id, generation) = (take(&mut edits), Generation(u32::from_be_bytes(take(&mut edits))));
    let refresh = REFRESH.mint(REFRESH.current_key(), Handle(id), generation).expect("a key");
    let device = DEVICES.mint(DeviceId(id), USER, EPOCH, NOW).expect("a key");
    let cursor = CURSORS.mint("users", Uuid::from_bytes(id), LATER);
    for (kind, token) in [(0, refresh.expose()), (1, device.expose()), (2, &cursor)] {
        let only: [bool; 3] = std::array::from_fn(|other| other == kind);
        assert_eq!(accepted(token), only);
        let other = edited(token, edits);
        assert_eq!(accepted(&other), if other == token { only } else { [false; 3] }, "{other}");
    }
    let presented = REFRESH.parse(refresh.expose()).expect("minted here");
    assert!(presented.handle.0 == id && presented.generation == generation);
    assert_eq!(CURSORS.parse("users", &cursor, NOW), Ok(Uuid::from_bytes(id)));
    assert!(CURSORS.parse("user", &cursor, NOW).is_err() && CURSORS.parse("users", &cursor, LATER).is_err());
});

/// As which of the three a text counts.
fn accepted(text: &str) -> [bool; 3] {
    let device = PresentedDevice::parse(text);
    [
        REFRESH.parse(text).is_ok(),
        device.is_some_and(|device| DEVICES.known(&device, USER, EPOCH, NOW)),
        CURSORS.parse("users", text, NOW).is_ok(),
    ]
}
