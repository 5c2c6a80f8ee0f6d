//! The guide as it is served: every page, every link, and nobody else is asked for anything.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use pulldown_cmark::{Event, Options, Parser, Tag};

use crate::support::{Actor, TestServer};

#[tokio::test]
async fn every_link_of_every_page_leads_somewhere() {
    let server = TestServer::start().await;
    let stranger = server.anonymous();
    let pages = crawl(&stranger).await;
    let served: usize = markdown_files("docs").len() - 1; // the summary is the side of each page
    assert_eq!(pages.len(), served, "{:?}", pages.keys());

    let mut others = BTreeSet::new();
    for (url, html) in &pages {
        for link in attributes(html, "href") {
            if link.starts_with("http") {
                continue;
            }
            let (target, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if target.is_empty() { url.clone() } else { join(url, target) };
            match pages.get(&target) {
                Some(page) => {
                    assert!(anchor.is_empty() || page.contains(&format!("id=\"{anchor}\"")), "{url}: {link}");
                }
                None => {
                    others.insert(target);
                }
            }
        }
        others.extend(attributes(html, "src").iter().map(|picture| join(url, picture)));
        for rest in html.split("<span class=\"outside\" title=\"").skip(1) {
            let file = rest.split(", in the repository").next().unwrap_or_default();
            assert!(Path::new(file).exists(), "{url} links to {file}");
        }
    }
    assert!(others.contains("/docs/guide/diagrams/login.svg") && others.contains("/docs/"), "{others:?}");
    for url in others {
        stranger.get(&url).await.expect_status(200);
    }
}

#[tokio::test]
async fn pages_come_from_here_and_run_no_script() {
    let server = TestServer::start().await;
    let stranger = server.anonymous();
    for (url, html) in crawl(&stranger).await {
        assert!(!html.contains("<script") && !html.contains(" style="), "{url}");
        for picture in attributes(&html, "src") {
            assert!(!picture.contains("//"), "{url}: {picture}");
        }
    }
    let page = stranger.get("/docs/guide").await.expect_status(200);
    assert!(page.header("content-type").starts_with("text/html"));
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; style-src 'self'; img-src 'self';"), "{policy}");
    assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
    let error = stranger.get("/docs/errors/not_found").await.expect_status(200);
    let html = String::from_utf8_lossy(&error.body);
    assert!(html.contains("../guide/errors") && !html.contains("<script"), "{html}");
    assert!(error.header("content-security-policy").starts_with("default-src 'none'; style-src 'self';"));
    let style = stranger.get("/docs/guide/style.css").await.expect_status(200);
    assert!(style.header("content-type").starts_with("text/css"));
    assert!(!String::from_utf8_lossy(&style.body).contains("url("));
    let picture = stranger.get("/docs/guide/performance.svg").await.expect_status(200);
    assert_eq!(picture.header("content-type"), "image/svg+xml; charset=utf-8");
    assert_eq!(stranger.get("/docs/guide/").await.expect_status(308).header("location"), "/docs/guide");
    for nothing in
        ["/docs/guide/nothing", "/docs/guide/quickstart.md", "/docs/guide/..%2fREADME", "/docs/guide/SUMMARY"]
    {
        stranger.get(nothing).await.expect_problem(404, "not_found");
    }
}

#[tokio::test]
async fn there_is_none_where_documentation_is_off() {
    let server = TestServer::start_with(&[("docs", "false")]).await;
    for hidden in ["/docs/guide", "/docs/guide/quickstart", "/docs/guide/style.css"] {
        server.anonymous().get(hidden).await.expect_problem(404, "not_found");
    }
}

/// What is not in the guide is read on the disk, or where the repository is hosted.
#[test]
fn links_between_files_lead_to_files() {
    let mut files = markdown_files("docs");
    files.extend(
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "examples/user-service/README.md"]
            .map(str::to_owned),
    );
    for file in files {
        let folder = Path::new(&file).parent().expect("a file is in a folder");
        let text = fs::read_to_string(&file).expect("tests run in the package's folder");
        for event in Parser::new_ext(&text, Options::ENABLE_TABLES) {
            let Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) = event else {
                continue;
            };
            let path = dest_url.split('#').next().unwrap_or_default();
            let elsewhere = path.is_empty() || path.starts_with("http");
            assert!(elsewhere || folder.join(path).exists(), "{file} links to {dest_url}");
        }
    }
}

#[test]
fn the_catalogue_of_errors_is_fresh() {
    let committed = include_str!("../../docs/errors.md");
    let fresh = keyward::http::error_catalogue();
    assert_eq!(fresh, committed, "`cargo xtask generate` writes docs/errors.md anew");
}

/// Every page of the guide that a reader can reach, by its URL.
async fn crawl(stranger: &Actor) -> BTreeMap<String, String> {
    let (mut pages, mut next) = (BTreeMap::new(), vec!["/docs/guide".to_owned()]);
    while let Some(url) = next.pop() {
        if pages.contains_key(&url) {
            continue;
        }
        let page = stranger.get(&url).await.expect_status(200);
        let html = String::from_utf8(page.body).expect("UTF-8");
        for link in attributes(&html, "href") {
            let target = join(&url, link.split('#').next().unwrap_or_default());
            let file = [".css", ".svg"].iter().any(|end| target.ends_with(end));
            if !link.starts_with("http")
                && !link.starts_with('#')
                && target.starts_with("/docs/guide")
                && !file
            {
                next.push(target);
            }
        }
        pages.insert(url, html);
    }
    pages
}

/// Where a relative link leads that stands in the page at `url`.
fn join(url: &str, link: &str) -> String {
    let base = url::Url::parse("http://h").and_then(|host| host.join(url)).expect("a URL");
    base.join(link).expect("a link").path().to_owned()
}

fn attributes(html: &str, name: &str) -> Vec<String> {
    let mark = format!(" {name}=\"");
    html.split(&mark).skip(1).filter_map(|rest| rest.split('"').next().map(str::to_owned)).collect()
}

fn markdown_files(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("tests run in the package's folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(markdown_files(&path.to_string_lossy()));
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path.to_string_lossy().into_owned());
        }
    }
    found
}
