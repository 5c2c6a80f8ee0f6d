//! A TOML file as a flat list of settings with the line of each.

use std::path::{Path, PathBuf};

use toml::{
    Spanned,
    de::{DeString, DeTable, DeValue},
};
use zeroize::Zeroizing;

use super::{
    keys::{self, Named},
    layers::{Entry, Value},
    problem::{Origin, Problem},
};

/// What was found in one file.
pub(super) struct Read {
    pub(super) well_formed: bool,
    pub(super) entries: Vec<Entry>,
    pub(super) problems: Vec<Problem>,
}

/// Reads a file. After a syntax error its values are dropped: what is left of them would only cause false alarms.
pub(super) fn read(path: &Path, text: &str) -> Read {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut flat = Flat {
        path,
        text,
        read: Read { well_formed: errors.is_empty(), entries: Vec::new(), problems: Vec::new() },
    };
    if flat.read.well_formed {
        flat.table(table.get_ref());
        return flat.read;
    }
    for error in errors {
        let origin = flat.origin(error.span().map(|span| span.start));
        let message = format!("is not TOML: {}", error.message());
        let fix = "repair the line; texts stand between double quotes";
        flat.read.problems.push(Problem::new("config", origin, message, fix));
    }
    flat.read
}

struct Flat<'a> {
    path: &'a Path,
    text: &'a str,
    read: Read,
}

impl Flat<'_> {
    fn table(&mut self, table: &DeTable<'_>) {
        for (name, value) in table {
            let DeValue::Table(section) = value.get_ref() else {
                self.value(name.get_ref(), name, value);
                continue;
            };
            if !keys::sections().any(|known| known == name.get_ref()) {
                self.unknown_section(name);
                continue;
            }
            for (key, value) in section {
                self.value(&format!("{}.{}", name.get_ref(), key.get_ref()), key, value);
            }
        }
    }

    fn value(&mut self, dotted: &str, key: &Spanned<DeString<'_>>, value: &Spanned<DeValue<'_>>) {
        let origin = self.origin(Some(key.span().start));
        let Some(named) = keys::by_name(dotted) else {
            self.read.problems.push(unknown_key(dotted, origin));
            return;
        };
        match meaning(named, value.get_ref()) {
            Ok(value) => self.read.entries.push(Entry { named, value, origin }),
            Err(message) => {
                let fix = if named.key.list() {
                    "write a text, or an array of texts: [\"…\", \"…\"]"
                } else {
                    "write one text between double quotes, a whole number, true or false"
                };
                let problem = Problem::new(named.key.name, origin, message, fix);
                self.read.problems.push(problem);
            }
        }
    }

    fn unknown_section(&mut self, name: &Spanned<DeString<'_>>) {
        let origin = self.origin(Some(name.span().start));
        let fix = match keys::nearest_section(name.get_ref()) {
            Some(near) => format!("did you mean [{near}]?"),
            None => "take it out; config.default.toml lists every section".to_owned(),
        };
        let key = format!("[{}]", name.get_ref());
        let problem = Problem::new(key, origin, "there is no such section", fix);
        self.read.problems.push(problem);
    }

    fn origin(&self, offset: Option<usize>) -> Origin {
        // The file that is compiled in goes by what its values are.
        if self.path.as_os_str().is_empty() {
            return Origin::Default;
        }
        let line =
            offset.and_then(|offset| self.text.get(..offset)).map(|before| before.matches('\n').count() + 1);
        Origin::File { path: PathBuf::from(self.path), line }
    }
}

pub(super) fn unknown_key(name: &str, origin: Origin) -> Problem {
    let fix = match keys::nearest_name(name) {
        Some(near) => format!("did you mean {near}?"),
        None => "take it out; config.default.toml lists every key".to_owned(),
    };
    Problem::new(name, origin, "there is no such setting", fix)
}

fn meaning(named: Named, value: &DeValue<'_>) -> Result<Value, String> {
    let DeValue::Array(items) = value else {
        return scalar(value).map(Value::Text);
    };
    if named.twin || !named.key.list() {
        return Err("is an array, one value is wanted".to_owned());
    }
    let items = items.iter().map(|item| scalar(item.get_ref()));
    items.collect::<Result<_, _>>().map(Value::List)
}

/// Numbers and booleans become the text that the environment would have.
fn scalar(value: &DeValue<'_>) -> Result<Zeroizing<String>, String> {
    let text = match value {
        DeValue::String(text) => text.as_ref().to_owned(),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| number.as_str().to_owned(), |number| number.to_string()),
        DeValue::Float(number) => number.as_str().to_owned(),
        DeValue::Boolean(value) => value.to_string(),
        other => return Err(format!("is of type {}", other.type_str())),
    };
    Ok(Zeroizing::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> String {
        let read = read(Path::new("keyward.toml"), text);
        super::super::Problems(read.problems).to_string()
    }

    #[test]
    fn values_know_their_line() {
        let text = "docs = true\n\n[token]\n# comment\naccess_ttl = \"5m\"\n[password]\nmin_length = 0x10\n";
        let read = read(Path::new("keyward.toml"), text);
        let found: Vec<_> = read
            .entries
            .iter()
            .map(|entry| {
                format!("{}={} {}", entry.named.key.name, entry.value.joined().as_str(), entry.origin)
            })
            .collect();
        assert_eq!(
            found,
            [
                "docs=true keyward.toml line 1",
                "password.min_length=16 keyward.toml line 7",
                "token.access_ttl=5m keyward.toml line 5",
            ]
        );
    }

    #[test]
    fn unknown_keys_and_sections_are_problems_with_a_suggestion() {
        let shown = problems("isuer = \"x\"\n[token]\nacces_ttl = \"5m\"\n[databse]\npooler = \"none\"\n");
        assert!(shown.contains("isuer (from keyward.toml line 1)") && shown.contains("did you mean issuer?"));
        assert!(shown.contains("did you mean token.access_ttl?"));
        assert!(
            shown.contains("[databse] (from keyward.toml line 4)")
                && shown.contains("did you mean [database]?")
        );
    }

    #[test]
    fn syntax_errors_are_all_told_without_their_line() {
        let shown = problems("master_key = abcdef\nissuer = \"x\ndocs = true\n");
        assert!(shown.contains("keyward.toml line 1") && shown.contains("keyward.toml line 2"), "{shown}");
        assert!(!shown.contains("abcdef"), "{shown}");
    }

    #[test]
    fn values_of_the_wrong_shape_are_problems() {
        let shown = problems("issuer = [\"x\"]\ndocs = 1.5\ncors = 5\n[listen]\nport = 1\n[cors]\n");
        assert!(!shown.is_empty());
        let shown = problems("issuer = [\"x\"]\ndocs = 1979-05-27\naudience = {}\n");
        assert!(
            shown.contains("is an array") && shown.contains("type datetime") && shown.contains("[audience]"),
            "{shown}"
        );
        let fine = problems("[telemetry]\nsampling_ratio = 0.25\n");
        assert!(fine.starts_with("0 settings"), "{fine}");
    }
}
