//! Which reader reads which part of a request.

use http::{HeaderMap, request::Parts};

use super::{
    form, head, json,
    media::Media,
    multipart,
    plan::Plan,
    query,
    value::{Unreadable, Values},
};

// === impl Plan ===

impl Plan {
    /// Reads what sits in the head, and guards it. To be asked before the body is.
    ///
    /// # Errors
    ///
    /// `Connection` names a header that we rely on; a header field comes twice, or beside an alias, or is not visible
    /// ASCII; the query holds a guarded name, or what could be taken for one, that is not read from it, or one twice.
    pub(crate) fn read_head<'v>(&self, parts: &'v Parts, values: &mut Values<'v>) -> Result<(), Unreadable> {
        head::check_connection(&parts.headers, self.header_names())?;
        head::read(self, &parts.headers, values)?;
        parts.uri.query().map_or(Ok(()), |query| query::read(self, query, values))
    }

    /// Reads what sits in a body that is here as a whole, and guards it. Of gRPC it is the message, without its frame. The
    /// headers tell what its media type leaves open.
    ///
    /// # Errors
    ///
    /// The body is not strictly what its media type says; a guarded name, or what could be taken for one, comes twice;
    /// something on the way to a field is no object; a value is neither text nor an unsigned integer.
    pub(crate) fn read_body<'v>(
        &self,
        media: &Media,
        headers: &HeaderMap,
        body: &'v [u8],
        values: &mut Values<'v>,
    ) -> Result<(), Unreadable> {
        match media {
            // A message without a field has no bytes.
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

    /// Guards trailers: some servers merge them into the headers.
    ///
    /// # Errors
    ///
    /// A trailer repeats or aliases a header that carries a proof or, where the body is read, that describes it.
    pub(crate) fn check_trailers(&self, trailers: &HeaderMap) -> Result<(), Unreadable> {
        head::check_trailers(self, trailers)
    }
}
