//! Finds keys that some parser might read as a guarded name.
//!
//! Known parsers that change keys before they look them up, and would read `Phone` or `phone[]` as `phone`:
//!
//! - Go's `encoding/json` folds case as `strings.EqualFold` does: the Kelvin sign is a `k`, the long s an `s`. Java's
//!   `equalsIgnoreCase` adds the dotless and the dotted i.
//! - fastjson's smart match ignores `_` and `-` (`TypeUtils.fnv1a_64_lower`).
//! - C parsers (cJSON) cut a key at NUL.
//! - PHP drops leading spaces of form keys, cuts at NUL, and replaces a dot, a space and an unclosed `[` by `_`
//!   (`php_register_variable_ex`).
//! - qs, Rack and PHP read `phone[]`, `phone[x]` and `[phone]` as `phone`; Spring and ASP.NET bind `phone.x` to it.
//! - Rack (`normalize_params`) ends a segment at `]` without `[`: `session]phone` is `session[phone]`.
//! - Spring's `WebDataBinder` takes `_phone` and `!phone` for markers and defaults of the field `phone`.
//! - Rails assigns `phone(1s)` to the attribute `phone`, and `permit(:phone)` lets it pass (multiparameter attributes).
//! - ASP.NET MVC, Grails, Spring's `BeanWrapper` and lodash's `get` also read a JSON key `model.phone` as a path.
//! - Zope converts `phone:utf8` and `phone:string` to `phone`.
//! - Struts evaluates `['phone']` and `model('phone')` as OGNL.
//! - .NET's invariant-culture comparisons ignore zero-width and control characters; other readers trim all kinds of white
//!   space.
//! - Readers that normalise text convert full-width, circled, mathematical and superscript letters to ASCII (NFKC), or compare
//!   letters without their accents (collations, .NET's culture comparisons, Swift's canonical equivalence).
//!
//! One comparison covers all of these and more: it folds case and ignores separators. It may refuse keys that no parser
//! confuses; accepting a key that some parser confuses would be a hole.

use crate::invisible::is_invisible;

/// The guarded names of a plan.
#[derive(Debug)]
pub(super) struct Names {
    names: Box<[Name]>,
    /// The possible first bytes of a key that is, or is like, a guarded name: this rules out most keys.
    firsts: [bool; 256],
}

#[derive(Debug)]
struct Name {
    exact: Box<str>,
    /// Folded, without separators; never empty.
    bare: Box<str>,
    /// Its last segment, in the same form: `phone` for `user[phone]`.
    last: Box<str>,
}

/// The kind of document of a key, which determines what ends the name in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keys {
    /// A JSON object: only a NUL or a parenthesis ends a name early.
    Json,
    /// A form or a query: brackets, dots and colons also end it.
    Form,
}

/// How a key relates to the guarded names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// None of them.
    Nothing,
    /// Exactly the name with this id.
    Name(usize),
    /// A key that some parser might read as the names with these bits.
    Like(u64),
}

// === impl Names ===

impl Names {
    /// The maximum number of names: each has a bit in a `u64`.
    pub(super) const MOST: usize = 64;

    /// Names with ids from 0, in order. The caller has checked that no two of them are [`alike`].
    pub(super) fn new(names: Vec<Box<str>>) -> Self {
        let name =
            |exact: Box<str>| Name { bare: bare(&exact), last: bare(last_segment(&exact).unwrap_or(&exact)), exact };
        let names: Box<[Name]> = names.into_iter().map(name).collect();
        let mut firsts = [false; 256];
        for (byte, first) in (0_u8..=255).zip(&mut firsts) {
            let c = char::from(byte);
            *first = !byte.is_ascii()
                || is_separator(c)
                || names
                    .iter()
                    .any(|name| [&*name.bare, &*name.last].iter().any(|it| it.starts_with(|first| is_same(c, first))));
        }
        Self { names, firsts }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The id of exactly this name.
    pub(super) fn id(&self, name: &[u8]) -> Option<usize> {
        self.names.iter().position(|known| known.exact.as_bytes() == name)
    }

    /// The bits of the names whose last segment some parser could read from a decoded key of a form or a query: from its
    /// last segment, or from the whole key. Segments begin after `.`, `[`, `]`, `:` and `(`; a segment without letters, or a
    /// list's index, does not count: `model.phone`, `user[phone][]` and `a:phone[0]` end in `phone`.
    pub(super) fn like_last(&self, key: &str) -> u64 {
        let lasts = [last_segment(key), before_rest(key).and_then(last_segment), Some(key)];
        self.bits(|name| lasts.iter().flatten().any(|last| reads_as(last, &name.last, Keys::Form)))
    }

    /// The bits of the names whose last segment some parser could read from a key of a JSON object. A key of several segments
    /// is read like a form's: for ASP.NET MVC (`JsonValueProviderFactory`), Grails, Spring's `BeanWrapper` and lodash's `get`
    /// `{"model.phone":1}` is `{"model":{"phone":1}}`.
    #[inline]
    pub(super) fn like_key(&self, key: &str) -> u64 {
        if is_path(key) {
            self.like_last(key) | before_rest(key).map_or(0, |key| self.like_last(key))
        } else if self.may_begin(key.as_bytes()) {
            self.bits(|name| reads_as(key, &name.last, Keys::Json))
        } else {
            0
        }
    }

    fn bits(&self, is_like: impl Fn(&Name) -> bool) -> u64 {
        self.names.iter().enumerate().map(|(id, name)| u64::from(is_like(name)) << id).fold(0, |all, bit| all | bit)
    }

    /// Looks a decoded key up.
    #[inline]
    pub(super) fn find(&self, key: &str, keys: Keys) -> Found {
        if self.may_begin(key.as_bytes()) { self.find_slowly(key, keys) } else { Found::Nothing }
    }

    /// Whether the first byte of a decoded key fits a key that is, or is like, a guarded name.
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

/// Whether a new segment of a key begins behind this byte.
#[inline]
pub(super) const fn separates_segments(byte: u8) -> bool {
    matches!(byte, b'.' | b'[' | b']' | b':' | b'(')
}

/// Whether a key of a JSON object may be a path of several segments.
#[inline]
pub(super) fn is_path(key: &str) -> bool {
    key.bytes().any(separates_segments)
}

/// Whether some parser could confuse two names.
pub(super) fn alike(one: &str, other: &str) -> bool {
    bare_chars(one).eq(bare_chars(other))
}

/// Whether a name consists only of separators, so that it cannot be distinguished from any other.
pub(super) fn is_bare(name: &str) -> bool {
    name.chars().all(is_separator)
}

fn bare(name: &str) -> Box<str> {
    bare_chars(name).collect()
}

fn bare_chars(name: &str) -> impl Iterator<Item = char> {
    name.chars().filter(|c| !is_separator(*c)).map(fold)
}

/// The last segment of a key that has letters and is not an index (of a list, or with a type, as in Rails' `phone(1s)`),
/// without surrounding quotation marks: Spring (`BeanWrapper`) and OGNL read `map["phone"]` as `map['phone']`.
fn last_segment(key: &str) -> Option<&str> {
    let is_index = |segment: &str| {
        let index = segment.trim_end_matches([']', ')']);
        index.strip_suffix(['i', 'f', 's', 'a']).unwrap_or(index).bytes().all(|b| b.is_ascii_digit())
    };
    let last = key
        .rsplit(|c: char| c.is_ascii() && separates_segments(c as u8))
        .find(|segment| !is_bare(segment) && !is_index(segment))?;
    Some(match last.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next().unwrap_or_default(),
        None => last,
    })
}

/// Removes the part of a key that PHP ignores (`php_register_variable_ex`): everything after a closing bracket that is not
/// directly followed by an opening one. `user[phone].x` and `user[phone]x[y]` are `user[phone]`. `None` if PHP ignores
/// nothing.
pub(super) fn before_rest(key: &str) -> Option<&str> {
    let open = key.find('[')?;
    let mut ends = key.match_indices(']').map(|(at, _)| at + 1).filter(|end| *end > open);
    let end = ends.find(|end| key.get(*end..).is_some_and(|rest| !rest.starts_with('[')))?;
    key.get(..end).filter(|before| before.len() < key.len())
}

/// Characters that some parser ignores in a name, or removes at its ends.
#[inline]
fn is_separator(c: char) -> bool {
    match c {
        '_' | '-' | '.' | ' ' | '[' | ']' | '(' | ')' | '\'' | '!' | '\0'..='\x1f' | '\x7f' => true,
        _ if c.is_ascii() => false,
        _ => {
            c.is_whitespace()
                || c.is_control()
                || is_invisible(c)
                || is_combining(c)
                || ascii_of(c).is_some_and(is_separator)
        }
    }
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
            ('\0' | '(', _) | ('[' | ']' | '.' | ':', Keys::Form) => return true,
            (c, _) if is_separator(c) => {}
            _ => return false,
        }
    }
    true
}

/// Whether some parser might read a character as this folded one: `fold(c) == folded`, which is mostly known without the
/// tables, or a character that a normalisation may convert to any other.
fn is_same(c: char, folded: char) -> bool {
    match (c.is_ascii(), folded.is_ascii()) {
        (true, true) => c.to_ascii_lowercase() == folded,
        (true, false) => c.is_ascii_alphanumeric() && may_become_ascii(folded),
        (false, true) => ascii_of(c) == Some(folded) || folded.is_ascii_alphanumeric() && may_become_ascii(c),
        (false, false) => fold(c) == folded || may_become_ascii(c) && may_become_ascii(folded),
    }
}

/// Whether some normalisation or collation may convert the character to a letter or digit of ASCII: Latin letters with accents,
/// letters in superscript and subscript, letterlike symbols, Roman numerals, and letters that are enclosed or mathematical.
fn may_become_ascii(c: char) -> bool {
    matches!(
        c,
        '\u{aa}' | '\u{b2}' | '\u{b3}' | '\u{b9}' | '\u{ba}'
            | '\u{c0}'..='\u{2b8}'
            | '\u{1d00}'..='\u{1dbf}'
            | '\u{1e00}'..='\u{1eff}'
            | '\u{2070}'..='\u{209f}'
            | '\u{2100}'..='\u{2188}'
            | '\u{2460}'..='\u{24ff}'
            | '\u{2776}'..='\u{2793}'
            | '\u{2c60}'..='\u{2c7f}'
            | '\u{a720}'..='\u{a7ff}'
            | '\u{ab30}'..='\u{ab6f}'
            | '\u{10780}'..='\u{107bf}'
            | '\u{1d400}'..='\u{1d7ff}'
            | '\u{1f100}'..='\u{1f1ff}'
            | '\u{1fbf0}'..='\u{1fbf9}'
    )
}

/// Whether the character is a mark on the letter before it, which readers that ignore accents ignore.
fn is_combining(c: char) -> bool {
    matches!(
        c,
        '\u{300}'..='\u{36f}'
            | '\u{1ab0}'..='\u{1aff}'
            | '\u{1dc0}'..='\u{1dff}'
            | '\u{20d0}'..='\u{20ff}'
            | '\u{fe20}'..='\u{fe2f}'
    )
}

/// Maps all cases of a letter to one letter.
fn fold(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    // Upper case first: the lower case of the final sigma is itself.
    ascii_of(c).unwrap_or_else(|| one(one(c, char::to_uppercase), char::to_lowercase))
}

/// Returns the ASCII letter to which some case mapping maps this letter, or the ASCII character of a full-width form. A
/// test checks that no other letter of Unicode is mapped to ASCII.
fn ascii_of(c: char) -> Option<char> {
    match c {
        '\u{ff01}'..='\u{ff5e}' => {
            let ascii = u8::try_from(u32::from(c) - 0xfee0).ok()?;
            Some(char::from(ascii).to_ascii_lowercase())
        }
        '\u{212a}' => Some('k'),
        '\u{17f}' => Some('s'),
        '\u{130}' | '\u{131}' => Some('i'),
        _ => None,
    }
}

/// The mapping of a letter if it is a single letter, otherwise the letter itself.
fn one<I: Iterator<Item = char> + ExactSizeIterator>(c: char, map: fn(char) -> I) -> char {
    let mut mapped = map(c);
    if mapped.len() == 1 { mapped.next().unwrap_or(c) } else { c }
}
