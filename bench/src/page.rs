//! `docs/performance.md`, made of what was measured last.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::report::{Figure, Percentiles, Report, Round, Side, median, number};
use crate::{BENCHES, Outcome, chart};

/// Says how it was measured and what the figures mean.
const TEMPLATE: &str = include_str!("../performance.md");
const PAGE: &str = "docs/performance.md";
const CHART: &str = "docs/performance.svg";

pub(crate) fn write(folder: &Path) -> Outcome<()> {
    let reports: Outcome<Vec<Report>> = BENCHES.iter().map(|bench| Report::read(folder, bench)).collect();
    let reports = reports.map_err(|error| format!("{error}; run `cargo xtask bench all`"))?;
    let (first, others) = reports.split_first().ok_or("nothing was measured")?;
    if let Some(other) = others.iter().find(|other| other.machine != first.machine) {
        return Err(format!("{}.json is of another machine than {}.json", other.name, first.name).into());
    }
    let machine = first.machine.as_ref().map(ToString::to_string).unwrap_or_default();
    let date = reports.iter().map(|report| report.date.as_str()).max().unwrap_or_default();
    let figures = || reports.iter().flat_map(|report| &report.figures);
    let page = TEMPLATE
        .replace("{machine}", &machine)
        .replace("{date}", date)
        .replace("{goals}", &goals(figures()))
        .replace("{sides}", &sides(&reports));
    fs::write(PAGE, page)?;
    fs::write(CHART, chart::draw(figures()))?;
    println!("{PAGE} and {CHART} written");
    Ok(())
}

fn goals<'a>(figures: impl Iterator<Item = &'a Figure>) -> String {
    let mut table = "| | measured | goal | |\n|---|---:|---:|---|\n".to_owned();
    for figure in figures {
        let Figure { what, value, unit, goal } = figure;
        let goal = goal.map(|goal| format!("{goal} {unit}")).unwrap_or_default();
        let verdict = match figure.margin() {
            Some(1.0..) => "met",
            Some(_) => "**missed**",
            None => "",
        };
        let _ = writeln!(table, "| {what} | {} {unit} | {goal} | {verdict} |", number(*value));
    }
    table
}

fn sides(reports: &[Report]) -> String {
    let mut table =
        "| bench | side | median | lowest to highest | p50, p90, p99 (ms) | CPU s | MiB | answers |\n\
                     |---|---|---:|---|---|---:|---:|---|\n"
            .to_owned();
    for report in reports {
        for side in &report.sides {
            let _ = writeln!(table, "| {} | {} |", report.name, row(side));
        }
    }
    table
}

/// Medians of the rounds; answers are those of all rounds.
fn row(Side { name, unit, rounds }: &Side) -> String {
    let of = |pick: fn(&Round) -> Option<f64>| {
        let picked: Vec<f64> = rounds.iter().filter_map(pick).collect();
        if picked.is_empty() { String::new() } else { number(median(picked)) }
    };
    let value = of(|round| Some(round.value));
    let values = || rounds.iter().map(|round| round.value);
    let (lowest, highest) = (values().fold(f64::MAX, f64::min), values().fold(f64::MIN, f64::max));
    let latency = |pick: fn(Percentiles) -> f64| {
        median(rounds.iter().filter_map(|round| round.latency.map(pick)).collect())
    };
    let latency = rounds.iter().any(|round| round.latency.is_some()).then(|| {
        [latency(|wait| wait.p50), latency(|wait| wait.p90), latency(|wait| wait.p99)].map(number).join(", ")
    });
    let mut answers = std::collections::BTreeMap::<u16, u64>::new();
    for (status, count) in rounds.iter().flat_map(|round| &round.answers) {
        *answers.entry(*status).or_default() += count;
    }
    let answers: Vec<String> = answers.iter().map(|(status, count)| format!("{status}: {count}")).collect();
    [
        name.clone(),
        format!("{value} {unit}"),
        format!("{} to {}", number(lowest), number(highest)),
        latency.unwrap_or_default(),
        of(|round| round.cpu_seconds),
        of(|round| round.resident_mib),
        answers.join(", "),
    ]
    .join(" | ")
}
