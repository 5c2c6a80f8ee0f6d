use std::collections::BTreeMap;
use std::path::PathBuf;

use url::Url;

use crate::config::problem::Mistake;

/// The options that stand in the query of a sink's URL, and what is wrong with them.
pub(super) struct Options {
    left: BTreeMap<String, String>,
    mistakes: Vec<Mistake>,
}

impl Options {
    /// Takes the query out of a URL: what remains is for the client library.
    pub(super) fn take(url: &mut Url) -> Self {
        let mut options = Self { left: BTreeMap::new(), mistakes: Vec::new() };
        for (name, value) in url.query_pairs().into_owned() {
            if options.left.insert(name.clone(), value).is_some() {
                options.wrong(format!("gives the option {name:?} twice"), "keep one of the two");
            }
        }
        url.set_query(None);
        options
    }

    /// Takes an option out; an empty one counts as not given.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        self.left.remove(name).filter(|value| !value.is_empty())
    }

    /// Takes out an option that is on or off, and off when it is not given.
    pub(super) fn flag(&mut self, name: &str) -> bool {
        match self.text(name).as_deref() {
            Some("true") => true,
            None | Some("false") => false,
            Some(_) => {
                self.wrong(
                    format!("has an option {name} that is neither true nor false"),
                    format!("write {name}=true"),
                );
                false
            }
        }
    }

    /// Takes out the file of authorities, which has a meaning only where there is TLS.
    pub(super) fn ca(&mut self, tls: bool, tls_fix: &str) -> Option<PathBuf> {
        let ca = self.text("ca").map(PathBuf::from);
        if ca.is_some() && !tls {
            self.wrong("has the option ca, and no TLS that it would be for", tls_fix);
        }
        ca
    }

    pub(super) fn wrong(&mut self, message: impl Into<String>, fix: impl Into<String>) {
        self.mistakes.push(Mistake::new(message, fix));
    }

    /// Tells what is wrong, which includes what nobody asked for: a mistyped option must not pass for one that is kept.
    pub(super) fn finish(self, example: &str) -> Result<(), Vec<Mistake>> {
        let unknown = |name: String| {
            Mistake::new(format!("has the unknown option {name:?}"), format!("write {example}"))
        };
        let mistakes: Vec<_> = self.mistakes.into_iter().chain(self.left.into_keys().map(unknown)).collect();
        if mistakes.is_empty() { Ok(()) } else { Err(mistakes) }
    }
}
