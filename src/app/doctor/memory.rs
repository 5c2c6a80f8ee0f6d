//! What password hashes take at most, against what this process may have.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Fault, Finding};
use crate::config::Argon2Settings;

/// What a server takes without its hashes, rounded up.
const BASE_KIB: u64 = 64 * 1024;
/// Beyond so much of the limit there is no room for a busy hour.
const FULL_PERCENT: u64 = 80;
const CODE: &str = "memory.hashes";

pub(super) fn look(argon2: &Argon2Settings) -> Option<Finding> {
    Some(judge(argon2, &limit(Path::new("/"))?))
}

/// The least of what limits memory, and who says so.
#[derive(Debug, PartialEq, Eq)]
struct Limit {
    kib: u64,
    whose: &'static str,
}

fn judge(argon2: &Argon2Settings, limit: &Limit) -> Finding {
    let threads = u64::try_from(argon2.threads).unwrap_or(u64::MAX);
    let hashes = threads.saturating_mul(u64::from(argon2.memory_kib));
    let needed = hashes.saturating_add(BASE_KIB);
    let meaning = format!(
        "{threads} hashes at a time with {} MiB each and {} MiB for the rest are {} MiB, and {} is {} MiB",
        argon2.memory_kib / 1024,
        BASE_KIB / 1024,
        needed / 1024,
        limit.whose,
        limit.kib / 1024
    );
    let advice = "lower argon2.threads, which costs logins a second, or give it more memory; lower argon2.memory_kib last";
    if needed > limit.kib {
        return Finding::problem(
            CODE,
            Fault::Configuration,
            meaning + ": a burst of logins gets it killed",
            advice,
        );
    }
    if needed.saturating_mul(100) > limit.kib.saturating_mul(FULL_PERCENT) {
        return Finding::warning(CODE, meaning + ": little is left", advice);
    }
    Finding::ok(CODE, meaning)
}

/// Looks below `root` as Linux shows it: the machine's memory, and the limits of the control group that this process is
/// in and of those around it, in version 2 or 1.
fn limit(root: &Path) -> Option<Limit> {
    let machine = machine_kib(root).map(|kib| Limit { kib, whose: "the memory of this machine" });
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let limits = groups.lines().flat_map(|line| group_kib(root, line)).min();
    let group = limits.map(|kib| Limit { kib, whose: "the memory limit of this container or service" });
    machine.into_iter().chain(group).min_by_key(|limit| limit.kib)
}

fn machine_kib(root: &Path) -> Option<u64> {
    let text = fs::read_to_string(root.join("proc/meminfo")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.parse().ok())
}

/// Reads a line `ID:CONTROLLERS:PATH` of `/proc/self/cgroup` (cgroups(7)).
fn group_kib(root: &Path, line: &str) -> Vec<u64> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { return Vec::new() };
    let (base, file) = match controllers {
        "" => ("sys/fs/cgroup", "memory.max"),
        _ if controllers.split(',').any(|one| one == "memory") => {
            ("sys/fs/cgroup/memory", "memory.limit_in_bytes")
        }
        _ => return Vec::new(),
    };
    let base = root.join(base);
    // In a container the path is that of the host and may not be there; its own limit is then that of the base.
    let own = PathBuf::from(path.trim_start_matches('/'));
    let around = own.ancestors().map(|part| base.join(part).join(file));
    // Without a limit it is `max`, or a number beyond all memory.
    around
        .filter_map(|file| fs::read_to_string(file).ok()?.trim().parse::<u64>().ok())
        .map(|bytes| bytes / 1024)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::Level;
    use super::*;

    fn argon2(threads: usize) -> Argon2Settings {
        let queue_timeout = Duration::from_secs(1);
        Argon2Settings {
            memory_kib: 19_456,
            iterations: 2,
            parallelism: 1,
            threads,
            queue: 64,
            queue_timeout,
        }
    }

    #[test]
    fn hashes_are_held_against_the_limit() {
        let of = |threads| judge(&argon2(threads), &Limit { kib: 512 * 1024, whose: "the limit" });
        assert_eq!(of(4).level, Level::Ok);
        assert_eq!(of(20).level, Level::Warning);
        let killed = of(64);
        assert_eq!((killed.level, killed.fault), (Level::Problem, Some(Fault::Configuration)));
        assert!(killed.meaning.contains("64 hashes") && killed.meaning.contains("1280 MiB"), "{killed:?}");
    }

    #[test]
    fn the_tightest_limit_counts() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let kib = || limit(root.path()).map(|limit| limit.kib);
        assert_eq!(kib(), None, "where nothing says so");
        write("proc/meminfo", "MemFree: 5 kB\nMemTotal:        8000000 kB\n");
        assert_eq!(kib(), Some(8_000_000));
        // Version 2: a slice around the service is the tighter one.
        write("proc/self/cgroup", "0::/a.slice/b.service\n");
        write("sys/fs/cgroup/a.slice/b.service/memory.max", "max\n");
        assert_eq!(kib(), Some(8_000_000));
        write("sys/fs/cgroup/a.slice/memory.max", "1048576000\n");
        assert_eq!(kib(), Some(1_024_000));
        write("sys/fs/cgroup/a.slice/b.service/memory.max", "536870912\n");
        assert_eq!(kib(), Some(524_288));
        // Version 1, where the path of the host is not to be seen inside.
        write("proc/self/cgroup", "4:cpu,cpuacct:/x\n9:memory:/docker/abc\n0::/\n");
        write("sys/fs/cgroup/memory/memory.limit_in_bytes", "268435456\n");
        assert_eq!(kib(), Some(262_144));
        write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
        assert_eq!(kib(), Some(8_000_000));
    }
}
