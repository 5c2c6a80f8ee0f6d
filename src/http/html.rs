//! What the pages that are made here share.

use std::fmt::{self, Display, Formatter};

use axum::http::{HeaderName, header};

/// One style sheet, from here, and nothing else.
pub(super) const STYLE_ALONE: (HeaderName, &str) = (
    header::CONTENT_SECURITY_POLICY,
    "default-src 'none'; style-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'",
);
/// Pages change with the binary.
pub(super) const CACHED: (HeaderName, &str) = (header::CACHE_CONTROL, "public, max-age=300");

/// A style sheet: the colours of all pages, and what one kind of them looks like.
macro_rules! style_sheet {
    ($own:literal) => {
        concat!(include_str!("html/colours.css"), include_str!($own))
    };
}
pub(super) use style_sheet;

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
