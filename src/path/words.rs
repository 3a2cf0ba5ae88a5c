//! Finds the words of rules in a skeleton. A rule can be meant only if its word is in the skeleton.
//!
//! The word of a pattern is its last literal segment, in the simplest letters. A segment that a backend reads as this
//! literal begins with the word in the skeleton, because no backend removes the beginning of a segment. The same holds for
//! the other literals of the pattern.

use super::meter::{Exhausted, Meter};
use crate::bytewise::positions;

/// The number of bytes of a word that are compared.
const LONGEST: usize = 8;
/// If more patterns share a word, [`Words::named_in`] does not determine which of them may be meant.
const SHARED: usize = 4;

/// The words of a table.
pub(super) struct Words {
    /// The words in ascending order. No word is the beginning of another word.
    sorted: Box<[Shared]>,
    /// One bit for each hash of the first four bytes of a word.
    hashes: [u64; 16],
    /// One bit for each first byte of a word of fewer than four bytes.
    short: [u64; 4],
    /// Whether a pattern has no word. Then every text counts as a text that may mean each entry.
    always: bool,
}

/// The entries of a table that a path may mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    Nothing,
    Only(usize),
    Several,
}

/// The first bytes of a segment.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Word {
    /// The bytes as a big-endian number, padded with zeros, so that numbers sort as texts do.
    bytes: u64,
    /// The bits of `bytes` that are compared.
    mask: u64,
}

/// A word and the patterns that have it.
struct Shared {
    word: Word,
    patterns: Vec<Literals>,
    /// The whole literal, if all patterns with this word have the same literal.
    literal: Option<Box<[u8]>>,
}

/// The index of a pattern's entry, and the words of its other literals.
struct Literals(usize, Box<[Word]>);

// === impl Words ===

impl Words {
    /// Compiles the words of canonical patterns. `keys`: the patterns in the order of their entries. `letters`: how texts are
    /// written in which these words are looked for.
    pub(super) fn of<'k>(keys: impl Iterator<Item = &'k str>, letters: impl Fn(&str) -> Vec<u8>) -> Self {
        let mut words = Self { sorted: Box::default(), hashes: [0; 16], short: [0; 4], always: false };
        let mut all = Vec::new();
        for (index, key) in keys.enumerate() {
            let literals = key.split('/').skip(1).filter(|segment| !is_parameter(segment));
            let mut literals: Vec<Box<[u8]>> = literals.filter_map(|literal| written(literal, &letters)).collect();
            match literals.pop() {
                Some(literal) => {
                    let others = literals.iter().map(|literal| Word::of(literal)).collect();
                    all.push((Word::of(&literal), literal, Literals(index, others)));
                }
                None => words.always = true,
            }
        }
        all.sort_by(|(one, literal, _), (other, second, _)| (one, literal).cmp(&(other, second)));
        let mut sorted: Vec<Shared> = Vec::with_capacity(all.len());
        for (word, literal, pattern) in all {
            match sorted.last_mut() {
                Some(shared) if shared.word.begins(word.bytes) => {
                    shared.literal = shared.literal.take().filter(|shared| *shared == literal);
                    shared.patterns.push(pattern);
                }
                _ => sorted.push(Shared { word, patterns: vec![pattern], literal: Some(literal) }),
            }
        }
        for Shared { word, .. } in &sorted {
            let is_short = word.mask << 24 == 0;
            let (slots, bit) = if is_short {
                (words.short.as_mut_slice(), first(word.bytes))
            } else {
                (words.hashes.as_mut_slice(), hash(word.bytes))
            };
            if let Some(slot) = slots.get_mut(bit >> 6) {
                *slot |= 1 << (bit & 63);
            }
        }
        words.sorted = sorted.into();
        words
    }

    /// Makes every text count as a text that may mean each entry.
    pub(super) fn name_all(&mut self) {
        self.always = true;
    }

    /// Returns the entries that a text may mean, as far as its words show. `dropped` and `parentheses` as in [`Words::occur_in`].
    ///
    /// # Errors
    ///
    /// Returns an error if that takes more work than is left.
    pub(super) fn named_in(
        &self,
        text: &[u8],
        dropped: bool,
        parentheses: bool,
        meter: &mut Meter,
    ) -> Result<Named, Exhausted> {
        meter.spend(100 + text.len() * 2)?;
        if self.always {
            return Ok(Named::Several);
        }
        let mut named = Named::Nothing;
        let (mut last, mut words) = (None, 0);
        for (at, loaded) in segments(text) {
            meter.spend(69)?;
            if parentheses && is_parenthesis(loaded) {
                // After the session, a segment may begin with any word.
                return Ok(Named::Several);
            }
            let Some(shared) = self.word_at(text, at, loaded, dropped) else { continue };
            meter.spend(120)?;
            if last == Some(shared.word) {
                continue;
            }
            last = Some(shared.word);
            words += 1;
            if shared.patterns.len() > SHARED || words > SHARED {
                return Ok(Named::Several);
            }
            for Literals(index, others) in &shared.patterns {
                if others.iter().try_fold(true, |all, other| Ok(all && other.begins_any(text, meter)?))? {
                    named = named.and(Named::Only(*index));
                }
            }
            if named == Named::Several {
                break;
            }
        }
        Ok(named)
    }

    /// Whether a segment of `text` begins with a word. If nothing was `dropped` from the text, a letter, a digit, `-` or
    /// `_` must not follow the word, because backends remove nothing else from the end of a segment. With `parentheses` a
    /// segment that begins with a parenthesis counts too: ASP.NET removes sessions (`/(S(x))`), and the text after a
    /// session may be the rest of a segment.
    #[inline(never)]
    pub(super) fn occur_in(&self, text: &[u8], dropped: bool, parentheses: bool) -> bool {
        if self.always {
            return true;
        }
        segments(text).any(|(at, loaded)| {
            self.word_at(text, at, loaded, dropped).is_some() || (parentheses && is_parenthesis(loaded))
        })
    }

    /// The word that a segment begins with, if a backend may read the segment as its literal.
    #[inline]
    fn word_at(&self, text: &[u8], at: usize, loaded: u64, dropped: bool) -> Option<&Shared> {
        if !self.may_begin(loaded) {
            return None;
        }
        self.search(loaded).filter(|shared| dropped || shared.may_be(text.get(at..).unwrap_or_default()))
    }

    #[inline]
    fn may_begin(&self, loaded: u64) -> bool {
        is_in(&self.hashes, hash(loaded)) || is_in(&self.short, first(loaded))
    }

    fn search(&self, loaded: u64) -> Option<&Shared> {
        let at = self.sorted.partition_point(|shared| shared.word.bytes <= loaded);
        at.checked_sub(1).and_then(|at| self.sorted.get(at)).filter(|shared| shared.word.begins(loaded))
    }
}

// === impl Named ===

impl Named {
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Nothing, named) | (named, Self::Nothing) => named,
            (Self::Only(one), Self::Only(other)) if one == other => self,
            (Self::Only(_) | Self::Several, Self::Only(_) | Self::Several) => Self::Several,
        }
    }
}

// === impl Shared ===

impl Shared {
    /// Whether a backend may read a segment that begins with the word as the literal, after it removes the end of the
    /// segment.
    fn may_be(&self, segment: &[u8]) -> bool {
        let Some(literal) = &self.literal else { return true };
        segment.strip_prefix(&**literal).is_some_and(|rest| {
            let name = |next: &u8| next.is_ascii_alphanumeric() || *next >= 0x7f || matches!(next, b'-' | b'_');
            !rest.first().is_some_and(name)
        })
    }
}

// === impl Word ===

impl Word {
    /// Returns the word of a literal, which must not be empty.
    fn of(literal: &[u8]) -> Self {
        let mask = u64::MAX << (64 - 8 * literal.len().clamp(1, LONGEST));
        Self { bytes: load(literal) & mask, mask }
    }

    #[inline]
    fn begins(self, loaded: u64) -> bool {
        loaded & self.mask == self.bytes
    }

    /// Whether any segment of a text begins with the word.
    fn begins_any(self, text: &[u8], meter: &mut Meter) -> Result<bool, Exhausted> {
        meter.spend(100)?;
        for (_, loaded) in segments(text) {
            meter.spend(54)?;
            if self.begins(loaded) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Returns a literal in the letters of a text. `None` if nothing is left of it.
fn written(literal: &str, letters: impl Fn(&str) -> Vec<u8>) -> Option<Box<[u8]>> {
    // Before the first brace, it does not matter that literal braces are doubled.
    let literal = literal.split(['{', '}']).next().unwrap_or_default();
    Some(letters(literal)).filter(|written| !written.is_empty()).map(Into::into)
}

/// Returns the position and the first bytes of each segment.
#[inline]
fn segments(text: &[u8]) -> impl Iterator<Item = (usize, u64)> {
    let last = text.last_chunk().map(|last| u64::from_be_bytes(*last));
    positions(text, b'/').map(move |slash| {
        let rest = text.get(slash + 1..).unwrap_or_default();
        let loaded = match (rest.first_chunk(), last) {
            (Some(first), _) => u64::from_be_bytes(*first),
            (None, Some(last)) => last.checked_shl(u32::try_from(64 - 8 * rest.len()).unwrap_or(64)).unwrap_or(0),
            (None, None) => load(rest),
        };
        (slash + 1, loaded)
    })
}

/// Whether a segment of a canonical pattern is a parameter. A literal brace is doubled.
pub(super) fn is_parameter(segment: &str) -> bool {
    segment.starts_with('{') && !segment.starts_with("{{")
}

/// Returns the first eight bytes as a big-endian number, padded with zeros, so that numbers sort as texts do.
#[inline]
fn load(text: &[u8]) -> u64 {
    if let Some(first) = text.first_chunk() {
        return u64::from_be_bytes(*first);
    }
    text.iter().zip((0..8).rev()).fold(0, |loaded, (&byte, at)| loaded | u64::from(byte) << (8 * at))
}

#[inline]
fn is_parenthesis(loaded: u64) -> bool {
    loaded >> 56 == u64::from(b'(')
}

#[inline]
fn first(loaded: u64) -> usize {
    usize::try_from(loaded >> 56).unwrap_or(0)
}

/// Returns a hash of the first four bytes. It is less than 1,024.
#[inline]
fn hash(loaded: u64) -> usize {
    usize::try_from((loaded >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54).unwrap_or(0)
}

#[inline]
fn is_in(bits: &[u64], bit: usize) -> bool {
    bits.get(bit >> 6).is_some_and(|bits| bits >> (bit & 63) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words<'k>(keys: impl Iterator<Item = &'k str>) -> Words {
        Words::of(keys, |literal| literal.into())
    }

    #[test]
    fn a_word_is_found_where_a_segment_begins_with_it() {
        let words = words(["/login", "/v1/{tenant}/accounts.accounts", "/ab/{*rest}"].into_iter());
        for text in ["/login", "/x/login", "/logins", "//login;x", "/abc", "/x/ab", "/accounts.accountz"] {
            assert!(words.occur_in(text.as_bytes(), true, false), "{text}");
        }
        assert!(!words.occur_in(b"/accounts.accountz/accounts.accountss", false, false));
        assert!(!words.occur_in(b"/logins/login-x/login_y/abc", false, false));
        assert!(words.occur_in(b"/logins/login", false, false) && words.occur_in(b"/ab;c", false, false));
        for text in ["", "/", "/logi", "/xlogin", "/account", "/a", "/tenant", "/v1", "login", "/a/b"] {
            assert!(!words.occur_in(text.as_bytes(), true, false), "{text}");
        }
    }

    #[test]
    fn among_words_that_begin_alike_each_is_found() {
        let all: Vec<String> = (0..1000).map(|at| format!("/x/w{at}")).chain(["/x/w".into()]).collect();
        for (few, word) in [(1000, "/x/w77"), (1000, "/w999"), (1001, "/w-")] {
            let words = words(all.iter().take(few).map(String::as_str));
            assert!(words.occur_in(word.as_bytes(), true, false), "{word}");
            assert_eq!(words.occur_in(b"/w", true, false), few == 1001);
        }
    }

    #[test]
    fn what_is_named_has_all_literals_of_its_pattern() {
        let words = words(["/login", "/v1/{tenant}/login", "/h5/login", "/signin"].into_iter());
        for (text, named) in [
            ("/x/login", Named::Only(0)),
            ("/h5/x/logins", Named::Several),
            ("/signin/x", Named::Only(3)),
            ("/signin/login", Named::Several),
            ("/v1/x/logi", Named::Nothing),
        ] {
            let mut meter = Meter::of_request(text.len(), false);
            assert_eq!(words.named_in(text.as_bytes(), true, false, &mut meter).ok(), Some(named), "{text}");
        }
    }

    #[test]
    fn a_pattern_without_a_literal_has_its_word_everywhere() {
        for key in ["/", "/{a}", "/{*rest}", "/{{x}}"] {
            assert!(words([key].into_iter()).occur_in(b"/x", true, false), "{key}");
        }
        assert!(!words(std::iter::empty()).occur_in(b"/x", true, false));
    }
}
