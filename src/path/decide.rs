//! What a path means that is not plain: the verdict over all its readings.

use super::{
    decode::{Decoded, decode},
    foreign,
    letters::simplest_of,
    meter::{Exhausted, Meter},
    readings::{Texts, texts},
    resolve::{LookUp, Resolve},
    segments::{before, begins_query},
    single::{DecodedPath, Single},
    skeleton::Skeleton,
    table::{Found, Table},
    words::Named,
};
use crate::foreign_backend::Suspicion;

/// What was found in the readings that were looked up.
struct Hits<'t, T> {
    table: &'t Table<T>,
    /// Any hit is a refusal.
    several: bool,
    /// The first hit is the answer: it is a refusal, or no other is possible.
    first_is_all: bool,
    first: Option<usize>,
    /// Another entry was found, or what a reading means is not known.
    differ: bool,
    /// The simplest letters of the exact paths that were found. Only for a foreign backend.
    exact: Vec<Vec<u8>>,
}

// === impl Table ===

impl<T> Table<T> {
    #[inline(never)]
    pub(super) fn find_among_readings(&self, path: &str, meter: &mut Meter) -> Found<'_, T> {
        self.decide(path, meter).unwrap_or(Found::Ambiguous(None))
    }

    /// The same of a path in which only doubled slashes and dot segments are read in several ways.
    #[inline(never)]
    pub(super) fn find_unresolved(&self, path: &str, meter: &mut Meter) -> Found<'_, T> {
        if self.foreign_backend && foreign::behind_host(path.as_bytes()).is_some() {
            return self.find_among_readings(path, meter);
        }
        let decided =
            meter.spend(430 + path.len() * 13).and_then(|()| self.decide_single(&Single::of_ascii(path), meter));
        decided.unwrap_or(Found::Ambiguous(None))
    }

    fn decide(&self, path: &str, meter: &mut Meter) -> Result<Found<'_, T>, Exhausted> {
        // For the look that found that the path is not plain.
        meter.spend(250 + path.len() * 5)?;
        match DecodedPath::of(path, decode(path, meter)?, self.foreign_backend, meter)? {
            DecodedPath::Single(single) => self.decide_single(&single, meter),
            DecodedPath::Several(decoded) => self.decide_several(path, decoded, meter),
        }
    }

    /// What a path with one text means.
    fn decide_single(&self, single: &Single, meter: &mut Meter) -> Result<Found<'_, T>, Exhausted> {
        let text = &*single.text;
        let words = self.folded_words.as_ref().unwrap_or(&self.words);
        let named = words.named_in(text, false, self.foreign_backend, meter)?;
        if named == Named::Nothing {
            return Ok(Found::Nothing);
        }
        let Single { has_space, has_query, .. } = *single;
        if has_space || has_query {
            meter.spend(text.len() * 10)?;
        }
        let hits = Hits::new(self, has_query, named);
        let resolve = Resolve::new(text.len(), self.look_up(single.is_ascii), has_space || has_query, meter);
        let without_query = has_query.then(|| before(text, begins_query));
        let before_space = has_space.then(|| before(text, |byte| byte == b' '));
        let texts = [Some(text), without_query, before_space].into_iter().flatten();
        self.verdict(hits, texts, std::iter::once(text), resolve)
    }

    /// What a path means that may have several texts.
    fn decide_several(&self, path: &str, decoded: Decoded, meter: &mut Meter) -> Result<Found<'_, T>, Exhausted> {
        let skeleton = Skeleton::of_decoded(path, decoded, self.beyond_ascii, meter)?;
        let marks = skeleton.marks;
        if self.beyond_ascii && marks.broken {
            return Ok(Found::Ambiguous(None));
        }
        let dropped = marks.control || marks.broken;
        let mut named = Named::Nothing;
        for text in skeleton.texts() {
            named = named.and(self.words.named_in(text, dropped, self.foreign_backend, meter)?);
        }
        if named == Named::Nothing {
            return Ok(Found::Nothing);
        }
        if let Named::Only(index) = named
            && marks.skeleton_is_canonical()
        {
            let is_other = |reading: &[u8]| str::from_utf8(reading).is_ok_and(|reading| self.index(reading).is_none());
            if !Resolve::new(path.len(), self.look_up(!marks.beyond_ascii), false, meter)
                .each_cut(&skeleton.text, is_other)?
            {
                return Ok(self.one(Some(index)));
            }
        }
        let texts = texts(path, &skeleton, self.foreign_backend, meter)?;
        if self.beyond_ascii && texts.as_ref().is_some_and(|texts| texts.foreign) {
            return Ok(Found::Ambiguous(None));
        }
        let hits = Hits::new(self, marks.several(), named);
        let resolve = Resolve::new(path.len(), self.look_up(!marks.beyond_ascii), marks.ends_early(), meter);
        let alone = texts.is_none().then_some(&*skeleton.text);
        self.verdict(hits, alone.into_iter().chain(texts.iter().flat_map(Texts::iter)), skeleton.texts(), resolve)
    }

    /// Looks all readings of these texts up, and decides. `simplest`: the path in the simplest letters.
    fn verdict<'x>(
        &self,
        mut hits: Hits<'_, T>,
        texts: impl Iterator<Item = &'x [u8]>,
        simplest: impl Iterator<Item = &'x [u8]>,
        mut resolve: Resolve<'_>,
    ) -> Result<Found<'_, T>, Exhausted> {
        for text in texts {
            if !resolve.each(text, |reading| hits.see(reading))? {
                break;
            }
        }
        if hits.differ || (hits.several && hits.first.is_some()) {
            return Ok(Found::Ambiguous(None));
        }
        let is_all = hits.first_is_all && hits.first.is_some();
        if self.foreign_backend && !is_all && self.has_foreign_reading(&hits, simplest, &mut resolve)? {
            return Ok(Found::Ambiguous(Some(Suspicion::PathSpelling)));
        }
        Ok(self.one(hits.first))
    }

    /// Whether another backend may read a path as another path that is in the table. A path that a rule names exactly means that
    /// rule.
    fn has_foreign_reading<'x>(
        &self,
        hits: &Hits<'_, T>,
        texts: impl Iterator<Item = &'x [u8]>,
        resolve: &mut Resolve<'_>,
    ) -> Result<bool, Exhausted> {
        for text in texts {
            resolve.meter.spend(650)?;
            let mut readings = Texts::new(text.len());
            resolve.each_cut(text, |reading| {
                if !hits.exact.iter().any(|exact| exact == reading) {
                    readings.add(reading);
                }
                !readings.are_full()
            })?;
            if readings.are_full() {
                return Err(Exhausted);
            }
            for reading in readings.iter().filter_map(|reading| str::from_utf8(reading).ok()) {
                let is_other = self.index(reading).is_some_and(|index| Some(index) != hits.first);
                resolve.meter.spend(250 + reading.len() * 12)?;
                if is_other || (foreign::has_marks(reading) && self.is_foreign(reading, hits.first, resolve.meter)?) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Instructions to look a reading up, about.
    pub(super) fn look_up(&self, is_ascii: bool) -> LookUp {
        let (base, byte) = if self.patterns.is_some() { (230, if is_ascii { 5 } else { 13 }) } else { (70, 1) };
        LookUp { base, byte }
    }
}

// === impl Hits ===

impl<'t, T> Hits<'t, T> {
    fn new(table: &'t Table<T>, several: bool, named: Named) -> Self {
        let first_is_all = several || matches!(named, Named::Only(_));
        Self { table, several, first_is_all, first: None, differ: false, exact: Vec::new() }
    }

    /// Looks a reading up. Returns whether another one may change the answer.
    fn see(&mut self, reading: &[u8]) -> bool {
        let exact = self.table.exact.get(reading);
        let index = match &self.table.patterns {
            Some(patterns) if exact.is_none() => {
                let Ok(reading) = str::from_utf8(reading) else {
                    self.differ = true;
                    return false;
                };
                patterns.at(reading).ok().map(|found| *found.value)
            }
            _ => exact,
        };
        let Some(index) = index else { return true };
        if self.table.foreign_backend
            && exact.is_some()
            && let Ok(reading) = str::from_utf8(reading)
        {
            self.exact.push(simplest_of(reading, self.table.beyond_ascii));
        }
        let first = *self.first.get_or_insert(index);
        self.differ |= first != index;
        !self.differ && !self.first_is_all
    }
}
