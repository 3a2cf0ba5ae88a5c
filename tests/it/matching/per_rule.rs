//! The verifier of a rule, and what a verifier learns about the rule and its path.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use serde_json::json;
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn, util::MapRequestLayer};
use tower_jverify::{
    CallError, Check, CheckKind, Class, Credentials, Decision, Fallback, Field, ForeignBackend, JPush, JVerifyLayer,
    Policy, RequestBody, Rule, Sandbox, Verdict, captcha, number,
};

use crate::support::{Application, Guarded, LOGIN, Verifier, builder, code, jpush, noticing, post_json, send};

/// What the verifier learnt last: the rule, and the tenant.
fn asked(verifier: &Verifier) -> (Option<String>, Option<String>) {
    let check = verifier.asked().pop().expect("it was asked");
    (check.rule().map(ToOwned::to_owned), check.path_parameter("tenant").map(ToOwned::to_owned))
}

fn tenants() -> Guarded {
    Guarded::by([Rule::post("/v1/{tenant}/login", number().with_risk()).name("login")])
}

#[tokio::test]
async fn each_check_names_its_rule_and_the_parameters_of_its_path() {
    let guarded = Guarded::by([
        Rule::post("/v1/{tenant}/login", captcha().then(number().with_risk())).name("login"),
        Rule::post("/enter", number()).when(Field::body("/type"), "sms"),
    ]);
    let both = r#"{"captchaContent":"c","token":"t","phone":"13812345678"}"#;
    assert_eq!(guarded.send(post_json("/v1/acme/login", both)).await.status(), 200);
    let checks = guarded.verifier.asked();
    assert_eq!(guarded.verifier.kinds(), [CheckKind::Captcha, CheckKind::Number, CheckKind::Risk]);
    for check in checks {
        assert_eq!((check.rule(), check.path_parameter("tenant")), (Some("login"), Some("acme")));
        assert_eq!((check.path_parameter("Tenant"), check.path_parameter("")), (None, None));
        let shown = format!("{check:?}");
        assert!(shown.contains("login") && !shown.contains("acme"), "the client's text: {shown}");
    }
    let body = r#"{"type":"sms","token":"t","phone":"13812345678"}"#;
    guarded.verifies(post_json("/enter", body), "by its value").await;
    let default = r#"POST /enter when body:/type is "sms""#;
    let (rule, tenant) = asked(&guarded.verifier);
    assert!(rule.as_deref().is_some_and(|rule| rule.starts_with("POST /enter when ")), "{rule:?} {default}");
    assert_eq!(tenant, None);
}

#[tokio::test]
async fn the_captcha_that_a_risk_asks_for_is_of_the_same_rule() {
    let verifier = Verifier::answering(|check| {
        let verdict = Verdict::new(check.kind(), Class::Passed);
        Some(match check.kind() {
            CheckKind::Number => verdict.with_risk(tower_jverify::Risk::from_score(700, Vec::new())),
            _ => verdict,
        })
    });
    let rule = Rule::post("/v1/{tenant}/login", number()).name("login");
    let guarded = Guarded::asking(verifier, |verifier| builder(verifier).rule(rule).build().unwrap());
    let both = r#"{"captchaContent":"c","token":"t","phone":"13812345678"}"#;
    assert_eq!(guarded.send(post_json("/v1/acme/login", both)).await.status(), 200);
    assert_eq!(guarded.verifier.kinds(), [CheckKind::Number, CheckKind::Captcha]);
    assert_eq!(asked(&guarded.verifier), (Some("login".into()), Some("acme".into())));
}

#[tokio::test]
async fn a_parameter_is_decoded_once_and_keeps_its_case() {
    let guarded = Guarded::by([Rule::post("/v1/{tenant}/login", number()).name("login")]);
    for (path, tenant) in [
        ("/v1/acme/login", "acme"),
        ("/v1/ACME/Login/", "ACME"),
        ("/v1/%61cme/login", "acme"),
        ("/%76%31/%41cme/login", "Acme"),
        ("/v1/%E5%85%AC%E5%8F%B8/login", "公司"),
        ("/v1/a.b/login", "a.b"),
        ("//v1/acme//login", "acme"),
        ("/x/../v1/acme/login", "acme"),
    ] {
        guarded.verifies(post_json(path, LOGIN), path).await;
        assert_eq!(asked(&guarded.verifier), (Some("login".into()), Some(tenant.into())), "{path}");
    }
}

/// The owner of tenant `mine` must not log in at tenant `other` with a proof of the app of `mine`.
#[tokio::test]
async fn a_path_that_means_one_tenant_here_and_another_there_is_refused() {
    let guarded = tenants();
    for path in [
        "/v1/mine%2f..%2fother/login",
        "/v1/a%2fb/login",
        "/v1/a%5cb/login",
        "/v1/mine;other/login",
        "/v1/mine;/login",
        "/v1/mine%3bx/login",
        "/v1/mine%253Bx/login",
        "/v1/%256dine/login",
        "/v1/mine%00/login",
        "/v1/mine%3f/login",
        "/v1/%EF%BD%8Dine/login",
        "/v1/mine%ff/login",
        "/v1/./login",
        "/v1/../login",
    ] {
        let before = guarded.application.runs();
        let response = guarded.send(post_json(path, LOGIN)).await;
        assert_eq!((response.status().as_u16(), code(&response).as_str()), (400, "path_ambiguous"), "{path}");
        assert_eq!((guarded.verifier.calls(), guarded.application.runs()), (0, before), "{path}");
    }
    // Dots that are resolved leave one tenant.
    let guarded = Guarded::by([Rule::post("/v1/{tenant}/login", number()).name("login")]);
    guarded.verifies(post_json("/v1/mine/../other/login", LOGIN), "dots").await;
    assert_eq!(asked(&guarded.verifier).1.as_deref(), Some("other"));
    // Behind further segments they do not.
    let guarded = Guarded::by([Rule::post("/t/{tenant}/{*rest}", number())]);
    guarded.refuses(post_json("/t/mine/../other/login", LOGIN), "path_ambiguous", "dots in the rest").await;
    guarded.verifies(post_json("/t/other/a/b", LOGIN), "the rest").await;
    assert_eq!(asked(&guarded.verifier).1.as_deref(), Some("other"));
}

#[tokio::test]
async fn before_a_foreign_backend_what_it_may_cut_off_a_tenant_is_refused() {
    let layer = |verifier: &Verifier| {
        let rule = Rule::post("/login/{tenant}", number());
        builder(verifier).rule(rule).foreign_backend(ForeignBackend::any()).build().unwrap()
    };
    let guarded = Guarded::with(layer);
    for path in ["/login/mine.json", "/login/mine!x", "/login/mine.", "/login/(S(x))mine"] {
        guarded.refuses(post_json(path, LOGIN), "path_ambiguous", path).await;
    }
    guarded.verifies(post_json("/login/mine-1_a", LOGIN), "a plain name").await;
    assert_eq!(asked(&guarded.verifier).1.as_deref(), Some("mine-1_a"));
}

#[tokio::test]
async fn under_a_nested_router_the_original_path_has_the_tenant() {
    use axum::{Router, extract::Request as AxumRequest, routing::post};
    let verifier = Verifier::passing();
    let layer = builder(&verifier).rule(Rule::post("/t/{tenant}/login", number())).build().unwrap();
    let inner = Router::new().route("/login", post(|| async { "in" })).layer(layer);
    let router = Router::new().nest("/t/{tenant}", inner);
    let request = post_json("/t/Acme/login", LOGIN).map(axum::body::Body::new);
    let response = tower::Service::<AxumRequest>::call(&mut router.clone(), request).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(asked(&verifier).1.as_deref(), Some("Acme"));

    // The rule matches both paths, and they name two tenants.
    let layer = builder(&verifier).rule(Rule::post("/{tenant}", number())).build().unwrap();
    let (seen, calls) = (Application::default(), verifier.calls());
    let mut request = post_json("/mine", LOGIN);
    request.extensions_mut().insert(axum::extract::OriginalUri("/other".parse().unwrap()));
    let response = send(&layer, &seen, request).await;
    assert_eq!((response.status().as_u16(), code(&response).as_str()), (400, "path_ambiguous"));
    assert_eq!((verifier.calls(), seen.runs()), (calls, 0));
}

/// A middleware between two services of one layer that changes the tenant: the outer decision is another tenant's.
#[tokio::test]
async fn the_decision_for_one_tenant_is_not_one_for_another() {
    let verifier = Verifier::passing();
    let layer = builder(&verifier).rule(Rule::post("/v1/{tenant}/login", number()).name("login")).build().unwrap();
    for (path, calls) in [("/v1/mine/login", 1), ("/v1/other/login", 2)] {
        let application = Application::default();
        let rewrite = move |mut request: Request<RequestBody<Full<Bytes>>>| {
            *request.uri_mut() = path.parse().unwrap();
            request
        };
        let before = verifier.calls();
        let service =
            ServiceBuilder::new().layer(layer.clone()).layer(MapRequestLayer::new(rewrite)).layer(layer.clone());
        let response = service.service(application.clone()).oneshot(post_json("/v1/mine/login", LOGIN)).await.unwrap();
        assert_eq!((response.status().as_u16(), application.runs()), (200, 1), "{path}");
        assert_eq!(verifier.calls() - before, calls, "{path}");
        assert_eq!(application.last().parts.extensions.get::<Decision>().unwrap().verdicts().len(), calls);
    }
}

/// A client with another key. Its sandbox counts the checks.
fn client(key: &str, sandbox: &Sandbox) -> JPush<Sandbox> {
    JPush::builder(Credentials::new(key, "master-secret").unwrap()).transport(sandbox.clone()).build().unwrap()
}

#[tokio::test]
async fn a_tenants_login_is_verified_with_the_tenants_own_key() {
    let (acme, other, layers) = (Sandbox::new(), Sandbox::new(), Sandbox::new());
    let clients = HashMap::from([("acme", client("acme-key", &acme)), ("other", client("other-key", &other))]);
    let clients = Arc::new(clients);
    let of_the_tenant = service_fn(move |check: Check| {
        let client = check.path_parameter("tenant").and_then(|tenant| clients.get(tenant)).cloned();
        async move {
            match client {
                Some(client) => client.oneshot(check).await,
                None => Ok(Verdict::new(check.kind(), Class::Rejected)),
            }
        }
    });
    let layer = JVerifyLayer::builder(jpush(&layers))
        .rule(Rule::post("/v1/{tenant}/login", number()).verifier(of_the_tenant))
        .rule(Rule::post("/login", number()))
        .build()
        .unwrap();
    let body = json!({"token": "sandbox-9000", "phone": "13800000000"}).to_string();
    let calls = || [acme.calls().len(), other.calls().len(), layers.calls().len()];
    for (path, status, expected) in [
        ("/v1/acme/login", 200, [1, 0, 0]),
        ("/v1/other/login", 200, [1, 1, 0]),
        ("/v1/acme/login/", 200, [2, 1, 0]),
        ("/login", 200, [2, 1, 1]),
        // No tenant of that spelling.
        ("/v1/ACME/login", 403, [2, 1, 1]),
        ("/v1/nobody/login", 403, [2, 1, 1]),
        ("/v1/acme%2f..%2fother/login", 400, [2, 1, 1]),
        ("/v1/acme;/login", 400, [2, 1, 1]),
    ] {
        let application = Application::default();
        let response = send(&layer, &application, post_json(path, body.clone())).await;
        assert_eq!((response.status().as_u16(), calls()), (status, expected), "{path}");
        assert_eq!(application.runs(), usize::from(status == 200), "{path}");
    }
    layer.drained().await;
}

#[tokio::test]
async fn two_rules_of_one_path_have_their_own_verifiers() {
    let (sms, password, layers) = (Verifier::passing(), Verifier::of_class(Class::Rejected), Verifier::passing());
    let by_type = |value: &str| Rule::post("/enter", number()).when(Field::body("/type"), value);
    let layer = builder(&layers)
        .rules([
            by_type("sms").verifier(sms.clone()),
            by_type("password").verifier(password.clone()),
            Rule::post("/enter", number()),
        ])
        .build()
        .unwrap();
    for (value, status, expected) in [("sms", 200, [1, 0, 0]), ("password", 403, [1, 1, 0]), ("x", 200, [1, 1, 1])] {
        let body = json!({"type": value, "token": "t", "phone": "13800000000"}).to_string();
        let response = send(&layer, &Application::default(), post_json("/enter", body)).await;
        assert_eq!(response.status(), status, "{value}");
        assert_eq!([sms.calls(), password.calls(), layers.calls()], expected, "{value}");
    }
}

/// As of the layer's: the same errors, the same outages, the same panics.
#[tokio::test]
async fn the_errors_of_a_rules_verifier_are_read_as_the_layers() {
    let opening = Policy::default().on(Class::Unavailable, Fallback::Open);
    let layers = Verifier::of_class(Class::Rejected);
    let ask = async |rule: Rule| {
        let layer = noticing(layers.clone()).rule(rule.policy(opening.clone())).build().unwrap();
        let response: Response<Bytes> = send(&layer, &Application::default(), post_json("/login", LOGIN)).await;
        response.status().as_u16()
    };
    let login = || Rule::post("/login", number());
    let unreachable = service_fn(|_: Check| async { Err::<Verdict, _>(CallError::no_connection("refused")) });
    assert_eq!(ask(login().verifier(unreachable)).await, 200, "an outage is opened");
    let overloaded = service_fn(|_: Check| async { Err::<Verdict, _>(CallError::overloaded()) });
    assert_eq!(ask(login().verifier(overloaded)).await, 503);
    let other = service_fn(|_: Check| async { Err::<Verdict, _>(std::io::Error::other("x")) });
    assert_eq!(ask(login().verifier(other)).await, 503);
    let panics = service_fn(|check: Check| async move {
        assert!(check.rule().is_none(), "a panic");
        Ok::<_, CallError>(Verdict::new(check.kind(), Class::Passed))
    });
    assert_eq!(ask(login().verifier(panics)).await, 503);
    let other_kind = service_fn(|_: Check| async { Ok::<_, CallError>(Verdict::new(CheckKind::Risk, Class::Passed)) });
    assert_eq!(ask(login().verifier(other_kind)).await, 503);
    assert_eq!(layers.calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_check_of_a_rules_verifier_is_finished_after_its_client_has_left() {
    let slow = service_fn(|check: Check| async move {
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        Ok::<_, CallError>(Verdict::new(check.kind(), Class::Passed))
    });
    let rule = Rule::post("/login", number()).verifier(slow).in_flight(1);
    let layer = builder(&Verifier::passing()).rule(rule).build().unwrap();
    let application = Application::default();
    let service = layer.layer(application.clone());
    let leaving = tokio::time::timeout(std::time::Duration::from_secs(1), service.oneshot(post_json("/login", LOGIN)));
    assert!(leaving.await.is_err());
    assert_eq!(send(&layer, &application, post_json("/login", LOGIN)).await.status(), 503, "its place is taken");
    layer.drained().await;
    assert_eq!(send(&layer, &application, post_json("/login", LOGIN)).await.status(), 200);
}

#[test]
fn a_rules_verifier_has_a_separate_account() {
    let verifier = Verifier::passing();
    let own = || Verifier::passing();
    let accounts =
        |rules: Vec<Rule>| format!("{:?}", builder(&verifier).rules(rules).account("shared").build().unwrap());
    let login = || Rule::post("/login", number());
    let register = || Rule::post("/register", number()).name("register");
    assert!(accounts(vec![login(), register()]).contains(r#"{"shared"}"#));
    let said = accounts(vec![login().verifier(own()), register().verifier(own())]);
    assert!(said.contains(r#"{"rule POST /login", "rule register"}"#), "{said}");
    let said = accounts(vec![login().verifier(own()).account("a"), register().verifier(own()).account("a")]);
    assert!(said.contains(r#"{"a"}"#), "{said}");
    let said = accounts(vec![login().verifier(own()).account("shared"), register()]);
    assert!(said.contains(r#"{"shared"}"#), "{said}");

    let refused = |rule: Rule| builder(&verifier).rule(rule).build().unwrap_err();
    for rule in [login().account("a"), login().verifier(own()).account(""), login().verifier(own()).account("a b")] {
        let error = refused(rule);
        assert_eq!((error.setting(), error.rule()), ("account", Some("POST /login")), "{error}");
    }
}

#[test]
fn names_of_rules_are_unique_also_those_that_are_not_set() {
    let verifier = Verifier::passing();
    let setting = |rules: Vec<Rule>| builder(&verifier).rules(rules).build().map(drop).map_err(|it| it.setting());
    let (login, register) = (|| Rule::post("/login", number()), || Rule::post("/register", number()));
    assert_eq!(setting(vec![login(), register()]), Ok(()));
    assert_eq!(setting(vec![login().name("a"), register().name("b")]), Ok(()));
    assert_eq!(setting(vec![login().name("a"), register().name("a")]), Err("rule.name"));
    // One that is set cannot be the default of another: it has no space.
    for rules in [
        vec![login(), register().name("POST /login")],
        vec![register().name("POST /login"), login()],
        vec![Rule::any_request(number()), login().name("* *")],
    ] {
        assert_eq!(setting(rules), Err("rule.name"));
    }
    // Two defaults that are equal are two rules for one request.
    assert_eq!(setting(vec![login(), login()]), Err("rule"));
}
