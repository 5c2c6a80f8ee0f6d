use std::collections::BTreeMap;

use serde_json::Value;

/// Asserts that each user's events came in the order in which they happened; repeats do not count.
pub fn assert_in_order<'a>(envelopes: impl IntoIterator<Item = &'a Value>) {
    let mut last: BTreeMap<&str, u64> = BTreeMap::new();
    for envelope in envelopes {
        let subject = envelope["subject"].as_str().unwrap_or_default();
        let sequence: u64 = envelope["sequence"].as_str().unwrap().parse().unwrap();
        let last = last.entry(subject).or_default();
        assert!(sequence <= *last + 1, "{subject}: {sequence} after {last}");
        *last = sequence.max(*last);
    }
}
