//! The media type and the coding of the body.
//!
//! Two parsers that read one body as two media types read different values, so exactly one type is accepted, in a strict
//! grammar.

use http::{
    HeaderMap, HeaderValue,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};

use super::parameters::boundary;
use super::{
    json_types::JsonTypes,
    parameters::{is_utf8, parameter, trim},
};
use crate::{
    body::Coding,
    error::ConfigError,
    headers::{NotOne, is_grpc_type, is_grpc_web_type, only},
};

/// A media type from which proofs are read.
///
/// JSON and forms have one type each. The only accepted parameter is a single `charset` with a spelling of UTF-8
/// (`utf-8`, `UTF-8`, `utf8`, `"utf-8"`). Every other type or parameter is refused with 415, unless
/// [`Media::json_types`] names the whole value.
///
/// ```
/// use tower_jverify::{Media, Rule, number};
///
/// let rule = Rule::post("/login", number()).accept([Media::Json, Media::Multipart]);
/// # let _ = rule;
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Media {
    /// `application/json`, in UTF-8, at most 127 levels deep.
    Json,
    /// Other types that are read as JSON. Created by [`Media::json_types`].
    JsonTypes(JsonTypes),
    /// `application/x-www-form-urlencoded`, in UTF-8, at most 1,000 pairs.
    ///
    /// A form may contain the bytes that URL encoders write (letters, digits, `-` `.` `_` `~` `*` `+` `%XX`, `&` and `=`)
    /// and these raw bytes: `!` `$` `'` `(` `)` `,` `/` `:` `?` `@` `[` `]` `^` `|`. Every other byte is refused, in names
    /// and in values, as is a form that begins with `?` or `[`, or begins with `&` and ends with `]`: some backends parse
    /// every body as JSON, YAML or XML, and these parsers find no object in the remaining forms.
    Form,
    /// gRPC: `application/grpc` and `application/grpc+proto`, over any HTTP version. gRPC-Web is accepted if tonic-web's
    /// `GrpcWebLayer` translates it outside of this layer.
    ///
    /// A [`Field::body`](crate::Field::body) then names protobuf fields by their numbers, `/1/2`; a rule with such fields
    /// accepts no other type. With the method's descriptors it may use the names of the fields.
    ///
    /// Requires the Cargo feature `grpc`: without it `build()` returns an error.
    Grpc,
    /// `multipart/form-data`, in UTF-8: its fields, never its files. A field may also declare US-ASCII or ISO-8859-1, as
    /// Apache's `HttpClient` does, if its value is ASCII. Not accepted by default.
    ///
    /// Requires the Cargo feature `multipart`: without it `build()` returns an error.
    Multipart,
}

/// Why a body is not read. The text names the refused part; it is a constant, never from the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MediaError {
    /// A missing or repeated `Content-Type`, or one that is not a [`Media`].
    UnsupportedType(&'static str),
    /// A `Content-Encoding` that is neither `identity` nor allowed.
    UnsupportedEncoding(&'static str),
}

// === impl Media ===

impl Media {
    /// Returns other types that are read as JSON, each the whole value of a `Content-Type`, compared without case and
    /// spaces: `application/vnd.api+json`, `text/json`, `application/json;v=2`.
    ///
    /// This does not include [`Media::Json`]: list both to accept both.
    ///
    /// A type that some reader treats as a form, multipart or gRPC (one that contains `x-www-form-urlencoded`, `form-data`,
    /// `multipart` or `application/grpc`) is a [`ConfigError`] of `build()`, as is a charset other than UTF-8.
    ///
    /// ```
    /// use tower_jverify::{Media, Rule, number};
    ///
    /// let rule = Rule::post("/login", number())
    ///     .accept([Media::Json, Media::json_types(["application/vnd.api+json", "application/json;v=2"])]);
    /// # let _ = rule;
    /// ```
    pub fn json_types(types: impl IntoIterator<Item = impl Into<Box<str>>>) -> Self {
        Self::JsonTypes(JsonTypes::new(types))
    }

    /// Whether a body of this type is read as JSON.
    pub(crate) fn is_json(&self) -> bool {
        matches!(self, Self::Json | Self::JsonTypes(_))
    }

    /// # Errors
    ///
    /// Names the setting `accept`: see [`JsonTypes::validate`]; a type for which this build has no reader.
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        match self {
            Self::JsonTypes(types) => types.validate(),
            Self::Grpc if !cfg!(feature = "grpc") => Err(ConfigError::feature("accept", "Media::Grpc", "grpc")),
            Self::Multipart if !cfg!(feature = "multipart") => {
                Err(ConfigError::feature("accept", "Media::Multipart", "multipart"))
            }
            Self::Json | Self::Form | Self::Grpc | Self::Multipart => Ok(()),
        }
    }
}

/// The media type of a body, from its headers. The caller checks whether it is accepted; `accepted` is used only to find
/// the user's types.
///
/// # Errors
///
/// As [`content_type_of`]; if it is not a [`Media`], or has a parameter other than one `charset` of UTF-8.
pub(crate) fn media_of(headers: &HeaderMap, accepted: &[Media]) -> Result<Media, MediaError> {
    let content_type = content_type_of(headers)?;
    let is_named = |media: &&Media| matches!(media, Media::JsonTypes(types) if types.contain(content_type));
    match accepted.iter().find(is_named) {
        Some(named) => Ok(named.clone()),
        None => parse(content_type).map_err(MediaError::UnsupportedType),
    }
}

/// Whether the `Content-Type` is a form's, with any parameters.
pub(crate) fn claims_a_form(headers: &HeaderMap) -> bool {
    let essence = |content_type: &str| trim(content_type.split(';').next().unwrap_or_default()).to_ascii_lowercase();
    content_type_of(headers).is_ok_and(|content_type| essence(content_type) == FORM)
}

const FORM: &str = "application/x-www-form-urlencoded";

/// The only `Content-Type`.
///
/// # Errors
///
/// If there is not exactly one, in ASCII; if another header aliases it (`content_type`).
pub(super) fn content_type_of(headers: &HeaderMap) -> Result<&str, MediaError> {
    let value = only(headers, &CONTENT_TYPE).map_err(|not_one| match not_one {
        NotOne::Twice => MediaError::UnsupportedType("two Content-Type headers"),
        NotOne::Aliased => MediaError::UnsupportedType("a header with a name like Content-Type"),
    })?;
    let value = value.ok_or(MediaError::UnsupportedType("no Content-Type"))?;
    value.to_str().map_err(|_| MediaError::UnsupportedType("a Content-Type outside of ASCII"))
}

/// The coding of a body, which must be decoded before the body is read.
///
/// # Errors
///
/// If a `Content-Encoding` is repeated, or is neither `identity` nor allowed; if another header
/// aliases it.
pub(crate) fn coding_of(headers: &HeaderMap, allowed: &[Coding]) -> Result<Option<Coding>, MediaError> {
    let value = only(headers, &CONTENT_ENCODING).map_err(|not_one| match not_one {
        NotOne::Twice => MediaError::UnsupportedEncoding("two Content-Encoding headers"),
        NotOne::Aliased => MediaError::UnsupportedEncoding("a header with a name like Content-Encoding"),
    })?;
    match value.map(HeaderValue::as_bytes) {
        None => Ok(None),
        Some(name) if name.eq_ignore_ascii_case(b"identity") => Ok(None),
        Some(name) => match Coding::named(name).filter(|coding| allowed.contains(coding)) {
            Some(coding) => Ok(Some(coding)),
            None if name.contains(&b',') => Err(MediaError::UnsupportedEncoding("several codings in Content-Encoding")),
            None => Err(MediaError::UnsupportedEncoding("a content coding in Content-Encoding that is not accepted")),
        },
    }
}

const TYPE: &str = "a media type in Content-Type that is not accepted";
const PARAMETER: &str = "a parameter in Content-Type";
const GRPC_WEB: &str = "gRPC-Web, which tonic-web's `GrpcWebLayer` has to translate outside of this layer";
const CHARSET: &str = "a charset in Content-Type that is not plainly UTF-8";

fn parse(value: &str) -> Result<Media, &'static str> {
    // The most common spellings.
    match value {
        "application/json" => return Ok(Media::Json),
        FORM => return Ok(Media::Form),
        _ => {}
    }
    let (essence, parameters) = match value.split_once(';') {
        Some((essence, parameters)) => (trim(essence), Some(parameters)),
        None => (trim(value), None),
    };
    if essence.eq_ignore_ascii_case("multipart/form-data") {
        let problem = "a multipart type without a plain boundary, or with another parameter";
        return boundary(value).map(|_| Media::Multipart).ok_or(problem);
    }
    // A `+json` suffix is not JSON: `application/x-www-form-urlencoded+json` is a form to readers that compare a prefix.
    let media = if essence.eq_ignore_ascii_case("application/json") {
        Media::Json
    } else if essence.eq_ignore_ascii_case(FORM) {
        Media::Form
    } else {
        return grpc(essence, parameters);
    };
    let mut charset = false;
    for text in parameters.into_iter().flat_map(|all| all.split(';')).map(trim).filter(|text| !text.is_empty()) {
        // RFC 2231: `charset*=utf-8''utf-7` and `charset*0=utf-7` are a charset for Django and for mail parsers.
        if !text.get(.."charset".len()).is_some_and(|name| name.eq_ignore_ascii_case("charset")) {
            return Err(PARAMETER);
        }
        let is_plain =
            parameter(text).is_some_and(|(name, value)| name.eq_ignore_ascii_case("charset") && is_utf8(value));
        if charset || !is_plain {
            return Err(CHARSET);
        }
        charset = true;
    }
    Ok(media)
}

/// The suffix after `grpc` names the format in the frames: `+json` does not make the body JSON, and some servers also read
/// a parameter as the format.
fn grpc(essence: &str, parameters: Option<&str>) -> Result<Media, &'static str> {
    let is = |known: &str| essence.eq_ignore_ascii_case(known);
    match parameters {
        _ if is_grpc_web_type(essence.as_bytes()) => Err(GRPC_WEB),
        _ if !is_grpc_type(essence.as_bytes()) || !(is("application/grpc") || is("application/grpc+proto")) => {
            Err(TYPE)
        }
        Some(_) => Err(PARAMETER),
        #[cfg(feature = "grpc")]
        None => Ok(Media::Grpc),
        #[cfg(not(feature = "grpc"))]
        None => Err(TYPE),
    }
}
