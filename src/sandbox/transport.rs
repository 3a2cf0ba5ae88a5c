//! The sandbox as an HTTP transport, for the client (`Full<Bytes>`) and for an HTTP server (hyper's `Incoming`).

use std::{
    error::Error,
    pin::Pin,
    task::{Context, Poll},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header, request};
use http_body::Body;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use tower_service::Service;

use super::{
    Expected, Sandbox,
    answers::Answer,
    endpoints::Endpoint,
    fault::{Fault, SandboxFault},
    ledger::{Call, PhoneForm},
    requests::Asked,
    state::State,
};

/// The header that marks every reply. The client defines the name separately, like its wire types.
const SANDBOX_HEADER: &str = "x-jverify-sandbox-reply";

/// The maximum size of a request's body: 64 KiB. The vendor's limit is not known.
const REQUEST_LIMIT: usize = 64 * 1024;

const NOT_FOUND: &str = "<html><head><title>404 Not Found</title></head><body><h1>404 Not Found</h1></body></html>";

const TOO_LARGE: &str = "<html><head><title>413 Request Entity Too Large</title></head></html>";

impl<B> Service<Request<B>> for Sandbox
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Response = Response<Full<Bytes>>;
    type Error = SandboxFault;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, SandboxFault>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), SandboxFault>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let sandbox = self.clone();
        Box::pin(async move { Ok(sandbox.exchange(request).await?.map(Full::new)) })
    }
}

impl Sandbox {
    async fn exchange<B>(&self, request: Request<B>) -> Result<Response<Bytes>, SandboxFault>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let fault = self.state.faults.take();
        if matches!(fault, Some(Fault::Refuse)) {
            return Err(SandboxFault::refused());
        }
        let (head, body) = request.into_parts();
        let (response, magic_fault) = match Limited::new(body, REQUEST_LIMIT).collect().await {
            Ok(body) => self.answer(&head, &body.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => (page(StatusCode::PAYLOAD_TOO_LARGE, TOO_LARGE), None),
            Err(error) => return Err(SandboxFault::body(error)),
        };
        match fault.or(magic_fault) {
            None => Ok(response),
            Some(fault) => fault.spoil(response).await,
        }
    }

    /// Decides and records the request. Returns the answer and its fault.
    fn answer(&self, head: &request::Parts, body: &[u8]) -> (Response<Bytes>, Option<Fault>) {
        let path = head.uri.path();
        let endpoint = Endpoint::at(path).filter(|_| head.method == Method::POST);
        let asked = Asked::read(body);
        let answer =
            endpoint.map(|endpoint| decide(&self.state, self.credentials.as_deref(), head, endpoint, asked.as_ref()));
        let ex_id = asked.as_ref().map(Asked::ex_id).filter(|ex_id| !ex_id.is_empty());
        self.state.ledger.record(Call {
            endpoint,
            path: path.into(),
            ex_id: ex_id.map(Into::into),
            ip: asked.as_ref().and_then(Asked::ip),
            phone: asked.as_ref().map_or(PhoneForm::Absent, Asked::phone_form),
            code: answer.as_ref().map(|answer| answer.code),
        });
        match answer {
            Some(answer) => {
                let mut reply = reply(StatusCode::OK, "application/json", answer.json);
                if asked.is_some_and(|asked| asked.is_once()) {
                    reply.headers_mut().insert(SANDBOX_HEADER, HeaderValue::from_static("once"));
                }
                (reply, answer.fault)
            }
            None => (page(StatusCode::NOT_FOUND, NOT_FOUND), None),
        }
    }
}

fn decide(
    state: &State,
    expected: Option<&Expected>,
    head: &request::Parts,
    endpoint: Endpoint,
    asked: Option<&Asked<'_>>,
) -> Answer {
    if !authorized(&head.headers, expected) {
        return endpoint.auth_failed();
    }
    match asked {
        Some(asked) if is_json(&head.headers) => endpoint.answer(state, asked),
        _ => endpoint.malformed(),
    }
}

/// Whether credentials are present and, if some are expected, match them.
fn authorized(headers: &HeaderMap, expected: Option<&Expected>) -> bool {
    let sent = || {
        let (scheme, encoded) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
        let decoded = BASE64_STANDARD.decode(encoded.trim()).ok()?;
        scheme.eq_ignore_ascii_case("basic").then(|| String::from_utf8(decoded).ok())?
    };
    let Some(sent) = sent() else { return false };
    let Some((app_key, master_secret)) = sent.split_once(':') else { return false };
    match expected {
        None => !app_key.is_empty() && !master_secret.is_empty(),
        Some(expected) => app_key == &*expected.app_key && master_secret == expected.master_secret.expose(),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let essence = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()?.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

fn page(status: StatusCode, html: &'static str) -> Response<Bytes> {
    reply(status, "text/html", html)
}

fn reply(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response<Bytes> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(SANDBOX_HEADER, HeaderValue::from_static("1"));
    response
}
