//! Durations (`10s`, `15m`, `7d`) and rates (`10/min`).

use std::time::Duration;

use super::problem::Mistake;

/// So many in such a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    pub count: u32,
    pub per: Duration,
}

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// Reads a duration outside the settings; `Err` says what to write instead.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    duration(text).map_err(|Mistake { message, fix }| format!("{message}: {fix}"))
}

/// Reads a whole number with one of `ms s m h d`; at most ten years, so that no sum with a timestamp overflows.
pub(super) fn duration(text: &str) -> Result<Duration, Mistake> {
    const FIX: &str = "write a whole number with a unit: 500ms, 10s, 15m, 1h or 7d";
    const MOST: Duration = Duration::from_hours(3_650 * 24);
    let unknown = || Mistake::new(format!("{text:?} is not a duration"), FIX);

    let (digits, unit) = split(text);
    let number: u32 = digits.parse().map_err(|_| unknown())?;
    let unit = match unit {
        "ms" => Duration::from_millis(1),
        "s" => SECOND,
        "m" => MINUTE,
        "h" => HOUR,
        "d" => DAY,
        "" => {
            return Err(Mistake::new(
                format!("{text:?} has no unit"),
                format!(
                    "write {text}s for seconds, {text}m for minutes, {text}h for hours or {text}d for days"
                ),
            ));
        }
        _ => return Err(unknown()),
    };
    unit.checked_mul(number)
        .filter(|duration| *duration <= MOST)
        .ok_or_else(|| Mistake::new(format!("{text:?} is more than ten years"), "write at most 3650d"))
}

/// Reads a count of at least 1 and one of `/s /min /h /d`.
pub(super) fn rate(text: &str) -> Result<Rate, Mistake> {
    const FIX: &str = "write a count and a time: 5/s, 10/min, 20/h or 100/d";
    let unknown = || Mistake::new(format!("{text:?} is not a rate"), FIX);

    let (count, unit) = text.split_once('/').ok_or_else(unknown)?;
    let count = count.trim();
    if !count.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(unknown());
    }
    let count: u32 = count.parse().map_err(|_| unknown())?;
    let per = match unit.trim() {
        "s" => SECOND,
        "min" => MINUTE,
        "h" => HOUR,
        "d" => DAY,
        _ => return Err(unknown()),
    };
    if count == 0 {
        return Err(Mistake::new(
            format!("{text:?} lets nobody through"),
            "write at least 1; limits.enabled = false turns all limits off",
        ));
    }
    Ok(Rate { count, per })
}

fn split(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_carry_a_unit() {
        for (text, millis) in [
            ("500ms", 500),
            ("10s", 10_000),
            ("15m", 900_000),
            ("1h", 3_600_000),
            ("7d", 604_800_000),
            ("0s", 0),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)));
        }
        let bare = duration("30").unwrap_err();
        assert!(bare.message.contains("no unit") && bare.fix.contains("30s"));
        for text in ["", "s", "1.5h", "-1s", "+1s", "1h30m", "1 s", "10 min", "4294967296s", "3651d"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn rates_count_per_time() {
        let per = |count, per| Ok(Rate { count, per });
        assert_eq!(rate("10/min"), per(10, MINUTE));
        assert_eq!(rate("20/h"), per(20, HOUR));
        assert_eq!(rate("5/s"), per(5, SECOND));
        assert_eq!(rate("5 / s"), per(5, SECOND));
        for text in ["", "10", "10/", "/min", "0/s", "10/m", "+1/s", "10/min/s", "1.5/s"] {
            assert!(rate(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parsers_panic(text in "\\PC{0,12}") {
            let _ = (duration(&text), rate(&text));
        }
    }
}
