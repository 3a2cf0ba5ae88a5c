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
    /// not read, a request with a body is refused, unless `ignore_query()` says that the backend tells the two apart.
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
