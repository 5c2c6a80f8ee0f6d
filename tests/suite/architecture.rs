//! The shape of the server: which layer may name which, and how files are called and sized.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Each layer, and the layers that it may name besides itself. Whatever is not listed is refused.
const ARROWS: [(&str, &[&str]); 12] = [
    ("domain", &[]),
    ("clock", &["domain"]),
    ("random", &["domain"]),
    ("config", &[]),
    ("telemetry", &["domain", "config"]),
    ("store", &["domain", "clock", "random", "telemetry"]),
    ("crypto", &["domain", "random", "telemetry"]),
    ("events", &["domain", "config"]),
    ("limits", &["domain", "clock", "random", "config", "telemetry"]),
    ("app", &["domain", "clock", "random", "config", "telemetry", "store", "crypto", "limits", "events"]),
    ("http", &["domain", "random", "config", "telemetry", "app"]),
    // It starts the server and prints what the others make; it asks `app` for all the rest.
    ("cli", &["domain", "clock", "random", "config", "telemetry", "app", "http"]),
];
const LINES_MAX: usize = 500;
const VAGUE: [&str; 8] = ["util", "utils", "common", "helper", "helpers", "manager", "misc", "mod"];

#[test]
fn layers_name_only_what_they_stand_on() {
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for (path, text) in sources() {
        let layer = layer_of(&path);
        if ["lib", "main"].contains(&layer.as_str()) {
            continue;
        }
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == layer) else {
            wrong.push(format!(
                "{path}: {layer} is a layer without arrows; add it to ARROWS and ARCHITECTURE.md"
            ));
            continue;
        };
        for named in named_layers(&text) {
            if named != layer && !allowed.contains(&named.as_str()) {
                wrong.push(format!("{path}: {layer} must not name {named}"));
            }
        }
        seen.insert(layer);
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!(seen.len(), ARROWS.len(), "{seen:?}");
}

#[test]
fn names_of_layers_are_found_in_every_spelling() {
    let found = |text| named_layers(text).into_iter().collect::<Vec<_>>();
    assert_eq!(found("use crate::store::Tx;"), ["store"]);
    assert_eq!(found("let x = crate::app::App::start();"), ["app"]);
    assert_eq!(found("use crate::{clock::Clock, http::{Bound, Server}, cli};"), ["cli", "clock", "http"]);
    assert_eq!(found("use keyward::events::Publisher;"), ["events"]);
    assert_eq!(
        found("// crate::store is not named here\n/// [`App`](crate::app::App)"),
        Vec::<String>::new()
    );
}

#[test]
fn the_domain_does_not_wait_store_or_speak() {
    for (path, text) in sources() {
        if layer_of(&path) != "domain" {
            continue;
        }
        for foreign in
            ["async ", ".await", "tokio", "sqlx", "axum", "std::fs", "std::net::Tcp", "tracing", "SystemTime"]
        {
            assert!(!code(&text).contains(foreign), "{path}: {foreign}");
        }
    }
}

#[test]
fn files_have_telling_names_and_a_readable_size() {
    for (path, text) in sources() {
        let name = Path::new(&path).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        assert!(!VAGUE.contains(&name), "{path} says nothing about what is in it");
        let lines = text.lines().count();
        assert!(lines <= LINES_MAX, "{path} has {lines} lines: what could stand by itself?");
    }
}

/// `problem.rs` alone knows which error is which status. The probe of the management listener is
/// the exception: its answer is no problem document but a state.
#[test]
fn one_file_knows_the_status_of_an_error() {
    let good = ["OK", "CREATED", "NO_CONTENT", "NOT_MODIFIED"];
    for (path, text) in sources() {
        if !path.starts_with("src/http/")
            || ["src/http/problem.rs", "src/http/management.rs"].contains(&path.as_str())
        {
            continue;
        }
        for named in code(&text).split("StatusCode::").skip(1) {
            let end = named.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(named.len());
            let constant = &named[..end];
            let status = constant.chars().all(|c| c.is_ascii_uppercase() || c == '_');
            assert!(!status || good.contains(&constant), "{path}: StatusCode::{constant}");
        }
    }
    for (path, text) in sources() {
        let speaks = ["http", "cli"].contains(&layer_of(&path).as_str());
        assert!(speaks || !code(&text).contains("StatusCode"), "{path} knows HTTP statuses");
    }
}

/// F13: whoever keeps a collection that can grow says how far, where the others do.
#[test]
fn whatever_can_grow_is_listed_with_its_bound() {
    const GROWS: [&str; 8] = [
        "HashMap<",
        "HashSet<",
        "BTreeMap<",
        "BTreeSet<",
        "VecDeque<",
        "mpsc::Sender<",
        "LinkedList<",
        "unbounded",
    ];
    let map = fs::read_to_string("ARCHITECTURE.md").expect("tests run in the package's folder");
    let kept = |line: &str| {
        let line = line.trim_start();
        let field = line.split_once(": ").is_some_and(|(name, _)| {
            let name = name.rsplit(' ').next().unwrap_or_default();
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        });
        let inside = !["let ", "fn ", "pub fn ", "async fn ", "impl ", "type ", "run: impl"]
            .iter()
            .any(|word| line.starts_with(word));
        (field || line.contains("struct ")) && inside && GROWS.iter().any(|grows| line.contains(grows))
    };
    let keepers = sources().into_iter().filter(|(path, text)| {
        // Settings are read once, and the domain keeps nothing.
        !["config", "domain"].contains(&layer_of(path).as_str()) && code(text).lines().any(kept)
    });
    let unlisted: Vec<_> =
        keepers.map(|(path, _)| path).filter(|path| !map.contains(&format!("| `{path}` |"))).collect();
    assert_eq!(unlisted, Vec::<String>::new(), "ARCHITECTURE.md does not say how much these hold at most");
}

/// Statements stand in the store and nowhere else.
#[test]
fn sql_stands_in_the_store() {
    for (path, text) in sources() {
        if layer_of(&path) != "store" {
            assert!(!code(&text).contains("sqlx::"), "{path} speaks to the database by itself");
        }
    }
}

/// Every source file of the server, by its path, in order.
fn sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new("src").to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("tests run in the package's folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("UTF-8");
                found.push((path.to_string_lossy().replace('\\', "/"), text));
            }
        }
    }
    found.sort();
    assert!(found.len() > 50, "the sources are elsewhere");
    found
}

/// `src/app/login.rs` and `src/app.rs` are of `app`.
fn layer_of(path: &str) -> String {
    let path = path.trim_start_matches("src/").trim_end_matches(".rs");
    path.split('/').next().unwrap_or_default().to_owned()
}

/// The text without comments, and without the tests at its end.
fn code(text: &str) -> String {
    let body = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = body.lines().map(|line| {
        let comment = line.trim_start().starts_with("//");
        if comment { "" } else { line.split(" // ").next().unwrap_or_default() }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The layers after `crate::` (or the crate's own name), also inside one pair of braces.
fn named_layers(text: &str) -> BTreeSet<String> {
    let code = code(text);
    let paths = ["crate::", "keyward::"].into_iter().flat_map(|root| code.split(root).skip(1));
    let mut layers = BTreeSet::new();
    for path in paths {
        match path.strip_prefix('{') {
            Some(group) => layers.extend(group_members(group)),
            None => layers.extend(first_word(path)),
        }
    }
    layers.retain(|name| ARROWS.iter().any(|(layer, _)| layer == name));
    layers
}

fn group_members(group: &str) -> Vec<String> {
    let (mut depth, mut start, mut members) = (0_u32, true, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => start = true,
            c if start && !c.is_whitespace() => {
                members.extend(group.get(at..).and_then(first_word));
                start = false;
            }
            _ => {}
        }
    }
    members
}

fn first_word(text: &str) -> Option<String> {
    let word: String = text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    (!word.is_empty()).then_some(word)
}
