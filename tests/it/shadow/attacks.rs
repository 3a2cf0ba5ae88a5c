//! What a client, or a service between two layers, could try to get past an enforced rule beside one in shadow.

use std::convert::Infallible;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Request, Uri};
use http_body::Frame;
use http_body_util::{Full, StreamBody};
use tower_jverify::{Class, ForeignBackend, Mode, Rule, number};

use super::{guarded, watched};
use crate::support::{Guarded, LOGIN, send_through};

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

/// A generator that is the same in every run.
struct Dice(u64);

impl Dice {
    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        of[usize::try_from((self.0 >> 33) % of.len() as u64).unwrap()]
    }

    fn uri(&mut self) -> Option<Uri> {
        const PIECES: [&str; 30] = [
            "register",
            "login",
            "/",
            "/",
            "/",
            "%2F",
            "..",
            "%2e%2e",
            ".",
            ";x",
            "%5c",
            "REGISTER",
            "Login",
            ".php",
            "index.php",
            "%252F",
            "%00",
            "+",
            "//",
            "x",
            "%c0%af",
            "regist%65r",
            "%20",
            "/register",
            "/login",
            "~1",
            "/../",
            "%ff",
            "\\",
            ".json",
        ];
        const QUERIES: [&str; 8] =
            ["", "", "", "?s=/register", "?r=register", "?s=/login", "?r=login&s=%2Fregister", "?_method=POST"];
        let length = self.pick(&["1", "2", "3", "4", "5"]).parse().unwrap();
        let mut uri = String::from(self.pick(&["/", "/", "/register", "/login", "/login/"]));
        for _ in 0..length {
            uri.push_str(self.pick(&PIECES));
        }
        uri.push_str(self.pick(&QUERIES));
        uri.parse().ok()
    }
}

#[tokio::test]
async fn whatever_an_enforced_rule_refuses_alone_it_refuses_beside_one_in_shadow() {
    let beside: [fn() -> Rule; 4] = [
        watched,
        || Rule::any_method("/login", number()).mode(Mode::Shadow),
        || Rule::any_request(number()).mode(Mode::Shadow),
        || Rule::method(http::Method::GET, "/register", number()).mode(Mode::Shadow),
    ];
    let rules = |foreign: Option<ForeignBackend>, shadow: Option<Rule>| {
        guarded(Class::Rejected, |it| {
            let it = shadow.into_iter().fold(it.rule(register()), tower_jverify::JVerifyBuilder::rule);
            match foreign {
                None => it,
                Some(foreign) => it.foreign_backend(foreign),
            }
        })
    };
    let mut dice = Dice(12);
    let backends = [None, Some(ForeignBackend::any()), Some(ForeignBackend::any().without_other_methods())];
    for foreign in backends {
        let alone = rules(foreign.clone(), None);
        for shadow in beside {
            let both = rules(foreign.clone(), Some(shadow()));
            for _ in 0..300 {
                let Some(uri) = dice.uri() else { continue };
                let method = dice.pick(&["POST", "POST", "post", "PUT", "GET", "HEAD", "head", "OPTIONS"]);
                let bytes = if dice.pick(&["body", "none"]) == "body" { LOGIN } else { "" };
                let request = || {
                    let request =
                        Request::builder().method(method).uri(&uri).header("content-type", "application/json");
                    request.body(Full::<Bytes>::from(bytes)).unwrap()
                };
                let passes = async |guarded: &Guarded| {
                    let runs = guarded.application.runs();
                    guarded.send(request()).await;
                    guarded.application.runs() > runs
                };
                if passes(&both).await {
                    assert!(passes(&alone).await, "{foreign:?} {} {method} {uri} {bytes}", shadow());
                }
            }
        }
    }
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
async fn no_header_of_a_client_tells_a_mode_or_a_decision() {
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
