//! Settings: a TOML file, then after a line of dashes `NAME=value` of the environment. Every mistake
//! comes with a fix, and neither mistakes nor `config show` hold a secret.
#![no_main]

use std::io;

use keyward::config::{KEYS, Kind, Sources, load};
use libfuzzer_sys::fuzz_target;

/// Shorter ones, and those of few letters, stand in other texts by chance.
const TELLING: usize = 12;

fuzz_target!(|text: &str| {
    let (file, variables) = text.split_once("\n---\n").unwrap_or((text, ""));
    let env = variables.lines().filter_map(|line| line.split_once('='));
    let sources = Sources {
        env: env.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        file: Some(("keyward.toml".into(), file.to_owned())),
        // What a `_FILE` twin names is read by nobody here.
        read: |_| Err(io::ErrorKind::NotFound.into()),
        ..Sources::default()
    };
    let shown = match load(&sources, 2, || [0x5a; 32]) {
        Ok((settings, description)) => format!("{description}\n{}", settings.warnings.join("\n")),
        Err(problems) => {
            assert!(!problems.0.is_empty());
            for problem in &problems.0 {
                assert!(!problem.message.is_empty() && !problem.fix.is_empty(), "{problem:?}");
            }
            problems.to_string()
        }
    };
    for key in KEYS.iter().filter(|key| matches!(key.kind, Kind::Secret | Kind::SecretList)) {
        for secret in sources.env.get(&key.env_name()).into_iter().flat_map(|value| value.split(',')) {
            let public = secret.len() < TELLING
                || file.contains(secret)
                || occurs_elsewhere(&sources, key.name, secret);
            assert!(public || !shown.contains(secret), "{}: {shown}", key.name);
        }
    }
});

/// Whether it is also the value, or the name, of something that may be shown.
fn occurs_elsewhere(sources: &Sources, key: &str, secret: &str) -> bool {
    let own = format!("KEYWARD_{}", key.replace('.', "_").to_uppercase());
    let shown = keyward::config::DEFAULTS.contains(secret);
    shown
        || sources
            .env
            .iter()
            .any(|(name, value)| name.contains(secret) || *name != own && value.contains(secret))
}
