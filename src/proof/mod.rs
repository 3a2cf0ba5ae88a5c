//! Reads the values of the configured fields from a request's head and body, or refuses it.
//!
//! This folder keeps the crate's promise that *what is verified is what the application reads*. An attacker tries to write
//! a request that the layer reads in one way and the application in another: a name twice, both `Phone` and `phone`, a byte
//! order mark, the same name in the query. There are too many parsers to imitate each, so the layer imitates none: it
//! refuses a request in which any two parsers could read a guarded field differently.
//!
//! The files of this folder:
//!
//! | file | subject |
//! |---|---|
//! | `field` | [`Field`]: the place of one part of a proof |
//! | `plan`, `compile`, `objects` | [`Plan`]: the compiled fields of a rule, with their names and the objects on the way |
//! | `dispatch` | which reader reads which part of a request |
//! | `fold` | which keys some parser might read as a guarded name |
//! | `reading` | which values some application might confuse |
//! | `media`, `json_types`, `parameters` | [`Media`]: the media type of the body; which other types are JSON |
//! | `head`, `query` | headers, `Connection`, trailers; the query |
//! | `method` | parameters that make a backend run another method |
//! | `bare` | what identifies a person in a request that no rule reads, or in a cookie |
//! | `json`, `form`, `multipart`, `protobuf` | the bodies; JSON's grammar is `crate::json`'s |
//! | `hidden` | a form inside a body that is not a form |
//! | `charsets` | JSON that a reader of another charset splits differently |
//! | `other_phones` | the phone's name in other places, and where an application may use it |
//! | `grpc`, `descriptors` | the frame around a message; a message's fields by name |
//! | `canonical` | the canonical form of JSON and forms |
//! | `extract` | [`Extracted`]: the user's closure instead of these readers |
//! | `value` | [`Value`], [`Values`], [`Unreadable`]: the results |
//!
//! This folder does not depend on rules, on a phone's grammar or on an answer's status.

mod bare;
mod canonical;
mod charsets;
mod compile;
#[cfg(feature = "grpc-descriptors")]
mod descriptors;
#[cfg(not(feature = "grpc-descriptors"))]
#[path = "no_descriptors.rs"]
mod descriptors;
mod dispatch;
mod extract;
mod field;
mod fold;
mod form;
pub(crate) mod grpc;
mod head;
mod hidden;
mod json;
mod json_types;
mod media;
mod method;
mod multipart;
mod objects;
mod other_phones;
mod parameters;
mod plan;
mod protobuf;
mod query;
mod reading;
mod value;

pub(crate) use self::field::Role;
pub(crate) use self::{
    canonical::{GROWTH, canonical},
    charsets::split_by_charset,
    descriptors::Descriptors,
    extract::Extractor,
    hidden::hidden_form,
    media::{MediaError, claims_a_form, coding_of, media_of},
    method::names_a_method,
    plan::Plan,
    reading::{may_be_read_as_any, may_equal_in_php},
    value::{Unreadable, Value, Values},
};
pub use self::{
    extract::Extracted,
    field::{Field, ParseFieldError},
    json_types::JsonTypes,
    media::Media,
};

#[cfg(test)]
mod tests;
