//! The page for a person in a browser.

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{Request, Response, header::ACCEPT};
use http_body_util::Full;
use sha2::{Digest, Sha256};
use tower_jverify::{Class, Denial, Rule, number};

use crate::support::{Application, Guarded, LOGIN, Verifier, builder, exchange, post_json, serve};

const BROWSER: &str = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8";

const OWN: &str = "<!doctype html>\r\n<html lang=\"{lang}\"><title>{title}</title><style>\r\np{color:red}\r\n</style>\
    <STYLE media=\"print\">{title}</STYLE><body role=\"alert\"><h1 title='{title}'>{title}</h1>\
    <p>{next}|{retry_after}|{code}|{ title }|{}|{{code}}";

fn login() -> Rule {
    Rule::post("/login", number())
}

fn accepting(accept: &str, language: &str) -> Request<Full<Bytes>> {
    let mut request = post_json("/login", LOGIN);
    request.headers_mut().insert(ACCEPT, accept.parse().unwrap());
    request.headers_mut().insert("accept-language", language.parse().unwrap());
    request
}

fn refusing(class: Class, rule: Rule) -> Guarded {
    Guarded::asking(Verifier::of_class(class), |verifier| builder(verifier).rule(rule).build().unwrap())
}

fn content_type(response: &Response<Bytes>) -> &str {
    response.headers()["content-type"].to_str().unwrap()
}

#[tokio::test]
async fn a_browser_gets_a_page_and_other_clients_the_problem() {
    let guarded = refusing(Class::Rejected, login());
    for (accept, expected) in [
        (BROWSER, "text/html; charset=utf-8"),
        ("text/html", "text/html; charset=utf-8"),
        ("application/json", "application/problem+json"),
        ("*/*", "application/problem+json"),
        ("text/html, */*", "application/problem+json"),
        ("garbage", "application/problem+json"),
        ("text/html;q=0.9, garbage", "application/problem+json"),
    ] {
        let response = guarded.send(accepting(accept, "en")).await;
        assert_eq!((response.status().as_u16(), content_type(&response)), (403, expected), "{accept}");
        let headers = response.headers();
        assert_eq!(headers["vary"], "accept, accept-language", "{accept}");
        assert_eq!(headers["cache-control"], "no-store", "{accept}");
        assert_eq!(headers["x-content-type-options"], "nosniff", "{accept}");
        assert_eq!(headers.contains_key("content-security-policy"), expected.starts_with("text/html"), "{accept}");
        assert!(response.extensions().get::<Denial>().is_some());
    }
    assert_eq!(guarded.application.runs(), 0);
}

#[tokio::test]
async fn a_page_is_in_the_language_of_the_browser() {
    let guarded = refusing(Class::Throttled, login());
    for (language, lang, title, next, retry) in [
        ("en", "en", "Too many attempts.", "Wait before you try again. Go back", "after 30 seconds."),
        ("zh-CN,en;q=0.5", "zh-CN", "操作过于频繁", "请稍候再试。请返回", "30 秒后可以重试。"),
    ] {
        let response = guarded.send(accepting(BROWSER, language)).await;
        let page = std::str::from_utf8(response.body()).unwrap();
        assert!(page.contains(&format!("<html lang=\"{lang}\">")), "{page}");
        for text in [title, next, retry, "<code>throttled</code>"] {
            assert!(page.contains(text), "{text}: {page}");
        }
        assert_eq!(page.matches(title).count(), 2);
        assert_eq!(response.headers()["content-language"], lang);
        assert_eq!(response.headers()["retry-after"], "30");
    }
}

#[tokio::test]
async fn a_head_request_gets_the_headers_of_the_page_alone() {
    let layer = builder(&Verifier::passing()).rule(Rule::any_method("/login", number())).build().unwrap();
    let service = tower::Layer::layer(&layer, Application::default());
    let address = serve(service).await;
    let request = format!("HEAD /login HTTP/1.1\r\nhost: a\r\naccept: {BROWSER}\r\nconnection: close\r\n\r\n");
    let answer = exchange(address, request).await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("text/html; charset=utf-8"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn a_template_of_the_application_takes_the_place_of_the_page() {
    let guarded = refusing(Class::Throttled, login().denial_page(OWN));
    let response = guarded.send(accepting(BROWSER, "en")).await;
    let page = std::str::from_utf8(response.body()).unwrap();
    assert!(
        page.starts_with("<!doctype html>\n<html lang=\"en\"><title>Too many attempts. Please wait.</title>"),
        "{page}"
    );
    // A style is left as it is, so that its hash stays right.
    assert!(page.contains("<STYLE media=\"print\">{title}</STYLE>"), "{page}");
    assert!(page.ends_with("|You can try again after 30 seconds.|throttled|{ title }|{}|{throttled}"), "{page}");
    let policy = response.headers()["content-security-policy"].to_str().unwrap();
    let hash = |style: &str| BASE64_STANDARD.encode(Sha256::digest(style));
    let expected =
        format!("default-src 'none'; style-src 'sha256-{}' 'sha256-{}'", hash("\np{color:red}\n"), hash("{title}"));
    assert_eq!(policy, expected);
}

#[test]
fn a_template_that_is_not_a_page_is_refused() {
    let good =
        "<!doctype html><html lang=\"{lang}\"><title>{title}</title><main role=\"alert\"><h1>{title}</h1></main>";
    let build = |template: &str| {
        let on_the_layer = builder(&Verifier::passing()).rule(login()).denial_page(template).build().err();
        let on_the_rule = builder(&Verifier::passing()).rule(login().denial_page(template)).build().err();
        assert_eq!(on_the_layer.is_some(), on_the_rule.is_some());
        on_the_layer
    };
    assert_eq!(build(good), None);
    let filler = |bytes: usize| good.replace("</main>", &format!("<p>{}</p></main>", "a".repeat(bytes)));
    assert_eq!(build(&filler(5_700)), None);
    for (template, problem) in [
        (String::new(), "<!doctype html>"),
        (good.replace("<!doctype html>", ""), "<!doctype html>"),
        (good.replace("{lang}", "en"), "lang="),
        (good.replace("role=\"alert\"", ""), "role="),
        (good.replace("{title}", ""), "{title}"),
        (good.replace("h1", "h2"), "one `<h1>`"),
        (good.replace("</main>", "<h1>again</h1></main>"), "one `<h1>`"),
        (good.replace("</main>", "<SCRIPT src=a.js></SCRIPT></main>"), "script"),
        (good.replace("</main>", "{phone}</main>"), "slots"),
        (good.replace("</main>", "{{phone}}</main>"), "slots"),
        (good.replace("<main", "<style>p{}<main"), "not closed"),
        (good.replace("<main", "<style"), "not closed"),
        (filler(6_000), "at most 6144 bytes"),
    ] {
        let error = build(&template).unwrap_or_else(|| panic!("{template} was accepted"));
        assert_eq!(error.setting(), "denial_page", "{template}");
        assert!(error.to_string().contains(problem), "{error}");
    }
}
