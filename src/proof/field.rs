//! Where one part of a proof sits, as users write it.

use std::fmt;

/// Where one part of a proof sits: in the body, in a header, or in the query; perhaps in one of several such places.
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
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Field(Vec<Place>);

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
    /// Which rule applies: what [`Rule::when`](crate::Rule::when) reads.
    Choice,
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

    /// Or another place. A request that has the part in several of them must have the same value in each, or it is
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
            match place {
                Place::Body(pointer) => write!(f, "body {pointer}")?,
                Place::Header(name) => write!(f, "header {name}")?,
                Place::Query(name) => write!(f, "query {name}")?,
            }
        }
        Ok(())
    }
}

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
