//! What the settings are made from, collected once, so that everything after it is a pure function.

use std::{
    collections::BTreeMap,
    fmt, fs, io,
    path::{Path, PathBuf},
};

use super::{
    keys,
    problem::{Origin, Problem},
};

/// Names the TOML file, as `--config` does; the one `KEYWARD_` name that is no setting.
pub(super) const CONFIG_VARIABLE: &str = "KEYWARD_CONFIG";

/// Everything that settings are read from, in falling precedence.
#[derive(Clone)]
pub struct Sources {
    /// Dotted key and value, from flags and `--set`; the last one of a key counts.
    pub flags: Vec<(String, String)>,
    pub env: BTreeMap<String, String>,
    pub dotenv: Option<(PathBuf, BTreeMap<String, String>)>,
    /// The TOML file and its text.
    pub file: Option<(PathBuf, String)>,
    /// Reads the file that a `_FILE` twin names.
    pub read: fn(&Path) -> io::Result<String>,
    /// Whether files that only a server needs, such as its certificate, are to be looked at.
    pub for_a_server: bool,
    /// Mistakes made while collecting, told together with the rest.
    pub problems: Vec<Problem>,
}

impl Default for Sources {
    fn default() -> Self {
        Self {
            flags: Vec::new(),
            env: BTreeMap::new(),
            dotenv: None,
            file: None,
            read: |path| fs::read_to_string(path),
            for_a_server: false,
            problems: Vec::new(),
        }
    }
}

/// Names only: the values may be secrets.
impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags: Vec<&str> = self.flags.iter().map(|(key, _)| key.as_str()).collect();
        let dotenv = self.dotenv.as_ref();
        f.debug_struct("Sources")
            .field("flags", &flags)
            .field("env", &self.env.keys())
            .field("dotenv", &dotenv.map(|(path, vars)| (path, vars.keys())))
            .field("file", &self.file.as_ref().map(|(path, _)| path))
            .field("problems", &self.problems)
            .finish_non_exhaustive()
    }
}

impl Sources {
    /// Reads the process environment, `.env` in the working directory and the TOML file that `--config` or
    /// `KEYWARD_CONFIG` names. The process environment is never changed.
    #[must_use]
    pub fn from_process(flags: Vec<(String, String)>, config: Option<PathBuf>) -> Self {
        let mut sources = Self { flags, ..Self::default() };
        sources.take_env();
        sources.take_dotenv(Path::new(".env"));
        if let Some((path, origin)) = sources.config_path(config) {
            sources.take_file(path, origin);
        }
        sources
    }

    fn take_env(&mut self) {
        for (name, value) in std::env::vars_os() {
            let Some(name) = name.to_str().filter(|name| ours(name)) else {
                continue;
            };
            match value.into_string() {
                Ok(value) => {
                    self.env.insert(name.to_owned(), value);
                }
                Err(_) => self.problems.push(Problem::new(
                    name,
                    Origin::Environment(name.to_owned()),
                    "is not UTF-8",
                    "write it in UTF-8",
                )),
            }
        }
    }

    fn take_dotenv(&mut self, path: &Path) {
        match fs::read_to_string(path) {
            Ok(text) => {
                let variables = self.parse_dotenv(path, &text);
                self.dotenv = Some((path.to_owned(), variables));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => self.problems.push(unreadable(".env", in_file(path, None), path, &error)),
        }
    }

    /// Quotes, comments and `$NAME` are as `dotenvy` has them. Its own messages show the whole line, secrets
    /// included, so they are not used.
    fn parse_dotenv(&mut self, path: &Path, text: &str) -> BTreeMap<String, String> {
        let mut variables = BTreeMap::new();
        let text = text.trim_start_matches('\u{feff}');
        for item in dotenvy::from_read_iter(text.as_bytes()) {
            match item {
                Ok((name, value)) if ours(&name) => {
                    if variables.insert(name.clone(), value).is_some() {
                        let origin = Origin::Dotenv { path: path.to_owned(), name: name.clone() };
                        let problem = Problem::new(name, origin, "is set twice", "keep one of the two lines");
                        self.problems.push(problem);
                    }
                }
                Ok(_) => {}
                Err(dotenvy::Error::LineParse(bad, _)) => {
                    let line = only_line_with(text, &bad);
                    self.problems.push(Problem::new(
                        ".env",
                        in_file(path, line),
                        "is not NAME=value",
                        "put a value with spaces, # or $ between single quotes",
                    ));
                }
                Err(error) => {
                    let message = format!("cannot be read: {error}");
                    let problem = Problem::new(".env", in_file(path, None), message, "repair the file");
                    self.problems.push(problem);
                    break;
                }
            }
        }
        variables
    }

    fn config_path(&self, flag: Option<PathBuf>) -> Option<(PathBuf, Origin)> {
        if let Some(path) = flag {
            return Some((path, Origin::CommandLine));
        }
        if let Some(path) = self.env.get(CONFIG_VARIABLE).filter(|path| !path.is_empty()) {
            return Some((path.into(), Origin::Environment(CONFIG_VARIABLE.to_owned())));
        }
        let (dotenv, variables) = self.dotenv.as_ref()?;
        let path = variables.get(CONFIG_VARIABLE).filter(|path| !path.is_empty())?;
        let name = CONFIG_VARIABLE.to_owned();
        Some((path.into(), Origin::Dotenv { path: dotenv.clone(), name }))
    }

    fn take_file(&mut self, path: PathBuf, origin: Origin) {
        match fs::read_to_string(&path) {
            Ok(text) => self.file = Some((path, text)),
            Err(error) => self.problems.push(unreadable("config", origin, &path, &error)),
        }
    }
}

fn unreadable(key: &str, origin: Origin, path: &Path, error: &io::Error) -> Problem {
    Problem::new(
        key,
        origin,
        format!("{} cannot be read: {error}", path.display()),
        "name a file that exists and that this user may read",
    )
}

fn in_file(path: &Path, line: Option<usize>) -> Origin {
    Origin::File { path: path.to_owned(), line }
}

/// The number of the line that holds a part which the parser stumbled over; none if several do.
fn only_line_with(text: &str, part: &str) -> Option<usize> {
    let part = part.lines().next().filter(|part| !part.is_empty())?;
    let mut numbers =
        (1..).zip(text.lines()).filter_map(|(number, line)| line.contains(part).then_some(number));
    let number = numbers.next()?;
    numbers.next().is_none().then_some(number)
}

/// Keeps the rest of the environment, which may hold anybody's secrets, out of our memory.
fn ours(name: &str) -> bool {
    name.starts_with(keys::PREFIX) || keys::by_fallback(name).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> (BTreeMap<String, String>, Sources) {
        let mut sources = Sources::default();
        let variables = sources.parse_dotenv(Path::new(".env"), text);
        (variables, sources)
    }

    #[test]
    fn dotenv_keeps_our_names_only() {
        let (variables, sources) =
            parse("\u{feff}# hi\nKEYWARD_DOCS=false\nPORT='80'\nHOME_TOWN=Bern\nexport DATABASE_URL=x\n");
        assert_eq!(variables.into_keys().collect::<Vec<_>>(), ["DATABASE_URL", "KEYWARD_DOCS", "PORT"]);
        assert!(sources.problems.is_empty());
    }

    #[test]
    fn a_bad_dotenv_line_is_told_by_number_and_not_shown() {
        let (_, sources) =
            parse("KEYWARD_DOCS=true\nKEYWARD_ADMIN_PASSWORD=two words here\nPORT=1\nPORT=2\n");
        let shown = super::super::Problems(sources.problems).to_string();
        assert!(shown.contains(".env line 2") && shown.contains("is set twice"), "{shown}");
        assert!(!shown.contains("words"), "{shown}");
    }

    #[test]
    fn a_config_file_that_is_not_there_is_a_problem() {
        let directory = tempfile::tempdir().unwrap();
        let mut sources = Sources::default();
        sources.env.insert("KEYWARD_CONFIG".into(), directory.path().join("no.toml").display().to_string());
        let (path, origin) = sources.config_path(None).unwrap();
        sources.take_file(path, origin);
        let problem = sources.problems.first().unwrap().to_string();
        assert!(problem.contains("environment KEYWARD_CONFIG") && problem.contains("no.toml"), "{problem}");
    }

    #[test]
    fn the_process_is_read_with_its_config_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keyward.toml");
        fs::write(&path, "docs = false").unwrap();
        let sources = Sources::from_process(Vec::new(), Some(path.clone()));
        assert_eq!(sources.file, Some((path, "docs = false".to_owned())));
        let sources = Sources::from_process(Vec::new(), Some(directory.path().join("no.toml")));
        assert!(sources.problems.iter().any(|problem| problem.origin == Origin::CommandLine));
    }

    #[test]
    fn the_flag_names_the_config_file_before_the_environment_does() {
        let mut sources = Sources {
            dotenv: Some((".env".into(), BTreeMap::from([("KEYWARD_CONFIG".into(), "c.toml".into())]))),
            ..Sources::default()
        };
        let name = |sources: &Sources, flag: Option<&str>| {
            sources.config_path(flag.map(PathBuf::from)).map(|(path, _)| path.display().to_string())
        };
        assert_eq!(name(&sources, None).as_deref(), Some("c.toml"));
        sources.env.insert("KEYWARD_CONFIG".into(), "b.toml".into());
        assert_eq!(name(&sources, None).as_deref(), Some("b.toml"));
        assert_eq!(name(&sources, Some("a.toml")).as_deref(), Some("a.toml"));
    }

    #[test]
    fn debug_shows_names_and_no_values() {
        let mut sources = Sources::default();
        sources.env.insert("KEYWARD_MASTER_KEY".into(), "hush".into());
        sources.flags.push(("admin.password".into(), "hush".into()));
        let shown = format!("{sources:?}");
        assert!(shown.contains("KEYWARD_MASTER_KEY") && !shown.contains("hush"), "{shown}");
    }
}
