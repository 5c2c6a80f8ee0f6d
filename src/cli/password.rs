use std::fmt::Write as _;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::{Exit, SettingFlags, print};
use crate::app::{HashCost, hash_cost};
use crate::config::{Argon2Settings, parse_duration, strong_argon2};

/// Memory that is tried, in KiB: what OWASP names, and doublings.
const MEMORIES: [u32; 7] = [19_456, 47_104, 65_536, 131_072, 262_144, 524_288, 1_048_576];
/// As many as the setting allows.
const ITERATIONS_MAX: u32 = 64;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Measure this machine and suggest settings for [argon2]; run it where the server is to run
    Calibrate {
        /// How long one login may take to hash
        #[arg(long, default_value = "250ms", value_name = "DURATION", value_parser = parse_duration)]
        target: Duration,
        /// What all threads together may take, in MiB
        #[arg(long, default_value_t = 256, value_name = "MIB")]
        memory: u32,
    },
}

pub(super) async fn run(flags: &SettingFlags, arguments: Arguments) -> Result<(), Exit> {
    let (settings, _) = flags.load()?;
    let Action::Calibrate { target, memory } = arguments.action;
    let machine = Machine { argon2: settings.argon2, target, memory };
    let now = machine.cost(machine.argon2.memory_kib, machine.argon2.iterations).await?;
    let mut rows = Vec::new();
    for memory_kib in MEMORIES {
        if machine.resident_mib(memory_kib) > memory.into() {
            break;
        }
        rows.extend(machine.most_iterations(memory_kib).await?);
    }
    print(&machine.report(now, &rows));
    Ok(())
}

struct Machine {
    argon2: Argon2Settings,
    target: Duration,
    memory: u32,
}

impl Machine {
    async fn cost(&self, memory_kib: u32, iterations: u32) -> Result<HashCost, Exit> {
        let Argon2Settings { parallelism, threads, .. } = self.argon2;
        Ok(hash_cost(memory_kib, iterations, parallelism, threads).await?)
    }

    /// Finds how many passes over so much memory fit into the target; `None` when that would be weak.
    async fn most_iterations(&self, memory_kib: u32) -> Result<Option<HashCost>, Exit> {
        let two = self.cost(memory_kib, 2).await?;
        let fitting = self.target.as_secs_f64() / (two.time.as_secs_f64() / 2.0);
        let mut iterations = (1..=ITERATIONS_MAX).rev().find(|n| f64::from(*n) <= fitting).unwrap_or(0);
        while strong_argon2(memory_kib, iterations) {
            let cost = self.cost(memory_kib, iterations).await?;
            if cost.time <= self.target {
                return Ok(Some(cost));
            }
            iterations -= 1;
        }
        Ok(None)
    }

    fn resident_mib(&self, memory_kib: u32) -> u64 {
        u64::from(memory_kib) * u64::try_from(self.argon2.threads).unwrap_or(u64::MAX) / 1_024
    }

    fn report(&self, now: HashCost, rows: &[HashCost]) -> String {
        let mut text = format!(
            "argon2id on {} threads at a time. One login may take {:?}, all threads together {} MiB.\n\n\
             {:10} {:>12} {:>12} {:>10} {:>10} {:>10}\n",
            self.argon2.threads,
            self.target,
            self.memory,
            "",
            "memory_kib",
            "iterations",
            "time",
            "logins/s",
            "memory",
        );
        let labelled = rows.iter().map(|row| ("possible", row)).chain([("as it is", &now)]);
        for (label, HashCost { memory_kib, iterations, time, per_second }) in labelled {
            let _ = writeln!(
                text,
                "{label:10} {memory_kib:>12} {iterations:>12} {:>7} ms {per_second:>10.1} {:>6} MiB",
                time.as_millis(),
                self.resident_mib(*memory_kib),
            );
        }
        match rows.last() {
            // RFC 9106 §4: as much memory as can be afforded, then as many passes as there is time.
            Some(HashCost { memory_kib, iterations, .. }) => {
                let _ = write!(
                    text,
                    "\nSuggested, the most memory:\n\n[argon2]\nmemory_kib = {memory_kib}\niterations = {iterations}\n"
                );
            }
            None => text.push_str(
                "\nNothing as strong as OWASP advises fits. Give --target or --memory more room, or take fewer threads.\n",
            ),
        }
        text
    }
}
