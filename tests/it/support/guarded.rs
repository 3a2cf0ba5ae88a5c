//! One guarded application under test, and what every refused request has in common.

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_jverify::{JVerify, JVerifyBuilder, JVerifyLayer, Rule};

use super::{Application, LOGIN, Seen, Verifier, builder, code, exchange, login_layer, send, serve};

/// A layer, with the verifier that it asks and the application behind it.
pub(crate) struct Guarded {
    pub(crate) verifier: Verifier,
    pub(crate) application: Application,
    pub(crate) layer: JVerifyLayer<Verifier>,
}

impl Guarded {
    /// The rule under test, unless said: `POST /login` with a number, which passes.
    pub(crate) fn login() -> Self {
        Self::with(login_layer)
    }

    /// These rules, and a verifier that passes everything.
    pub(crate) fn by(rules: impl IntoIterator<Item = Rule>) -> Self {
        Self::with(|verifier| rules.into_iter().fold(builder(verifier), JVerifyBuilder::rule).build().unwrap())
    }

    /// A layer around a verifier that passes everything.
    pub(crate) fn with(layer: impl FnOnce(&Verifier) -> JVerifyLayer<Verifier>) -> Self {
        Self::asking(Verifier::passing(), layer)
    }

    pub(crate) fn asking(verifier: Verifier, layer: impl FnOnce(&Verifier) -> JVerifyLayer<Verifier>) -> Self {
        Self { layer: layer(&verifier), verifier, application: Application::default() }
    }

    pub(crate) fn service(&self) -> JVerify<Application, Verifier> {
        tower::Layer::layer(&self.layer, self.application.clone())
    }

    pub(crate) async fn send<B>(&self, request: Request<B>) -> Response<Bytes>
    where
        B: Body<Data = Bytes> + Send + 'static,
    {
        send(&self.layer, &self.application, request).await
    }

    /// A 4xx denial with this code, *no* question to JPush, and the application not run.
    pub(crate) async fn refuses<B>(&self, request: Request<B>, expected: &str, what: &str)
    where
        B: Body<Data = Bytes> + Send + 'static,
    {
        let before = (self.verifier.calls(), self.application.runs());
        let response = self.send(request).await;
        assert_eq!(code(&response), expected, "{what}");
        assert_eq!(response.status(), status_of(expected), "{what}");
        assert_eq!((self.verifier.calls(), self.application.runs()), before, "asked or let through: {what}");
    }

    /// Exactly one question to JPush, and the application run once.
    pub(crate) async fn verifies<B>(&self, request: Request<B>, what: &str) -> Seen
    where
        B: Body<Data = Bytes> + Send + 'static,
    {
        let (calls, runs) = (self.verifier.calls(), self.application.runs());
        let response = self.send(request).await;
        assert_eq!(response.status(), 200, "{what}: {}", code(&response));
        assert_eq!((self.verifier.calls(), self.application.runs()), (calls + 1, runs + 1), "{what}");
        self.application.last()
    }

    /// No question to JPush, no word of a decision, and the application run once.
    pub(crate) async fn leaves_alone<B>(&self, request: Request<B>, what: &str) -> Seen
    where
        B: Body<Data = Bytes> + Send + 'static,
    {
        let seen = self.passes(request, what).await;
        assert!(!seen.parts.headers.contains_key("x-jverify-decision"), "{what}");
        seen
    }

    /// Asserts that JPush gets no check, that the application runs once, and that its request says `not-guarded`.
    pub(crate) async fn passes_not_guarded<B>(&self, request: Request<B>, what: &str) -> Seen
    where
        B: Body<Data = Bytes> + Send + 'static,
    {
        let seen = self.passes(request, what).await;
        let said: Vec<_> = seen.parts.headers.get_all("x-jverify-decision").iter().collect();
        assert_eq!(said, ["not-guarded"], "{what}");
        seen
    }

    /// Sends these headers with the value `forged` over a socket, to an unmatched path and to the login. Asserts that both requests pass, and
    /// that no value `forged` reaches the application.
    pub(crate) async fn removes_over_a_socket(&self, names: &[&str]) {
        let address = serve(self.service()).await;
        let forged = names.iter().map(|name| format!("{name}: forged\r\n")).collect::<Vec<_>>().concat();
        for path in ["/health", "/login"] {
            let request = format!(
                "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{forged}content-type: application/json\r\n\
                 content-length: {}\r\n\r\n{LOGIN}",
                LOGIN.len(),
            );
            let response = exchange(address, request).await;
            assert!(response.starts_with("HTTP/1.1 200"), "{response}");
            let headers = self.application.last().parts.headers;
            assert!(!headers.values().any(|value| value == "forged"), "{headers:?}");
        }
    }

    async fn passes<B>(&self, request: Request<B>, what: &str) -> Seen
    where
        B: Body<Data = Bytes> + Send + 'static,
    {
        let (calls, runs) = (self.verifier.calls(), self.application.runs());
        let response = self.send(request).await;
        assert_eq!(response.status(), 200, "{what}: {}", code(&response));
        assert_eq!((self.verifier.calls(), self.application.runs()), (calls, runs + 1), "{what}");
        self.application.last()
    }
}

/// The status that goes with a code of a malformed request.
fn status_of(code: &str) -> u16 {
    match code {
        "proof_missing" | "proof_malformed" | "body_malformed" | "path_ambiguous" | "upgrade_refused" => 400,
        "preflight_refused" => 403,
        "method_not_allowed" => 405,
        "body_timeout" => 408,
        "body_too_large" => 413,
        "unsupported_media_type" | "unsupported_encoding" => 415,
        other => panic!("{other:?} is no code of a malformed request"),
    }
}
