//! The public type for the place of one part of a proof.

use std::{error::Error, fmt, str::FromStr};

/// The place of one part of a proof: the body, a header, or the query; or several alternative places.
///
/// JSON's `null`, an empty text, and a `null` in place of an object on the way to the field mean that the field is absent.
/// Its name still counts: it may occur only once, with any value. Lists, objects, booleans and texts of only white space
/// are refused.
///
/// The constructors accept any text; an invalid place (a pointer without a slash, a header that frames the message) is
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
/// The text form can be parsed, for settings in a file. In a name, a space or a backslash is escaped with a backslash:
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

/// The error for a text that is not a [`Field`]. A field is one or more places such as `body /token`, `header x-token` or
/// `query token`, joined by ` or `.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseFieldError(());

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Place {
    Body(Box<str>),
    Header(Box<str>),
    Query(Box<str>),
}

/// What the name of a field means in another place of the request. In ascending order: the greatest role of a field counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// It does not identify a person, like a token alone.
    #[default]
    Other,
    /// It changes the meaning of other fields: a phone's country code, or the field that [`Rule::when`](crate::Rule::when)
    /// reads.
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
    /// Every segment names a member of an object; array indices are not supported (`/list/0` means the member `0`). A
    /// pointer with one segment also works for forms. In a gRPC message a segment is a protobuf field's number, `/1/2`, or,
    /// with the method's descriptors, its name.
    pub fn body(pointer: impl Into<Box<str>>) -> Self {
        Self(vec![Place::Body(pointer.into())])
    }

    /// A header, in any case. It must occur exactly once, in visible ASCII and spaces.
    pub fn header(name: impl Into<Box<str>>) -> Self {
        let mut name = name.into();
        name.make_ascii_lowercase();
        Self(vec![Place::Header(name)])
    }

    /// A parameter of the query, by its decoded name. It must occur exactly once.
    ///
    /// Backends that merge the query and the body let the body win. So if no field is in the body, which is then not read,
    /// a request with a body is refused, unless `ignore_query(true)` declares that the backend does not merge them.
    pub fn query(name: impl Into<Box<str>>) -> Self {
        Self(vec![Place::Query(name.into())])
    }

    /// Adds an alternative place. A request with non-empty values in several places is refused unless all values are equal,
    /// because the application could read any of them.
    ///
    /// If one of the places is the body, the body is always read.
    pub fn or(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Whether one of the places is the body.
    pub(crate) fn is_body(&self) -> bool {
        self.0.iter().any(|place| matches!(place, Place::Body(_)))
    }

    /// Whether its only place is in the body.
    pub(crate) fn is_body_alone(&self) -> bool {
        matches!(self.0.as_slice(), [Place::Body(_)])
    }

    /// The name of the header that is its only place.
    pub(crate) fn header_alone(&self) -> Option<&str> {
        match self.0.as_slice() {
            [Place::Header(name)] => Some(name),
            _ => None,
        }
    }

    /// The last names of its places in bodies and in the query.
    pub(super) fn last_names(&self) -> impl Iterator<Item = String> {
        self.0.iter().filter_map(|place| match place {
            Place::Body(pointer) => unescape(pointer.rsplit('/').next()?).ok(),
            Place::Query(name) => Some(name.to_string()),
            Place::Header(_) => None,
        })
    }

    /// The segments of its places: in bodies, as pointers and as form keys, and in the query.
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

    /// Parses the output of `Display`.
    ///
    /// # Errors
    ///
    /// If a place is not `body`, `header` or `query`, a space and a name, or if places are not joined by ` or `.
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

/// Splits at single spaces and removes the backslashes; `None` for a backslash that escapes nothing.
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

/// The segments of a form's key: `a[b][]` and `a.b.` are `a`, `b` and an empty segment.
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
            // An empty name can be parsed: `build()` refuses it.
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
