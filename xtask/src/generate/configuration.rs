//! The reference of settings as a page of the guide, made from `config.default.toml` and its comments.

use std::fmt::Write as _;

const INTRODUCTION: &str = "\
<!-- Made by `cargo xtask generate` from config.default.toml. -->

# Configuration

";

/// How settings are given, then each with its variable, its default and what it means.
pub(crate) fn reference(toml: &str) -> String {
    let mut page = INTRODUCTION.to_owned();
    let mut section = String::new();
    let mut comment: Vec<&str> = Vec::new();
    for line in toml.lines() {
        let setting = line.strip_prefix("# ").filter(|rest| named(rest)).map(|rest| (rest, false));
        if let Some((assignment, fixed)) = setting.or_else(|| named(line).then_some((line, true))) {
            let (name, value) = assignment.split_once(" = ").unwrap_or((assignment, ""));
            let value = format!("{} `{value}`", if fixed { ", by default" } else { ", as in" });
            entry(&mut page, &section, name, &value, &comment);
            comment.clear();
        } else if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            name.clone_into(&mut section);
            let _ = writeln!(page, "## `[{name}]`\n");
            page += &paragraphs(&comment);
            comment.clear();
        } else if let Some(text) = line.strip_prefix('#') {
            comment.push(text.strip_prefix(' ').unwrap_or(text));
        } else if page == INTRODUCTION && !comment.is_empty() {
            // What stands at the top, before the first empty line.
            page += &paragraphs(comment.get(1..).unwrap_or_default());
            page += "## Without a section\n\n";
            comment.clear();
        }
    }
    page.truncate(page.trim_end().len());
    page + "\n"
}

/// Whether the line sets something: `name = value`.
fn named(line: &str) -> bool {
    line.split_once(" = ").is_some_and(|(name, _)| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    })
}

fn entry(page: &mut String, section: &str, name: &str, value: &str, comment: &[&str]) {
    let dot = if section.is_empty() { "" } else { "." };
    let key = format!("{section}{dot}{name}");
    let variable = format!("KEYWARD_{}", key.replace('.', "_").to_uppercase());
    let secret = comment.first().is_some_and(|line| line.starts_with("Secret."));
    let file = if secret { format!(" or `{variable}_FILE`") } else { String::new() };
    let _ = writeln!(page, "### `{key}`\n\n`{variable}`{file}{value}\n");
    *page += &paragraphs(comment);
}

/// Lines that are set in, as tables in comments are, stay as they are; the rest flows.
fn paragraphs(comment: &[&str]) -> String {
    let mut text = String::new();
    let mut block = false;
    for line in comment {
        let set_in = line.starts_with("  ");
        if set_in != block {
            text += if set_in { "\n```text\n" } else { "```\n\n" };
            block = set_in;
        }
        // What looks like HTML or emphasis is none.
        let plain = || line.replace('<', "&lt;").replace('_', "\\_").replace('*', "\\*");
        text += &if set_in { (*line).to_owned() } else { plain() };
        text.push('\n');
    }
    if block {
        text += "```\n";
    }
    while text.contains("\n\n\n") {
        text = text.replace("\n\n\n", "\n\n");
    }
    if text.is_empty() { text } else { text.trim_start().to_owned() + "\n" }
}

#[cfg(test)]
mod tests {
    use super::reference;

    #[test]
    fn comments_become_text_and_values_defaults() {
        let page = reference(
            "# Title\n#\n# How.\n#\n#   a = 1\n\n# Secret. One.\n# two = \"x\"\n\n# Three things.\n[three]\n# Four.\nfour = 4\n",
        );
        let body = page.split_once("# Configuration\n\n").map(|(_, body)| body);
        let wanted = "How.\n\n```text\n  a = 1\n```\n\n## Without a section\n\n\
            ### `two`\n\n`KEYWARD_TWO` or `KEYWARD_TWO_FILE`, as in `\"x\"`\n\nSecret. One.\n\n\
            ## `[three]`\n\nThree things.\n\n### `three.four`\n\n`KEYWARD_THREE_FOUR`, by default `4`\n\nFour.\n";
        assert_eq!(body, Some(wanted));
    }
}
