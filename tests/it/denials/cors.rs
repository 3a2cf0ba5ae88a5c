//! What pages of other origins may read.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Version};
use http_body_util::Full;
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};
use tower_http::cors::{Any, CorsLayer};
use tower_jverify::{Class, ConfigError, Cors, Denial, Field, JVerifyBuilder, Prove, RequestBody, Rule, number};

use crate::support::{Application, Guarded, LOGIN, Verifier, builder, post_json, send};

const SHOP: &str = "https://shop.example";

fn login() -> Rule {
    Rule::post("/login", number())
}

fn cors() -> Cors {
    Cors::origins([SHOP, "http://[::1]:5173"]).expose(["retry-after", "X-Mine"]).credentials(true)
}

fn guarded(set: impl FnOnce(JVerifyBuilder<Verifier>) -> JVerifyBuilder<Verifier>) -> Guarded {
    Guarded::with(|verifier| set(builder(verifier)).build().unwrap())
}

/// A login without a proof, from a page of this origin.
fn from(origin: &str) -> Request<Full<Bytes>> {
    let mut request = post_json("/login", "{}");
    request.headers_mut().insert("origin", origin.parse().unwrap());
    request
}

/// The headers of CORS, and whether `Vary` names the origin, once.
fn shared(headers: &HeaderMap) -> ([Option<&str>; 3], bool) {
    let names = ["access-control-allow-origin", "access-control-allow-credentials", "access-control-expose-headers"];
    let vary: Vec<String> =
        headers.get_all("vary").iter().map(|line| line.to_str().unwrap().to_ascii_lowercase()).collect();
    let vary = vary.join(", ");
    let origins = vary.split(", ").filter(|name| *name == "origin").count();
    assert!(origins <= 1, "{vary}");
    (names.map(|name| headers.get(name).map(|value| value.to_str().unwrap())), origins == 1)
}

#[tokio::test]
async fn a_page_of_an_allowed_origin_may_read_a_denial_and_no_other_page() {
    let guarded = guarded(|builder| builder.rule(login()).cors(cors()));
    for origin in [SHOP, "http://[::1]:5173"] {
        let response = guarded.send(from(origin)).await;
        assert_eq!(response.status(), 400);
        assert_eq!(shared(response.headers()), ([Some(origin), Some("true"), Some("retry-after, X-Mine")], true));
    }
    for origin in [
        "null",
        "*",
        "https://shop.example:8443",
        "https://shop.example:443",
        "http://shop.example",
        "https://Shop.example",
        "https://shop.example/",
        "https://shop.example.evil.example",
        "https://evil.example/https://shop.example",
        "https://a.shop.example",
        "https://shop.example https://evil.example",
        "https://shop.example,https://evil.example",
        " ",
        "",
    ] {
        let response = guarded.send(from(origin)).await;
        assert_eq!(shared(response.headers()), ([None; 3], true), "{origin:?}");
    }
    // Without an origin, and with two of them.
    assert_eq!(shared(guarded.send(post_json("/login", "{}")).await.headers()), ([None; 3], true));
    let mut twice = from(SHOP);
    twice.headers_mut().append("origin", SHOP.parse().unwrap());
    assert_eq!(shared(guarded.send(twice).await.headers()), ([None; 3], true));
}

#[tokio::test]
async fn only_denials_have_the_headers() {
    let guarded = guarded(|builder| builder.rule(login()).cors(cors()));
    let mut passing = from(SHOP);
    *passing.body_mut() = Full::from(LOGIN);
    let mut unmatched = from(SHOP);
    *unmatched.uri_mut() = "/about".parse().unwrap();
    for request in [passing, unmatched] {
        let response = guarded.send(request).await;
        assert_eq!(response.status(), 200);
        assert_eq!(shared(response.headers()), ([None; 3], false));
    }
    // Not set.
    assert_eq!(shared(Guarded::login().send(from(SHOP)).await.headers()), ([None; 3], false));
}

#[tokio::test]
async fn every_kind_of_denial_has_the_headers() {
    let all = || [Some(SHOP), Some("true"), Some("retry-after, X-Mine")];
    let guarded = guarded(|builder| {
        let head = number().token(Field::header("t")).phone(Field::header("p"));
        builder.rules([login(), Rule::post("/grpc", head)]).cors(cors())
    });
    // Without a known rule.
    let mut ambiguous = from(SHOP);
    *ambiguous.uri_mut() = "/login%2F".parse().unwrap();
    // A page, and a call.
    let mut page = from(SHOP);
    page.headers_mut().insert("accept", "text/html".parse().unwrap());
    let mut call = from(SHOP);
    (*call.uri_mut(), *call.version_mut()) = ("/grpc".parse().unwrap(), Version::HTTP_2);
    call.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
    for request in [ambiguous, page, call] {
        let what = format!("{request:?}");
        assert_eq!(shared(guarded.send(request).await.headers()), (all(), true), "{what}");
    }
}

#[tokio::test]
async fn a_closures_answer_has_them_in_place_of_those_that_it_set() {
    let guarded = guarded(|builder| {
        builder.rule(login()).cors(cors()).respond(|_, denial| {
            let mut response = denial.response();
            response.headers_mut().insert("access-control-allow-origin", "*".parse().unwrap());
            response.headers_mut().insert("vary", "Accept, Origin".parse().unwrap());
            response
        })
    });
    let response = guarded.send(from(SHOP)).await;
    assert_eq!(shared(response.headers()).0[0], Some(SHOP));
    let response = guarded.send(from("https://evil.example")).await;
    assert_eq!(shared(response.headers()), ([None; 3], true));
}

#[tokio::test]
async fn a_denial_that_a_handler_answers_has_them() {
    let refusing = Guarded::asking(Verifier::of_class(Class::Rejected), |verifier| {
        builder(verifier).rule(login().on_demand()).cors(cors()).build().unwrap()
    });
    let handler = service_fn(|request: Request<RequestBody<Full<Bytes>>>| async move {
        let prove = request.extensions().get::<Prove>().unwrap();
        let denial: Denial = prove.now().await.unwrap_err();
        Ok::<_, std::convert::Infallible>(Response::<Bytes>::from(denial).map(Full::new))
    });
    let mut request = from(SHOP);
    *request.body_mut() = Full::from(LOGIN);
    let response = refusing.layer.layer(handler).oneshot(request).await.unwrap();
    assert_eq!(response.status(), 403);
    assert_eq!(shared(response.headers()), ([Some(SHOP), Some("true"), Some("retry-after, X-Mine")], true));
}

#[tokio::test]
async fn a_preflight_is_never_answered() {
    for rule in [Rule::any_method("/login", number()), login()] {
        let guarded = guarded(|builder| {
            // The worst that a closure can do.
            builder.rule(rule).cors(cors()).respond(|_, _| Response::new(Bytes::new()))
        });
        let mut preflight = from(SHOP);
        *preflight.method_mut() = Method::OPTIONS;
        preflight.headers_mut().remove("content-type");
        *preflight.body_mut() = Full::default();
        preflight.headers_mut().insert("access-control-request-method", "POST".parse().unwrap());
        let response = guarded.send(preflight).await;
        assert_eq!(shared(response.headers()).0, [None; 3]);
    }
}

#[tokio::test]
async fn every_origin_is_a_star_without_credentials() {
    let guarded = guarded(|builder| builder.rule(login()).cors(Cors::origins(["*"])));
    for request in [from("https://evil.example"), from("null"), post_json("/login", "{}")] {
        assert_eq!(shared(guarded.send(request).await.headers()), ([Some("*"), None, None], true));
    }
}

#[tokio::test]
async fn a_rules_own_setting_is_the_layers_for_this_rule() {
    let guarded = guarded(|builder| {
        let own = Rule::post("/own", number()).cors(Cors::origins(["https://own.example"]));
        builder.rules([login(), own]).cors(cors())
    });
    for (path, origin, is_allowed) in [
        ("/login", SHOP, true),
        ("/login", "https://own.example", false),
        ("/own", SHOP, false),
        ("/own", "https://own.example", true),
    ] {
        let mut request = from(origin);
        *request.uri_mut() = path.parse().unwrap();
        let response = guarded.send(request).await;
        assert_eq!(shared(response.headers()).0[0].is_some(), is_allowed, "{path} {origin}");
    }
}

#[tokio::test]
async fn a_cors_layer_outside_has_the_last_word() {
    let guarded = guarded(|builder| builder.rule(login()).cors(cors()));
    let service = ServiceBuilder::new()
        .layer(CorsLayer::new().allow_origin(Any))
        .map_response(|response: Response<_>| response.map(axum::body::Body::new))
        .service(guarded.service());
    let response = service.oneshot(from("https://evil.example")).await.unwrap();
    assert_eq!(response.headers().get_all("access-control-allow-origin").iter().collect::<Vec<_>>(), ["*"]);
    assert_eq!(response.status(), 400);
}

#[test]
fn a_setting_that_no_browser_can_match_is_refused() {
    let build = |cors: Cors| {
        let on_the_layer = builder(&Verifier::passing()).rule(login()).cors(cors.clone()).build().err();
        let on_the_rule = builder(&Verifier::passing()).rule(login().cors(cors)).build().err();
        assert_eq!(on_the_layer.as_ref().map(ConfigError::setting), on_the_rule.as_ref().map(ConfigError::setting));
        assert_eq!(on_the_rule.as_ref().and_then(|error| error.rule()), on_the_rule.as_ref().map(|_| "POST /login"));
        on_the_layer
    };
    for origin in [
        "",
        "shop.example",
        "//shop.example",
        "https://",
        "https://shop.example/",
        "https://shop.example/a",
        "https://shop.example?a",
        "https://shop.example#a",
        "https://user@shop.example",
        "https://shop.example:",
        "https://shop.example:443",
        "http://shop.example:80",
        "https://shop.example:0443",
        "https://shop.example:65536",
        "https://Shop.example",
        "HTTPS://shop.example",
        "https://*.shop.example",
        "https://[::0001]",
        "https://[1::2",
        "https://商店.example",
        "https://shop.example, https://own.example",
        " https://shop.example",
        "null",
        "/",
        "*:*",
    ] {
        let error = build(Cors::origins([origin])).unwrap_or_else(|| panic!("{origin:?} was accepted"));
        assert_eq!((error.setting(), error.value()), ("cors.origins", Some(origin)));
    }
    assert_eq!(build(Cors::origins(["*", SHOP])).unwrap().setting(), "cors.origins");
    assert_eq!(build(Cors::origins([""; 0])).unwrap().setting(), "cors.origins");
    assert_eq!(build(Cors::origins(["*"]).credentials(true)).unwrap().setting(), "cors.credentials");
    for name in ["*", "", "a b", "a,b", "é"] {
        let error = build(Cors::origins([SHOP]).expose([name])).unwrap();
        assert_eq!((error.setting(), error.value()), ("cors.expose", Some(name)));
    }
    for origin in [
        "https://shop.example",
        "http://localhost:5173",
        "http://127.0.0.1",
        "http://[::1]",
        "https://xn--fiq06l2rdsvs.example",
        "capacitor://localhost",
        "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
        "https://shop.example:8443",
        "http://a_b.example:443",
    ] {
        assert_eq!(build(Cors::origins([origin])), None, "{origin}");
    }
}

#[tokio::test]
async fn the_layers_setting_is_checked_even_if_every_rule_has_another() {
    let layer = builder(&Verifier::passing()).rule(login().cors(cors())).cors(Cors::origins(["null"])).build();
    let error = layer.err().unwrap();
    assert_eq!((error.setting(), error.rule()), ("cors.origins", None));
    let layer = builder(&Verifier::passing()).rule(login()).cors(cors()).build().unwrap();
    assert_eq!(send(&layer, &Application::default(), post_json("/login", LOGIN)).await.status(), 200);
}
