//! Ways in which a client, or a service between two layers, could try to bypass an enforced rule next to a rule in shadow.

use std::convert::Infallible;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Request, Uri};
use http_body::Frame;
use http_body_util::{Full, StreamBody};
use tower_jverify::{Class, ForeignBackend, Mode, Rule, number};

use super::{guarded, watched};
use crate::support::{LOGIN, send_through};

fn register() -> Rule {
    Rule::post("/register", number())
}

fn of(method: &str, uri: &str) -> Request<Full<Bytes>> {
    let request = Request::builder().method(method).uri(uri).header("content-type", "application/json");
    request.body(Full::from(LOGIN)).unwrap()
}

#[tokio::test]
async fn a_method_in_another_case_does_not_turn_an_unclear_path_to_shadow() {
    let both = guarded(Class::Passed, |it| it.rule(watched()).rule(register()));
    let get = guarded(Class::Passed, |it| {
        it.rule(Rule::method(http::Method::GET, "/login", number()).mode(Mode::Shadow)).rule(Rule::method(
            http::Method::GET,
            "/register",
            number(),
        ))
    });
    for path in ["/register%2F", "/login/..%2Fregister", "/x/%2e%2e%2Fregister"] {
        for method in ["POST", "post", "pOsT"] {
            both.refuses(of(method, path), "path_ambiguous", method).await;
        }
        for method in ["GET", "get", "HEAD", "head"] {
            get.refuses(of(method, path), "path_ambiguous", method).await;
        }
    }
}

#[tokio::test]
async fn a_rule_for_every_path_in_shadow_opens_no_enforced_path() {
    let every =
        |it: tower_jverify::JVerifyBuilder<_>| it.rule(Rule::any_request(number()).mode(Mode::Shadow)).rule(register());
    let ours = guarded(Class::Passed, every);
    for path in ["/register%2F", "/x/%2e%2e%2Fregister"] {
        ours.refuses(of("POST", path), "path_ambiguous", path).await;
    }
    let foreign = guarded(Class::Passed, |it| every(it).foreign_backend(ForeignBackend::any()));
    for uri in ["/register.php", "/?s=/register", "/register%2F"] {
        foreign.refuses(of("POST", uri), "path_ambiguous", uri).await;
    }
    // A script that ignores the method.
    let foreign = guarded(Class::Rejected, |it| every(it).foreign_backend(ForeignBackend::any()));
    assert_eq!(foreign.send(of("PUT", "/register")).await.status(), 403);
}

#[tokio::test]
async fn what_a_service_outside_has_seen_in_shadow_is_refused_inside_under_an_enforced_path() {
    let put = |uri: &str| {
        let request = Request::put(uri).header("content-type", "application/json");
        request.body(Full::<Bytes>::from(LOGIN)).unwrap()
    };
    let moved = |mut request: Request<Full<Bytes>>| {
        *request.uri_mut() = Uri::from_static("/register");
        request
    };
    for is_unasked in [false, true] {
        let layer = guarded(Class::Rejected, |it| {
            let every = Rule::any_request(number()).mode(Mode::Shadow).shadow_unasked(is_unasked);
            it.rule(every).rule(register()).foreign_backend(ForeignBackend::any())
        });
        assert_eq!(layer.send(put("/register")).await.status(), 403);
        let sent = send_through(&layer.layer, moved, layer.service(), put("/elsewhere")).await;
        assert_eq!((sent, layer.application.runs()), (403, 0), "{is_unasked}");
    }
}

#[tokio::test]
async fn no_header_of_a_client_sets_a_mode_or_a_decision() {
    let names = ["x-jverify-mode", "x_jverify_mode", "x-jverify.mode", "x-jverify-decision", "x_jverify-decision"];
    let forged = || {
        let mut headers = HeaderMap::new();
        for name in names {
            headers.append(name.parse::<HeaderName>().unwrap(), "allow".parse().unwrap());
        }
        headers
    };
    for foreign in [None, Some(ForeignBackend::any())] {
        for class in [Class::Passed, Class::Rejected] {
            for is_unasked in [false, true] {
                let layer = guarded(class, |it| {
                    let rule = if is_unasked { watched().shadow_unasked(true) } else { watched() };
                    match foreign.clone() {
                        None => it.rule(rule),
                        Some(foreign) => it.rule(rule).foreign_backend(foreign),
                    }
                });
                for (uri, bytes) in
                    [("/login", LOGIN), ("/login", "{"), ("/login", ""), ("/login%2F", LOGIN), ("/other", LOGIN)]
                {
                    let frames = [Frame::data(Bytes::from(bytes)), Frame::trailers(forged())];
                    let body = StreamBody::new(futures_util::stream::iter(frames.map(Ok::<_, Infallible>)));
                    let mut request = Request::post(uri).header("content-type", "application/json").body(body).unwrap();
                    request.headers_mut().extend(forged());
                    assert_eq!(layer.send(request).await.status(), 200, "{uri} {bytes}");
                    let seen = layer.application.last();
                    let ours = seen.parts.headers.iter().filter(|(name, _)| names.contains(&name.as_str()));
                    let ours: Vec<_> = ours.map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
                    let is_guarded = uri != "/other";
                    assert_eq!(ours.len(), if is_guarded { 2 } else { 0 }, "{uri} {bytes}: {ours:?}");
                    assert!(!is_guarded || ours.contains(&("x-jverify-mode", "shadow")), "{uri} {bytes}: {ours:?}");
                    let is_left = |name: &HeaderName| name.as_str().contains("jverify");
                    assert!(!seen.trailers.unwrap_or_default().keys().any(is_left), "{uri} {bytes}");
                }
            }
        }
    }
}
