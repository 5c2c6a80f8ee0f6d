//! How far each figure is from its goal, as a small SVG that reads on light and on dark.

use std::fmt::Write as _;

use crate::report::{Figure, number};

const ROW: usize = 24;
const LABELS: f64 = 430.0;
/// The width of a bar that just meets its goal.
const GOAL: f64 = 120.0;
/// Bars end here: how much better than twice the goal no longer matters.
const MOST: f64 = 2.2;
const WIDTH: f64 = LABELS + GOAL * MOST + 60.0;

pub(crate) fn draw<'a>(figures: impl Iterator<Item = &'a Figure>) -> String {
    let bars: Vec<(&str, f64)> =
        figures.filter_map(|figure| Some((figure.what.as_str(), figure.margin()?))).collect();
    let (height, end) = ((bars.len() + 1) * ROW + 12, bars.len() * ROW + 6);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"12\" fill=\"#808890\" role=\"img\">\n\
         <title>Each figure beside its goal: longer is better, the line is the goal</title>\n"
    );
    for (row, (what, margin)) in bars.iter().enumerate() {
        let (top, text) = (row * ROW + 6, row * ROW + 20);
        let colour = if *margin >= 1.0 { "#3f9c6b" } else { "#d05a4a" };
        let (width, label) = (GOAL * margin.min(MOST), LABELS - 8.0);
        let _ = writeln!(
            svg,
            "<text x=\"{label}\" y=\"{text}\" text-anchor=\"end\">{what}</text>\
             <rect x=\"{LABELS}\" y=\"{top}\" width=\"{width:.0}\" height=\"18\" rx=\"2\" fill=\"{colour}\"/>\
             <text x=\"{value:.0}\" y=\"{text}\">{margin}</text>",
            value = LABELS + width + 6.0,
            margin = number(*margin),
        );
    }
    let (goal, caption) = (LABELS + GOAL, end + 18);
    let _ = writeln!(
        svg,
        "<path d=\"M{goal} 2V{end}\" stroke=\"#808890\" stroke-dasharray=\"3 3\"/>\
         <text x=\"{goal}\" y=\"{caption}\" text-anchor=\"middle\">goal</text>\n</svg>"
    );
    svg
}
