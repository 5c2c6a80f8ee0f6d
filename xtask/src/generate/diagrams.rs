//! Sequence diagrams in SVG from the little of Mermaid's language that ours need: participants, messages, notes,
//! and `alt`, `else`, `opt` or `loop` as lines across.

use std::fmt::Write as _;

use crate::workspace::Outcome;

const ROW: usize = 40;
const TOP: usize = 62;
const MARGIN: usize = 90;
/// Of a letter of 13 px, on average.
const LETTER: usize = 7;
/// Dark on light whatever the page is.
const START: &str = r##"font-family="system-ui, sans-serif" font-size="13" fill="#1c2430" role="img">"##;

/// So that text stays readable where a line of a participant runs through it.
const HALO: &str = r##"stroke="#f5f7fa" stroke-width="4" paint-order="stroke""##;

enum Step {
    Message { from: usize, to: usize, dashed: bool, text: String },
    Note { from: usize, to: usize, text: String },
    Line { text: String },
}

pub(crate) fn draw(source: &str) -> Outcome<String> {
    let mut title = "";
    let mut people: Vec<(&str, &str)> = Vec::new();
    let mut steps = Vec::new();
    for line in source.lines().map(str::trim).filter(|line| !line.is_empty() && *line != "sequenceDiagram") {
        let place = |name: &str| {
            let found = people.iter().position(|(short, _)| *short == name.trim());
            found.ok_or_else(|| format!("who is {name:?} in {line:?}?"))
        };
        if let Some(text) = line.strip_prefix("%% ") {
            title = text;
        } else if let Some(person) = line.strip_prefix("participant ") {
            people.push(person.split_once(" as ").unwrap_or((person, person)));
        } else if let Some((whom, text)) =
            line.strip_prefix("Note over ").and_then(|note| note.split_once(": "))
        {
            let (from, to) = whom.split_once(',').unwrap_or((whom, whom));
            steps.push(Step::Note { from: place(from)?, to: place(to)?, text: escape(text) });
        } else if let Some((arrow, text)) = line.split_once(": ").filter(|(arrow, _)| arrow.contains(">>")) {
            let dashed = arrow.contains("-->>");
            let (from, to) = arrow.split_once(if dashed { "-->>" } else { "->>" }).ok_or("no arrow")?;
            steps.push(Step::Message { from: place(from)?, to: place(to)?, dashed, text: escape(text) });
        } else if let Some(text) =
            ["alt ", "else ", "opt ", "loop "].iter().find_map(|word| line.strip_prefix(word))
        {
            steps.push(Step::Line { text: escape(text) });
        } else if line != "end" {
            return Err(format!("not understood: {line:?}").into());
        }
    }
    let places = places(people.len(), &steps);
    let x = |at: usize| places.get(at).copied().unwrap_or(MARGIN);
    let (width, height) = (x(people.len().saturating_sub(1)) + MARGIN, TOP + ROW * steps.len() + 10);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" {START}\n<title>{}</title>\n\
         <rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"#f5f7fa\"/>\n",
        escape(title)
    );
    for (at, (_, name)) in people.iter().enumerate() {
        let (x, left, wide) = (x(at), x(at) - 70, 140);
        writeln!(svg, "<path d=\"M{x} 42V{height}\" stroke=\"#b8c2cf\"/>")?;
        writeln!(
            svg,
            "<rect x=\"{left}\" y=\"12\" width=\"{wide}\" height=\"30\" rx=\"5\" fill=\"#dfe7f1\"/>"
        )?;
        writeln!(
            svg,
            "<text x=\"{x}\" y=\"32\" text-anchor=\"middle\" font-weight=\"600\">{}</text>",
            escape(name)
        )?;
    }
    for (at, step) in steps.iter().enumerate() {
        let y = TOP + ROW * at + 20;
        match step {
            Step::Message { from, to, dashed, text } => {
                message(&mut svg, (x(*from), x(*to)), y, *dashed, text)?;
            }
            Step::Note { from, to, text } => {
                let wide = (x(*to) - x(*from)).max(text.chars().count() * LETTER) + 20;
                let top = y - 17;
                let last = width.saturating_sub(wide + 8).max(8);
                let left = usize::midpoint(x(*from), x(*to)).saturating_sub(wide / 2).clamp(8, last);
                let middle = left + wide / 2;
                writeln!(
                    svg,
                    "<rect x=\"{left}\" y=\"{top}\" width=\"{wide}\" height=\"26\" rx=\"4\" fill=\"#fdf1cf\"/>"
                )?;
                writeln!(svg, "<text x=\"{middle}\" y=\"{y}\" text-anchor=\"middle\">{text}</text>")?;
            }
            Step::Line { text } => {
                let (above, right) = (y - 18, width - 12);
                writeln!(
                    svg,
                    "<path d=\"M12 {above}H{right}\" stroke=\"#8793a3\" stroke-dasharray=\"2 4\"/>"
                )?;
                writeln!(
                    svg,
                    "<text x=\"20\" y=\"{y}\" font-style=\"italic\" fill=\"#5b6675\" {HALO}>{text}</text>"
                )?;
            }
        }
    }
    Ok(svg + "</svg>\n")
}

fn message(svg: &mut String, (from, to): (usize, usize), y: usize, dashed: bool, text: &str) -> Outcome {
    let dash = if dashed { " stroke-dasharray=\"6 4\"" } else { "" };
    let (middle, line) = (usize::midpoint(from, to), y + 6);
    let (end, back) = if to > from { (to - 1, to - 9) } else { (to + 1, to + 9) };
    writeln!(svg, "<text x=\"{middle}\" y=\"{y}\" text-anchor=\"middle\" {HALO}>{text}</text>")?;
    writeln!(svg, "<path d=\"M{from} {line}H{back}\" stroke=\"#3b4a5e\"{dash}/>")?;
    writeln!(svg, "<path d=\"M{end} {line}L{back} {}V{}Z\" fill=\"#3b4a5e\"/>", line - 4, line + 4)?;
    Ok(())
}

/// Where participants stand: neighbours as far apart as what they say to each other is long, and no less.
fn places(people: usize, steps: &[Step]) -> Vec<usize> {
    let mut place = MARGIN;
    let mut places = vec![place];
    for left in 0..people.saturating_sub(1) {
        let between = steps.iter().filter_map(|step| match step {
            Step::Message { from, to, text, .. } if from.min(to) == &left && from.abs_diff(*to) == 1 => {
                Some(text.chars().count() * LETTER + 24)
            }
            _ => None,
        });
        place += between.max().unwrap_or(0).max(150);
        places.push(place);
    }
    places
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::draw;

    #[test]
    fn what_is_not_understood_is_refused() {
        let start = "sequenceDiagram\nparticipant A as Ada\nparticipant B\n";
        let drawn = draw(&format!("{start}A->>B: a < b\nNote over A,B: so\n")).expect("a diagram");
        assert!(drawn.contains(">Ada</text>") && drawn.contains(">a &lt; b</text>"), "{drawn}");
        assert!(draw(&format!("{start}A->>C: hello\n")).is_err());
        assert!(draw(&format!("{start}activate A\n")).is_err());
    }
}
