use crate::app::StartError;

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Ok,
    /// Worth knowing; nothing is to be done, or only by those who want something else.
    Note,
    /// It works, and will not always, or not as it is probably meant.
    Warning,
    /// It does not work.
    Problem,
}

/// What kind of thing a problem is, by who can do something about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A dependency is away: waiting may help.
    Away,
    /// A setting, a file or a key is wrong: waiting does not help.
    Configuration,
    /// Something else is.
    Other,
}

/// What one look found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Stays the same from version to version.
    pub code: &'static str,
    pub level: Level,
    /// Of a problem.
    pub fault: Option<Fault>,
    /// Which of several things it is about: a sink, a key.
    pub subject: Option<String>,
    /// In one sentence, without anything secret.
    pub meaning: String,
    /// What to do; `None` where all is well.
    pub advice: Option<String>,
}

impl Level {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

impl Finding {
    #[must_use]
    pub fn ok(code: &'static str, meaning: impl Into<String>) -> Self {
        let meaning = meaning.into();
        Self { code, level: Level::Ok, fault: None, subject: None, meaning, advice: None }
    }

    pub(super) fn note(code: &'static str, meaning: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { level: Level::Note, advice: Some(advice.into()), ..Self::ok(code, meaning) }
    }

    pub(super) fn warning(code: &'static str, meaning: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { level: Level::Warning, ..Self::note(code, meaning, advice) }
    }

    pub(super) fn problem(
        code: &'static str,
        fault: Fault,
        meaning: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self { level: Level::Problem, fault: Some(fault), ..Self::note(code, meaning, advice) }
    }

    /// Tells what a server would say when it refuses to start. Its messages hold their advice after `fix:`; `otherwise`
    /// is for those that do not.
    pub(super) fn refusal(code: &'static str, error: &StartError, otherwise: &str) -> Self {
        let fault = match error {
            StartError::Unavailable(_) => Fault::Away,
            StartError::Configuration(_) => Fault::Configuration,
            StartError::Internal(_) => Fault::Other,
        };
        let said = error.to_string();
        let (meaning, advice) = said.split_once("\n  fix: ").unwrap_or((&said, otherwise));
        Self::problem(code, fault, one_line(meaning), one_line(advice))
    }

    #[must_use]
    pub(super) fn about(self, subject: impl Into<String>) -> Self {
        Self { subject: Some(subject.into()), ..self }
    }
}

/// Joins what was broken into lines for a terminal.
pub(super) fn one_line(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}
