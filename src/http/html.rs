use std::fmt::{self, Display, Formatter};

/// Text that means nothing to HTML.
pub(super) struct Text<'a>(pub &'a str);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '&' => f.write_str("&amp;"),
            '"' => f.write_str("&quot;"),
            c => write!(f, "{c}"),
        })
    }
}

/// Text in which backquotes set code apart, as in Markdown.
pub(super) struct Prose<'a>(pub &'a str);

impl Display for Prose<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (at, part) in self.0.split('`').enumerate() {
            if at % 2 == 1 { write!(f, "<code>{}</code>", Text(part))? } else { write!(f, "{}", Text(part))? }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_become_html() {
        assert_eq!(Text("<a href=\"x\">&").to_string(), "&lt;a href=&quot;x&quot;&gt;&amp;");
        assert_eq!(Prose("as `a<b` says").to_string(), "as <code>a&lt;b</code> says");
    }
}
