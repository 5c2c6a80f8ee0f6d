use std::time::Duration;

use reqwest::header::{AGE, CACHE_CONTROL, HeaderMap};

/// Without a word from the issuer; what Keyward itself says by default.
const UNSAID: Duration = Duration::from_secs(5 * 60);
/// An issuer that says less is not asked for every request all the same.
const LEAST: Duration = Duration::from_secs(10);
/// An issuer that says more would keep a revoked key alive for longer.
const MOST: Duration = Duration::from_secs(24 * 60 * 60);

/// Reads for how long an answer may be used (RFC 9111 §4.2.1), within bounds.
pub(super) fn fresh_for(headers: &HeaderMap) -> Duration {
    let age = headers.get(AGE).and_then(|value| seconds(value.to_str().ok()?)).unwrap_or_default();
    said(headers).unwrap_or(UNSAID).saturating_sub(age).clamp(LEAST, MOST)
}

fn said(headers: &HeaderMap) -> Option<Duration> {
    let values = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let mut max_age = None;
    for directive in values.flat_map(|value| value.split(',')) {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        match name.trim().to_ascii_lowercase().as_str() {
            "no-store" | "no-cache" => return Some(Duration::ZERO),
            // What cannot be understood is stale (RFC 9111 §4.2.1), and of two the shorter holds.
            "max-age" => {
                let read = seconds(value.trim().trim_matches('"')).unwrap_or_default();
                max_age = Some(max_age.map_or(read, |other: Duration| other.min(read)));
            }
            _ => {}
        }
    }
    max_age
}

fn seconds(text: &str) -> Option<Duration> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // More than 2^64 seconds is for ever.
    digits.then(|| Duration::from_secs(text.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(headers: &[(&'static str, &'static str)]) -> u64 {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        fresh_for(&map).as_secs()
    }

    #[test]
    fn max_age_counts_within_bounds() {
        for (value, expected) in [
            ("public, max-age=300", 300),
            ("MAX-AGE=60", 60),
            ("max-age = \"60\"", 60),
            ("s-maxage=9, max-age=600, must-revalidate", 600),
            ("max-age=600, max-age=60", 60),
            ("max-age=0", 10),
            ("max-age=9", 10),
            ("max-age=-1", 10),
            ("max-age=soon", 10),
            ("max-age", 10),
            ("max-age=600, no-cache", 10),
            ("no-store", 10),
            ("max-age=86401", 86_400),
            ("max-age=99999999999999999999999999", 86_400),
            ("public", 300),
            ("", 300),
        ] {
            assert_eq!(of(&[("cache-control", value)]), expected, "{value}");
        }
        assert_eq!(of(&[]), 300);
        assert_eq!(of(&[("cache-control", "public"), ("cache-control", "max-age=20")]), 20);
    }

    #[test]
    fn time_spent_in_a_cache_on_the_way_is_taken_off() {
        assert_eq!(of(&[("cache-control", "max-age=300"), ("age", "100")]), 200);
        assert_eq!(of(&[("cache-control", "max-age=300"), ("age", "400")]), 10);
        assert_eq!(of(&[("cache-control", "max-age=300"), ("age", "?")]), 300);
    }
}
