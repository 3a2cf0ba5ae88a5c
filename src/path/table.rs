//! The table itself: fixed when the layer is built, asked for every request.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use super::{
    actions::Actions,
    exact::Exact,
    foreign,
    letters::{self, simplest_of},
    meter::{Exhausted, Meter},
    pattern::Pattern,
    plain::{FOLDABLE, Shape, shape},
    words::Words,
};
use crate::{bytewise::count, error::ConfigError, foreign_backend::Suspicion};

/// Patterns and what they guard. An exact path beats a pattern; among patterns the more specific one wins, as `matchit`
/// orders them.
pub(crate) struct Table<T> {
    entries: Vec<T>,
    pub(super) exact: Exact,
    pub(super) patterns: Option<matchit::Router<usize>>,
    /// In the simplest letters.
    pub(super) words: Words,
    /// In folded letters, if these differ.
    pub(super) folded_words: Option<Words>,
    /// Used only in front of a foreign backend.
    actions: Actions,
    /// A literal part is not ASCII, so that a path in another encoding than UTF-8 may mean it.
    pub(super) beyond_ascii: bool,
    /// The backend may read scripts and extensions into a path.
    pub(super) foreign_backend: bool,
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
    /// Names `rule.path` if two patterns are equal, or if neither of two patterns is more specific (`/a/{x}` and
    /// `/a/{y}`).
    pub(crate) fn build(entries: impl IntoIterator<Item = (Pattern, T)>) -> Result<Self, ConfigError> {
        letters::prepare();
        let mut exact = HashMap::with_hasher(FixedState::default());
        let mut patterns: Option<matchit::Router<usize>> = None;
        let (mut values, mut keys, mut beyond_ascii) = (Vec::new(), Vec::new(), false);
        for (pattern, value) in entries {
            let index = values.len();
            values.push(value);
            beyond_ascii |= !pattern.key().is_ascii();
            keys.push(Box::<str>::from(pattern.key()));
            if pattern.is_exact() {
                if exact.insert(pattern.key().as_bytes().into(), index).is_some() {
                    return Err(ConfigError::new("rule.path", pattern.as_str(), "the same path is there already"));
                }
            } else {
                patterns
                    .get_or_insert_default()
                    .insert(pattern.key(), index)
                    .map_err(|error| ConfigError::new("rule.path", pattern.as_str(), error.to_string()))?;
            }
        }
        let keys = || keys.iter().map(|key| &**key);
        let words = Words::of(keys(), |literal| simplest_of(literal, beyond_ascii));
        let folded_words = beyond_ascii.then(|| Words::of(keys(), |literal| literal.into()));
        let actions = Actions::of(keys(), beyond_ascii);
        let exact = Exact::new(exact);
        Ok(Self {
            entries: values,
            exact,
            patterns,
            words,
            folded_words,
            actions,
            beyond_ascii,
            foreign_backend: false,
        })
    }

    /// Sets whether the table also refuses paths that a backend of another language may read as one in the table.
    pub(crate) fn foreign_backend(mut self, foreign: bool) -> Self {
        self.foreign_backend = foreign;
        self
    }

    /// Looks up every reading, also one that the words exclude: for entries with characters that no rule has.
    pub(super) fn looking_all_up(mut self) -> Self {
        self.words.name_all();
        self.folded_words = None;
        self
    }

    /// Whether some reading of an action is the last segment of a path.
    ///
    /// # Errors
    ///
    /// Returns an error if that takes more work than is left.
    pub(super) fn has_action(&self, action: &str, meter: &mut Meter) -> Result<bool, Exhausted> {
        self.actions.have(action, self.beyond_ascii, meter)
    }

    /// All entries.
    pub(crate) fn entries(&self) -> impl ExactSizeIterator<Item = &T> {
        self.entries.iter()
    }

    /// What `path` means: [`http::Uri::path`] as it was received, without the query.
    ///
    /// If there is no path, as in the authority form (`POST login HTTP/1.1`), pass the authority: a text that does
    /// not begin with a slash is read as if it did, and always has more than one meaning.
    ///
    /// Allocates nothing for an exact table and a path without escapes, `;`, dot segments and doubled slashes, of at
    /// most 256 bytes where it has upper-case letters.
    #[inline]
    pub(crate) fn find(&self, path: &str) -> Found<'_, T> {
        // As for the methods that no rule names: most of what most applications are asked.
        if self.entries.is_empty() {
            return Found::Nothing;
        }
        if self.foreign_backend {
            return self.find_within(path, &mut Meter::of_request(path.len(), true));
        }
        match shape(path) {
            Shape::Plain(path) => self.one(self.index(path)),
            shape => self.find_alone(path, shape),
        }
    }

    /// A path that is not plain and is asked for in no other table.
    #[cold]
    fn find_alone(&self, path: &str, shape: Shape<'_>) -> Found<'_, T> {
        self.find_shaped(path, shape, &mut Meter::of_request(path.len(), false))
    }

    /// The same within a work that several searches share.
    #[inline(never)]
    pub(crate) fn find_within(&self, path: &str, meter: &mut Meter) -> Found<'_, T> {
        let rest = if self.foreign_backend { foreign::behind_host(path.as_bytes()) } else { None };
        match rest.and_then(|rest| path.get(path.len() - rest.len()..)) {
            Some(rest) => self.find_behind_host(path, rest, meter),
            None => self.find_as_path(path, meter),
        }
    }

    /// What a path means, both to a backend that reads its first segment as a host and to one that does not.
    #[cold]
    fn find_behind_host(&self, path: &str, rest: &str, meter: &mut Meter) -> Found<'_, T> {
        let own = self.find_as_path(path, meter);
        match (own, self.find_as_path(rest, meter)) {
            (own @ Found::Ambiguous(_), _) | (own, Found::Nothing) => own,
            (Found::One(one), Found::One(other)) if std::ptr::eq(one, other) => Found::One(one),
            (Found::Nothing | Found::One(_), _) => Found::Ambiguous(Some(Suspicion::PathSpelling)),
        }
    }

    #[inline]
    fn find_as_path(&self, path: &str, meter: &mut Meter) -> Found<'_, T> {
        if self.entries.is_empty() { Found::Nothing } else { self.find_shaped(path, shape(path), meter) }
    }

    #[inline(never)]
    fn find_shaped(&self, path: &str, shape: Shape<'_>, meter: &mut Meter) -> Found<'_, T> {
        match shape {
            Shape::Plain(path) if !self.foreign_backend => self.one(self.index(path)),
            Shape::Plain(path) => self.find_before_foreign(path, meter),
            Shape::Foldable(path) => self.find_folded(path, meter),
            Shape::Unresolved => self.find_unresolved(path, meter),
            Shape::Other => self.find_among_readings(path, meter),
        }
    }

    pub(super) fn one(&self, index: Option<usize>) -> Found<'_, T> {
        index.and_then(|index| self.entries.get(index)).map_or(Found::Nothing, Found::One)
    }

    /// The entry of a path that is not read in any way.
    #[cfg(test)]
    pub(super) fn one_reading(&self, reading: &str) -> Option<&T> {
        self.entries.get(self.index(reading)?)
    }

    /// The entry of one reading.
    #[inline]
    pub(super) fn index(&self, reading: &str) -> Option<usize> {
        let exact = self.exact.get(reading.as_bytes());
        match &self.patterns {
            Some(patterns) if exact.is_none() => patterns.at(reading).ok().map(|found| *found.value),
            _ => exact,
        }
    }

    #[inline(never)]
    fn find_folded(&self, path: &str, meter: &mut Meter) -> Found<'_, T> {
        let mut folded = [0; FOLDABLE];
        match folded.get_mut(..path.len()) {
            Some(folded) => {
                folded.copy_from_slice(path.as_bytes());
                folded.make_ascii_lowercase();
                match str::from_utf8(folded) {
                    Ok(folded) if self.foreign_backend => self.find_before_foreign(folded, meter),
                    Ok(folded) => self.one(self.index(folded)),
                    Err(_) => Found::Ambiguous(None),
                }
            }
            None => self.find_among_readings(path, meter),
        }
    }

    /// What a plain and folded path means where a foreign backend may read something into it.
    #[inline(never)]
    fn find_before_foreign(&self, path: &str, meter: &mut Meter) -> Found<'_, T> {
        if let Some(index) = self.exact.get(path.as_bytes()) {
            return self.one(Some(index));
        }
        let own = self.index(path);
        match self.plain_is_foreign(path, own, meter) {
            Ok(false) => self.one(own),
            Ok(true) => Found::Ambiguous(Some(Suspicion::PathSpelling)),
            Err(Exhausted) => Found::Ambiguous(None),
        }
    }

    /// As [`Table::is_foreign`], of a plain and folded path. Nearly every path is not, and that is found at once.
    fn plain_is_foreign(&self, path: &str, own: Option<usize>, meter: &mut Meter) -> Result<bool, Exhausted> {
        meter.spend(500 + path.len() * 5 + count(path.as_bytes(), b'/') * 60)?;
        if !self.words.occur_in(path.as_bytes(), false, true) {
            return Ok(false);
        }
        meter.spend(100 + path.len() * 28)?;
        Ok(foreign::has_marks(path) && self.is_foreign(path, own, meter)?)
    }

    /// Whether another backend may read a path as another path that is in the table.
    pub(super) fn is_foreign(&self, text: &str, own: Option<usize>, meter: &mut Meter) -> Result<bool, Exhausted> {
        let is_other = |reading: &str| self.index(reading).is_some_and(|index| Some(index) != own);
        foreign::is_read_otherwise(text, is_other, self.look_up(text.is_ascii()), meter)
    }
}
