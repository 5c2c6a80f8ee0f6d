use super::book::{INDEX, Page, SUMMARY, order};
use super::prose;

/// Renders a page with its surroundings; all links are relative, so it works behind any prefix.
pub(super) fn render(page: &Page) -> String {
    let order = order();
    let at = order.iter().position(|(path, _)| path == page.path);
    let title = at.and_then(|at| order.get(at)).map_or("Keyward", |(_, title)| title);
    let title = if page == &INDEX { "Guide" } else { title };
    let neighbour = |at: Option<usize>, rel: &str, mark: &str| {
        let found = at.and_then(|at| order.get(at));
        let link = found.and_then(|(path, title)| Some((INDEX.target(path).ok()?, title)));
        link.map_or(String::new(), |(url, title)| {
            format!("<a rel=\"{rel}\" href=\"{}\">{mark}{title}</a>", page.relative(&url))
        })
    };
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title} · Keyward</title>\n<link rel=\"stylesheet\" href=\"{style}\">\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#contents\">Contents</a>\n\
         <main>\n{body}<footer>{previous}{next}</footer>\n</main>\n\
         <nav id=\"contents\" aria-label=\"Guide\">\n{contents}\
         <p class=\"part\">Here</p>\n<ul>\n<li><a href=\"{api}\">Try the API</a></li>\n\
         <li><a href=\"{events}\">Types of events</a></li>\n</ul>\n</nav>\n</body>\n</html>\n",
        style = page.relative("guide/style.css"),
        body = prose::render(page, page.markdown),
        previous = neighbour(at.and_then(|at| at.checked_sub(1)), "prev", "← "),
        next = neighbour(at.map(|at| at + 1), "next", "→ "),
        contents = contents(page),
        api = page.relative("./"),
        events = page.relative("events"),
    )
}

/// The summary as the side of a page, on which the page itself is marked.
fn contents(page: &Page) -> String {
    let summary = SUMMARY.strip_prefix("# Summary\n").unwrap_or(SUMMARY);
    // Written for the folder `docs/`: first seen from the index, then from here.
    let listed = prose::render(&INDEX, summary).replace("href=\"", &format!("href=\"{}", page.relative("")));
    let parts = listed.replace("</h1>", "</p>");
    let parts = parts.split("<h1 id=\"").enumerate().map(|(at, part)| match part.split_once("\">") {
        Some((_, rest)) if at > 0 => format!("<p class=\"part\">{rest}"),
        _ => part.to_owned(),
    });
    let here = format!("href=\"{}\"", page.relative(&page.url()));
    parts.collect::<String>().replace(&here, &format!("{here} aria-current=\"page\""))
}

#[cfg(test)]
mod tests {
    use super::super::book::page_at;
    use super::*;

    #[test]
    fn a_page_knows_its_place() {
        let html = render(page_at("integrate/rust").expect("a page"));
        assert!(html.contains("<title>Rust · Keyward</title>"));
        assert!(
            html.contains("<a href=\"../../guide/integrate/rust\" aria-current=\"page\">Rust</a>"),
            "{html}"
        );
        assert_eq!(html.matches("aria-current").count(), 1);
        assert!(html.contains("<a rel=\"prev\" href=\"../../guide/integrate\">"), "{html}");
        assert!(html.contains("<a href=\"../../guide\">Keyward</a>"), "{html}");
        assert!(!render(&INDEX).contains("rel=\"prev\""));
    }
}
