//! What a process has used, as Linux tells it.

use std::fs;

use crate::Outcome;

/// Fixed for what the kernel shows to programs, whatever its own clock does.
const TICKS_PER_SECOND: f64 = 100.0;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Process(pub(crate) u32);

impl Process {
    /// Returns the seconds that its threads have spent on a core.
    pub(crate) fn cpu_seconds(self) -> Outcome<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0))?;
        // The name in parentheses may hold anything; after it, user time is the twelfth field.
        let (_, fields) = stat.rsplit_once(')').ok_or("an unusual /proc/PID/stat")?;
        let ticks: Result<Vec<f64>, _> = fields.split_whitespace().skip(11).take(2).map(str::parse).collect();
        Ok(ticks?.iter().sum::<f64>() / TICKS_PER_SECOND)
    }

    pub(crate) fn resident_mib(self) -> Outcome<f64> {
        self.memory_mib("VmRSS:")
    }

    /// Returns the most that was ever resident.
    pub(crate) fn peak_mib(self) -> Outcome<f64> {
        self.memory_mib("VmHWM:")
    }

    fn memory_mib(self, line: &str) -> Outcome<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0))?;
        let kib = status
            .lines()
            .find_map(|found| found.strip_prefix(line)?.trim().strip_suffix(" kB"))
            .ok_or("an unusual /proc/PID/status")?;
        Ok(kib.parse::<f64>()? / 1_024.0)
    }
}
