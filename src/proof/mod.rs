//! Out of a request's head and body: the values of the configured fields, or a refusal.
//!
//! Here lies the crate's promise that *what is verified is what the application reads*. An attacker's whole art is to
//! write a request that we read in one way and the application in another: a name twice, `Phone` beside `phone`, a
//! byte order mark, the same name in the query. There are too many parsers in the world to follow each, so we follow
//! none: a request that any two of them could read differently, as far as our fields are concerned, is refused.
//!
//! The way through this folder:
//!
//! | file | subject |
//! |---|---|
//! | `field` | [`Field`]: where one part of a proof sits, as users write it |
//! | `plan`, `compile`, `objects` | [`Plan`]: all fields of a rule, compiled, with their names and the way to them |
//! | `dispatch` | which reader reads which part of a request |
//! | `fold` | which keys some parser might take for a guarded name |
//! | `reading` | which values some application might take for another |
//! | `media`, `json_types`, `parameters` | [`Media`]: what the body claims to be; which other types are JSON |
//! | `head`, `query` | headers, `Connection`, trailers; the query |
//! | `bare` | what names a person in a request that no rule reads, or in a cookie |
//! | `json`, `form`, `multipart`, `protobuf` | the bodies; JSON's grammar is `crate::json`'s |
//! | `hidden` | a form inside of a body that is not a form |
//! | `other_phones` | the phone's name elsewhere, and where an application may have it |
//! | `grpc`, `descriptors` | the frame around a message; a message's fields by name |
//! | `canonical` | our own writing of JSON and forms, to be handed on |
//! | `extract` | [`Extracted`]: a closure of the user's in place of these |
//! | `value` | [`Value`], [`Values`], [`Unreadable`]: what comes out |
//!
//! Nothing here knows a rule, a phone's grammar or an answer's status.

mod bare;
mod canonical;
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
    descriptors::Descriptors,
    extract::Extractor,
    hidden::hidden_form,
    media::{MediaError, claims_a_form, coding_of, media_of},
    plan::Plan,
    reading::{may_be_read_as, may_equal_in_php},
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
