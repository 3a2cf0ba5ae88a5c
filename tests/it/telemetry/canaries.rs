//! No output contains personal data or a secret, in any spelling.
#![allow(clippy::format_collect, reason = "reads best, and nothing here is hot")]

use std::{error::Error, fmt::Debug};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use tower::{BoxError, Layer, Service, ServiceExt};
use tower_jverify::{
    Check, Class, ClientIp, Credentials, Decision, Denial, Fallback, Field, JPush, JVerifyLayer, Phone, Policy,
    Question, Rule, Sandbox, Verdict, captcha, number, one_tap, sandbox::Fault,
};

use super::Log;
use crate::support::{Application, post_json, serve};

const PHONE: &str = "13987654321";
const TOKEN: &str = "sandbox-9000#canary/token+7f3x\"é";
const CAPTCHA: &str = "sandbox-pass#canary/captcha+8b2x\"é";
const LOGIN_TOKEN: &str = "sandbox-8000-13987654321#canary/tap+9d1x\"é";
const APP_KEY: &str = "canary-app-key-5e01";
const SECRET: &str = "canary-master-secret-4c77";
/// The vendor's text.
const CONTENT: &str = "canary-content-0f0f";
const TAG: &str = "canary-tag";

/// Every spelling in which a canary may hide.
fn spellings() -> Vec<String> {
    let mut all = Vec::new();
    for canary in [PHONE, TOKEN, CAPTCHA, LOGIN_TOKEN, SECRET, CONTENT] {
        all.push(canary.to_owned());
        // Without what only some spellings of it have: a piece that survives each escaping.
        all.push(canary.rsplit(['+', '#']).next().unwrap().trim_end_matches("\"é").to_owned());
        for engine in [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            all.push(engine.encode(canary));
        }
        all.push(percent(canary, |b| b.is_ascii_alphanumeric()));
        all.push(percent(canary, |b| b.is_ascii_alphanumeric() || b"-._~".contains(&b)));
        all.push(serde_json::to_string(canary).unwrap().trim_matches('"').to_owned());
        all.push(format!("{canary:?}").trim_matches('"').to_owned());
        all.push(canary.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect());
        all.push(canary.bytes().map(|b| format!("{b:02x}")).collect());
        // As the bytes of a `Vec` are shown.
        all.push(format!("{:?}", canary.as_bytes()).trim_matches(['[', ']']).to_owned());
    }
    all.push(STANDARD.encode(format!("{APP_KEY}:{SECRET}")));
    all
}

fn percent(text: &str, plain: impl Fn(u8) -> bool) -> String {
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

fn assert_silent(what: &str, text: &str) {
    for spelling in spellings() {
        assert!(!text.contains(&spelling), "{what} tells {spelling:?}:\n{text}");
    }
}

/// What can be printed of an error and all its sources.
fn in_full(error: &(dyn Error + 'static)) -> String {
    let chain = std::iter::successors(Some(error), |&error| error.source());
    chain.map(|error| format!("{error} {error:?} {error:#?}\n")).collect()
}

fn shown(value: &impl Debug) -> String {
    format!("{value:?} {value:#?}")
}

fn credentials() -> Credentials {
    Credentials::new(APP_KEY, SECRET).unwrap()
}

#[test]
fn the_spellings_find_what_hides() {
    for hidden in [
        format!("Authorization: Basic {}", STANDARD.encode(format!("{APP_KEY}:{SECRET}"))),
        serde_json::json!({ "token": TOKEN }).to_string(),
        shown(&Bytes::from_static(TOKEN.as_bytes())),
        shown(&TOKEN),
        format!("phone={PHONE}"),
        percent(CAPTCHA, |b| b.is_ascii_alphanumeric()),
    ] {
        let found = std::panic::catch_unwind(|| assert_silent("a test", &hidden));
        assert!(found.is_err(), "{hidden}");
    }
}

#[test]
fn values_do_not_show_what_they_hold() {
    let phone = Phone::parse(PHONE).unwrap();
    for check in [
        Check::number(TOKEN, phone).with_ip([8, 8, 8, 8].into()),
        Check::captcha(CAPTCHA),
        Check::one_tap(LOGIN_TOKEN),
        Check::risk(phone),
    ] {
        assert_silent("a check", &shown(&check));
        assert_silent("a question", &shown(check.question()));
        if let Question::Number { token, phone, .. } = check.question() {
            assert_silent("parts of a question", &format!("{token:?} {phone:?} {}", phone.masked()));
        }
        let verdict = Verdict::new(check.kind(), tower_jverify::Class::Passed).with_phone(phone);
        assert_silent("a verdict", &shown(&verdict));
    }
    let verified = tower_jverify::Verified::for_test(phone);
    assert_silent("an extractor", &shown(&verified));
    assert_silent("a decision", &shown(&verified.into_decision()));
    assert_silent("credentials", &shown(&credentials()));
    let error = PHONE.replace('1', "2").parse::<Phone>().unwrap_err();
    assert!(!in_full(&error).contains(&PHONE.replace('1', "2")), "{error}");
}

#[test]
fn settings_do_not_show_secrets() {
    let jpush = || JPush::builder(credentials());
    assert_silent("a client's builder", &shown(&jpush()));
    let client = jpush().one_tap_key(&Sandbox::one_tap_key_pem()).build().unwrap();
    assert_silent("a client", &shown(&client));
    let builder = || JVerifyLayer::builder(client.clone()).rule(Rule::post("/login", number()));
    assert_silent("a builder", &shown(&builder()));
    let layer = builder().build().unwrap();
    assert_silent("a layer", &shown(&layer));
    assert_silent("a service", &shown(&layer.layer(())));

    for error in [
        Credentials::new(APP_KEY, format!("{SECRET}\n")).unwrap_err(),
        Credentials::new("", SECRET).unwrap_err(),
        jpush().base_url(&format!("https://{SECRET}@jpush.cn")).build().unwrap_err(),
        jpush().base_url(&format!("https://jpush.cn?{SECRET}")).build().unwrap_err(),
        jpush().one_tap_key(&SECRET.into()).build().unwrap_err(),
        jpush().extra_root_pem(SECRET.as_bytes()).build().unwrap_err(),
    ] {
        assert_silent("a configuration's error", &in_full(&error));
    }
}

/// Bodies whose answers go all ways, each with all canaries in it.
fn bodies() -> Vec<String> {
    let proofs = |token: &str, captcha: &str| {
        let proofs =
            serde_json::json!({"captchaContent": captcha, "token": token, "phone": PHONE, "loginToken": LOGIN_TOKEN});
        proofs.to_string()
    };
    let label = |meaning: &str| format!("sandbox-{meaning}{}", &TOKEN[TOKEN.find('#').unwrap()..]);
    let mut all = vec![proofs(TOKEN, CAPTCHA), proofs(TOKEN, &CAPTCHA.replace("pass", "fail"))];
    for meaning in [
        "9001",
        "9002",
        "9003",
        "9005",
        "9006",
        "9007",
        "9011",
        "9012",
        "9018",
        "9099",
        "4711",
        "9000-risk-300",
        "9000-risk-600",
        "9000-risk-900",
        "9000-risk-unknown",
        "reset-9000",
        "html-9000",
        "truncated-9000",
        "redirect-9000",
        "status-500-9000",
        "hang-9000",
    ] {
        all.push(proofs(&label(meaning), CAPTCHA));
    }
    let whole = proofs(TOKEN, CAPTCHA);
    all.push(whole[..whole.len() - 1].to_owned());
    all.push(format!("{whole}{whole}"));
    all.push(whole.replacen('{', &format!("{{\"phone\":\"{PHONE}\","), 1));
    all.push(whole.replacen('{', &format!("{{\"Token\":{},", serde_json::to_string(TOKEN).unwrap()), 1));
    all.push(whole.replace(PHONE, &format!("+86 {PHONE}")));
    all.push(whole.replace(&format!("\"{PHONE}\""), &format!("[\"{PHONE}\"]")));
    all.push(whole.replace("\"token\"", "\"other\""));
    all
}

fn response_in_full(response: &Response<Bytes>) -> String {
    let denial = response.extensions().get::<Denial>();
    format!("{response:?} {denial:?} {denial:#?} {}", String::from_utf8_lossy(response.body()))
}

/// Sends everything through a layer, and looks at the answer.
async fn try_all<S, B>(service: S)
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>, Error: Debug> + Clone,
    B: http_body::Body<Data = Bytes, Error: Debug>,
{
    let forms = [format!("token={}&phone={PHONE}&phone={PHONE}", percent(TOKEN, |b| b.is_ascii_alphanumeric()))];
    let requests = bodies().into_iter().flat_map(|body| {
        ["/login", "/register", "/tap", "/risk", "/open", "/login%2F"].map(|path| post_json(path, body.clone()))
    });
    let form = |body: &String| {
        let mut request = post_json("/login", body.clone());
        request.headers_mut().insert("content-type", "application/x-www-form-urlencoded".parse().unwrap());
        request
    };
    let query =
        post_json(&format!("/login?phone={PHONE}&token={}", percent(TOKEN, |b| b.is_ascii_alphanumeric())), "{}");
    let mut grpc = post_json("/login", bodies().remove(0));
    grpc.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
    // Proofs in the head, one of them well-formed.
    let heads = ["sandbox-9001#canary/token+7f3x", TOKEN].map(|token| {
        let mut request = post_json(&format!("/head?phone={PHONE}"), "");
        request.headers_mut().insert("x-token", HeaderValue::from_bytes(token.as_bytes()).unwrap());
        request
    });
    for request in requests.chain(forms.iter().map(form)).chain([query, grpc]).chain(heads) {
        let shown = request.uri().path().to_owned();
        let (parts, body) = service.clone().oneshot(request).await.unwrap().into_parts();
        let response = Response::from_parts(parts, body.collect().await.unwrap().to_bytes());
        assert_silent(&shown, &response_in_full(&response));
    }
}

fn guard<V>(verifier: V) -> JVerifyLayer<V>
where
    V: Service<Check, Response = Verdict, Future: Send, Error: Into<BoxError>> + Clone + Send + Sync + 'static,
{
    JVerifyLayer::builder(verifier)
        .rule(Rule::post("/login", number()))
        .rule(Rule::post("/register", captcha().then(number())))
        .rule(Rule::post("/tap", one_tap()))
        .rule(Rule::post("/head", number().token(Field::header("x-token")).phone(Field::query("phone"))))
        .rule(Rule::post("/risk", number().with_risk()))
        .rule(Rule::post("/open", number()).policy(Policy::default().on(Class::Unavailable, Fallback::Open)))
        .build()
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn no_path_reveals_a_canary_with_every_crate_at_trace() {
    let (log, _listening) = Log::listen();
    let (sandbox, application) = (Sandbox::new(), Application::default());
    let client = JPush::builder(credentials()).transport(sandbox.clone()).one_tap_key(&Sandbox::one_tap_key_pem());
    let service = guard(client.build().unwrap()).layer(application.clone());
    try_all(service.clone()).await;
    // Texts of the vendor, and of an impostor in its place.
    for reply in [
        format!(r#"{{"code":9001,"content":"{CONTENT}","reason":"{CONTENT}"}}"#),
        format!(
            r#"{{"code":9000,"content":"{CONTENT}","riskCheck":{{"code":0,"content":"{CONTENT}","score":300,"tags":["{TAG}"]}}}}"#
        ),
        format!(r#"{{"code":4711,"content":"{CONTENT}"}}"#),
        format!(r#"{{"code":"{CONTENT}"}}"#),
        format!(r#"{{"code":9000,"exID":"{CONTENT}"}}"#),
        format!(r#"{{"code":9000,"{CONTENT}"#),
        CONTENT.to_owned(),
    ] {
        sandbox.fault(Fault::Garbage(reply.into()));
        try_all(service.clone()).await;
    }
    for fault in [Fault::Refuse, Fault::Reset, Fault::Hang] {
        sandbox.fault(fault);
        try_all(service.clone()).await;
    }
    assert!(application.runs() > 0, "some of it passed");
    let decision = application.last().parts.extensions.get::<Decision>().cloned().unwrap();
    assert_silent("a decision", &shown(&decision));
    let text = log.text();
    assert!(text.contains("139****4321") && text.contains("ERROR"), "the log heard nothing");
    assert_silent("the log", &text);
}

/// The real transport, hyper and all, against a sandbox on a socket.
#[tokio::test]
async fn the_real_transport_reveals_no_canary_either() {
    let (log, _listening) = Log::listen();
    let sandbox = Sandbox::new();
    let vendor = serve(sandbox.clone()).await;
    let client = JPush::builder(credentials()).base_url(&format!("http://{vendor}"));
    // The canaries contain what no carrier's token does.
    let client = client.one_tap_key(&Sandbox::one_tap_key_pem()).proof_bytes(b' '..=b'~').proof_bytes(0x80..=0xff);
    let client = client.build().unwrap();
    let application = Application::default();
    let service = guard(client.clone()).layer(application.clone());
    for body in bodies().into_iter().filter(|body| !body.contains("hang")) {
        let (parts, body) = service.clone().oneshot(post_json("/register", body)).await.unwrap().into_parts();
        let response = Response::from_parts(parts, body.collect().await.unwrap().to_bytes());
        assert_silent("a response", &response_in_full(&response));
    }
    assert!(application.runs() > 0 && !sandbox.calls().is_empty());

    // Errors of calls, with their sources: an answer that cannot be read, a broken connection, and a refused connection.
    let phone = Phone::parse(PHONE).unwrap();
    let nobody = JPush::builder(credentials())
        .proof_bytes(b' '..=b'~')
        .proof_bytes(0x80..=0xff)
        .base_url("http://127.0.0.1:1")
        .build()
        .unwrap();
    let garbage = format!("{{\"code\":\"{CONTENT}\"}}");
    for (client, fault) in [
        (&client, Some(Fault::Garbage(garbage.into()))),
        (&client, Some(Fault::Reset)),
        (&client, Some(Fault::Html)),
        (&client, Some(Fault::Truncated)),
        (&nobody, None),
    ] {
        sandbox.fault(fault);
        let error = client.ask(Check::number(TOKEN, phone)).await.unwrap_err();
        assert_silent("an error", &in_full(&error));
    }
    let text = log.text();
    assert!(text.contains("hyper"), "hyper was not heard:\n{text}");
    assert_silent("the log", &text);
}

#[tokio::test]
async fn a_panic_of_the_users_is_answered_without_a_word_of_it() {
    let (log, _listening) = Log::listen();
    let client = JPush::builder(credentials()).transport(Sandbox::new()).build().unwrap();
    let layer = JVerifyLayer::builder(client)
        .rule(Rule::post("/login", number()).client_ip(ClientIp::from_fn(|_| panic!("{CONTENT}"))))
        .rule(Rule::post("/respond", number()).respond(|_, _| -> Response<Bytes> { panic!("{CONTENT}") }))
        .build()
        .unwrap();
    for path in ["/login", "/respond"] {
        for body in bodies() {
            let response = crate::support::send(&layer, &Application::default(), post_json(path, body)).await;
            assert_silent(path, &response_in_full(&response));
        }
    }
    assert_silent("the log", &log.text());
}
