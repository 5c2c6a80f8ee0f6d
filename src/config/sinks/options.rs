use std::collections::BTreeMap;

use url::Url;

use crate::config::problem::Mistake;

/// The options that stand in the query of a sink's URL.
pub(super) struct Options(BTreeMap<String, String>);

impl Options {
    /// Takes the query out of a URL: what remains is for the client library.
    pub(super) fn take(url: &mut Url) -> Self {
        let options = url.query_pairs().into_owned().collect();
        url.set_query(None);
        Self(options)
    }

    /// Takes an option out; an empty one counts as not given.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        self.0.remove(name).filter(|value| !value.is_empty())
    }

    /// Refuses what nobody asked for: a mistyped option must not pass for one that is kept.
    pub(super) fn none_left(self, example: &str) -> Result<(), Mistake> {
        match self.0.into_keys().next() {
            None => Ok(()),
            Some(name) => {
                Err(Mistake::new(format!("has the unknown option {name:?}"), format!("write {example}")))
            }
        }
    }
}
