//! One request's story: rule → proof → checks → verdicts → decision.

use std::{
    borrow::Cow,
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
    task::Poll,
};

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Method, Request, Response,
    header::{CONTENT_LENGTH, UPGRADE},
    request::Parts,
};
use http_body::Body;
use tokio::time::timeout_at;
use tower::BoxError;
use tower_service::Service;

use super::{Shared, client_deadline::client_deadline, event::Account, questions::Questions};
#[cfg(feature = "grpc")]
use crate::proof::grpc::{self, FrameError};
use crate::{
    Check, Decision, RequestBody, Verdict,
    body::{self, ReadError, Whole},
    denial::{Audience, DenialReason, Refusal},
    proof::{self, Media, MediaError},
    rule::{Choice, Group, Settings},
};

/// How the story of a guarded request ends.
pub(super) enum Outcome<B> {
    /// The inner service may have it.
    Through(Request<RequestBody<B>>),
    /// The inner service never sees it.
    Denied(Response<Bytes>),
}

const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");

/// A body, as far as the rule had to look at it.
enum Seen<B> {
    Whole(Whole),
    Untouched(B),
    /// The first message of a stream, and the rest.
    #[cfg(feature = "grpc")]
    Beginning(Whole, std::pin::Pin<Box<B>>),
}

/// Decides about a request. Dropping the future at any await gives back what it holds and asks nothing more.
pub(super) async fn guard<V, B>(shared: Arc<Shared<V>>, group: Arc<Group>, request: Request<B>) -> Outcome<B>
where
    V: Service<Check, Response = Verdict> + Clone,
    V::Error: Into<BoxError>,
    B: Body<Data = Bytes>,
{
    let (parts, body) = request.into_parts();
    let audience = Audience::of(parts.version, &parts.headers);
    let mut account = Account::new(group.first_rule());
    let end = {
        let mut story = pin!(tell(&shared, &group, &audience, parts, body, &mut account));
        // A panic can only come out of a user's closure or verifier: it must let nothing through, and the next request
        // must not feel it. What the story held is dropped with it.
        poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| story.as_mut().poll(cx))) {
            Ok(poll) => poll,
            Err(_) => Poll::Ready(Err(Refusal::new(DenialReason::Panicked))),
        })
        .await
    };
    match end {
        Ok(request) => Outcome::Through(request),
        Err(refusal) => {
            account.denied(&shared.alarms, &refusal);
            let settings = account.rule().map(|rule| &rule.settings);
            let respond = settings.map_or(shared.respond.as_ref(), |settings| settings.respond.as_ref());
            Outcome::Denied(audience.refuse(&refusal, respond))
        }
    }
}

/// Refuses a path that can be read in several ways.
pub(super) fn refuse_path<V, B>(shared: &Shared<V>, request: &Request<B>) -> Response<Bytes> {
    let refusal = Refusal::new(DenialReason::PathAmbiguous);
    Account::new(None).denied(&shared.alarms, &refusal);
    Audience::of(request.version(), request.headers()).refuse(&refusal, shared.respond.as_ref())
}

async fn tell<V, B>(
    shared: &Shared<V>,
    group: &Group,
    audience: &Audience,
    mut parts: Parts,
    body: B,
    account: &mut Account,
) -> Result<Request<RequestBody<B>>, Refusal>
where
    V: Service<Check, Response = Verdict> + Clone,
    V::Error: Into<BoxError>,
    B: Body<Data = Bytes>,
{
    let client_deadline = client_deadline(audience, &parts.headers)?;
    let (seen, choice) = match client_deadline {
        None => read(group, audience, &parts, body).await?,
        Some(deadline) => {
            let reading = timeout_at(deadline, read(group, audience, &parts, body));
            reading.await.unwrap_or_else(|_| Err(Refusal::new(DenialReason::DeadlineExceeded)))?
        }
    };
    let replay = |seen| match seen {
        Seen::Whole(whole) => RequestBody::replay(whole, group.trailer_filter()),
        Seen::Untouched(body) => RequestBody::untouched(body, group.trailer_filter()),
        #[cfg(feature = "grpc")]
        Seen::Beginning(beginning, body) => RequestBody::resumed(beginning, body, group.trailer_filter()),
    };
    let Choice::Ask { rule, checks, step_up } = choice else {
        shared.pass(&mut parts.headers, parts.extensions.get::<Decision>());
        account.passed();
        return Ok(Request::from_parts(parts, replay(seen)));
    };
    account.chose(Arc::clone(&rule));

    let settings = &rule.settings;
    let questions = Questions::new(&shared.verifier, settings, client_deadline, &parts)?;
    let decision = questions.decide(checks, step_up, account).await?;
    drop(questions);

    let decision = shared.decided(&mut parts, decision, settings.forward_phone);
    account.decided(&shared.alarms, &decision);
    Ok(Request::from_parts(parts, replay(seen)))
}

/// Reads the proofs, and the body only where one of them sits there. What the head alone decides is decided before the
/// body is asked for.
async fn read<B>(group: &Group, audience: &Audience, parts: &Parts, body: B) -> Result<(Seen<B>, Choice), Refusal>
where
    B: Body<Data = Bytes>,
{
    let plan = group.plan();
    let settings = group.settings().ok_or_else(|| Refusal::new(DenialReason::ProofMissing))?;
    if parts.method == Method::CONNECT || [UPGRADE, HTTP2_SETTINGS].iter().any(|name| parts.headers.contains_key(name))
    {
        return Err(Refusal::new(DenialReason::Upgrade));
    }
    let media = if plan.reads_body() { Some(media(group, settings, audience, parts)?) } else { None };
    let mut head = plan.values();
    plan.read_head(parts, &mut head)?;
    let Some(media) = media else {
        let choice = group.choose(&head)?;
        return Ok((Seen::Untouched(body), choice));
    };

    #[cfg(feature = "grpc")]
    if media == Media::Grpc && group.is_client_streaming() {
        let mut body = Box::pin(body);
        let beginning = body::read_beginning(body.as_mut(), &settings.body, grpc::first_frame).await?;
        let choice = {
            let message = grpc::first_message(&beginning.data, &parts.headers, settings.body.bytes)?;
            let mut values = head;
            plan.read_body(media, &message, &mut values)?;
            group.choose(&values)?
        };
        return Ok((Seen::Beginning(beginning, body), choice));
    }

    let whole = body::read(body, &settings.body).await?;
    if parts.headers.get_all(CONTENT_LENGTH).iter().any(|told| length(told) != Some(whole.data.len())) {
        return Err(Refusal::new(DenialReason::BodyMalformed).with_detail("a body of another length than told"));
    }
    if let Some(trailers) = &whole.trailers {
        plan.check_trailers(trailers)?;
    }
    let choice = {
        let content = content(media, settings, parts, &whole.data)?;
        let mut values = head;
        plan.read_body(media, &content, &mut values)?;
        group.choose(&values)?
    };
    Ok((Seen::Whole(whole), choice))
}

/// What of a body holds the fields.
#[cfg(feature = "grpc")]
fn content<'b>(media: Media, settings: &Settings, parts: &Parts, body: &'b [u8]) -> Result<Cow<'b, [u8]>, Refusal> {
    match media {
        Media::Grpc => Ok(grpc::only_message(body, &parts.headers, settings.body.bytes)?),
        Media::Json | Media::Form => Ok(Cow::Borrowed(body)),
    }
}

#[cfg(not(feature = "grpc"))]
#[allow(clippy::unnecessary_wraps, reason = "the same signature as above")]
fn content<'b>(_: Media, _: &Settings, _: &Parts, body: &'b [u8]) -> Result<Cow<'b, [u8]>, Refusal> {
    Ok(Cow::Borrowed(body))
}

/// A Content-Length: digits and nothing else.
fn length(told: &HeaderValue) -> Option<usize> {
    let digits = told.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    digits.parse().ok()
}

fn media(group: &Group, settings: &Settings, audience: &Audience, parts: &Parts) -> Result<Media, Refusal> {
    let media = proof::media_of(&parts.headers)?;
    // Neither over HTTP/1.1, nor a body of another kind to whoever is answered as gRPC.
    #[cfg(feature = "grpc")]
    let fits = (media == Media::Grpc) == audience.is_grpc() && group.plan().fits(media);
    #[cfg(not(feature = "grpc"))]
    let fits = !audience.is_grpc() && group.plan().fits(media);
    if !fits || !settings.accept.contains(&media) {
        return Err(Refusal::new(DenialReason::UnsupportedMediaType));
    }
    Ok(media)
}

// === impl Refusal ===

impl From<MediaError> for Refusal {
    fn from(error: MediaError) -> Self {
        Self::new(match error {
            MediaError::UnsupportedType => DenialReason::UnsupportedMediaType,
            MediaError::UnsupportedEncoding => DenialReason::UnsupportedEncoding,
        })
    }
}

impl From<proof::Unreadable> for Refusal {
    fn from(refusal: proof::Unreadable) -> Self {
        match refusal {
            proof::Unreadable::BodyMalformed(detail) => Self::new(DenialReason::BodyMalformed).with_detail(detail),
            proof::Unreadable::ProofMalformed(detail) => Self::new(DenialReason::ProofMalformed).with_detail(detail),
        }
    }
}

#[cfg(feature = "grpc")]
impl From<FrameError> for Refusal {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::TooLarge => Self::new(DenialReason::BodyTooLarge),
            FrameError::UnsupportedEncoding => Self::new(DenialReason::UnsupportedEncoding),
            FrameError::Malformed(detail) => Self::new(DenialReason::BodyMalformed).with_detail(detail),
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
