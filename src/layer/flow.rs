//! One request's story: rule → proof → checks → verdicts → decision.

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
    task::Poll,
};

use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, Response,
    header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING, UPGRADE},
    request::Parts,
};
use http_body::Body;
use tokio::time::timeout_at;
use tower::BoxError;
use tower_service::Service;

use super::{
    Shared,
    client_deadline::client_deadline,
    event::Account,
    hand_on::{HandedOn, prepare},
    questions::Questions,
};
#[cfg(feature = "grpc")]
use crate::proof::grpc::{self, FrameError};
use crate::{
    Check, Decision, RequestBody, Verdict,
    body::{self, Coding, DecodeError, ReadError, Whole},
    denial::{Audience, DenialReason, Refusal, is_grpc},
    proof::{self, Extractor, Media, MediaError},
    rule::{Choice, Group, Settings},
};

/// How the story of a guarded request ends.
pub(super) enum Outcome<B> {
    /// The inner service may have it.
    Through(Request<RequestBody<B>>),
    /// The inner service never sees it.
    Denied(Response<Bytes>),
}

/// A body, as far as the rule had to look at it.
enum Seen<B> {
    Whole(Whole, HandedOn),
    Untouched(B),
    /// The first message of a stream, and the rest.
    #[cfg(feature = "grpc")]
    Beginning(Whole, std::pin::Pin<Box<B>>),
}

/// Who reads a body.
enum Reader<'s> {
    Ours(Media),
    Users(&'s Extractor),
}

/// Decides about a request. Dropping the future at any await gives back what it holds and asks nothing more; a check that has
/// begun is finished by a task, which holds its place until then.
///
/// No `async fn`: that would hold its arguments twice, and a story is copied into its box.
pub(super) fn guard<V, B>(
    shared: Arc<Shared<V>>,
    group: Arc<Group>,
    request: Request<B>,
) -> impl Future<Output = Outcome<B>>
where
    V: Service<Check, Response = Verdict> + Clone + 'static,
    V::Error: Into<BoxError>,
    V::Future: Send,
    B: Body<Data = Bytes>,
{
    let (mut parts, body) = request.into_parts();
    async move {
        group.mark_matched();
        let mut account = Account::new(group.first_rule());
        let end = {
            let mut story = pin!(tell(&shared, &group, &mut parts, body, &mut account));
            // A panic can only come out of a user's closure or verifier: it must let nothing through, and the next request
            // must not feel it. What the story held is dropped with it.
            poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| story.as_mut().poll(cx))) {
                Ok(poll) => poll,
                Err(_) => Poll::Ready(Err(Refusal::new(DenialReason::Panicked))),
            })
            .await
        };
        match end {
            Ok(body) => Outcome::Through(Request::from_parts(parts, body)),
            Err(refusal) => {
                account.denied(&shared.alarms, &refusal);
                let settings = account.rule().map(|rule| &rule.settings);
                let respond = settings.map_or(shared.respond.as_ref(), |settings| settings.respond.as_ref());
                Outcome::Denied(
                    Audience::of(parts.version, &parts.headers, group.answers_grpc()).refuse(&refusal, respond),
                )
            }
        }
    }
}

/// Refuses a request by its head alone. `group`: what guards its path, where that is known.
pub(super) fn refuse<V, B>(
    shared: &Shared<V>,
    request: &Request<B>,
    group: Option<&Group>,
    refusal: &Refusal,
) -> Response<Bytes> {
    let rule = group.and_then(Group::first_rule);
    Account::new(rule).denied(&shared.alarms, refusal);
    let respond = rule.map_or(shared.respond.as_ref(), |rule| rule.settings.respond.as_ref());
    // Where no rule is known, it is not known either whether a status of 200 would be safe.
    let grpc_answers = group.is_some_and(Group::answers_grpc);
    Audience::of(request.version(), request.headers(), grpc_answers).refuse(refusal, respond)
}

async fn tell<'s, V, B>(
    shared: &'s Shared<V>,
    group: &'s Group,
    parts: &mut Parts,
    body: B,
    account: &mut Account<'s>,
) -> Result<RequestBody<B>, Refusal>
where
    V: Service<Check, Response = Verdict> + Clone + 'static,
    V::Error: Into<BoxError>,
    V::Future: Send,
    B: Body<Data = Bytes>,
{
    let is_grpc = is_grpc(parts.version, &parts.headers);
    let client_deadline = if is_grpc { client_deadline(&parts.headers)? } else { None };
    let (mut seen, choice) = match client_deadline {
        None => read(group, is_grpc, parts, body).await?,
        Some(deadline) => {
            let reading = timeout_at(deadline, read(group, is_grpc, parts, body));
            reading.await.unwrap_or_else(|_| Err(Refusal::new(DenialReason::DeadlineExceeded)))?
        }
    };
    let replay = |seen| match seen {
        Seen::Whole(whole, _) => RequestBody::replay(whole, group.trailer_filter()),
        Seen::Untouched(body) => RequestBody::untouched(body, group.trailer_filter()),
        #[cfg(feature = "grpc")]
        Seen::Beginning(beginning, body) => RequestBody::resumed(beginning, body, group.trailer_filter()),
    };
    let Choice::Ask { rule, checks, step_up, pins } = choice else {
        if let Seen::Whole(whole, handed_on) = &mut seen {
            handed_on.finish(whole, None, parts);
        }
        shared.pass(&mut parts.headers, parts.extensions.get::<Decision>());
        account.passed();
        return Ok(replay(seen));
    };
    account.chose(rule);

    let settings = &rule.settings;
    let mut questions = Questions::new(shared, settings, client_deadline, parts, account)?;
    let decision = questions.decide(checks, step_up).await?;
    drop(questions);

    if let Seen::Whole(whole, handed_on) = &mut seen {
        let pinned = decision.phone().filter(|_| !pins.is_empty()).map(|phone| (phone, &*pins));
        handed_on.finish(whole, pinned, parts);
    }
    let decision = shared.decided(parts, decision, settings.forward_phone);
    account.decided(&shared.alarms, &decision);
    Ok(replay(seen))
}

/// Reads the proofs, and the body only where one of them sits there. What the head alone decides is decided before the
/// body is asked for.
async fn read<'s, B>(group: &'s Group, is_grpc: bool, parts: &Parts, body: B) -> Result<(Seen<B>, Choice<'s>), Refusal>
where
    B: Body<Data = Bytes>,
{
    let plan = group.plan();
    let settings = group.settings().ok_or_else(|| Refusal::new(DenialReason::ProofMissing))?;
    if parts.method == Method::CONNECT || parts.headers.contains_key(UPGRADE) {
        return Err(Refusal::new(DenialReason::Upgrade));
    }
    if parts.headers.get_all(TRANSFER_ENCODING).iter().any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"chunked"))
    {
        let refusal = Refusal::new(DenialReason::UnsupportedEncoding);
        return Err(refusal.with_detail("a Transfer-Encoding other than chunked"));
    }
    if plan.stands_on_the_query_alone() {
        // A backend that merges the two lets the body win, and reads the query in the charset that the body's type names.
        if !body.is_end_stream() {
            return Err(Refusal::new(DenialReason::ProofMalformed).with_detail("a body beside a proof in the query"));
        }
        if parts.headers.contains_key(CONTENT_TYPE) {
            proof::media_of(&parts.headers, &settings.accept)?;
        }
    }
    let reader = if plan.reads_body() { Some(reader(group, settings, is_grpc, parts)?) } else { None };
    let mut head = plan.values();
    plan.read_head(parts, &mut head)?;
    let Some((reader, coding)) = reader else {
        let choice = group.choose(&head)?;
        return Ok((Seen::Untouched(body), choice));
    };

    #[cfg(feature = "grpc")]
    if matches!(reader, Reader::Ours(Media::Grpc)) && group.is_client_streaming() {
        let mut body = Box::pin(body);
        let beginning = body::read_beginning(body.as_mut(), &settings.body, grpc::first_frame).await?;
        let choice = {
            let message = grpc::first_message(&beginning.data, &parts.headers, settings.body.bytes)?;
            let mut values = head;
            plan.read_body(&Media::Grpc, &parts.headers, &message, &mut values)?;
            // The rest of the stream flows on unseen, as the doc of `client_streaming` says.
            for text in [beginning.data.as_ref(), message.as_ref()] {
                proof::hidden_form(plan, text)?;
            }
            group.choose(&values)?
        };
        return Ok((Seen::Beginning(beginning, body), choice));
    }

    let mut whole = body::read(body, &settings.body).await?;
    if parts.headers.get_all(CONTENT_LENGTH).iter().any(|told| length(told) != Some(whole.data.len())) {
        return Err(Refusal::new(DenialReason::BodyMalformed).with_detail("a body of another length than told"));
    }
    if let Some(trailers) = &whole.trailers {
        plan.check_trailers(trailers)?;
    }
    let (media, is_form) = match &reader {
        Reader::Ours(media) => (Some(media), *media == Media::Form),
        Reader::Users(_) => (None, proof::claims_a_form(&parts.headers)),
    };
    let (handed_on, aside) = prepare(&mut whole, (media, coding), plan, settings, &parts.headers)?;
    handed_on.search(&whole, aside.as_ref(), plan, is_form)?;
    let choice = {
        let data = aside.as_ref().map_or(&*whole.data, |aside| &aside.data);
        #[cfg(feature = "grpc")]
        let message;
        let mut values = head;
        match &reader {
            #[cfg(feature = "grpc")]
            Reader::Ours(media @ Media::Grpc) => {
                message = grpc::only_message(data, &parts.headers, settings.body.bytes)?;
                plan.read_body(media, &parts.headers, &message, &mut values)?;
                proof::hidden_form(plan, &message)?;
            }
            Reader::Ours(media) => plan.read_body(media, &parts.headers, data, &mut values)?,
            Reader::Users(extractor) => extractor.read(plan, parts, data, &mut values)?,
        }
        group.choose(&values)?
    };
    Ok((Seen::Whole(whole, handed_on), choice))
}

/// A Content-Length: digits and nothing else.
fn length(told: &HeaderValue) -> Option<usize> {
    let digits = told.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    digits.parse().ok()
}

/// Who reads the body, and what it has to be decoded from before.
fn reader<'s>(
    group: &Group,
    settings: &'s Settings,
    is_grpc: bool,
    parts: &Parts,
) -> Result<(Reader<'s>, Option<Coding>), Refusal> {
    let takes = |extractor: &&Extractor| extractor.takes(&parts.headers);
    if let Some(extractor) = settings.extractor.as_ref().filter(takes) {
        return Ok((Reader::Users(extractor), proof::coding_of(&parts.headers, &settings.decode.codings)?));
    }
    let media = proof::media_of(&parts.headers, &settings.accept)?;
    #[cfg(feature = "grpc")]
    let frames = media == Media::Grpc;
    #[cfg(not(feature = "grpc"))]
    let frames = false;
    let refuse = |part| Err(Refusal::new(DenialReason::UnsupportedMediaType).with_detail(part));
    // Neither gRPC over HTTP/1.1, nor a body of another kind to whoever is answered as gRPC.
    if frames != is_grpc {
        return refuse("gRPC over HTTP/1.1, or a body of another type in a gRPC call");
    }
    if !settings.accept.contains(&media) {
        return refuse("a media type that is not accepted");
    }
    if !group.plan().fits(&media) {
        return refuse("a media type that cannot hold the fields of the body");
    }
    // A call says in its frames how its messages are compressed, and never around them.
    let allowed = if frames { &[] } else { settings.decode.codings.as_slice() };
    Ok((Reader::Ours(media), proof::coding_of(&parts.headers, allowed)?))
}

// === impl Refusal ===

impl From<MediaError> for Refusal {
    fn from(error: MediaError) -> Self {
        match error {
            MediaError::UnsupportedType(part) => Self::new(DenialReason::UnsupportedMediaType).with_detail(part),
            MediaError::UnsupportedEncoding(part) => Self::new(DenialReason::UnsupportedEncoding).with_detail(part),
        }
    }
}

impl From<proof::Unreadable> for Refusal {
    fn from(refusal: proof::Unreadable) -> Self {
        match refusal {
            proof::Unreadable::BodyMalformed(detail) => Self::new(DenialReason::BodyMalformed).with_detail(detail),
            proof::Unreadable::ProofMalformed(detail) => Self::new(DenialReason::ProofMalformed).with_detail(detail),
            proof::Unreadable::Suspicious(suspicion, detail) => {
                Self::new(DenialReason::ProofMalformed).with_detail(detail).with_suspicion(suspicion)
            }
        }
    }
}

#[cfg(feature = "grpc")]
impl From<FrameError> for Refusal {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::TooLarge => Self::new(DenialReason::BodyTooLarge),
            FrameError::UnsupportedEncoding => {
                Self::new(DenialReason::UnsupportedEncoding).with_detail("the coding of a gRPC message")
            }
            FrameError::Malformed(detail) => Self::new(DenialReason::BodyMalformed).with_detail(detail),
        }
    }
}

impl From<DecodeError> for Refusal {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::TooLarge => Self::new(DenialReason::BodyTooLarge).with_detail("a body too large once decoded"),
            DecodeError::Malformed => Self::new(DenialReason::BodyMalformed).with_detail("not of its coding"),
        }
    }
}

impl From<ReadError> for Refusal {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::TooLarge => Self::new(DenialReason::BodyTooLarge),
            ReadError::TooSlow => Self::new(DenialReason::BodyTimeout),
            ReadError::Crowded => Self::new(DenialReason::Overloaded),
            ReadError::Empty => Self::new(DenialReason::BodyMalformed).with_detail("too many empty frames"),
            ReadError::Broken => Self::new(DenialReason::BodyMalformed).with_detail("the client broke off"),
        }
    }
}
