//! Which keys some parser might take for a guarded name.
//!
//! What is known of parsers that bend keys before they look them up, and would thus read `Phone` or `phone[]` where
//! we read `phone`:
//!
//! - Go's `encoding/json` folds case as `strings.EqualFold` does: the Kelvin sign is a `k`, the long s an `s`. Java's
//!   `equalsIgnoreCase` adds the dotless and the dotted i.
//! - fastjson's smart match leaves out `_` and `-` (`TypeUtils.fnv1a_64_lower`).
//! - C parsers (cJSON) cut a key at NUL.
//! - PHP drops leading spaces of form keys, cuts at NUL, and makes `_` of a dot, a space and an unclosed `[`
//!   (`php_register_variable_ex`).
//! - qs, Rack and PHP read `phone[]`, `phone[x]` and `[phone]` as `phone`; Spring and ASP.NET bind `phone.x` to it.
//!
//! One comparison covers them all, and more: case folded, separators left out. It may refuse what no parser confuses;
//! the other way round it would be a hole.

/// The guarded names of a plan.
#[derive(Debug)]
pub(super) struct Names {
    names: Box<[Name]>,
    /// The bytes with which a key may start that is, or is like, a guarded name: most keys are done after this.
    firsts: [bool; 256],
}

#[derive(Debug)]
struct Name {
    exact: Box<str>,
    /// Folded, without separators; never empty.
    bare: Box<str>,
}

/// Where a key stands, and so what ends the name in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keys {
    /// A JSON object: only a NUL ends a name early.
    Json,
    /// A form or a query: so do brackets and dots.
    Form,
}

/// What a key is to the guarded names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// None of them.
    Nothing,
    /// Exactly the name with this id.
    Name(usize),
    /// Something that a parser might take for the names with these bits.
    Like(u64),
}

// === impl Names ===

impl Names {
    /// The most names that fit: each has a bit in a `u64`.
    pub(super) const MOST: usize = 64;

    /// Names with ids from 0, in order. Whoever calls has made sure that no two of them are [`alike`].
    pub(super) fn new(names: Vec<Box<str>>) -> Self {
        let names: Box<[Name]> = names.into_iter().map(|exact| Name { bare: bare(&exact), exact }).collect();
        let mut firsts = [false; 256];
        for (byte, first) in (0_u8..=255).zip(&mut firsts) {
            let c = char::from(byte);
            *first = !byte.is_ascii()
                || is_separator(c)
                || names.iter().any(|name| name.bare.starts_with(c.to_ascii_lowercase()));
        }
        Self { names, firsts }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The id of a name, written exactly so.
    pub(super) fn id(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| *known.exact == *name)
    }

    /// The bits of the names for which the last segment of a decoded key could be taken. Segments begin after `.`, `[` and
    /// `:`; one without letters, or a list's index, does not count: `model.phone`, `user[phone][]` and `a:phone[0]` end in
    /// `phone`.
    pub(super) fn like_last(&self, key: &str) -> u64 {
        let counts =
            |segment: &&str| !is_bare(segment) && !segment.trim_end_matches(']').bytes().all(|b| b.is_ascii_digit());
        let Some(last) = key.rsplit(['.', '[', ':']).find(counts) else { return 0 };
        let like = |(id, name): (usize, &Name)| u64::from(reads_as(last, &name.bare, Keys::Form)) << id;
        self.names.iter().enumerate().map(like).fold(0, |all, bit| all | bit)
    }

    /// Looks a decoded key up.
    #[inline]
    pub(super) fn find(&self, key: &str, keys: Keys) -> Found {
        if self.may_begin(key.as_bytes()) { self.find_slowly(key, keys) } else { Found::Nothing }
    }

    /// Whether a decoded key begins as one does that is, or is like, a guarded name.
    #[inline]
    pub(super) fn may_begin(&self, key: &[u8]) -> bool {
        key.first().and_then(|first| self.firsts.get(usize::from(*first))) == Some(&true)
    }

    fn find_slowly(&self, key: &str, keys: Keys) -> Found {
        let mut like = 0;
        for (id, name) in self.names.iter().enumerate() {
            if *name.exact == *key {
                return Found::Name(id);
            }
            if reads_as(key, &name.bare, keys) {
                like |= 1 << id;
            }
        }
        if like == 0 { Found::Nothing } else { Found::Like(like) }
    }
}

/// Whether two names could be taken for each other.
pub(super) fn alike(one: &str, other: &str) -> bool {
    bare(one) == bare(other)
}

/// Whether nothing is left of a name once separators are left out: nothing could be told from it.
pub(super) fn is_bare(name: &str) -> bool {
    bare(name).is_empty()
}

fn bare(name: &str) -> Box<str> {
    name.chars().filter(|c| !is_separator(*c)).map(fold).collect()
}

fn is_separator(c: char) -> bool {
    matches!(c, '_' | '-' | '.' | ' ' | '[' | ']')
}

/// Whether some parser might read the key as the (bare) name.
fn reads_as(key: &str, bare: &str, keys: Keys) -> bool {
    let mut rest = key.chars();
    for wanted in bare.chars() {
        loop {
            match rest.next() {
                Some(c) if is_same(c, wanted) => break,
                Some(c) if is_separator(c) => {}
                _ => return false,
            }
        }
    }
    for c in rest {
        match (c, keys) {
            ('\0', _) | ('[' | ']' | '.', Keys::Form) => return true,
            (c, _) if is_separator(c) => {}
            _ => return false,
        }
    }
    true
}

/// `fold(c) == folded`, without the tables in nearly all cases.
fn is_same(c: char, folded: char) -> bool {
    match (c.is_ascii(), folded.is_ascii()) {
        (true, true) => c.to_ascii_lowercase() == folded,
        (true, false) => false,
        (false, true) => ascii_of(c) == Some(folded),
        (false, false) => fold(c) == folded,
    }
}

/// One letter for all cases of it.
fn fold(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    // Upper first: the final sigma has no lower case but itself.
    ascii_of(c).unwrap_or_else(|| one(one(c, char::to_uppercase), char::to_lowercase))
}

/// The only letters outside ASCII that some case mapping takes into it; a test walks Unicode to see that.
fn ascii_of(c: char) -> Option<char> {
    match c {
        '\u{212a}' => Some('k'),
        '\u{17f}' => Some('s'),
        '\u{130}' | '\u{131}' => Some('i'),
        _ => None,
    }
}

/// The mapping of a letter where it is one letter, else the letter itself.
fn one<I: Iterator<Item = char> + ExactSizeIterator>(c: char, map: fn(char) -> I) -> char {
    let mut mapped = map(c);
    if mapped.len() == 1 { mapped.next().unwrap_or(c) } else { c }
}
