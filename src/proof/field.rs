//! Where one part of a proof sits, as users write it.

use std::{error::Error, fmt, str::FromStr};

/// Where one part of a proof sits: in the body, in a header, or in the query; perhaps in one of several such places.
///
/// JSON's `null` and an empty text mean that the field is absent, also an object that is `null` on the way to it. Its name still
/// counts: it may occur once, whatever its value. Lists, objects, booleans and a text of nothing but white space are refused.
///
/// Anything can be written here; what cannot stand (a pointer without a slash, a header that frames the message) is
/// a [`ConfigError`](crate::ConfigError) of the layer's `build()`.
///
/// ```
/// use tower_jverify::Field;
///
/// assert_eq!(Field::body("/login/phone").to_string(), "body /login/phone");
/// assert_eq!(Field::header("X-Token").to_string(), "header x-token");
/// assert_eq!(Field::query("token").to_string(), "query token");
/// assert_eq!(Field::header("x-token").or(Field::body("/token")).to_string(), "header x-token or body /token");
/// ```
///
/// The text form can be parsed again, for settings in a file. In a name a space or a backslash has a backslash before it:
///
/// ```
/// use tower_jverify::Field;
///
/// assert_eq!("header X-Token or body /token".parse(), Ok(Field::header("x-token").or(Field::body("/token"))));
/// assert_eq!(Field::query("my phone").to_string(), r"query my\ phone");
/// assert!("cookie phone".parse::<Field>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Field(Vec<Place>);

/// A text that is not a [`Field`]: places such as `body /token`, `header x-token` or `query token`, joined by ` or `.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseFieldError(());

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Place {
    Body(Box<str>),
    Header(Box<str>),
    Query(Box<str>),
}

/// What the name of a field says where it stands in another place of the request. In ascending order: of a field with two
/// roles, the greater one counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// Nothing about a person: a token alone identifies nobody.
    #[default]
    Other,
    /// What the others mean: a phone's country code, or which rule applies, as [`Rule::when`](crate::Rule::when) reads it.
    Context,
    /// A whole proof: a login token, or the answer of a captcha.
    Login,
    /// Who logs in.
    Phone,
}

// === impl Field ===

impl Field {
    /// A member of the body, by JSON Pointer (RFC 6901): `/phone`, `/login/phone`, `/a~1b` for the name `a/b`.
    ///
    /// Every segment names a member of an object; array indices are not followed (`/list/0` means the member `0`).
    /// A pointer of one segment also fits forms. In a gRPC message a segment is a protobuf field's number, `/1/2`, or, with
    /// the method's descriptors, its name.
    pub fn body(pointer: impl Into<Box<str>>) -> Self {
        Self(vec![Place::Body(pointer.into())])
    }

    /// A header, in any case. It must come exactly once, in visible ASCII and spaces.
    pub fn header(name: impl Into<Box<str>>) -> Self {
        let mut name = name.into();
        name.make_ascii_lowercase();
        Self(vec![Place::Header(name)])
    }

    /// A parameter of the query, by its decoded name. It must come exactly once.
    ///
    /// A backend that merges the query and the body lets the body win. So where no field sits in the body, which is then
    /// not read, a request with a body is refused, unless `ignore_query(true)` says that the backend tells the two apart.
    pub fn query(name: impl Into<Box<str>>) -> Self {
        Self(vec![Place::Query(name.into())])
    }

    /// Or another place. A request that has the part in several of them, neither null nor empty, must have the same value in each, or it is
    /// refused: nobody can tell which one the application reads.
    ///
    /// If one of the places is the body, the body is read, whatever the head holds.
    pub fn or(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Whether one of the places is the body.
    pub(crate) fn is_body(&self) -> bool {
        self.0.iter().any(|place| matches!(place, Place::Body(_)))
    }

    /// The names by which its places in bodies and in the query end.
    pub(super) fn last_names(&self) -> impl Iterator<Item = String> {
        self.0.iter().filter_map(|place| match place {
            Place::Body(pointer) => unescape(pointer.rsplit('/').next()?).ok(),
            Place::Query(name) => Some(name.to_string()),
            Place::Header(_) => None,
        })
    }

    /// The segments of its places in bodies, as pointers and as a form's keys, and in the query.
    pub(super) fn segments(&self) -> Vec<Vec<String>> {
        let of_key = |key: &str| -> Vec<String> { segments(key).into_iter().map(str::to_owned).collect() };
        let of_place = |place: &Place| match place {
            Place::Body(pointer) => {
                let names: Vec<String> = pointer.split('/').skip(1).filter_map(|name| unescape(name).ok()).collect();
                let as_keys = names.iter().flat_map(|name| of_key(name)).collect();
                vec![names, as_keys]
            }
            Place::Query(name) => vec![of_key(name)],
            Place::Header(_) => Vec::new(),
        };
        self.0.iter().flat_map(of_place).collect()
    }

    pub(super) fn places(&self) -> &[Place] {
        &self.0
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, place) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(" or ")?;
            }
            let (kind, text) = match place {
                Place::Body(pointer) => ("body", pointer),
                Place::Header(name) => ("header", name),
                Place::Query(name) => ("query", name),
            };
            f.write_str(kind)?;
            f.write_str(" ")?;
            for c in text.chars() {
                if matches!(c, ' ' | '\\') {
                    f.write_str("\\")?;
                }
                write!(f, "{c}")?;
            }
        }
        Ok(())
    }
}

impl FromStr for Field {
    type Err = ParseFieldError;

    /// Reads what `Display` writes.
    ///
    /// # Errors
    ///
    /// When a place is not `body`, `header` or `query`, a space and a name, or places are not joined by ` or `.
    fn from_str(text: &str) -> Result<Self, ParseFieldError> {
        let mut places: Vec<Place> = Vec::new();
        let mut words = words(text).ok_or(ParseFieldError(()))?.into_iter();
        loop {
            let (Some(kind), Some(name)) = (words.next(), words.next()) else { return Err(ParseFieldError(())) };
            let place = match kind.as_str() {
                "body" => Self::body(name),
                "header" => Self::header(name),
                "query" => Self::query(name),
                _ => return Err(ParseFieldError(())),
            };
            places.extend(place.0);
            match words.next().as_deref() {
                None => return Ok(Self(places)),
                Some("or") => {}
                Some(_) => return Err(ParseFieldError(())),
            }
        }
    }
}

/// What is between single spaces, without the backslashes; `None` after a backslash that escapes nothing.
fn words(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' => words.push(std::mem::take(&mut word)),
            '\\' => word.push(chars.next().filter(|c| matches!(c, ' ' | '\\'))?),
            plain => word.push(plain),
        }
    }
    words.push(word);
    Some(words)
}

// === impl ParseFieldError ===

impl fmt::Display for ParseFieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field is `body /token`, `header x-token` or `query token`, or several of these joined by ` or `")
    }
}

impl Error for ParseFieldError {}

/// The segments of a form's key: `a[b][]`, `a.b.` are `a`, `b` and an empty one.
pub(super) fn segments(key: &str) -> Vec<&str> {
    key.split(['.', '[', ':']).map(|segment| segment.strip_suffix(']').unwrap_or(segment)).collect()
}

/// The name in a segment of a JSON Pointer.
pub(super) fn unescape(segment: &str) -> Result<String, &'static str> {
    let mut name = String::new();
    let mut chars = segment.chars();
    while let Some(c) = chars.next() {
        name.push(match c {
            '~' => match chars.next() {
                Some('0') => '~',
                Some('1') => '/',
                _ => return Err("in a JSON Pointer `~` is followed by 0 or 1"),
            },
            plain => plain,
        });
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Field;

    #[test]
    fn what_is_not_a_field_is_refused() {
        for text in [
            "",
            "body",
            "body /a ",
            " body /a",
            "cookie a",
            "body /a or",
            "body /a and query b",
            r"body /a\b",
            "body  /a",
        ] {
            let parsed = text.parse::<Field>();
            // An empty name is a name: `build()` refuses it.
            assert!(parsed.is_err(), "{text:?}: {parsed:?}");
        }
        assert_eq!("query ".parse(), Ok(Field::query("")));
    }

    proptest! {
        #[test]
        fn every_field_is_read_as_it_is_written(places in prop::collection::vec((0..3_u8, r"(\PC|or | |\\){0,12}"), 1..4)) {
            let field = |(kind, name): &(u8, String)| match kind {
                0 => Field::body(name.as_str()),
                1 => Field::header(name.as_str()),
                _ => Field::query(name.as_str()),
            };
            let (first, others) = places.split_first().unwrap();
            let field = others.iter().map(field).fold(field(first), Field::or);
            prop_assert_eq!(field.to_string().parse(), Ok(field));
        }
    }
}
