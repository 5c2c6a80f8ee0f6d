//! What was measured: printed as it comes, and kept as JSON for the page that is made of it.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;
use std::time::Duration;

use keyward::clock::Clock;
use serde::{Deserialize, Serialize};

use crate::Outcome;
use crate::machine::Machine;

#[derive(Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) name: String,
    pub(crate) date: String,
    pub(crate) machine: Option<Machine>,
    pub(crate) sides: Vec<Side>,
    pub(crate) figures: Vec<Figure>,
}

/// One thing that is measured in every round.
#[derive(Serialize, Deserialize)]
pub(crate) struct Side {
    pub(crate) name: String,
    pub(crate) unit: String,
    pub(crate) rounds: Vec<Round>,
}

#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Round {
    pub(crate) value: f64,
    pub(crate) latency: Option<Percentiles>,
    /// How many answers had which status.
    pub(crate) answers: BTreeMap<u16, u64>,
    /// Of the server.
    pub(crate) cpu_seconds: Option<f64>,
    pub(crate) resident_mib: Option<f64>,
}

/// In milliseconds.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Percentiles {
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
}

/// What the sides come to, and what the design asks for.
#[derive(Serialize, Deserialize)]
pub(crate) struct Figure {
    pub(crate) what: String,
    pub(crate) value: f64,
    pub(crate) unit: String,
    pub(crate) goal: Option<Bound>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) enum Bound {
    AtLeast(f64),
    AtMost(f64),
    Below(f64),
}

impl Report {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            date: Clock::System.now().to_string().chars().take(10).collect(),
            machine: None,
            sides: Vec::new(),
            figures: Vec::new(),
        }
    }

    pub(crate) fn read(folder: &Path, name: &str) -> Outcome<Self> {
        let path = folder.join(name).with_extension("json");
        let text = fs::read_to_string(path).map_err(|error| format!("{name}.json: {error}"))?;
        Ok(serde_json::from_str(&text)?)
    }

    /// Adds what a round has measured.
    pub(crate) fn add(&mut self, side: &str, unit: &str, round: Round) {
        println!("{side:<50} {round_value:>10} {unit:<4} {round}", round_value = number(round.value));
        match self.sides.iter_mut().find(|known| known.name == side) {
            Some(known) => known.rounds.push(round),
            None => {
                self.sides.push(Side { name: side.to_owned(), unit: unit.to_owned(), rounds: vec![round] });
            }
        }
    }

    /// Concludes the median of the rounds' ratios of one side to another.
    pub(crate) fn ratio(&mut self, what: &str, (side, limit): (&str, &str), goal: Option<Bound>) {
        let ratios = self.rounds(side).zip(self.rounds(limit)).map(|(side, limit)| side.value / limit.value);
        let ratio = median(ratios.collect());
        self.figure(what, (ratio, "×"), goal);
    }

    pub(crate) fn figure(&mut self, what: &str, (value, unit): (f64, &str), goal: Option<Bound>) {
        self.figures.push(Figure { what: what.to_owned(), value, unit: unit.to_owned(), goal });
    }

    pub(crate) fn median(&self, side: &str) -> f64 {
        median(self.rounds(side).map(|round| round.value).collect())
    }

    pub(crate) fn p99(&self, side: &str) -> f64 {
        median(self.rounds(side).filter_map(|round| Some(round.latency?.p99)).collect())
    }

    pub(crate) fn resident_mib(&self, side: &str) -> f64 {
        median(self.rounds(side).filter_map(|round| round.resident_mib).collect())
    }

    fn rounds(&self, side: &str) -> impl Iterator<Item = &Round> {
        self.sides.iter().filter(move |known| known.name == side).flat_map(|known| &known.rounds)
    }

    /// Says what it comes to, and writes `NAME.json`.
    pub(crate) fn conclude(mut self, folder: &Path, machine: Machine) -> Outcome<()> {
        for figure in &self.figures {
            println!("{figure}");
        }
        self.machine = Some(machine);
        let path = folder.join(&self.name).with_extension("json");
        Ok(fs::write(path, serde_json::to_string_pretty(&self)?)?)
    }
}

impl Round {
    #[expect(clippy::cast_precision_loss, reason = "counts of a few seconds")]
    pub(crate) fn rate(count: u64, seconds: f64) -> Self {
        Self::value(count as f64 / seconds)
    }

    pub(crate) fn value(value: f64) -> Self {
        Self { value, ..Self::default() }
    }
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Percentiles { p50, p90, p99 }) = self.latency {
            write!(f, " p50 {p50:.2} p90 {p90:.2} p99 {p99:.2} ms")?;
        }
        if let Some(seconds) = self.cpu_seconds {
            write!(f, "  cpu {seconds:.2} s")?;
        }
        if let Some(mib) = self.resident_mib {
            write!(f, "  {mib:.0} MiB")?;
        }
        for (status, count) in &self.answers {
            write!(f, "  {status}: {count}")?;
        }
        Ok(())
    }
}

impl Percentiles {
    pub(crate) fn of(mut waits: Vec<Duration>) -> Option<Self> {
        waits.sort_unstable();
        let at = |percent: usize| {
            let wait = waits.get((waits.len() * percent / 100).min(waits.len().saturating_sub(1)));
            wait.map(|wait| wait.as_secs_f64() * 1_000.0)
        };
        Some(Self { p50: at(50)?, p90: at(90)?, p99: at(99)? })
    }
}

impl Figure {
    /// How far it is beyond its goal: 1 is just met, more is better.
    pub(crate) fn margin(&self) -> Option<f64> {
        self.goal.map(|goal| match goal {
            Bound::AtLeast(least) => self.value / least,
            Bound::AtMost(most) | Bound::Below(most) => most / self.value,
        })
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, value, unit, goal } = self;
        write!(f, "{what}: {} {unit}", number(*value))?;
        let Some(goal) = goal else { return Ok(()) };
        let verdict = if self.margin().is_some_and(|margin| margin >= 1.0) { "met" } else { "missed" };
        write!(f, "; goal: {goal} {unit}, {verdict}")
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(least) => write!(f, "≥ {least}"),
            Self::AtMost(most) => write!(f, "≤ {most}"),
            Self::Below(most) => write!(f, "< {most}"),
        }
    }
}

/// The middle one of an odd number of figures.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Three digits or so: more would be noise.
pub(crate) fn number(value: f64) -> String {
    match value.abs() {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
