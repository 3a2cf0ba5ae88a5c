//! The table itself: fixed when the layer is built, asked for every request.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use super::{
    Pattern,
    exact::Exact,
    foreign,
    plain::{FOLDABLE, Shape, shape},
    readings::Readings,
};
use crate::{Suspicion, error::ConfigError};

/// Patterns and what they guard. An exact path beats a pattern; among patterns the more specific one wins, as `matchit`
/// orders them.
pub(crate) struct Table<T> {
    entries: Vec<T>,
    exact: Exact,
    patterns: Option<matchit::Router<usize>>,
    /// A literal part is not ASCII, so that a path in another encoding than UTF-8 may mean it.
    beyond_ascii: bool,
    /// What stands behind us may read scripts and extensions into a path.
    foreign_backend: bool,
}

/// What a path means.
#[derive(Debug)]
pub(crate) enum Found<'t, T> {
    /// No reading of it is in the table.
    Nothing,
    /// It means this entry. Two results are about the same entry exactly if [`std::ptr::eq`] says so of the references
    /// (and `T` has a size).
    One(&'t T),
    /// It can be read in several ways, and one of them is in the table; or two readings are different entries. To be
    /// refused. With the class of suspicion, where only a foreign backend reads it so.
    Ambiguous(Option<Suspicion>),
}

// === impl Table ===

impl<T> Table<T> {
    /// Builds the table; the order of the entries does not matter.
    ///
    /// # Errors
    ///
    /// Names `rule.path` when two patterns are equal, or when no order between two could be told (`/a/{x}` and
    /// `/a/{y}`).
    pub(crate) fn build(entries: impl IntoIterator<Item = (Pattern, T)>) -> Result<Self, ConfigError> {
        let mut exact = HashMap::with_hasher(FixedState::default());
        let mut patterns: Option<matchit::Router<usize>> = None;
        let (mut values, mut beyond_ascii) = (Vec::new(), false);
        for (pattern, value) in entries {
            let index = values.len();
            values.push(value);
            beyond_ascii |= !pattern.key().is_ascii();
            if pattern.is_exact() {
                if exact.insert(pattern.key().into(), index).is_some() {
                    return Err(ConfigError::new("rule.path", pattern.as_str(), "the same path is there already"));
                }
            } else {
                patterns
                    .get_or_insert_default()
                    .insert(pattern.key(), index)
                    .map_err(|error| ConfigError::new("rule.path", pattern.as_str(), error.to_string()))?;
            }
        }
        Ok(Self { entries: values, exact: Exact::new(exact), patterns, beyond_ascii, foreign_backend: false })
    }

    /// Whether paths are to be refused as well that a backend of another language may read as one in the table.
    pub(crate) fn foreign_backend(mut self, foreign: bool) -> Self {
        self.foreign_backend = foreign;
        self
    }

    /// All entries.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &T> {
        self.entries.iter()
    }

    /// What `path` means: [`http::Uri::path`] as it was received, without the query.
    ///
    /// Where there is no path, as in the authority form (`POST login HTTP/1.1`), the authority is to be given instead:
    /// a text without a slash at its beginning is read as if it had one, and never means just one thing.
    ///
    /// Allocates nothing for an exact table and a path without escapes, `;`, dot segments and doubled slashes, of at
    /// most 256 bytes where it has upper-case letters.
    #[inline]
    pub(crate) fn find(&self, path: &str) -> Found<'_, T> {
        // As for the methods that no rule names: most of what most applications are asked.
        if self.entries.is_empty() {
            return Found::Nothing;
        }
        match shape(path) {
            Shape::Plain(path) if !self.foreign_backend => self.one(self.index(path)),
            Shape::Foldable(path) if !self.foreign_backend => self.find_folded(path),
            Shape::Plain(_) | Shape::Foldable(_) | Shape::Other => self.find_among_readings(path),
        }
    }

    fn one(&self, index: Option<usize>) -> Found<'_, T> {
        index.and_then(|index| self.entries.get(index)).map_or(Found::Nothing, Found::One)
    }

    /// The entry of one reading.
    #[inline]
    fn index(&self, reading: &str) -> Option<usize> {
        let exact = self.exact.get(reading);
        match &self.patterns {
            Some(patterns) if exact.is_none() => patterns.at(reading).ok().map(|found| *found.value),
            _ => exact,
        }
    }

    #[inline(never)]
    fn find_folded(&self, path: &str) -> Found<'_, T> {
        let mut folded = [0; FOLDABLE];
        match folded.get_mut(..path.len()) {
            Some(folded) => {
                folded.copy_from_slice(path.as_bytes());
                folded.make_ascii_lowercase();
                str::from_utf8(folded).map_or(Found::Ambiguous(None), |folded| self.one(self.index(folded)))
            }
            None => self.find_among_readings(path),
        }
    }

    #[cold]
    fn find_among_readings(&self, path: &str) -> Found<'_, T> {
        let mut readings = Readings::of(path);
        if readings.too_many || (readings.foreign && self.beyond_ascii) {
            return Found::Ambiguous(None);
        }
        // Many stages change nothing about many readings.
        readings.texts.sort_unstable();
        readings.texts.dedup();
        let mut found = None;
        for text in &readings.texts {
            let Ok(text) = str::from_utf8(text) else { return Found::Ambiguous(None) };
            match (self.index(text), found) {
                (None, _) => {}
                (Some(_), _) if readings.several => return Found::Ambiguous(None),
                (Some(index), Some(earlier)) if index != earlier => return Found::Ambiguous(None),
                (index, _) => found = index,
            }
            if self.foreign_backend && self.is_foreign(text) {
                return Found::Ambiguous(Some(Suspicion::PathSpelling));
            }
        }
        self.one(found)
    }

    /// Whether another backend may take a path for one in the table that it is not. A path that a rule names exactly is
    /// what the rule says.
    fn is_foreign(&self, text: &str) -> bool {
        if self.exact.get(text).is_some() {
            return false;
        }
        let own = self.index(text);
        foreign::readings(text).is_none_or(|readings| {
            readings.iter().filter_map(|reading| self.index(reading)).any(|index| Some(index) != own)
        })
    }
}
