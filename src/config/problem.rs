//! Mistakes in the settings, told all at once and never with a secret in them.

use std::{fmt, path::PathBuf};

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    CommandLine,
    /// A variable of the process environment, by name.
    Environment(String),
    /// A variable of the `.env` file.
    Dotenv {
        path: PathBuf,
        name: String,
    },
    /// A file, and the line in it where one is known.
    File {
        path: PathBuf,
        line: Option<usize>,
    },
    /// `config.default.toml`, or worked out from other settings.
    Default,
}

impl Origin {
    /// The variable that the value was in, if it was in one.
    #[must_use]
    pub fn variable(&self) -> Option<&str> {
        match self {
            Self::Environment(name) | Self::Dotenv { name, .. } => Some(name),
            _ => None,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommandLine => f.write_str("command line"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Dotenv { path, name } => write!(f, "{} {name}", path.display()),
            Self::File { path, line: None } => write!(f, "{}", path.display()),
            Self::File { path, line: Some(line) } => write!(f, "{} line {line}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// One mistake: which setting, where its value came from, what is wrong, what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub key: String,
    pub origin: Origin,
    pub message: String,
    pub fix: String,
}

impl Problem {
    pub(super) fn new(
        key: impl Into<String>,
        origin: Origin,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { key: key.into(), origin, message: message.into(), fix: fix.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (from {})", self.key, self.origin)?;
        for line in self.message.lines().chain(self.fix.lines()) {
            write!(f, "\n    {line}")?;
        }
        Ok(())
    }
}

/// Every mistake found. The process exits 78 on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => f.write_str("one setting needs attention:")?,
            count => write!(f, "{count} settings need attention:")?,
        }
        for problem in &self.0 {
            write!(f, "\n\n{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// What a parser says about one value; the reader adds key and origin.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    pub(super) message: String,
    pub(super) fix: String,
}

impl Mistake {
    pub(super) fn new(message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { message: message.into(), fix: fix.into() }
    }
}

/// For `?` where several may be told.
impl From<Mistake> for Vec<Mistake> {
    fn from(mistake: Mistake) -> Self {
        vec![mistake]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_problem_is_one_readable_block() {
        let problems = Problems(vec![
            Problem::new(
                "token.access_ttl",
                Origin::Environment("KEYWARD_TOKEN_ACCESS_TTL".into()),
                "\"soon\" is not a duration",
                "write 10m",
            ),
            Problem::new(
                "docs",
                Origin::File { path: "keyward.toml".into(), line: Some(12) },
                "\"yes\" is neither true nor false",
                "write true or false",
            ),
        ]);
        insta::assert_snapshot!(problems, @r#"
        2 settings need attention:

        token.access_ttl (from environment KEYWARD_TOKEN_ACCESS_TTL)
            "soon" is not a duration
            write 10m

        docs (from keyward.toml line 12)
            "yes" is neither true nor false
            write true or false
        "#);
    }
}
