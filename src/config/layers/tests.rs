use std::io;

use super::*;

fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn env(pairs: &[(&str, &str)]) -> Sources {
    Sources {
        env: variables(pairs),
        read: |path| match path.to_str() {
            Some("/run/secrets/one") => Ok("hush\n".to_owned()),
            Some("/run/secrets/two") => Ok("hush \r\n\n".to_owned()),
            _ => Err(io::ErrorKind::NotFound.into()),
        },
        ..Sources::default()
    }
}

fn winner(sources: &Sources, key: &str) -> (String, String) {
    let layered = merge(sources);
    let entry = &layered.values[key];
    (entry.value.joined().to_string(), entry.origin.to_string())
}

fn told(sources: &Sources) -> String {
    super::super::Problems(merge(sources).problems).to_string()
}

#[test]
fn each_source_beats_those_below_it() {
    let mut sources = Sources::default();
    let listen = |sources: &Sources| winner(sources, "listen");
    assert_eq!(listen(&sources), ("127.0.0.1:7300".into(), "default".into()));
    sources.file = Some(("keyward.toml".into(), "\nlisten = \"a\"".into()));
    assert_eq!(listen(&sources), ("a".into(), "keyward.toml line 2".into()));
    sources.dotenv = Some((".env".into(), variables(&[("PORT", "1")])));
    assert_eq!(listen(&sources), ("0.0.0.0:1".into(), ".env PORT".into()));
    sources.env = variables(&[("PORT", "2")]);
    assert_eq!(listen(&sources), ("0.0.0.0:2".into(), "environment PORT".into()));
    sources.dotenv = Some((".env".into(), variables(&[("KEYWARD_LISTEN", "b")])));
    assert_eq!(listen(&sources), ("b".into(), ".env KEYWARD_LISTEN".into()));
    sources.env.insert("KEYWARD_LISTEN".into(), "c".into());
    assert_eq!(listen(&sources), ("c".into(), "environment KEYWARD_LISTEN".into()));
    sources.flags = vec![("listen".into(), "d".into()), ("listen".into(), "e".into())];
    assert_eq!(listen(&sources), ("e".into(), "command line".into()));
    assert_eq!(told(&sources), "0 settings need attention:");
}

#[test]
fn names_of_other_makers_give_way_to_ours() {
    let both = env(&[("DATABASE_URL", "theirs"), ("KEYWARD_DATABASE_URL", "ours")]);
    assert_eq!(winner(&both, "database_url").0, "ours");
    let theirs = env(&[("DATABASE_URL", "theirs"), ("REDIS_URL", "r")]);
    assert_eq!(winner(&theirs, "database_url"), ("theirs".into(), "environment DATABASE_URL".into()));
    assert_eq!(winner(&theirs, "redis_url").0, "r");
}

#[test]
fn a_secret_may_stand_in_a_file() {
    let sources = env(&[
        ("KEYWARD_ADMIN_PASSWORD_FILE", "/run/secrets/one"),
        ("DATABASE_URL_FILE", "/run/secrets/two"),
    ]);
    assert_eq!(
        winner(&sources, "admin.password"),
        ("hush".into(), "environment KEYWARD_ADMIN_PASSWORD_FILE".into())
    );
    assert_eq!(winner(&sources, "database_url").0, "hush \r\n", "one newline is taken off, no more");
    let mut sources = env(&[]);
    sources.file = Some(("keyward.toml".into(), "[admin]\npassword_file = \"/run/secrets/one\"".into()));
    assert_eq!(winner(&sources, "admin.password"), ("hush".into(), "keyward.toml line 2".into()));
}

#[test]
fn a_secret_given_as_value_and_as_file_is_a_problem() {
    let sources = env(&[("KEYWARD_REDIS_URL", "hush"), ("KEYWARD_REDIS_URL_FILE", "/run/secrets/one")]);
    let shown = told(&sources);
    assert!(
        shown.contains("redis_url") && shown.contains("given twice") && !shown.contains("hush"),
        "{shown}"
    );
    let mut sources = env(&[]);
    sources.file = Some(("k.toml".into(), "redis_url = \"x\"\nredis_url_file = \"/run/secrets/one\"".into()));
    assert!(told(&sources).contains("redis_url (from k.toml line 2)"));
}

#[test]
fn a_secret_file_that_cannot_be_read_is_a_problem_if_it_counts() {
    let mut sources = env(&[("KEYWARD_MASTER_KEY_FILE", "/no/such/file")]);
    let shown = told(&sources);
    assert!(
        shown.contains("KEYWARD_MASTER_KEY_FILE") && shown.contains("/no/such/file cannot be read"),
        "{shown}"
    );
    sources.flags.push(("master_key".into(), "hush".into()));
    let layered = merge(&sources);
    assert!(layered.problems.is_empty());
    assert!(layered.warnings[0].contains("KEYWARD_MASTER_KEY_FILE"), "a secret in the process list");
}

#[test]
fn unknown_names_are_problems_wherever_they_are() {
    let mut sources = env(&[("KEYWARD_TOKEN_ACCES_TTL", "5m"), ("KEYWARD_LOG", "x"), ("HOME", "/")]);
    sources.dotenv = Some((".env".into(), variables(&[("KEYWARD_ISUER", "x")])));
    sources.flags.push(("argon2.memory".into(), "1".into()));
    let shown = told(&sources);
    for part in [
        "4 settings",
        "KEYWARD_TOKEN_ACCES_TTL (from environment KEYWARD_TOKEN_ACCES_TTL)",
        "did you mean KEYWARD_TOKEN_ACCESS_TTL?",
        "KEYWARD_ISUER (from .env KEYWARD_ISUER)",
        "did you mean KEYWARD_ISSUER?",
        "argon2.memory (from command line)",
        "did you mean argon2.memory_kib?",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

#[test]
fn names_that_are_no_mistakes_pass() {
    let sources = env(&[
        ("KEYWARD_CONFIG", "keyward.toml"),
        ("KEYWARD_TEST_POSTGRES", "x"),
        ("KEYWARD_SERVICE_HOST", "10.0.0.1"),
        ("KEYWARD_SERVICE_PORT_HTTP", "7300"),
        ("KEYWARD_PORT", "tcp://10.0.0.1:7300"),
        ("KEYWARD_PORT_7300_TCP_ADDR", "10.0.0.1"),
        ("KEYWARD_DB_SERVICE_PORT", "5432"),
        ("KEYWARD_DB_PORT_5432_TCP", "tcp://10.0.0.2:5432"),
    ]);
    assert_eq!(merge(&sources).problems, []);
    assert!(told(&env(&[("KEYWARD_PORT", "7300")])).contains("KEYWARD_PORT"));
}

#[test]
fn a_url_without_a_password_may_be_on_the_command_line() {
    let mut sources = env(&[]);
    sources.flags.push(("database_url".into(), "sqlite://k.db".into()));
    assert!(merge(&sources).warnings.is_empty());
    sources.flags.push(("redis_url".into(), "redis://:hush@cache".into()));
    let warnings = merge(&sources).warnings;
    assert!(warnings.len() == 1 && !warnings[0].contains("hush"));
}
