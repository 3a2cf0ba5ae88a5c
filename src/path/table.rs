//! The table itself: fixed when the layer is built, asked for every request.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use super::{
    actions::Actions,
    exact::Exact,
    foreign,
    letters::simplest_of,
    meter::{Exhausted, Meter},
    pattern::Pattern,
    plain::{FOLDABLE, Shape, shape},
    readings::{Texts, texts},
    resolve::Resolve,
    skeleton::Skeleton,
    words::{Named, Words},
};
use crate::{error::ConfigError, foreign_backend::Suspicion};

/// Patterns and what they guard. An exact path beats a pattern; among patterns the more specific one wins, as `matchit`
/// orders them.
pub(crate) struct Table<T> {
    entries: Vec<T>,
    exact: Exact,
    patterns: Option<matchit::Router<usize>>,
    words: Words,
    /// Used only in front of a foreign backend.
    actions: Actions,
    /// A literal part is not ASCII, so that a path in another encoding than UTF-8 may mean it.
    beyond_ascii: bool,
    /// The backend may read scripts and extensions into a path.
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
    /// Names `rule.path` if two patterns are equal, or if neither of two patterns is more specific (`/a/{x}` and
    /// `/a/{y}`).
    pub(crate) fn build(entries: impl IntoIterator<Item = (Pattern, T)>) -> Result<Self, ConfigError> {
        let mut exact = HashMap::with_hasher(FixedState::default());
        let mut patterns: Option<matchit::Router<usize>> = None;
        let (mut values, mut keys, mut beyond_ascii) = (Vec::new(), Vec::new(), false);
        for (pattern, value) in entries {
            let index = values.len();
            values.push(value);
            beyond_ascii |= !pattern.key().is_ascii();
            keys.push(Box::<str>::from(pattern.key()));
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
        let keys = || keys.iter().map(|key| &**key);
        let (words, actions) = (Words::of(keys(), beyond_ascii), Actions::of(keys(), beyond_ascii));
        let exact = Exact::new(exact);
        Ok(Self { entries: values, exact, patterns, words, actions, beyond_ascii, foreign_backend: false })
    }

    /// Sets whether the table also refuses paths that a backend of another language may read as one in the table.
    pub(crate) fn foreign_backend(mut self, foreign: bool) -> Self {
        self.foreign_backend = foreign;
        self
    }

    /// Looks up every reading, also one that the words exclude: for entries with characters that no rule has.
    pub(super) fn looking_all_up(mut self) -> Self {
        self.words.name_all();
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
    pub(crate) fn entries(&self) -> impl Iterator<Item = &T> {
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
            return self.find_within(path, None);
        }
        match shape(path) {
            Shape::Plain(path) => self.one(self.index(path)),
            shape => self.find_shaped(path, shape, None),
        }
    }

    /// The same within a work that several paths share; `None`: within that of this path.
    #[inline(never)]
    pub(super) fn find_within(&self, path: &str, meter: Option<&mut Meter>) -> Found<'_, T> {
        let rest = if self.foreign_backend { foreign::behind_host(path.as_bytes()) } else { None };
        match rest.and_then(|rest| path.get(path.len() - rest.len()..)) {
            Some(rest) => self.find_behind_host(path, rest, meter),
            None => self.find_as_path(path, meter),
        }
    }

    /// What a path means, both to a backend that reads its first segment as a host and to one that does not.
    #[cold]
    fn find_behind_host(&self, path: &str, rest: &str, meter: Option<&mut Meter>) -> Found<'_, T> {
        let mut own_meter = self.meter(path);
        let meter = meter.unwrap_or(&mut own_meter);
        let own = self.find_as_path(path, Some(&mut *meter));
        match (own, self.find_as_path(rest, Some(meter))) {
            (own @ Found::Ambiguous(_), _) | (own, Found::Nothing) => own,
            (Found::One(one), Found::One(other)) if std::ptr::eq(one, other) => Found::One(one),
            (Found::Nothing | Found::One(_), _) => Found::Ambiguous(Some(Suspicion::PathSpelling)),
        }
    }

    fn find_as_path(&self, path: &str, meter: Option<&mut Meter>) -> Found<'_, T> {
        if self.entries.is_empty() { Found::Nothing } else { self.find_shaped(path, shape(path), meter) }
    }

    #[inline(never)]
    fn find_shaped(&self, path: &str, shape: Shape<'_>, meter: Option<&mut Meter>) -> Found<'_, T> {
        match shape {
            Shape::Plain(path) if !self.foreign_backend => self.one(self.index(path)),
            Shape::Plain(path) => self.find_before_foreign(path, meter),
            Shape::Foldable(path) => self.find_folded(path, meter),
            Shape::Other => self.find_among_readings(path, meter),
        }
    }

    fn one(&self, index: Option<usize>) -> Found<'_, T> {
        index.and_then(|index| self.entries.get(index)).map_or(Found::Nothing, Found::One)
    }

    /// The entry of a path that is not read in any way.
    #[cfg(test)]
    pub(super) fn one_reading(&self, reading: &str) -> Option<&T> {
        self.entries.get(self.index(reading)?)
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
    fn find_folded(&self, path: &str, meter: Option<&mut Meter>) -> Found<'_, T> {
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
    fn find_before_foreign(&self, path: &str, meter: Option<&mut Meter>) -> Found<'_, T> {
        if let Some(index) = self.exact.get(path) {
            return self.one(Some(index));
        }
        let own = self.index(path);
        if !self.has_word(path.as_bytes(), false) || !foreign::has_marks(path) {
            return self.one(own);
        }
        let mut own_meter = self.meter(path);
        match self.is_foreign(path, own, meter.unwrap_or(&mut own_meter)) {
            Ok(false) => self.one(own),
            Ok(true) => Found::Ambiguous(Some(Suspicion::PathSpelling)),
            Err(Exhausted) => Found::Ambiguous(None),
        }
    }

    #[inline(never)]
    fn find_among_readings(&self, path: &str, meter: Option<&mut Meter>) -> Found<'_, T> {
        let mut own_meter = self.meter(path);
        self.find_by_skeleton(path, meter.unwrap_or(&mut own_meter)).unwrap_or(Found::Ambiguous(None))
    }

    fn find_by_skeleton(&self, path: &str, meter: &mut Meter) -> Result<Found<'_, T>, Exhausted> {
        let skeleton = Skeleton::of(path, self.beyond_ascii, meter)?;
        if self.beyond_ascii && skeleton.marks.broken {
            return Ok(Found::Ambiguous(None));
        }
        for text in skeleton.texts() {
            let slashes = slashes(text);
            meter.spend(80 + text.len() * 6 + slashes * 40)?;
        }
        let dropped = skeleton.marks.control || skeleton.marks.broken;
        if !skeleton.texts().any(|text| self.has_word(text, dropped)) {
            return Ok(Found::Nothing);
        }
        for text in skeleton.texts() {
            let slashes = slashes(text);
            meter.spend(150 + text.len() * 6 + slashes * 50)?;
        }
        let named = skeleton
            .texts()
            .map(|text| self.words.named_in(text, self.foreign_backend))
            .fold(Named::Nothing, Named::and);
        self.find_by(path, &skeleton, named, meter)
    }

    /// What a path means if its skeleton names these entries.
    fn find_by(
        &self,
        path: &str,
        skeleton: &Skeleton,
        named: Named,
        meter: &mut Meter,
    ) -> Result<Found<'_, T>, Exhausted> {
        if let Named::Only(index) = named
            && skeleton.marks.skeleton_is_canonical()
        {
            let is_other = |reading: &[u8]| str::from_utf8(reading).is_ok_and(|reading| self.index(reading).is_none());
            if !Resolve::new(path.len(), self.look_up_cost(), meter).each_cut(&skeleton.text, is_other)? {
                return Ok(self.one(Some(index)));
            }
        }
        let several = skeleton.marks.several();
        // The first hit is the answer: either no other is possible, or it is ambiguous.
        let first_is_all = several || matches!(named, Named::Only(_));
        let texts = texts(path, skeleton, self.foreign_backend, meter)?;
        if self.beyond_ascii && texts.as_ref().is_some_and(|texts| texts.foreign) {
            return Ok(Found::Ambiguous(None));
        }
        let mut found = None;
        let (mut exact, mut differ) = (Vec::new(), false);
        let mut look_up = |reading: &[u8]| {
            let Ok(reading) = str::from_utf8(reading) else {
                differ = true;
                return false;
            };
            let Some(index) = self.index(reading) else { return true };
            if self.foreign_backend && self.exact.get(reading).is_some() {
                exact.push(simplest_of(reading, self.beyond_ascii));
            }
            let first = *found.get_or_insert(index);
            differ |= first != index;
            !differ && !first_is_all
        };
        let mut resolve = Resolve::new(path.len(), self.look_up_cost(), meter).ending_early(skeleton.marks);
        let alone = texts.is_none().then_some(&*skeleton.text);
        for text in alone.into_iter().chain(texts.iter().flat_map(Texts::iter)) {
            if !resolve.each(text, &mut look_up)? {
                break;
            }
        }
        if differ || (several && found.is_some()) {
            return Ok(Found::Ambiguous(None));
        }
        let is_all = first_is_all && found.is_some();
        if self.foreign_backend && !is_all && self.has_foreign_reading(found, &exact, skeleton, &mut resolve)? {
            return Ok(Found::Ambiguous(Some(Suspicion::PathSpelling)));
        }
        Ok(self.one(found))
    }

    /// Whether another backend may read a path as another path that is in the table. A path that a rule names exactly means that
    /// rule: these paths are `exact`.
    fn has_foreign_reading(
        &self,
        found: Option<usize>,
        exact: &[Vec<u8>],
        skeleton: &Skeleton,
        resolve: &mut Resolve<'_>,
    ) -> Result<bool, Exhausted> {
        for text in skeleton.texts() {
            let mut readings: Vec<Box<str>> = Vec::new();
            resolve.each_cut(text, |reading| {
                if let Ok(reading) = str::from_utf8(reading)
                    && !exact.iter().any(|exact| exact == reading.as_bytes())
                    && !readings.iter().any(|earlier| **earlier == *reading)
                {
                    readings.push(reading.into());
                }
                true
            })?;
            for reading in readings {
                let is_other = self.index(&reading).is_some_and(|index| Some(index) != found);
                resolve.meter.spend(250 + reading.len() * 16)?;
                if is_other || (foreign::has_marks(&reading) && self.is_foreign(&reading, found, resolve.meter)?) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Whether another backend may read a path as another path that is in the table.
    fn is_foreign(&self, text: &str, own: Option<usize>, meter: &mut Meter) -> Result<bool, Exhausted> {
        let is_other = |reading: &str| self.index(reading).is_some_and(|index| Some(index) != own);
        foreign::is_read_otherwise(text, is_other, meter)
    }

    fn has_word(&self, text: &[u8], dropped: bool) -> bool {
        self.words.occur_in(text, dropped, self.foreign_backend)
    }

    /// Instructions to look a reading up, about.
    fn look_up_cost(&self) -> usize {
        if self.patterns.is_some() { 250 } else { 60 }
    }

    /// The work for a path: linear in its length.
    fn meter(&self, path: &str) -> Meter {
        if self.foreign_backend { Meter::new(6_500 + 38 * path.len()) } else { Meter::new(5_200 + 18 * path.len()) }
    }
}

/// How many slashes there are.
fn slashes(text: &[u8]) -> usize {
    text.iter().map(|&byte| usize::from(byte == b'/')).sum()
}
