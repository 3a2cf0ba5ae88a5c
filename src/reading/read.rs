//! The reading of one request.

use bytes::Bytes;
use http::request::Parts;
use http_body::Body;
use tokio::time::Instant;

use super::{
    Reading,
    client_deadline::client_deadline,
    framing::{self, Sent},
    hand_on::{Aside, HandedOn},
    input::{Input, Source},
    others::{Choose, Known, Unknown},
};
use crate::{
    body::{self, Coding, Ends, Kept, Whole},
    denial::{DenialReason, Refusal},
    headers::is_grpc,
    proof::{self, Extractor, Media, Plan, Values, grpc},
};

/// A request whose proofs were read, with the callback's answer `C`.
pub(crate) struct Read<B, C> {
    pub(crate) body: Kept<B>,
    /// What the application receives of a completely read body.
    pub(crate) handed_on: HandedOn,
    pub(crate) chosen: C,
    /// The deadline of a gRPC client.
    pub(crate) client_deadline: Option<Instant>,
}

/// A refused request.
pub(crate) struct Unread<B> {
    /// Its unchanged body. `None` if the body failed, and its failure cannot be kept.
    pub(crate) body: Option<Kept<B>>,
    pub(crate) refusal: Refusal,
}

/// The result of reading the head, except its values.
struct Head<'s, C> {
    /// The reader of the body, and the coding to decode first; `None` if the body has no field.
    source: Option<(Source<'s>, Option<Coding>)>,
    client_deadline: Option<Instant>,
    /// If this is unknown, the rest of the head is read after the body.
    known: Known<'s, C>,
}

/// A body whose first data, or whose end, has arrived if that matters.
struct Arrived<B> {
    body: Kept<B>,
    has_body: bool,
    /// When the body must have been read.
    until: Option<Instant>,
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
    /// Reads the proofs, and the body only if it has a field. Everything that the head alone decides is decided before the
    /// body is polled; except that whether there is a body at all may only be known from its first frame, and decides whether a request
    /// may be another call. `choose` receives the values of the fields. If other calls pass, `other` first receives the value of
    /// `when`, and chooses for such a call, of which nothing else is read.
    ///
    /// `until`: when the body must have been read, if that is before its own deadline.
    ///
    /// # Errors
    ///
    /// Returns the refusal and the complete body.
    pub(crate) async fn read<B, C>(
        &self,
        parts: &Parts,
        body: B,
        until: Option<Instant>,
        other: &Choose<'_, C>,
        choose: impl FnOnce(&Values<'_>) -> Result<C, Refusal>,
    ) -> Result<Read<B, C>, Unread<B>>
    where
        B: Body<Data = Bytes, Error: 'static>,
    {
        if let Err(refusal) = framing::check(parts) {
            return Err(Unread::untouched(body, refusal));
        }
        let waits = self.asks_for_a_body(parts, &body);
        let Arrived { body, has_body, until } = match &self.others {
            Some(_) if waits => Box::pin(self.begin(parts, body, until)).await?,
            _ => Arrived { has_body: !waits && !body.is_end_stream(), body: Kept::Untouched(body), until },
        };
        // Not returned with the head: they are large.
        let mut values = self.plan.values();
        let Head { source, client_deadline, known } = match self.read_head(parts, has_body, &mut values, other) {
            Ok(head) => head,
            Err(refusal) => return Err(Unread { body: Some(body), refusal }),
        };
        let as_it_came = |body, chosen| Read { body, handed_on: HandedOn::AsItCame, chosen, client_deadline };
        let unknown = match known {
            Known::Other(chosen) => return Ok(as_it_came(body, *chosen)),
            Known::Unknown(unknown) => Some(unknown),
            Known::Guarded => None,
        };
        let Some((source, coding)) = source else {
            let chosen = match choose(&values) {
                Ok(chosen) => chosen,
                Err(refusal) => return Err(Unread { body: Some(body), refusal }),
            };
            let body = match body {
                Kept::Untouched(body) if waits => Box::pin(self.end(parts, body, until)).await?,
                body => body,
            };
            return Ok(as_it_came(body, chosen));
        };
        let give_up = |body::Unread { error, body }| match (&unknown, body) {
            (Some(unknown), Some(body)) if !error.is_of_the_body() => match unknown.unread(parts, error.into()) {
                Ok(chosen) => Ok(as_it_came(body, *chosen)),
                Err(refusal) => Err(Unread { body: Some(body), refusal }),
            },
            (_, body) => Err(Unread { body, refusal: error.into() }),
        };
        let body = if self.client_streaming && matches!(source, Source::Ours(Media::Grpc)) {
            match body.partly_read() {
                Ok(partial) => {
                    let limits = &self.settings.limits;
                    let ends = Ends { client: client_deadline, until };
                    let partial = match body::read_beginning(partial, limits, ends, grpc::first_frame).await {
                        Ok(partial) => partial,
                        Err(unread) => return give_up(unread),
                    };
                    return match self.read_first_message(parts, partial.data(), values, unknown.as_ref(), choose) {
                        Ok(chosen) => Ok(as_it_came(Kept::PartlyRead(partial), chosen)),
                        Err(refusal) => Err(Unread { body: Some(Kept::PartlyRead(partial)), refusal }),
                    };
                }
                Err(whole) => Kept::Whole(whole),
            }
        } else {
            body
        };
        let mut whole = match body::read(body, &self.settings.limits, Ends { client: client_deadline, until }).await {
            Ok(whole) => whole,
            Err(unread) => return give_up(unread),
        };
        match self.read_whole(parts, &mut whole, (&source, coding), values, unknown.as_ref(), choose) {
            Ok((handed_on, chosen)) => Ok(Read { body: Kept::Whole(whole), handed_on, chosen, client_deadline }),
            Err(refusal) => Err(Unread { body: Some(Kept::Whole(whole).restored()), refusal }),
        }
    }

    /// Whether it matters that the request has no body, and its head does not show it.
    #[inline]
    fn asks_for_a_body<B: Body>(&self, parts: &Parts, body: &B) -> bool {
        let asks = match &self.others {
            None => self.plan.reads_query_alone(),
            Some(others) => others.ask_for_a_body(&parts.method),
        };
        asks && Sent::of(&parts.headers, body) == Sent::MaybeNothing
    }

    /// Waits for the first data of a body, or for its end.
    ///
    /// # Errors
    ///
    /// The body cannot be read.
    #[cold]
    async fn begin<B>(&self, parts: &Parts, body: B, until: Option<Instant>) -> Result<Arrived<B>, Unread<B>>
    where
        B: Body<Data = Bytes, Error: 'static>,
    {
        let limits = &self.settings.limits;
        let by = Instant::now() + limits.deadline;
        let client = if is_grpc(&parts.headers) { client_deadline(&parts.headers).unwrap_or_default() } else { None };
        let (body, has_body) = body::read_first(body, limits, Ends { client, until }).await?;
        // What follows ends at the same time as without this wait.
        Ok(Arrived { body, has_body, until: Some(until.map_or(by, |until| until.min(by))) })
    }

    /// Waits for the end of a body that must be empty, because all fields are in the query.
    ///
    /// # Errors
    ///
    /// The body has data or trailers, or cannot be read.
    #[cold]
    async fn end<B>(&self, parts: &Parts, body: B, until: Option<Instant>) -> Result<Kept<B>, Unread<B>>
    where
        B: Body<Data = Bytes, Error: 'static>,
    {
        let Arrived { body, has_body, .. } = self.begin(parts, body, until).await?;
        match framing::check_query_alone(self, parts, has_body) {
            Ok(()) => Ok(body),
            Err(refusal) => Err(Unread { body: Some(body), refusal }),
        }
    }

    fn read_head<'s, 'v, C>(
        &'s self,
        parts: &'v Parts,
        has_body: bool,
        values: &mut Values<'v>,
        other: &'s Choose<'s, C>,
    ) -> Result<Head<'s, C>, Refusal> {
        let known = match &self.others {
            None => Known::Guarded,
            Some(others) => others.by_head(parts, has_body, other)?,
        };
        let (source, known) = match known {
            Known::Other(_) => (None, known),
            Known::Unknown(unknown) => match self.source(unknown.plan(), parts) {
                Ok(source) => (Some(source), Known::Unknown(unknown)),
                Err(refusal) => (None, Known::Other(unknown.unread(parts, refusal)?)),
            },
            Known::Guarded => {
                framing::check_query_alone(self, parts, has_body)?;
                let source = self.plan.reads_body().then(|| self.source(&self.plan, parts)).transpose();
                let source = source.map_err(|it| if has_body { it } else { framing::of_bodiless(parts, it) })?;
                self.plan.read_head(parts, values)?;
                (source, known)
            }
        };
        let is_call = match &source {
            Some((Source::Ours(media), _)) => *media == Media::Grpc,
            Some((Source::Users(_), _)) | None => is_grpc(&parts.headers),
        };
        let client_deadline = if is_call { client_deadline(&parts.headers)? } else { None };
        Ok(Head { source, client_deadline, known })
    }

    /// Reads the rest of the head once the body shows that a rule guards the request.
    fn read_rest_of_head<'v>(
        &self,
        parts: &'v Parts,
        source: &Source<'_>,
        values: &mut Values<'v>,
    ) -> Result<(), Refusal> {
        framing::check_query_alone(self, parts, true)?;
        if let Some(media) = source.media().filter(|_| self.plan.reads_body()) {
            check_fit(&self.plan, media)?;
        }
        Ok(self.plan.read_head(parts, values)?)
    }

    /// The reader of the body, and the coding to decode first.
    fn source(&self, plan: &Plan, parts: &Parts) -> Result<(Source<'_>, Option<Coding>), Refusal> {
        let settings = &self.settings;
        let takes = |extractor: &&Extractor| extractor.takes(&parts.headers);
        if let Some(extractor) = settings.extractor.as_ref().filter(takes) {
            return Ok((Source::Users(extractor), proof::coding_of(&parts.headers, &settings.decode.codings)?));
        }
        let media = proof::media_of(&parts.headers, &settings.accept)?;
        let has_frames = media == Media::Grpc;
        let refuse = |part| Err(Refusal::new(DenialReason::UnsupportedMediaType).with_detail(part));
        if !settings.accept.contains(&media) {
            return refuse("a media type in Content-Type that is not accepted");
        }
        check_fit(plan, &media)?;
        // A gRPC call compresses messages inside its frames, never the body.
        let allowed = if has_frames { &[] } else { settings.decode.codings.as_slice() };
        Ok((Source::Ours(media), proof::coding_of(&parts.headers, allowed)?))
    }

    /// Reads the first message of a stream. The rest is passed on unread, as documented for `client_streaming`.
    fn read_first_message<'v, C>(
        &self,
        parts: &'v Parts,
        data: &[u8],
        mut values: Values<'v>,
        unknown: Option<&Unknown<'_, C>>,
        choose: impl FnOnce(&Values<'_>) -> Result<C, Refusal>,
    ) -> Result<C, Refusal> {
        let advised = |refusal| unknown.map_or(refusal, |unknown| unknown.advise(refusal));
        let message = grpc::first_message(data, &parts.headers, self.settings.limits.bytes);
        let input = Input::Message(message.map_err(|it| advised(it.into()))?);
        if let Some(unknown) = unknown {
            if let Some(chosen) = unknown.by_body(parts, &input)? {
                proof::hidden_form(unknown.plan(), data).map_err(|it| advised(it.into()))?;
                return Ok(chosen);
            }
            self.read_rest_of_head(parts, &Source::Ours(Media::Grpc), &mut values)?;
        }
        // With a shorter lifetime: it borrows from the message.
        let mut values: Values<'_> = values;
        input.read(&self.plan, &parts.headers, &mut values)?;
        proof::hidden_form(&self.plan, data)?;
        choose(&values)
    }

    /// Reads only `when` from a complete body, and replaces the body by the bytes that are passed on. Returns `None`, and
    /// the unchanged body, if a rule guards the request.
    fn read_other<C>(
        &self,
        parts: &Parts,
        whole: &mut Whole,
        source: &Source<'_>,
        (handed_on, aside): (&mut HandedOn, Option<&Aside>),
        unknown: &Unknown<'_, C>,
    ) -> Result<Option<C>, Refusal> {
        let advised = |refusal| unknown.advise(refusal);
        let plan = unknown.plan();
        if let Some(trailers) = &whole.trailers {
            plan.check_trailers(trailers).map_err(|it| unknown.advise(it.into()))?;
        }
        let read = |whole: &Whole| {
            let data = aside.map_or(&*whole.data, |aside| &aside.data);
            let input = source.input(parts, data, self.settings.limits.bytes).map_err(advised)?;
            unknown.by_body(parts, &input)
        };
        let Some(mut chosen) = read(whole)? else { return Ok(None) };
        if let Some(written) = self.write(plan, whole, source.media(), &parts.headers).map_err(advised)? {
            *handed_on = written;
            let again = read(whole)?;
            chosen = again.ok_or_else(|| {
                Refusal::new(DenialReason::BodyMalformed)
                    .with_detail("a value of `when` that changes when the body is written")
            })?;
        }
        handed_on.search(whole, aside, plan, source.is_form(&parts.headers)).map_err(advised)?;
        Ok(Some(chosen))
    }

    /// Reads a complete body, and replaces it by the bytes that are passed on.
    fn read_whole<'v, C>(
        &self,
        parts: &'v Parts,
        whole: &mut Whole,
        (source, coding): (&Source<'_>, Option<Coding>),
        mut values: Values<'v>,
        unknown: Option<&Unknown<'_, C>>,
        choose: impl FnOnce(&Values<'_>) -> Result<C, Refusal>,
    ) -> Result<(HandedOn, C), Refusal> {
        framing::check_length(&parts.headers, whole.data.len())?;
        let advised = |refusal| unknown.map_or(refusal, |unknown| unknown.advise(refusal));
        let (mut handed_on, aside) = self.decode(whole, coding).map_err(advised)?;
        if let Some(unknown) = unknown {
            let handed = (&mut handed_on, aside.as_ref());
            if let Some(chosen) = self.read_other(parts, whole, source, handed, unknown)? {
                return Ok((handed_on, chosen));
            }
            self.read_rest_of_head(parts, source, &mut values)?;
        }
        if let Some(trailers) = &whole.trailers {
            self.plan.check_trailers(trailers)?;
        }
        if let Some(written) = self.write(&self.plan, whole, source.media(), &parts.headers)? {
            handed_on = written;
        }
        handed_on.search(whole, aside.as_ref(), &self.plan, source.is_form(&parts.headers))?;
        let data = aside.as_ref().map_or(&*whole.data, |aside| &aside.data);
        let input = source.input(parts, data, self.settings.limits.bytes)?;
        // With a shorter lifetime: it borrows from the body.
        let mut values: Values<'_> = values;
        input.read(&self.plan, &parts.headers, &mut values)?;
        let chosen = choose(&values)?;
        Ok((handed_on, chosen))
    }
}

fn check_fit(plan: &Plan, media: &Media) -> Result<(), Refusal> {
    if plan.fits(media) {
        return Ok(());
    }
    let refusal = Refusal::new(DenialReason::UnsupportedMediaType);
    Err(refusal.with_detail("a media type in Content-Type that cannot hold the fields of the body"))
}
