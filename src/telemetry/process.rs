//! The process as Linux sees it, under the names that every Prometheus client gives it. Elsewhere there is nothing.

use std::fmt::Write as _;
use std::fs;

use super::{
    Kind, Metric, PROCESS_CPU, PROCESS_FDS, PROCESS_FDS_MAX, PROCESS_RESIDENT, PROCESS_START,
    PROCESS_THREADS, PROCESS_VIRTUAL,
};

/// `USER_HZ`, which is this on every architecture that Linux still has (proc(5)).
const TICKS_PER_SECOND: f64 = 100.0;

pub(super) fn render() -> String {
    let read = |name: &str| fs::read_to_string(format!("/proc/{name}")).unwrap_or_default();
    let (status, stat, limits, system) =
        (read("self/status"), read("self/stat"), read("self/limits"), read("stat"));
    let fds = fs::read_dir("/proc/self/fd").ok().and_then(|open| u32::try_from(open.count()).ok());
    let kilobytes = |name: &str| after(&status, name).map(|kilobytes| kilobytes * 1024.0);
    let values = [
        // The counting opens one more.
        (PROCESS_FDS, fds.map(|open| f64::from(open.saturating_sub(1)))),
        (PROCESS_FDS_MAX, after(&limits, "Max open files")),
        (PROCESS_RESIDENT, kilobytes("VmRSS:")),
        (PROCESS_VIRTUAL, kilobytes("VmSize:")),
        (PROCESS_THREADS, after(&status, "Threads:")),
        (PROCESS_CPU, ticks(&stat, 14).zip(ticks(&stat, 15)).map(|(user, system)| user + system)),
        (PROCESS_START, after(&system, "btime").zip(ticks(&stat, 22)).map(|(boot, since)| boot + since)),
    ];
    let mut text = String::new();
    for (metric, value) in values {
        if let Some(value) = value {
            write_metric(&mut text, &metric, value);
        }
    }
    text
}

fn write_metric(text: &mut String, Metric { name, kind, help, .. }: &Metric, value: f64) {
    let kind = if *kind == Kind::Counter { "counter" } else { "gauge" };
    // Writing to a text does not fail.
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n");
}

/// The number behind a word at the beginning of a line.
fn after(text: &str, word: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(word)?.split_whitespace().next()?.parse().ok())
}

/// Seconds of a field of `/proc/self/stat`, counted from one; the second may hold spaces and ends with a bracket.
fn ticks(stat: &str, field: usize) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let ticks: f64 = rest.split_whitespace().nth(field.checked_sub(3)?)?.parse().ok()?;
    Some(ticks / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_behind_a_name_with_spaces() {
        let stat = "7 (a b) c) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 8 0 1200 0 0";
        assert_eq!((ticks(stat, 14), ticks(stat, 15), ticks(stat, 22)), (Some(2.5), Some(0.5), Some(12.0)));
        assert_eq!(after("VmSize:\t 12 kB\nVmRSS:\t   7 kB", "VmRSS:"), Some(7.0));
        assert_eq!(ticks("", 14), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_has_memory_and_began_some_time_ago() {
        let text = render();
        for metric in [PROCESS_FDS, PROCESS_RESIDENT, PROCESS_CPU, PROCESS_START, PROCESS_THREADS] {
            let line = text.lines().find(|line| line.starts_with(&format!("{} ", metric.name)));
            let value: f64 = line.unwrap().rsplit(' ').next().unwrap().parse().unwrap();
            assert!(value >= 0.0, "{line:?}");
        }
    }
}
