//! Listings, a page at a time.

use std::time::Duration;

use uuid::Uuid;

use super::{App, Error};

const CURSOR_TTL: Duration = Duration::from_secs(60 * 60);

/// A part of a listing, and how to ask for the next.
#[derive(Debug)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next_cursor: Option<String>,
}

impl App {
    /// Returns the id with which the page before ended; `listing` is one text for each kind and filter.
    pub(super) fn page_after(&self, listing: &str, cursor: Option<&str>) -> Result<Option<Uuid>, Error> {
        Ok(cursor.map(|cursor| self.cursors.parse(listing, cursor, self.now())).transpose()?)
    }

    /// Makes a page of `limit` items out of those that were found, of which one more tells that there is a next page.
    pub(super) fn page<T>(
        &self,
        listing: &str,
        mut items: Vec<T>,
        limit: u16,
        id: impl Fn(&T) -> Uuid,
    ) -> Page<T> {
        let more = items.len() > usize::from(limit);
        items.truncate(limit.into());
        let last = items.last().filter(|_| more).map(id);
        let next_cursor = last.map(|last| self.cursors.mint(listing, last, self.now() + CURSOR_TTL));
        Page { items, next_cursor }
    }
}
