use std::fmt::Write as _;
use std::io::{IsTerminal as _, stdout};

use clap::Args;
use rustix::termios::tcgetwinsize;
use serde_json::{Value, json};

use super::{Exit, SettingFlags, print};
use crate::app::{Fault, Finding, Level, examine, mistakes};
use crate::clock::Clock;

/// The width of the longest level.
const LEVELS: usize = 7;
/// A terminal that is narrower breaks lines by itself.
const NARROWEST: usize = 40;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Print one JSON object, for machines: the codes stay the same from version to version
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(flags: &SettingFlags, arguments: Arguments) -> Result<(), Exit> {
    let findings = Box::pin(look(flags)).await;
    let code = exit_code(&findings);
    print(&if arguments.json { as_json(&findings, code) } else { as_text(&findings, terminal_width()) });
    // All is said.
    if code == 0 { Ok(()) } else { Err(Exit { code, message: String::new() }) }
}

/// What only a server needs of the settings is looked at apart: a certificate that cannot be served must not hide the rest.
async fn look(flags: &SettingFlags) -> Vec<Finding> {
    let (settings, described) = match flags.try_load(false) {
        Ok(loaded) => loaded,
        Err(problems) => return mistakes(&problems),
    };
    let mut findings = match flags.try_load(true) {
        Ok(_) => vec![Finding::ok("settings.read", format!("{} settings are good", described.0.len()))],
        Err(problems) => mistakes(&problems),
    };
    findings.extend(examine(&settings, &Clock::System).await);
    findings
}

/// The first that somebody must do something about; only what is nobody's fault is left to waiting.
fn exit_code(findings: &[Finding]) -> u8 {
    let any = |fault| findings.iter().any(|finding| finding.fault == Some(fault));
    match () {
        () if any(Fault::Configuration) => 78,
        () if any(Fault::Other) => 1,
        () if any(Fault::Away) => 69,
        () => 0,
    }
}

fn as_json(findings: &[Finding], exit_code: u8) -> String {
    let findings: Vec<Value> = findings
        .iter()
        .map(|finding| {
            json!({
                "code": finding.code,
                "level": finding.level.as_str(),
                "subject": finding.subject,
                "meaning": finding.meaning,
                "advice": finding.advice,
            })
        })
        .collect();
    let report =
        json!({ "version": env!("CARGO_PKG_VERSION"), "exit_code": exit_code, "findings": findings });
    format!("{report}\n")
}

/// A paragraph each, what to do at its end, and a count at the end of all. On a terminal, of which `width` is the width in
/// characters, with colours, and broken so that the columns stay.
fn as_text(findings: &[Finding], width: Option<usize>) -> String {
    let titles = findings.iter().map(|finding| title(finding).chars().count()).max().unwrap_or_default();
    let indent = LEVELS + 2 + titles + 2;
    let room = width.map(|width| width.saturating_sub(indent).max(NARROWEST));
    let mut text = String::new();
    for finding in findings {
        let level = format!("{:LEVELS$}", finding.level.as_str());
        let level = if width.is_some() { coloured(finding.level, &level) } else { level };
        let advice = finding.advice.as_ref().map(|advice| format!("→ {}", printable(advice)));
        let mut lines = broken(&printable(&finding.meaning), room);
        lines.extend(advice.iter().flat_map(|advice| broken(advice, room)));
        // Writing to a text does not fail.
        let _ = write!(text, "{level}  {:titles$}", title(finding));
        for (at, line) in lines.iter().enumerate() {
            let gap = if at == 0 { 2 } else { indent };
            let _ = writeln!(text, "{:gap$}{line}", "");
        }
    }
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    let counted = [(Level::Problem, "problem"), (Level::Warning, "warning"), (Level::Note, "note")];
    let counted = counted.map(|(level, word)| match count(level) {
        1 => format!("1 {word}"),
        several => format!("{several} {word}s"),
    });
    let ok = count(Level::Ok);
    let _ = writeln!(text, "\n{}, {ok} ok", counted.join(", "));
    text
}

/// Breaks between words.
fn broken(text: &str, room: Option<usize>) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let Some(line) = lines.last_mut() else { continue };
        let longer = line.chars().count() + 1 + word.chars().count();
        if line.is_empty() {
            line.push_str(word);
        } else if room.is_some_and(|room| longer > room) {
            lines.push(word.to_owned());
        } else {
            line.push(' ');
            line.push_str(word);
        }
    }
    lines
}

/// `None` where nobody looks.
fn terminal_width() -> Option<usize> {
    let out = stdout();
    if !out.is_terminal() {
        return None;
    }
    // A terminal that does not know how wide it is says 0.
    let columns = tcgetwinsize(&out).map_or(0, |size| size.ws_col);
    Some(if columns == 0 { usize::MAX } else { usize::from(columns) })
}

fn title(finding: &Finding) -> String {
    match &finding.subject {
        Some(subject) => printable(&format!("{} {subject}", finding.code)),
        None => finding.code.to_owned(),
    }
}

fn coloured(level: Level, word: &str) -> String {
    let colour = match level {
        Level::Ok => 32,
        Level::Note => 36,
        Level::Warning => 33,
        Level::Problem => 31,
    };
    format!("\u{1b}[{colour}m{word}\u{1b}[0m")
}

/// What brokers and databases answer must not steer the terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_is_left_only_where_nobody_need_do_anything() {
        let with = |faults: &[Option<Fault>]| {
            let ok = Finding::ok("some.code", "fine");
            let findings = faults.iter().map(|fault| Finding { fault: *fault, ..ok.clone() });
            exit_code(&findings.collect::<Vec<_>>())
        };
        let (away, configuration, other) =
            (Some(Fault::Away), Some(Fault::Configuration), Some(Fault::Other));
        assert_eq!(with(&[None, None]), 0);
        assert_eq!(with(&[None, away]), 69);
        assert_eq!(with(&[away, other]), 1);
        assert_eq!(with(&[other, away, configuration]), 78);
    }

    #[test]
    fn a_finding_is_a_line_with_what_to_do_below_it() {
        let away = Finding {
            code: "sink.takes",
            level: Level::Problem,
            fault: Some(Fault::Away),
            subject: Some("amqp".to_owned()),
            meaning: "it is away\u{1b}[2J".to_owned(),
            advice: Some("start it".to_owned()),
        };
        let findings = [Finding::ok("settings.read", "69 settings are good"), away];
        insta::assert_snapshot!(as_text(&findings, None), @r"
        ok       settings.read    69 settings are good
        problem  sink.takes amqp  it is away�[2J
                                  → start it

        1 problem, 0 warnings, 0 notes, 1 ok
        ");
        let narrow = as_text(&findings, Some(70));
        assert!(narrow.starts_with("\u{1b}[32mok     \u{1b}[0m  settings.read "), "{narrow}");
        let long = broken("one two three", Some(7));
        assert_eq!(long, ["one two", "three"]);
        assert_eq!(broken("incomprehensible", Some(7)), ["incomprehensible"]);
        let report: Value = serde_json::from_str(&as_json(&findings, 69)).unwrap();
        assert_eq!(report["exit_code"], 69);
        assert_eq!(report["findings"][1]["subject"], "amqp");
        assert_eq!(report["findings"][0]["advice"], Value::Null);
    }
}
