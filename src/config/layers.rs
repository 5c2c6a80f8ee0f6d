//! Lays flag over environment over `.env` over file over default, and keeps where each value came from.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use super::{
    file,
    keys::{self, Kind, Named},
    problem::{Origin, Problem},
    sources::{CONFIG_VARIABLE, Sources},
};

/// The annotated reference, and the lowest layer.
pub const DEFAULTS: &str = include_str!("../../config.default.toml");

/// A value as it was written.
#[derive(Clone)]
pub(super) enum Value {
    Text(Zeroizing<String>),
    List(Vec<Zeroizing<String>>),
    /// Stands in a file that could not be read; the problem is told already.
    Unread,
}

impl Value {
    /// The members of a list, however it was written; empty ones do not count.
    pub(super) fn items(&self) -> Vec<&str> {
        let items: Vec<&str> = match self {
            Self::Text(text) => text.split(',').collect(),
            Self::List(items) => items.iter().map(|item| item.as_str()).collect(),
            Self::Unread => Vec::new(),
        };
        items.into_iter().map(str::trim).filter(|item| !item.is_empty()).collect()
    }

    pub(super) fn joined(&self) -> Zeroizing<String> {
        match self {
            Self::Text(text) => text.clone(),
            Self::List(_) | Self::Unread => Zeroizing::new(self.items().join(",")),
        }
    }
}

/// One value of one layer.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) named: Named,
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// The values that count.
pub(super) struct Layered {
    pub(super) values: BTreeMap<&'static str, Entry>,
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<String>,
    /// Whether every source was read, so that what is missing is really missing.
    pub(super) complete: bool,
    pub(super) for_a_server: bool,
}

/// Merges the sources.
pub(super) fn merge(sources: &Sources) -> Layered {
    let mut layered = Layered {
        values: BTreeMap::new(),
        problems: sources.problems.clone(),
        warnings: Vec::new(),
        complete: sources.problems.is_empty(),
        for_a_server: sources.for_a_server,
    };
    layered.file(Path::new(""), DEFAULTS);
    if let Some((path, text)) = &sources.file {
        layered.file(path, text);
    }
    // A platform's own names give way to ours, wherever ours are set: a `DATABASE_URL` left over in a shell must not
    // beat what the project's `.env` says to this program.
    for own in [false, true] {
        if let Some((path, variables)) = &sources.dotenv {
            layered.variables(variables, own, |name| Origin::Dotenv { path: path.clone(), name });
        }
        layered.variables(&sources.env, own, Origin::Environment);
    }
    layered.flags(&sources.flags);
    layered.open_twins(sources);
    layered
}

impl Layered {
    fn file(&mut self, path: &Path, text: &str) {
        let read = file::read(path, text);
        self.complete &= read.well_formed;
        self.problems.extend(read.problems);
        self.lay(read.entries);
    }

    fn variables(
        &mut self,
        variables: &BTreeMap<String, String>,
        own: bool,
        origin: impl Fn(String) -> Origin,
    ) {
        let mut entries = Vec::new();
        for (name, value) in variables {
            if name.starts_with(keys::PREFIX) != own {
                continue;
            }
            let named = if own { keys::by_env(name) } else { keys::by_fallback(name) };
            let origin = origin(name.clone());
            if let Some(named) = named {
                let value = Value::Text(Zeroizing::new(meant(name, value)));
                entries.push(Entry { named, value, origin });
            } else if own && !is_foreign(name, value) {
                self.problems.push(unknown_variable(name, origin));
            }
        }
        self.lay(entries);
    }

    fn flags(&mut self, flags: &[(String, String)]) {
        // The last of several equal flags counts, as is the custom.
        let mut entries = BTreeMap::new();
        for (name, value) in flags {
            let Some(named) = keys::by_name(name) else {
                let problem = file::unknown_key(name, Origin::CommandLine);
                self.problems.push(problem);
                continue;
            };
            let harmless = named.key.kind == Kind::SecretUrl && !value.contains(['@', '?']);
            if named.key.secret() && !named.twin && !harmless {
                self.warnings.push(format!(
                    "{name} is on the command line, where every process of this machine can read it; \
                     use {}_FILE",
                    named.key.env_name()
                ));
            }
            let value = Value::Text(Zeroizing::new(value.clone()));
            let origin = Origin::CommandLine;
            entries.insert(name, Entry { named, value, origin });
        }
        self.lay(entries.into_values().collect());
    }

    /// Lays one layer over those before it.
    fn lay(&mut self, layer: Vec<Entry>) {
        let mut seen = BTreeSet::new();
        for entry in layer {
            let key = entry.named.key;
            if !seen.insert(key.name) {
                self.problems.push(Problem::new(
                    key.name,
                    entry.origin.clone(),
                    "is given twice, as a value and as a file",
                    "keep one of the two",
                ));
            }
            self.values.insert(key.name, entry);
        }
    }

    /// Puts the content of a secret's file in the place of its path. Only of those that count: a file that a higher
    /// layer makes unnecessary need not exist.
    fn open_twins(&mut self, sources: &Sources) {
        for (name, entry) in &mut self.values {
            if !entry.named.twin {
                continue;
            }
            let path = PathBuf::from(entry.value.joined().as_str());
            match (sources.read)(&path) {
                Ok(text) => {
                    let text = Zeroizing::new(text);
                    let line = text.strip_suffix('\n').unwrap_or(&text);
                    let line = line.strip_suffix('\r').unwrap_or(line);
                    entry.value = Value::Text(Zeroizing::new(line.to_owned()));
                }
                Err(error) => {
                    entry.value = Value::Unread;
                    self.problems.push(Problem::new(
                        *name,
                        entry.origin.clone(),
                        format!("{} cannot be read: {error}", path.display()),
                        "name a file that exists and that this user may read",
                    ));
                }
            }
        }
    }
}

/// A platform that sets `PORT` routes to the machine's address, so loopback would never be reached.
fn meant(name: &str, value: &str) -> String {
    if name == "PORT" { format!("0.0.0.0:{value}") } else { value.to_owned() }
}

fn unknown_variable(name: &str, origin: Origin) -> Problem {
    let fix = match keys::nearest_env(name) {
        Some(near) => format!("did you mean {near}?"),
        None => "unset it; config.default.toml lists every setting".to_owned(),
    };
    Problem::new(name, origin, "there is no such setting", fix)
}

/// `KEYWARD_` names that are no settings and no mistakes either.
fn is_foreign(name: &str, value: &str) -> bool {
    name == CONFIG_VARIABLE || name.starts_with("KEYWARD_TEST_") || is_service_link(name, value)
}

/// Kubernetes gives every pod variables about each Service of its namespace; for a Service called `keyward` or
/// `keyward-db` they begin with our prefix: `KEYWARD_SERVICE_HOST`, `KEYWARD_PORT_7300_TCP_ADDR`.
fn is_service_link(name: &str, value: &str) -> bool {
    let protocol = ["TCP", "UDP", "SCTP"];
    let address = ["tcp://", "udp://", "sctp://"];
    let port = name.split_once("_PORT_").is_some_and(|(_, rest)| {
        let mut parts = rest.split('_');
        parts.next().is_some_and(|number| number.parse::<u16>().is_ok())
            && parts.next().is_some_and(|part| protocol.contains(&part))
    });
    port || name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.contains("_SERVICE_PORT_")
        || name.ends_with("_PORT") && address.iter().any(|scheme| value.starts_with(scheme))
}

#[cfg(test)]
mod tests;
