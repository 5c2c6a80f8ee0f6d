//! The book: which pages there are, where each is served, and what `docs/SUMMARY.md` says about their order.

use pulldown_cmark::{Event, Parser, Tag, TagEnd};

/// A page of the book.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page {
    /// Its file below `docs/`.
    pub path: &'static str,
    pub markdown: &'static str,
}

macro_rules! compiled_in {
    ($($path:literal,)*) => {
        &[$(Page { path: $path, markdown: include_str!(concat!("../../../docs/", $path)) },)*]
    };
}

pub(super) const INDEX: Page = Page { path: "README.md", markdown: include_str!("../../../docs/README.md") };
pub(super) const SUMMARY: &str = include_str!("../../../docs/SUMMARY.md");

/// Every page but the index; a test holds them against the summary.
const PAGES: &[Page] = compiled_in![
    "quickstart.md",
    "concepts.md",
    "faq.md",
    "api.md",
    "errors.md",
    "events.md",
    "integrate/README.md",
    "integrate/rust.md",
    "integrate/python-fastapi.md",
    "integrate/node-express.md",
    "integrate/go.md",
    "integrate/java-spring.md",
    "integrate/gateways.md",
    "configuration.md",
    "deploy.md",
    "backup-and-upgrade.md",
    "metrics.md",
    "runbook.md",
    "capacity.md",
    "performance.md",
    "security.md",
    "audit.md",
    "decisions/README.md",
    "decisions/0001-refresh-tokens-are-computed.md",
    "decisions/0002-own-migration-runner.md",
    "decisions/0003-transactions-run-in-tasks.md",
    "decisions/0004-settings-ahead-of-features.md",
    "decisions/0005-e-mail-addresses.md",
    "decisions/0006-rotations-are-batched.md",
    "decisions/0007-bodies-are-read-before-the-answer.md",
    "decisions/0008-rate-limits.md",
    "decisions/0009-client-address.md",
    "decisions/0010-account-lock.md",
    "decisions/0011-replaying-and-abandoning-events.md",
    "decisions/0012-versions-of-events.md",
    "decisions/0013-kafka-and-openssl.md",
    "decisions/0014-tls.md",
    "decisions/0015-audit-log.md",
    "decisions/0016-observability.md",
    "decisions/0017-argon2-in-vector-instructions.md",
    "decisions/0018-deployment.md",
    "decisions/0019-documentation.md",
    "decisions/0020-doctor-and-backup.md",
    "decisions/0021-transaction-poolers.md",
    "decisions/0022-stopping-behind-a-balancer.md",
    "decisions/0023-plans-go-by-indexes.md",
    "decisions/0024-xtask-is-longer.md",
    "decisions/0025-rabbitmq-in-rounds.md",
];

/// Files of the repository that the server has at its root.
const SERVED: [&str; 2] = ["openapi.json", "asyncapi.json"];

const PICTURES: &[Page] = compiled_in![
    "performance.svg",
    "diagrams/login.svg",
    "diagrams/refresh.svg",
    "diagrams/logout.svg",
    "diagrams/key-rotation.svg",
    "diagrams/outbox.svg",
];

pub(super) fn picture(path: &str) -> Option<&'static str> {
    PICTURES.iter().find(|picture| picture.path == path).map(|picture| picture.markdown)
}

/// Finds the page that is served at this place below the guide.
pub(super) fn page_at(place: &str) -> Option<&'static Page> {
    PAGES.iter().find(|page| page.place() == place)
}

impl Page {
    /// Where it is served below the guide: its path without `.md`; a README stands for its folder.
    pub(super) fn place(&self) -> &'static str {
        let path = self.path.strip_suffix(".md").unwrap_or(self.path);
        path.strip_suffix("README").map_or(path, |folder| folder.trim_end_matches('/'))
    }

    /// Where it is served below `/docs/`.
    pub(super) fn url(&self) -> String {
        format!("guide/{}", self.place()).trim_end_matches('/').to_owned()
    }

    /// What leads from it to a place below `/docs/`, whatever stands before that.
    pub(super) fn relative(&self, url: &str) -> String {
        let folders = self.url().matches('/').count();
        format!("{}{url}", "../".repeat(folders))
    }

    /// What a link of this page leads to, if that is in the book; `Err` names the file of the repository otherwise.
    pub(super) fn target(&self, link: &str) -> Result<String, String> {
        let (path, anchor) = link.split_once('#').map_or((link, ""), |(path, anchor)| (path, anchor));
        let file = resolve(self.path, path);
        let place = std::iter::once(&INDEX).chain(PAGES).find(|page| page.path == file).map(Page::url);
        let picture = || picture(&file).map(|_| format!("guide/{file}"));
        let Some(url) = place.or_else(picture) else {
            let file = outside(self.path, path);
            let served = SERVED.contains(&file.as_str());
            return if served { Ok(self.relative(&format!("../{file}"))) } else { Err(file) };
        };
        let anchor = if anchor.is_empty() { String::new() } else { format!("#{anchor}") };
        Ok(self.relative(&url) + &anchor)
    }
}

/// The path below `docs/` that a link means which stands in the file `from`.
fn resolve(from: &str, link: &str) -> String {
    let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The same path below the root of the repository.
fn outside(from: &str, link: &str) -> String {
    resolve(&format!("docs/{from}"), link)
}

/// The pages in their order, each with the title that the summary gives it.
pub(super) fn order() -> Vec<(String, String)> {
    let mut order = Vec::new();
    let mut open: Option<(String, String)> = None;
    for event in Parser::new(SUMMARY) {
        match event {
            Event::Start(Tag::Link { dest_url, .. }) => open = Some((dest_url.into_string(), String::new())),
            Event::Text(text) | Event::Code(text) => {
                if let Some((_, title)) = &mut open {
                    title.push_str(&text);
                }
            }
            Event::End(TagEnd::Link) => order.extend(open.take()),
            _ => {}
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_lists_what_is_compiled_in_and_nothing_else() {
        let mut listed: Vec<String> = order().into_iter().map(|(path, _)| path).collect();
        assert_eq!(listed.first().map(String::as_str), Some(INDEX.path));
        listed.remove(0);
        let compiled: Vec<&str> = PAGES.iter().map(|page| page.path).collect();
        assert_eq!(listed, compiled, "docs/SUMMARY.md, and PAGES");
    }

    #[test]
    fn links_are_relative_and_know_what_is_outside() {
        let rust = page_at("integrate/rust").expect("a page");
        assert_eq!(rust.target("README.md"), Ok("../../guide/integrate".to_owned()));
        assert_eq!(
            rust.target("../events.md#the-envelope"),
            Ok("../../guide/events#the-envelope".to_owned())
        );
        assert_eq!(rust.target("../../deploy/compose.yml"), Err("deploy/compose.yml".to_owned()));
        assert_eq!(INDEX.target("quickstart.md"), Ok("guide/quickstart".to_owned()));
        assert_eq!(rust.target("../../openapi.json"), Ok("../../../openapi.json".to_owned()));
        assert_eq!(INDEX.target("../README.md"), Err("README.md".to_owned()));
        assert_eq!(page_at("integrate").map(|page| page.path), Some("integrate/README.md"));
        assert_eq!(
            page_at("performance").and_then(|page| page.target("performance.svg").ok()).as_deref(),
            Some("../guide/performance.svg")
        );
        assert_eq!(page_at("../README"), None);
    }
}
