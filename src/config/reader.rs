//! Reads one setting after the other and collects what is wrong with them.

use super::{
    layers::{Entry, Layered, Value},
    problem::{Mistake, Origin, Problem},
};

/// Stands for a value that is wrong. The problem is told already; whoever assembles the settings goes on to find the
/// others before giving up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Noted;

pub(super) type Checked<T> = Result<T, Noted>;

pub(super) struct Reader<'a> {
    layered: &'a Layered,
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(layered: &'a Layered) -> Self {
        Self { layered, problems: layered.problems.clone(), warnings: layered.warnings.clone() }
    }

    /// Reads a setting that has a default, so that an empty text is a mistake.
    pub(super) fn required<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, Mistake>,
    ) -> Checked<T> {
        match self.optional(key, parse)? {
            Some(value) => Ok(value),
            None => self.refuse(key, "is empty", "give it a value, or leave it out for the default"),
        }
    }

    /// Reads a setting that need not be there; an empty text takes away what a lower layer says.
    pub(super) fn optional<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, Mistake>,
    ) -> Checked<Option<T>> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        match value {
            Value::Unread => Err(Noted),
            value => match value.joined().trim() {
                "" => Ok(None),
                text => self.told(key, parse(text)).map(Some),
            },
        }
    }

    /// Reads a secret that need not be there. An empty one is a mistake: it comes from a variable that was not
    /// filled in, and starting without it would hide that.
    pub(super) fn secret<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, Mistake>,
    ) -> Checked<Option<T>> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        match value {
            Value::Unread => Err(Noted),
            value if value.joined().trim().is_empty() => {
                self.refuse(key, "is empty", "give it a value, or do not set it at all")
            }
            value => {
                let parsed = parse(&value.joined());
                self.told(key, parsed).map(Some)
            }
        }
    }

    /// Reads every member of a list and notes each that is wrong.
    pub(super) fn list<T>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, Mistake>,
    ) -> Checked<Vec<T>> {
        let items = self.value(key).map(Value::items).unwrap_or_default();
        let parsed: Vec<_> = items.into_iter().map(|item| self.told(key, parse(item))).collect();
        parsed.into_iter().collect()
    }

    /// Whether a setting is given at all, well or badly.
    pub(super) fn given(&self, key: &str) -> bool {
        self.value(key).is_some()
    }

    pub(super) fn origin(&self, key: &str) -> Origin {
        let entry = self.layered.values.get(key);
        entry.map_or(Origin::Default, |entry| entry.origin.clone())
    }

    /// Whether a missing setting is really missing, and not lost with a file that could not be read.
    pub(super) fn complete(&self) -> bool {
        self.layered.complete
    }

    /// Whether files that only a server needs are to be looked at.
    pub(super) fn for_a_server(&self) -> bool {
        self.layered.for_a_server
    }

    /// Notes a problem and gives back what the caller passes on.
    pub(super) fn refuse<T>(
        &mut self,
        key: &'static str,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) -> Checked<T> {
        self.note(key, message, fix);
        Err(Noted)
    }

    pub(super) fn note(&mut self, key: &'static str, message: impl Into<String>, fix: impl Into<String>) {
        let problem = Problem::new(key, self.origin(key), message, fix);
        self.problems.push(problem);
    }

    pub(super) fn warn(&mut self, warning: impl Into<String>) {
        self.warnings.push(warning.into());
    }

    fn told<T>(&mut self, key: &'static str, parsed: Result<T, Mistake>) -> Checked<T> {
        parsed.or_else(|mistake| self.refuse(key, mistake.message, mistake.fix))
    }

    fn value(&self, key: &str) -> Option<&'a Value> {
        let entry: Option<&'a Entry> = self.layered.values.get(key);
        entry.map(|entry| &entry.value)
    }
}
