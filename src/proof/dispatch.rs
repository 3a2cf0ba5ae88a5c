//! Selects the reader for each part of a request.

use http::{HeaderMap, request::Parts};

use super::{
    form, head, json,
    media::Media,
    method, multipart,
    plan::Plan,
    query,
    value::{Unreadable, Values},
};

// === impl Plan ===

impl Plan {
    /// Reads the fields of the head, and guards the head. Call it before the body is read.
    ///
    /// # Errors
    ///
    /// `Connection` names a header that the rule reads; a header field is repeated, has an alias, or is not visible ASCII;
    /// the query contains a guarded name (or a name that some parser reads as one) that is not read from it, or a name
    /// twice.
    pub(crate) fn read_head<'v>(&self, parts: &'v Parts, values: &mut Values<'v>) -> Result<(), Unreadable> {
        head::check_connection(&parts.headers, self.header_names())?;
        head::read(self, &parts.headers, values)?;
        let Some(query) = parts.uri.query() else { return Ok(()) };
        if self.refuses_methods() && method::names_a_method(query) {
            return Err(method::ANOTHER_METHOD);
        }
        query::read(self, query, values)
    }

    /// Reads the fields of a complete body, and guards the body. For gRPC, pass the message without its frame. The headers
    /// complete the media type (multipart's boundary).
    ///
    /// # Errors
    ///
    /// The body does not strictly match its media type; a guarded name (or a name that some parser reads as one) is
    /// repeated; a value on the way to a field is not an object; a field's value is neither text nor an unsigned integer.
    pub(crate) fn read_body<'v>(
        &self,
        media: &Media,
        headers: &HeaderMap,
        body: &'v [u8],
        values: &mut Values<'v>,
    ) -> Result<(), Unreadable> {
        if self.refuses_methods() {
            method::check(media, body)?;
        }
        match media {
            // A message without fields has no bytes.
            Media::Grpc => match self.messages() {
                Some(messages) => messages.read(body, values),
                None => Err(Unreadable::BodyMalformed("a message cannot hold these fields")),
            },
            _ if body.is_empty() => Err(Unreadable::BodyMalformed("an empty body")),
            Media::Json | Media::JsonTypes(_) => json::read(self, body, values),
            Media::Form => form::read(self, body, values),
            Media::Multipart => multipart::read(self, headers, body, values),
        }
    }

    /// Guards trailers, because some servers merge them into the headers.
    ///
    /// # Errors
    ///
    /// A trailer repeats or aliases a header that carries a proof or, if the body is read, describes the body.
    pub(crate) fn check_trailers(&self, trailers: &HeaderMap) -> Result<(), Unreadable> {
        head::check_trailers(self, trailers)
    }
}
