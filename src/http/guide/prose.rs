//! Markdown to HTML: links between pages, headings that can be linked to, and no HTML but our own.

use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};

use super::book::Page;

/// Renders Markdown that stands in this page.
pub(super) fn render(page: &Page, markdown: &str) -> String {
    // Comments of generated pages are for those who edit them; other HTML there is none.
    let foreign = |event: &Event| matches!(event, Event::Html(_) | Event::InlineHtml(_));
    let events: Vec<Event> =
        Parser::new_ext(markdown, Options::ENABLE_TABLES).filter(|event| !foreign(event)).collect();
    let mut ids = heading_ids(&events).into_iter();
    let mut outside = false;
    let events = events.into_iter().map(|event| match event {
        Event::Start(Tag::Heading { level, classes, attrs, .. }) => {
            Event::Start(Tag::Heading { level, id: ids.next().map(CowStr::from), classes, attrs })
        }
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => match led(page, &dest_url) {
            Ok(url) => Event::Start(Tag::Link { link_type, dest_url: url.into(), title, id }),
            Err(file) => {
                outside = true;
                Event::InlineHtml(
                    format!("<span class=\"outside\" title=\"{file}, in the repository\">").into(),
                )
            }
        },
        Event::End(TagEnd::Link) if std::mem::take(&mut outside) => Event::InlineHtml("</span>".into()),
        Event::Start(Tag::Image { link_type, dest_url, title, id }) => {
            let url = led(page, &dest_url).unwrap_or_else(|file| file);
            Event::Start(Tag::Image { link_type, dest_url: url.into(), title, id })
        }
        event => event,
    });
    let mut rendered = String::with_capacity(markdown.len() * 2);
    html::push_html(&mut rendered, events);
    // The policy of these pages lets no style in but the sheet's.
    rendered
        .replace("<th style=\"text-align: right\">", "<th class=\"right\">")
        .replace("<td style=\"text-align: right\">", "<td class=\"right\">")
}

/// Where a link leads, seen from the page as it is served; `Err` names a file that is in the repository alone.
fn led(page: &Page, link: &str) -> Result<String, String> {
    let absolute = ["https://", "http://", "#"].iter().any(|start| link.starts_with(start));
    if absolute { Ok(link.to_owned()) } else { page.target(link) }
}

fn heading_ids(events: &[Event]) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    let mut heading: Option<String> = None;
    for event in events {
        match event {
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::Text(text) | Event::Code(text) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(text);
                }
            }
            Event::End(TagEnd::Heading(_)) => {
                let id = slug(&heading.take().unwrap_or_default());
                let taken = ids.iter().filter(|other| without_number(other) == id).count();
                ids.push(if taken == 0 { id } else { format!("{id}-{taken}") });
            }
            _ => {}
        }
    }
    ids
}

/// As GitHub and mdBook have it, so that a link to a heading works in all of them.
fn slug(heading: &str) -> String {
    let kept = heading.chars().filter_map(|c| match c {
        c if c.is_alphanumeric() => Some(c.to_ascii_lowercase()),
        '-' | '_' => Some(c),
        c if c.is_whitespace() => Some('-'),
        _ => None,
    });
    kept.collect()
}

fn without_number(id: &str) -> &str {
    id.rsplit_once('-').filter(|(_, number)| number.parse::<u32>().is_ok()).map_or(id, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::super::book::{INDEX, page_at};
    use super::*;

    #[test]
    fn links_are_those_of_the_served_page() {
        let page = page_at("integrate/rust").expect("a page");
        let rendered = render(page, "[a](../events.md) [b](https://h/x) [c](#d) [e](../../Dockerfile)");
        assert_eq!(
            rendered,
            "<p><a href=\"../../guide/events\">a</a> <a href=\"https://h/x\">b</a> <a href=\"#d\">c</a> \
             <span class=\"outside\" title=\"Dockerfile, in the repository\">e</span></p>\n"
        );
    }

    #[test]
    fn headings_can_be_linked_to() {
        let rendered = render(&INDEX, "## What `a_b` is, and why\n\n## Same\n\n## Same\n");
        assert!(rendered.contains("<h2 id=\"what-a_b-is-and-why\">"), "{rendered}");
        assert!(
            rendered.contains("<h2 id=\"same\">") && rendered.contains("<h2 id=\"same-1\">"),
            "{rendered}"
        );
    }

    #[test]
    fn html_in_pages_is_dropped() {
        let rendered =
            render(&INDEX, "<!-- made by -->\n\n<script>x</script>\n\na <b onclick=\"x\">b</b> `<i>`\n");
        assert_eq!(rendered, "<p>a b <code>&lt;i&gt;</code></p>\n");
    }
}
