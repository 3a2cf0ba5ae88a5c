//! The reading of one request.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use http::request::Parts;
use http_body::Body;
use tokio::time::Instant;

use super::{Reading, client_deadline::client_deadline, framing, hand_on::HandedOn};
use crate::proof::grpc;
use crate::{
    body::{self, Coding, Kept, Whole},
    denial::{DenialReason, Refusal},
    headers::is_grpc,
    proof::{self, Extractor, Media, Values},
};

/// A request whose proofs were read, as `C`, the callback's answer, says.
pub(crate) struct Read<B, C> {
    pub(crate) body: Kept<B>,
    /// What the application gets of a body that was read whole.
    pub(crate) handed_on: HandedOn,
    pub(crate) chosen: C,
    /// When the client of a gRPC call gives up.
    pub(crate) client_deadline: Option<Instant>,
}

/// A request that is refused unread.
pub(crate) struct Unread<B> {
    /// Its body, as it came. `None` if that failed itself: the client broke off.
    pub(crate) body: Option<Kept<B>>,
    pub(crate) refusal: Refusal,
}

/// Who reads a body.
enum Source<'s> {
    Ours(Media),
    Users(&'s Extractor),
}

/// What the head says, beside its values.
struct Head<'s> {
    /// Who reads the body, and what it has to be decoded from before; `None` if no field sits there.
    source: Option<(Source<'s>, Option<Coding>)>,
    client_deadline: Option<Instant>,
}

// === impl Unread ===

impl<B> Unread<B> {
    fn untouched(body: B, refusal: Refusal) -> Self {
        Self { body: Some(Kept::Untouched(body)), refusal }
    }
}

impl<B> From<body::Unread<B>> for Unread<B> {
    fn from(body::Unread { error, body }: body::Unread<B>) -> Self {
        Self { body, refusal: error.into() }
    }
}

// === impl Reading ===

impl Reading {
    /// Reads the proofs, and the body only where one of them sits there. What the head alone decides is decided before the
    /// body is asked for. `choose` gets the values of the fields.
    ///
    /// # Errors
    ///
    /// Returns the refusal beside the body, of which nothing is lost.
    pub(crate) async fn read<B, C>(
        &self,
        parts: &Parts,
        body: B,
        choose: impl FnOnce(&Values<'_>) -> Result<C, Refusal>,
    ) -> Result<Read<B, C>, Unread<B>>
    where
        B: Body<Data = Bytes>,
    {
        // Not returned with the head: they are large.
        let mut values = self.plan.values();
        let Head { source, client_deadline } = match self.read_head(parts, &body, &mut values) {
            Ok(head) => head,
            Err(refusal) => return Err(Unread::untouched(body, refusal)),
        };
        let Some((source, coding)) = source else {
            return match choose(&values) {
                Ok(chosen) => {
                    Ok(Read { body: Kept::Untouched(body), handed_on: HandedOn::AsItCame, chosen, client_deadline })
                }
                Err(refusal) => Err(Unread::untouched(body, refusal)),
            };
        };
        if self.client_streaming && matches!(source, Source::Ours(Media::Grpc)) {
            let limits = &self.settings.limits;
            let begun = body::read_beginning(body, limits, client_deadline, grpc::first_frame).await?;
            return match self.read_first_message(parts, begun.data(), values, choose) {
                Ok(chosen) => {
                    Ok(Read { body: Kept::Begun(begun), handed_on: HandedOn::AsItCame, chosen, client_deadline })
                }
                Err(refusal) => Err(Unread { body: Some(Kept::Begun(begun)), refusal }),
            };
        }
        let mut whole = body::read(body, &self.settings.limits, client_deadline).await?;
        match self.read_whole(parts, &mut whole, &source, coding, values, choose) {
            Ok((handed_on, chosen)) => Ok(Read { body: Kept::Whole(whole), handed_on, chosen, client_deadline }),
            Err(refusal) => Err(Unread { body: Some(Kept::Whole(whole).restored()), refusal }),
        }
    }

    fn read_head<'v, B>(&self, parts: &'v Parts, body: &B, values: &mut Values<'v>) -> Result<Head<'_>, Refusal>
    where
        B: Body<Data = Bytes>,
    {
        let is_grpc = is_grpc(parts.version, &parts.headers);
        let client_deadline = if is_grpc { client_deadline(&parts.headers)? } else { None };
        framing::check(self, parts, body)?;
        let source = if self.plan.reads_body() { Some(self.source(is_grpc, parts)?) } else { None };
        self.plan.read_head(parts, values)?;
        Ok(Head { source, client_deadline })
    }

    /// Who reads the body, and what it has to be decoded from before.
    fn source(&self, is_grpc: bool, parts: &Parts) -> Result<(Source<'_>, Option<Coding>), Refusal> {
        let settings = &self.settings;
        let takes = |extractor: &&Extractor| extractor.takes(&parts.headers);
        if let Some(extractor) = settings.extractor.as_ref().filter(takes) {
            return Ok((Source::Users(extractor), proof::coding_of(&parts.headers, &settings.decode.codings)?));
        }
        let media = proof::media_of(&parts.headers, &settings.accept)?;
        let has_frames = media == Media::Grpc;
        let refuse = |part| Err(Refusal::new(DenialReason::UnsupportedMediaType).with_detail(part));
        // Neither gRPC over HTTP/1.1, nor a body of another kind to a client that is answered as gRPC.
        if has_frames != is_grpc {
            return refuse("gRPC over HTTP/1.1, or a body of another type in a gRPC call");
        }
        if !settings.accept.contains(&media) {
            return refuse("a media type that is not accepted");
        }
        if !self.plan.fits(&media) {
            return refuse("a media type that cannot hold the fields of the body");
        }
        // A call says in its frames how its messages are compressed, and never around them.
        let allowed = if has_frames { &[] } else { settings.decode.codings.as_slice() };
        Ok((Source::Ours(media), proof::coding_of(&parts.headers, allowed)?))
    }

    /// Reads the first message of a stream. The rest flows on unseen, as the doc of `client_streaming` says.
    fn read_first_message<C>(
        &self,
        parts: &Parts,
        data: &[u8],
        values: Values<'_>,
        choose: impl FnOnce(&Values<'_>) -> Result<C, Refusal>,
    ) -> Result<C, Refusal> {
        let message = grpc::first_message(data, &parts.headers, self.settings.limits.bytes)?;
        // Of a shorter life: it borrows from the message.
        let mut values: Values<'_> = values;
        self.plan.read_body(&Media::Grpc, &parts.headers, &message, &mut values)?;
        for text in [data, &message] {
            proof::hidden_form(&self.plan, text)?;
        }
        choose(&values)
    }

    /// Reads a body that is here as a whole, and puts the bytes that are handed on in its place.
    fn read_whole<C>(
        &self,
        parts: &Parts,
        whole: &mut Whole,
        source: &Source<'_>,
        coding: Option<Coding>,
        values: Values<'_>,
        choose: impl FnOnce(&Values<'_>) -> Result<C, Refusal>,
    ) -> Result<(HandedOn, C), Refusal> {
        framing::check_length(&parts.headers, whole.data.len())?;
        if let Some(trailers) = &whole.trailers {
            self.plan.check_trailers(trailers)?;
        }
        let (media, is_form) = match source {
            Source::Ours(media) => (Some(media), *media == Media::Form),
            Source::Users(_) => (None, proof::claims_a_form(&parts.headers)),
        };
        let (handed_on, aside) = self.prepare(whole, media, coding, &parts.headers)?;
        handed_on.search(whole, aside.as_ref(), &self.plan, is_form)?;
        let data = aside.as_ref().map_or(&*whole.data, |aside| &aside.data);
        let message;
        // Of a shorter life: it borrows from the body.
        let mut values: Values<'_> = values;
        match source {
            Source::Ours(media @ Media::Grpc) => {
                message = grpc::only_message(data, &parts.headers, self.settings.limits.bytes)?;
                self.plan.read_body(media, &parts.headers, &message, &mut values)?;
                proof::hidden_form(&self.plan, &message)?;
            }
            Source::Ours(media) => self.plan.read_body(media, &parts.headers, data, &mut values)?,
            Source::Users(extractor) => {
                let read = AssertUnwindSafe(|| extractor.read(&self.plan, parts, data, &mut values));
                catch_unwind(read).map_err(|_| Refusal::new(DenialReason::Panicked))??;
            }
        }
        let chosen = choose(&values)?;
        Ok((handed_on, chosen))
    }
}
