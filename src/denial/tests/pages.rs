//! Which clients get a page, and what it contains.

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderValue, Request};
use sha2::{Digest, Sha256};

use super::{
    super::{DenialReason, Refusal, accept, answers::Answer, locale::Locale, page},
    REASONS, answer,
};

#[test]
fn a_page_is_for_clients_that_rank_html_strictly_higher() {
    for (accepted, is_html) in [
        ("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", true),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8", true),
        ("text/html", true),
        ("TEXT/HTML", true),
        ("text/*", true),
        ("text/html;charset=utf-8", true),
        ("text/html; charset=\"UTF-8\" ; q=0.5", true),
        ("application/json;q=0.9, text/html", true),
        ("text/html;q=0.001", true),
        ("text/html;q=0.801, */*;q=0.8", true),
        (",, text/html ,", true),
        ("text/html;;q=1", true),
        ("text/html;q=1;level=1", true),
        ("text/plain;x=\"a,b;c\\\"\", text/html", true),
        ("*/*, application/*;q=0.1", true),
        // Ranked as high, or lower.
        ("", false),
        ("*/*", false),
        ("application/json", false),
        ("application/problem+json", false),
        ("text/html, application/json", false),
        ("text/html, application/problem+json", false),
        ("text/html, */*", false),
        ("text/html;q=0.8, */*;q=0.8", false),
        ("text/html;q=0.9, application/json", false),
        ("text/html;q=0.5, application/*", false),
        ("text/html;q=0", false),
        ("text/html;q=0, */*;q=0.1", false),
        ("text/*, text/html;q=0", false),
        ("text/html;level=1", false),
        ("application/xhtml+xml", false),
        // Not readable.
        ("text/html;q=1.001", false),
        ("text/html;q=2", false),
        ("text/html;q=-1", false),
        ("text/html;q=", false),
        ("text/html;q=0.1234", false),
        ("text/html;q=1;q=0.5", false),
        ("text/html;q=\"1", false),
        ("text/html q=1", false),
        ("text", false),
        ("text/", false),
        ("/html", false),
        ("*/html", false),
        ("text/html, ???", false),
        ("text/html, (*/*)", false),
        ("text/html; level", false),
        ("text/html, é", false),
        ("garbage", false),
    ] {
        let request = Request::builder().header("accept", HeaderValue::from_bytes(accepted.as_bytes()).unwrap());
        let (parts, ()) = request.body(()).unwrap().into_parts();
        assert_eq!(accept::prefers_html(&parts.headers), is_html, "{accepted}");
    }
    // Two lines are one list.
    let both =
        answer(&[("accept", "text/html"), ("accept", "application/json")], Refusal::new(DenialReason::ProofMissing));
    assert_eq!(both.headers()["content-type"], "application/problem+json");
}

#[test]
fn a_grpc_call_never_gets_a_page() {
    for media in
        ["application/grpc", "application/grpc+proto", "application/grpc-web", "application/grpc-web-text+proto"]
    {
        let answer =
            answer(&[("content-type", media), ("accept", "text/html")], Refusal::new(DenialReason::ProofMissing));
        assert!(!answer.headers()["content-type"].as_bytes().starts_with(b"text/html"), "{media}");
    }
}

#[test]
fn the_built_in_page_is_small_and_its_policy_has_the_hash_of_its_style() {
    let template = include_str!("../page.html");
    let style = template.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
    let hash = BASE64_STANDARD.encode(Sha256::digest(style));
    for accept_language in ["en", "zh"] {
        for reason in REASONS {
            let headers = [("accept", "text/html"), ("accept-language", accept_language)];
            let answer = answer(&headers, Refusal::new(reason).with_retry_after(std::time::Duration::MAX));
            let policy = format!("default-src 'none'; style-src 'sha256-{hash}'");
            assert_eq!(answer.headers()["content-security-policy"], policy);
            assert_eq!(answer.headers()["content-type"], "text/html; charset=utf-8");
            let page = std::str::from_utf8(answer.body()).unwrap();
            assert!(page.len() <= 6 * 1024 && page.contains(style), "{reason:?}: {}", page.len());
            assert!(!page.contains("<script") && page.matches("<h1>").count() == 1, "{page}");
            let tag = if accept_language == "zh" { Locale::Chinese.tag() } else { "en" };
            assert!(page.contains(&format!("<html lang=\"{tag}\">")), "{page}");
            assert_eq!(answer.headers()["content-language"], tag);
            assert!(!page.contains("{title}") && !page.contains("{next}"), "{page}");
        }
    }
}

#[test]
fn a_slot_is_replaced_by_a_text_that_is_escaped() {
    let mut html = String::new();
    page::escape("<b onclick='x'>\"&amp;</b>", &mut html);
    assert_eq!(html, "&lt;b onclick=&#39;x&#39;&gt;&quot;&amp;amp;&lt;/b&gt;");
    // Each slot of the page is.
    let answer = Answer { english: "<i>&\"", code: "<u>", ..DenialReason::ProofMissing.answer() };
    let shown = page::Shown { answer, locale: Locale::English, retry_after: None };
    let page = page::Page::built_in().render(&shown);
    assert_eq!((page.matches("&lt;i&gt;&amp;&quot;").count(), page.matches("&lt;u&gt;").count()), (2, 1), "{page}");
    assert!(!page.contains("<i>") && !page.contains("<u>"), "{page}");
}
