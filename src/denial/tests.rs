mod pages;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};

use super::{Answering, Audience, Denial, DenialReason, Refusal, Respond, Settings, answers::Answer};
use crate::{
    check_kind::CheckKind,
    verdict::{Class, Verdict},
};

fn answer(headers: &[(&str, &str)], refusal: Refusal) -> Response<Bytes> {
    answer_with(headers, &refusal, None)
}

fn answer_with(headers: &[(&str, &str)], refusal: &Refusal, respond: Option<&Respond>) -> Response<Bytes> {
    let mut request = Request::builder();
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let settings = Arc::new(Settings::new(respond.cloned(), None, None, None).unwrap());
    match Audience::of(&parts, true, &settings).refuse(refusal, &parts) {
        Answering::Ready(response) => response,
        Answering::Waiting(_) => panic!("no closure here returns a future"),
    }
}

fn of_class(class: Class) -> Refusal {
    Refusal::of_verdict(&Verdict::new(CheckKind::Number, class))
}

/// Every reason. A new one does not compile until [`is_listed`] has it: add it here too.
const REASONS: [DenialReason; 39] = [
    DenialReason::Verdict(Class::Passed),
    DenialReason::Verdict(Class::Rejected),
    DenialReason::Verdict(Class::Stale),
    DenialReason::Verdict(Class::Inconclusive),
    DenialReason::Verdict(Class::Throttled),
    DenialReason::Verdict(Class::Quota),
    DenialReason::Verdict(Class::Account),
    DenialReason::Verdict(Class::Misconfigured),
    DenialReason::Verdict(Class::Invalid),
    DenialReason::Verdict(Class::Unavailable),
    DenialReason::Verdict(Class::Unreadable),
    DenialReason::Verdict(Class::Unknown),
    DenialReason::Mismatch,
    DenialReason::CaptchaUnbound,
    DenialReason::RiskTooHigh,
    DenialReason::CaptchaRequired,
    DenialReason::ProofMissing,
    DenialReason::ProofMalformed,
    DenialReason::BodyMalformed,
    DenialReason::PathAmbiguous,
    DenialReason::MethodNotAllowed,
    DenialReason::PreflightRefused,
    DenialReason::Upgrade,
    DenialReason::BodyTooLarge,
    DenialReason::BodyTimeout,
    DenialReason::UnsupportedMediaType,
    DenialReason::UnsupportedEncoding,
    DenialReason::Replayed,
    DenialReason::PassInvalid,
    DenialReason::PassExpired,
    DenialReason::PassUsed,
    DenialReason::BreakerOpen,
    DenialReason::StoreDown,
    DenialReason::RateLimited,
    DenialReason::AccountLimited,
    DenialReason::Budget,
    DenialReason::Overloaded,
    DenialReason::DeadlineExceeded,
    DenialReason::Panicked,
];

#[test]
fn every_class_has_its_answer() {
    for (class, status, code, grpc) in [
        (Class::Rejected, 403, "verification_failed", 7),
        (Class::Inconclusive, 403, "verification_failed", 7),
        (Class::Stale, 403, "proof_expired", 7),
        (Class::Invalid, 400, "proof_malformed", 3),
        (Class::Throttled, 429, "throttled", 8),
        (Class::Quota, 503, "verification_unavailable", 14),
        (Class::Account, 503, "verification_unavailable", 14),
        (Class::Misconfigured, 503, "verification_unavailable", 14),
        (Class::Unavailable, 503, "verification_unavailable", 14),
        (Class::Unreadable, 503, "verification_unavailable", 14),
        (Class::Unknown, 503, "verification_unavailable", 14),
    ] {
        let response = answer(&[], of_class(class));
        let denial = response.extensions().get::<Denial>().unwrap();
        assert_eq!((response.status().as_u16(), denial.code(), denial.grpc_code()), (status, code, grpc), "{class}");
    }
}

#[test]
fn every_other_reason_has_its_answer() {
    use DenialReason as Is;
    for (reason, status, code, grpc) in [
        (Is::Mismatch, 403, "verification_failed", 7),
        (Is::CaptchaUnbound, 403, "verification_failed", 7),
        (Is::RiskTooHigh, 403, "verification_failed", 7),
        (Is::CaptchaRequired, 403, "captcha_required", 7),
        (Is::PassInvalid, 403, "proof_expired", 7),
        (Is::PassExpired, 403, "proof_expired", 7),
        (Is::PassUsed, 403, "proof_expired", 7),
        (Is::ProofMissing, 400, "proof_missing", 3),
        (Is::ProofMalformed, 400, "proof_malformed", 3),
        (Is::BodyMalformed, 400, "body_malformed", 3),
        (Is::PathAmbiguous, 400, "path_ambiguous", 3),
        (Is::MethodNotAllowed, 405, "method_not_allowed", 12),
        (Is::Upgrade, 400, "upgrade_refused", 3),
        (Is::BodyTooLarge, 413, "body_too_large", 3),
        (Is::BodyTimeout, 408, "body_timeout", 4),
        (Is::UnsupportedMediaType, 415, "unsupported_media_type", 3),
        (Is::UnsupportedEncoding, 415, "unsupported_encoding", 3),
        (Is::Replayed, 403, "proof_expired", 7),
        (Is::BreakerOpen, 503, "verification_unavailable", 14),
        (Is::StoreDown, 503, "verification_unavailable", 14),
        (Is::RateLimited, 429, "throttled", 8),
        (Is::AccountLimited, 503, "verification_unavailable", 14),
        (Is::Budget, 503, "verification_unavailable", 14),
        (Is::Overloaded, 503, "verification_unavailable", 14),
        (Is::DeadlineExceeded, 503, "verification_unavailable", 4),
        (Is::Panicked, 503, "verification_unavailable", 14),
    ] {
        let response = answer(&[], Refusal::new(reason));
        let denial = response.extensions().get::<Denial>().unwrap();
        assert_eq!((response.status().as_u16(), denial.code(), denial.grpc_code()), (status, code, grpc), "{reason:?}");
        let trailers = answer(&[("content-type", "application/grpc")], Refusal::new(reason));
        assert_eq!(trailers.headers()["grpc-status"], grpc.to_string(), "{reason:?}");
    }
}

#[test]
fn every_code_has_a_distinct_title_in_both_languages() {
    let mut titles: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
    for answer in answers() {
        let known = titles.insert(answer.code, (answer.english, answer.chinese));
        assert!(known.is_none_or(|known| known == (answer.english, answer.chinese)), "{}", answer.code);
        assert!(answer.english.is_ascii() && !answer.chinese.is_ascii(), "{}", answer.code);
    }
    let english: BTreeSet<&str> = titles.values().map(|titles| titles.0).collect();
    let chinese: BTreeSet<&str> = titles.values().map(|titles| titles.1).collect();
    assert_eq!((english.len(), chinese.len()), (titles.len(), titles.len()), "two codes share a title");
}

#[test]
fn the_tables_of_the_documentation_are_the_table() {
    let rows: BTreeSet<String> = answers().iter().map(row).collect();
    for (name, text) in [
        ("README.md", include_str!("../../README.md")),
        ("README.zh-CN.md", include_str!("../../README.zh-CN.md")),
        ("DenialReason", include_str!("reason.rs")),
    ] {
        let text = text.replace('、', ", ");
        let lines = text.lines().map(|line| line.trim_start_matches("/// "));
        let table = lines.skip_while(|line| !(line.starts_with('|') && line.contains("| `code` |")));
        let table: Vec<&str> = table.skip(2).take_while(|line| line.starts_with('|')).collect();
        // Without the first column, which names the reason.
        let listed: BTreeSet<String> =
            table.iter().filter_map(|line| Some(line.splitn(3, '|').nth(2)?.trim().to_owned())).collect();
        assert_eq!(listed, rows, "{name}");
        assert_eq!(table.len(), rows.len(), "{name}: a line twice");
    }
}

#[test]
fn every_code_has_a_heading_in_the_page_to_which_its_type_can_point() {
    let page = include_str!("../../docs/answers.md");
    let mut described = BTreeSet::new();
    for section in page.split("\n### ").skip(1) {
        let mut lines = section.lines();
        let code = lines.next().unwrap().trim_matches('`');
        let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
        let (answers, text) = lines.split_at(lines.iter().take_while(|line| line.contains(", gRPC ")).count());
        assert!(!answers.is_empty() && !text.is_empty(), "{code}");
        described.extend(answers.iter().map(|line| format!("{code}: {line}")));
    }
    let listed = answers().into_iter().map(|answer| {
        let numbers = [answer.status.as_u16().to_string(), format!("gRPC {}", answer.grpc_code)];
        let steps = answer.next.iter().map(|step| format!("`{step}`"));
        format!("{}: {}", answer.code, numbers.into_iter().chain(steps).collect::<Vec<_>>().join(", "))
    });
    assert_eq!(described, listed.collect());
}

#[test]
fn the_documents_that_the_pages_show_are_answers() {
    for (page, kind, class) in [
        (include_str!("../../docs/answers.md"), "```json\n", Class::Throttled),
        (include_str!("../../README.md"), "```http\n", Class::Rejected),
        (include_str!("../../README.zh-CN.md"), "```http\n", Class::Rejected),
    ] {
        let (block, _) = page.split_once(kind).unwrap().1.split_once("```").unwrap();
        let shown = block.lines().last().unwrap();
        assert_eq!(std::str::from_utf8(answer(&[], of_class(class)).body()).unwrap(), shown);
    }
}

/// All different answers.
fn answers() -> Vec<Answer> {
    let mut answers: Vec<Answer> = Vec::new();
    for answer in REASONS.map(DenialReason::answer).into_iter().chain([Answer::RISK_TOO_HIGH]) {
        if !answers.contains(&answer) {
            answers.push(answer);
        }
    }
    answers
}

/// The columns of an answer.
fn row(answer: &Answer) -> String {
    let next: Vec<String> = answer.next.iter().map(|step| format!("`{step}`")).collect();
    let next = if next.is_empty() { "|".to_owned() } else { format!("{} |", next.join(", ")) };
    format!("{} | `{}` | {} | {next}", answer.status.as_u16(), answer.code, answer.grpc_code)
}

#[test]
fn the_list_of_reasons_is_complete() {
    let words: BTreeSet<String> = REASONS.iter().map(|reason| format!("{reason:?}")).collect();
    assert_eq!(words.len(), REASONS.len(), "a reason twice");
    assert!(REASONS.into_iter().all(is_listed));
}

/// No wildcard: what is new must be named here.
fn is_listed(reason: DenialReason) -> bool {
    use DenialReason as Is;
    match reason {
        Is::Verdict(
            Class::Passed
            | Class::Rejected
            | Class::Stale
            | Class::Inconclusive
            | Class::Throttled
            | Class::Quota
            | Class::Account
            | Class::Misconfigured
            | Class::Invalid
            | Class::Unavailable
            | Class::Unreadable
            | Class::Unknown,
        )
        | Is::Mismatch
        | Is::CaptchaUnbound
        | Is::RiskTooHigh
        | Is::CaptchaRequired
        | Is::ProofMissing
        | Is::ProofMalformed
        | Is::BodyMalformed
        | Is::PathAmbiguous
        | Is::MethodNotAllowed
        | Is::PreflightRefused
        | Is::Upgrade
        | Is::BodyTooLarge
        | Is::BodyTimeout
        | Is::UnsupportedMediaType
        | Is::UnsupportedEncoding
        | Is::Replayed
        | Is::PassInvalid
        | Is::PassExpired
        | Is::PassUsed
        | Is::BreakerOpen
        | Is::StoreDown
        | Is::RateLimited
        | Is::AccountLimited
        | Is::Budget
        | Is::Overloaded
        | Is::DeadlineExceeded
        | Is::Panicked => REASONS.contains(&reason),
    }
}

#[test]
fn a_problem_is_json_that_is_not_cached() {
    let response = answer(&[], Refusal::new(DenialReason::CaptchaRequired));
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    assert_eq!(response.headers()["cache-control"], "no-store");
    let problem: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
    assert_eq!(problem["status"], 403);
    assert_eq!(problem["code"], "captcha_required");
    assert_eq!(problem["next"], serde_json::json!(["captcha"]));
}

#[test]
fn a_grpc_call_gets_trailers_only() {
    let response = answer(
        &[("content-type", "application/grpc+proto"), ("accept-language", "zh")],
        Refusal::new(DenialReason::Overloaded),
    );
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "application/grpc+proto");
    assert_eq!(response.headers()["grpc-status"], "14");
    assert!(response.headers()["grpc-message"].to_str().unwrap().starts_with("verification_unavailable: %E9"));
    assert!(response.body().is_empty());
}

#[test]
fn a_grpc_web_request_gets_the_http_status_of_its_refusal() {
    let refusal = || of_class(Class::Rejected);
    let web = answer(&[("content-type", "application/grpc-web+proto")], refusal());
    assert_eq!(web.status(), StatusCode::FORBIDDEN);
}

#[test]
fn the_title_speaks_the_clients_language() {
    for (accepted, chinese) in [
        ("zh-CN,zh;q=0.9,en;q=0.8", true),
        ("zh_CN", true),
        ("zh_Hans_CN, en;q=0.5", true),
        ("en_US, zh_CN;q=0.5", false),
        ("en;q=0.5, zh;q=0.6", true),
        ("en, zh", false),
        ("fr", false),
        ("zh;q=0", false),
        ("", false),
    ] {
        let response = answer(&[("accept-language", accepted)], of_class(Class::Rejected));
        let text = std::str::from_utf8(response.body()).unwrap();
        assert_eq!(text.contains("验证未通过"), chinese, "{accepted}");
    }
}

#[test]
fn throttling_says_for_how_long() {
    let throttled = || Verdict::new(CheckKind::Number, Class::Throttled);
    assert_eq!(answer(&[], Refusal::of_verdict(&throttled())).headers()["retry-after"], "30");
    let for_an_hour = throttled().with_retry_after(3600);
    assert_eq!(answer(&[], Refusal::of_verdict(&for_an_hour)).headers()["retry-after"], "3600");
}

#[test]
fn a_risk_is_disclosed_only_if_the_policy_says_so() {
    let risk = || Refusal::new(DenialReason::RiskTooHigh);
    let code = |response: &Response<Bytes>| response.extensions().get::<Denial>().unwrap().code();
    assert_eq!(code(&answer(&[], risk())), "verification_failed");
    assert_eq!(code(&answer(&[], risk().disclosing_risk(true))), "risk_too_high");
}

#[test]
fn a_closure_of_the_users_that_panics_is_answered_for() {
    let panics = Respond::now(|_, _| -> Response<Bytes> { panic!("a bug of the user's") });
    let response = answer_with(&[], &Refusal::new(DenialReason::ProofMissing), Some(&panics));
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.extensions().get::<Denial>().unwrap().reason(), DenialReason::ProofMissing);
}
