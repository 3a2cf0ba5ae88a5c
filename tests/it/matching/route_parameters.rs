//! Query parameters by which a backend routes, through a real server.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{Response, StatusCode};
use tower::Layer;
use tower_jverify::{Denial, ForeignBackend, Rule, number};

use crate::support::{Application, LOGIN, Verifier, builder, exchange, serve};

/// The documented list, each with a value that names a guarded path.
const USUAL: [&str; 19] = [
    "s=/login",
    "s=login",
    "S=login",
    "%73=%2Flogin",
    "s[]=login",
    "x=1&s=login",
    "r=login",
    "route=%2flogin",
    "rest_route=/login",
    "__pathname=/login",
    "__isr_route=/login",
    "x_astro_path=/login",
    "rest.route=/login",
    "_url=/login",
    "_url=login",
    "_path=/login",
    "q=/login",
    "/login",
    "s=http://x/login",
];

/// A server on a real socket whose refusals say their class.
struct Site {
    address: SocketAddr,
    verifier: Verifier,
    application: Application,
}

impl Site {
    async fn before(backend: ForeignBackend) -> Self {
        let (verifier, application) = (Verifier::passing(), Application::default());
        let respond = |_: &http::request::Parts, denial: &Denial| {
            let class = denial.suspicion().map_or("none", |class| class.as_str());
            let text = format!("{} {class}", denial.code());
            let mut response = Response::new(Bytes::from(text));
            *response.status_mut() = denial.status();
            response
        };
        let layer = builder(&verifier).rule(Rule::post("/login", number())).foreign_backend(backend).respond(respond);
        let address = serve(layer.build().unwrap().layer(application.clone())).await;
        Self { address, verifier, application }
    }

    /// The status and the body.
    async fn answers(&self, method: &str, target: &str, body: &str) -> (StatusCode, String) {
        let kind = if body.is_empty() { "" } else { "content-type: application/json\r\n" };
        let length = body.len();
        let head = format!("{method} {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{kind}");
        let answer = exchange(self.address, format!("{head}content-length: {length}\r\n\r\n{body}")).await;
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
        (status.unwrap_or_else(|| panic!("{method} {target}: {answer:?}")), body.to_owned())
    }

    async fn refuses(&self, method: &str, target: &str) {
        let before = (self.verifier.calls(), self.application.runs());
        let answer = self.answers(method, target, LOGIN).await;
        let expected = (StatusCode::BAD_REQUEST, "path_ambiguous route_parameter".to_owned());
        assert_eq!(answer, expected, "{method} {target}");
        assert_eq!((self.verifier.calls(), self.application.runs()), before, "{method} {target}");
    }

    /// Passes without a question.
    async fn passes(&self, method: &str, target: &str, body: &str) {
        let (calls, runs) = (self.verifier.calls(), self.application.runs());
        assert_eq!(self.answers(method, target, body).await.0, StatusCode::OK, "{method} {target}");
        assert_eq!((self.verifier.calls(), self.application.runs()), (calls, runs + 1), "{method} {target}");
    }
}

#[tokio::test]
async fn a_parameter_that_names_a_guarded_path_is_refused_whatever_the_path_says() {
    let site = Site::before(ForeignBackend::any()).await;
    for query in USUAL {
        for path in ["/", "/index.php", "/login"] {
            site.refuses("POST", &format!("{path}?{query}")).await;
        }
        site.refuses("PUT", &format!("/?{query}")).await;
        // A site's search.
        site.passes("GET", &format!("/?{query}"), "").await;
    }
    for query in ["next=/login", "s=other", "q=login", "s=", "redirect=s%3D/login"] {
        site.passes("POST", &format!("/?{query}"), LOGIN).await;
    }
    let before = site.verifier.calls();
    assert_eq!(site.answers("POST", "/login?next=/login", LOGIN).await.0, StatusCode::OK);
    assert_eq!(site.verifier.calls(), before + 1);
}

#[tokio::test]
async fn without_route_parameters_they_are_parameters_like_any_other() {
    let site = Site::before(ForeignBackend::any().without_route_parameters()).await;
    for query in USUAL {
        site.passes("POST", &format!("/?{query}"), LOGIN).await;
    }
}

#[tokio::test]
async fn configured_names_are_the_only_ones() {
    let site = Site::before(ForeignBackend::any().route_parameters(["page", "do[action]"])).await;
    for query in ["page=/login", "Page=login", "x=1&page=%2Flogin", "do=login", "do[action]=login"] {
        site.refuses("POST", &format!("/?{query}")).await;
        site.passes("GET", &format!("/?{query}"), "").await;
    }
    for query in USUAL.iter().filter(|query| !query.starts_with('/')) {
        site.passes("POST", &format!("/?{query}"), LOGIN).await;
    }
    // A pair that is a path has no name that could be replaced.
    site.refuses("POST", "/?/login").await;
}

/// Struts (`DefaultActionMapper`) runs the action in a parameter's name after `action:`, Zope appends a name before `:method` or
/// `:action` to the path, Grails runs the action after `_action_`, and Astro the one that `_action` names.
#[tokio::test]
async fn a_parameter_whose_name_carries_a_guarded_action_is_refused() {
    let site = Site::before(ForeignBackend::any()).await;
    for query in [
        "action:login=x",
        "action:login",
        "action%3Alogin=x",
        "ACTION:Login=x",
        "x=1&action:login=x",
        "x=1;action:login=x",
        "action:/login=x",
        "action:login!x=1",
        "action:login.action",
        "action:%256cogin",
        "login:method=x",
        "login:action",
        "login%3Amethod=x",
        "login:utf8:method=x",
        "login:default_method=x",
        ":method=login",
        ":action=%6Cogin",
        "_action_login=x",
        "_ACTION_Login=x",
        "_action_log%69n=x",
        "_action=login",
        "x=1&_Action=log%69n",
        "_astroAction=login",
    ] {
        for path in ["/", "/other", "/other/deep"] {
            site.refuses("POST", &format!("{path}?{query}")).await;
        }
        // A name such as `_method` is refused for GET, too.
        if !query.starts_with(":method") {
            site.passes("GET", &format!("/?{query}"), "").await;
        }
    }
    for query in [
        "action:logins=x",
        "action=login",
        "method:login",
        "login:x",
        "x:login",
        ":method=x",
        "_action_x=login",
        "_action=logins",
        "_actions=login",
        "login",
        "a:b",
    ] {
        site.passes("POST", &format!("/other?{query}"), "{}").await;
    }
    let site = Site::before(ForeignBackend::any().without_route_parameters()).await;
    site.passes("POST", "/?action:login=x", "{}").await;
}
