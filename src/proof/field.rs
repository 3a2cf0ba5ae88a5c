//! Where one part of a proof sits, as users write it.

use std::fmt;

/// Where one part of a proof sits: in the body, in a header, or in the query.
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
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Field(Place);

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
        Self(Place::Body(pointer.into()))
    }

    /// A header, in any case. It must come exactly once, in visible ASCII and spaces.
    pub fn header(name: impl Into<Box<str>>) -> Self {
        let mut name = name.into();
        name.make_ascii_lowercase();
        Self(Place::Header(name))
    }

    /// A parameter of the query, by its decoded name. It must come exactly once.
    pub fn query(name: impl Into<Box<str>>) -> Self {
        Self(Place::Query(name.into()))
    }

    pub(crate) fn is_body(&self) -> bool {
        matches!(self.0, Place::Body(_))
    }

    pub(super) fn place(&self) -> &Place {
        &self.0
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Body(pointer) => write!(f, "body {pointer}"),
            Place::Header(name) => write!(f, "header {name}"),
            Place::Query(name) => write!(f, "query {name}"),
        }
    }
}
