//! A rule's path, checked when the rule is written and not when the first request comes.

use std::{
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    iter::Peekable,
    str::Chars,
};

use super::{letters::fold, routers};
use crate::error::ConfigError;

/// The most parameters of a path. The router supports 25; a path with more than a few is a mistake.
const PARAMETERS: usize = 16;

/// A rule's path: `/login`, `/v1/{tenant}/login`, `/files/{*rest}`, in the syntax of `matchit` 0.9 (and so of axum).
///
/// A parameter matches one whole segment, which is not empty. `{*rest}` matches all segments to the end, at least
/// one: `/files/{*rest}` matches `/files/a` and `/files/a/b`, but not `/files`. A literal brace is doubled. A
/// backslash makes literal text of what other routers read as a pattern.
///
/// A parameter that is a part of a segment (`/{id}.png`) is refused: with such a pattern `matchit` 0.9.2 misses other
/// patterns (of `/{x}a/a` and `/{x}/{*rest}` it finds neither for `/aa/aa`), and a path that it misses is not
/// guarded.
///
/// Case and a trailing slash do not count: two patterns that differ in nothing else are equal.
#[derive(Clone)]
pub(crate) struct Pattern {
    /// As configured, for people.
    text: Box<str>,
    /// Folded, without trailing slash. Of an exact path: as it is looked up; else in the router's syntax.
    key: Box<str>,
    exact: bool,
}

// === impl Pattern ===

impl Pattern {
    /// Reads a path as a user writes it in a rule.
    ///
    /// # Errors
    ///
    /// Names `rule.path` if the path does not begin with a slash, contains what no canonical path contains (dot
    /// segments, doubled slashes, `;`, `?`, `#`, `%`, a backslash, white space, control characters, the long s and
    /// the Kelvin sign), is a pattern of another router (see `routers`), or is not a valid pattern.
    pub(crate) fn parse(text: &str) -> Result<Self, ConfigError> {
        let refuse = |problem: &'static str| Err(ConfigError::new("rule.path", text, problem));
        if !text.starts_with('/') {
            return refuse("a path starts with a slash");
        }
        let literal = routers::literal(text)?;
        if text.contains("//") {
            return refuse("a path has no doubled slash: `//login` is the same as `/login`");
        }
        if text.split('/').any(|segment| matches!(segment, "." | "..")) {
            return refuse("a path has no dot segments: write what they resolve to");
        }
        if text.contains(['?', '#']) {
            return refuse("a rule is about the path: the query takes no part");
        }
        if text.contains(';') {
            return refuse("a path has no `;`: parameters of a segment are ignored");
        }
        if text.contains('%') {
            return refuse("a path is written decoded, without percent escapes");
        }
        if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return refuse("a path has no white space and no control characters");
        }
        if text.contains(['\u{17f}', '\u{212a}', char::REPLACEMENT_CHARACTER]) {
            return refuse("a path has no characters that are mistaken for others");
        }
        if literal.contains('\\') {
            return refuse("a path has no backslash");
        }

        let trimmed = literal.strip_suffix('/').filter(|rest| !rest.is_empty()).unwrap_or(&literal);
        let (key, parameters) = canonical(trimmed);
        if !parameters_are_segments(trimmed) {
            return refuse("a parameter is a whole segment: `/{id}`, not `/{id}.png`");
        }
        if parameters > PARAMETERS {
            return refuse("a path has at most 16 parameters");
        }
        if let Err(error) = matchit::Router::new().insert(&*key, ()) {
            return Err(ConfigError::new("rule.path", text, error.to_string()));
        }
        let exact = parameters == 0;
        let key = if exact { key.replace("{{", "{").replace("}}", "}") } else { key };
        Ok(Self { text: text.into(), key: key.into(), exact })
    }

    /// A path that was read and folded, for one look-up: unlike [`Pattern::parse`] it takes every character, and unlike an exact path
    /// it does not say that a foreign backend reads it so.
    pub(super) fn of_text(folded: &str) -> Self {
        Self { text: folded.into(), key: folded.replace('{', "{{").replace('}', "}}").into(), exact: false }
    }

    /// The path as configured.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the pattern has no parameters, so that it means one path.
    pub(crate) fn is_exact(&self) -> bool {
        self.exact
    }

    /// The pattern with its parameters named by their places: two that mean the same paths are then equal.
    pub(crate) fn renamed(&self) -> Self {
        if self.exact {
            return self.clone();
        }
        let mut place = 0;
        let segments = self.key.split('/').map(|segment| {
            // A parameter is a whole segment; a literal brace is doubled.
            let Some(name) = segment.strip_prefix('{').filter(|rest| !rest.starts_with('{')) else {
                return segment.to_owned();
            };
            place += 1;
            format!("{{{}p{place}}}", if name.starts_with('*') { "*" } else { "" })
        });
        let key = segments.collect::<Vec<_>>().join("/").into();
        Self { text: self.text.clone(), key, exact: false }
    }

    /// What the table looks up: the canonical path of an exact pattern, else the router's pattern.
    pub(super) fn key(&self) -> &str {
        &self.key
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Pattern {}

impl PartialOrd for Pattern {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Pattern {
    fn cmp(&self, other: &Self) -> Ordering {
        (&self.key, self.exact).cmp(&(&other.key, other.exact))
    }
}

impl Hash for Pattern {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key.hash(state);
        self.exact.hash(state);
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Folds the literal parts, leaves the names of parameters as they are, and counts the parameters.
fn canonical(text: &str) -> (String, usize) {
    let mut key = String::with_capacity(text.len());
    let mut parameters = 0;
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '{' | '}' if characters.next_if_eq(&c).is_some() => key.extend([c, c]),
            '{' => {
                parameters += 1;
                key.push(c);
                copy_name(&mut characters, &mut key);
            }
            _ => fold(c, &mut key),
        }
    }
    (key, parameters)
}

/// Whether each parameter is a whole segment.
fn parameters_are_segments(text: &str) -> bool {
    text.split('/').map(|segment| segment.replace("{{", "x").replace("}}", "x")).all(|segment| {
        let literal = !segment.contains(['{', '}']);
        literal || (segment.starts_with('{') && segment.find('}') == Some(segment.len() - 1))
    })
}

/// Copies up to the brace that closes the name. `matchit` checks the text before that brace.
fn copy_name(characters: &mut Peekable<Chars<'_>>, key: &mut String) {
    while let Some(c) = characters.next() {
        key.push(c);
        if c == '}' && characters.next_if_eq(&c).is_none() {
            return;
        }
        if c == '}' {
            key.push(c);
        }
    }
}
