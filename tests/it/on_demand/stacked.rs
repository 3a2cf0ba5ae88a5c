//! Several layers around one application: a request is not verified if one of them has not sent its checks.
#![allow(clippy::similar_names, reason = "a request is sent and seen")]

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use tower::{BoxError, Layer, ServiceExt, service_fn};
use tower_jverify::{
    CallError, Check, CheckKind, Class, Decision, DecisionReason, DenialReason, Fallback, JVerifyLayer, Phone, Policy,
    Prove, RequestBody, Rule, Verdict, captcha,
};

use super::rule;
use crate::support::{Application, Guarded, Seen, Verifier, builder, noticing, post_json, send_through, unchanged};

const BOTH: &str = r#"{"captchaContent":"c","token":"t","phone":"13812345678"}"#;

fn layer(rule: Rule) -> (Verifier, JVerifyLayer<Verifier>) {
    let verifier = Verifier::passing();
    let layer = builder(&verifier).rule(rule).build().unwrap();
    (verifier, layer)
}

fn captchas() -> Rule {
    Rule::post("/login", captcha())
}

/// Sends a request through two layers, with a middleware between them. Returns what reached the application.
async fn through<M>(outer: &JVerifyLayer<Verifier>, between: M, inner: &JVerifyLayer<Verifier>) -> (u16, Option<Seen>)
where
    M: Fn(Request<Full<Bytes>>) -> Request<Full<Bytes>> + Clone + Send + 'static,
{
    let application = Application::default();
    let status = send_through(outer, between, inner.layer(application.clone()), post_json("/login", BOTH)).await;
    (status, (application.runs() > 0).then(|| application.last()))
}

fn of<T: Clone + Send + Sync + 'static>(seen: &Seen) -> Option<T> {
    seen.parts.extensions.get::<T>().cloned()
}

/// The application sees `not-asked`, and no decision says otherwise.
fn assert_not_asked(seen: &Seen, what: &str) {
    let words: Vec<_> = seen.parts.headers.get_all("x-jverify-decision").iter().collect();
    assert_eq!(words, ["not-asked"], "{what}");
    let decision = of::<Decision>(seen).unwrap();
    assert!(!decision.is_verified(), "{what}");
    assert_eq!(decision.reason(), DecisionReason::NotAsked, "{what}");
}

#[tokio::test]
async fn the_same_layer_twice_asks_once_and_leaves_it_to_the_application() {
    let (verifier, layer) = layer(rule());
    let (status, seen) = through(&layer, unchanged, &layer).await;
    let seen = seen.unwrap();
    assert_eq!((status, verifier.calls()), (200, 0));
    assert_not_asked(&seen, "twice");
    let verified = of::<Prove>(&seen).unwrap().now().await.unwrap();
    assert_eq!((verifier.calls(), verified.verdicts().len()), (1, 1));
}

#[tokio::test]
async fn what_a_middleware_between_has_asked_is_not_asked_again() {
    for hands_it_on in [false, true] {
        let (verifier, layer) = layer(rule());
        let application = Application::default();
        let inner = layer.layer(application.clone());
        let middle = service_fn(move |mut request: Request<RequestBody<Full<Bytes>>>| {
            let inner = inner.clone();
            async move {
                let prove = request.extensions().get::<Prove>().cloned().ok_or("no `Prove`")?;
                let verified = prove.now().await.map_err(|_| "refused")?;
                if hands_it_on {
                    request.extensions_mut().insert(verified.into_decision());
                }
                let (parts, body) = request.into_parts();
                let body = body.collect().await.map_err(|_| "no body")?.to_bytes();
                Ok::<_, BoxError>(inner.oneshot(Request::from_parts(parts, Full::new(body))).await?)
            }
        });
        assert_eq!(layer.layer(middle).oneshot(post_json("/login", BOTH)).await.unwrap().status(), 200);
        let seen = application.last();
        if hands_it_on {
            assert!(of::<Decision>(&seen).unwrap().is_verified());
            assert_eq!(seen.parts.headers["x-jverify-decision"], "allow");
        } else {
            assert_not_asked(&seen, "asked by the middleware");
            of::<Prove>(&seen).unwrap().now().await.unwrap();
        }
        assert_eq!(verifier.calls(), 1, "{hands_it_on}");
    }
}

#[tokio::test]
async fn a_proof_that_was_changed_between_is_asked_about_as_well() {
    let (verifier, layer) = layer(rule());
    let change =
        |request: Request<Full<Bytes>>| request.map(|_| Full::from(BOTH.replace("13812345678", "13912345678")));
    let (_, seen) = through(&layer, change, &layer).await;
    let seen = seen.unwrap();
    assert_not_asked(&seen, "changed");
    let verified = of::<Prove>(&seen).unwrap().now().await.unwrap();
    assert_eq!(verifier.calls(), 2);
    assert_eq!(verified.phone(), None, "two different phones are none");
}

#[tokio::test]
async fn an_enforcing_layer_inside_still_asks_and_does_not_verify_for_the_other() {
    let ((numbers, outer), (captchas, inner)) = (layer(rule()), layer(captchas()));
    let (_, seen) = through(&outer, unchanged, &inner).await;
    let seen = seen.unwrap();
    assert_eq!((numbers.calls(), captchas.calls()), (0, 1));
    assert_not_asked(&seen, "an enforcing layer inside");
    assert!(of::<Decision>(&seen).unwrap().passed(CheckKind::Captcha));
    let verified = of::<Prove>(&seen).unwrap().now().await.unwrap();
    assert_eq!((numbers.calls(), captchas.calls()), (1, 1));
    assert!(verified.passed(CheckKind::Number) && verified.passed(CheckKind::Captcha));
    assert_eq!(verified.phone(), Phone::parse("13812345678"));
}

#[tokio::test]
async fn an_enforcing_layer_outside_does_not_verify_for_the_other() {
    let ((captchas, outer), (numbers, inner)) = (layer(captchas()), layer(rule()));
    let (_, seen) = through(&outer, unchanged, &inner).await;
    let seen = seen.unwrap();
    assert_eq!((captchas.calls(), numbers.calls()), (1, 0));
    assert_not_asked(&seen, "an enforcing layer outside");
    let verified = of::<Prove>(&seen).unwrap().now().await.unwrap();
    assert!(verified.passed(CheckKind::Number) && verified.passed(CheckKind::Captcha));
    assert_eq!((captchas.calls(), numbers.calls()), (1, 1));
}

#[tokio::test]
async fn two_layers_on_demand_are_both_asked_by_one_call() {
    let ((captchas, outer), (numbers, inner)) = (layer(captchas().on_demand()), layer(rule()));
    let (_, seen) = through(&outer, unchanged, &inner).await;
    let seen = seen.unwrap();
    assert_not_asked(&seen, "both");
    assert_eq!((captchas.calls(), numbers.calls()), (0, 0));
    let prove = of::<Prove>(&seen).unwrap();
    let (one, other) = tokio::join!(prove.now(), prove.now());
    assert_eq!(one.unwrap().verdicts().len(), 2);
    assert_eq!(other.unwrap().verdicts().len(), 2);
    assert_eq!((captchas.calls(), numbers.calls()), (1, 1));

    // The outer one refuses: the inner one is not asked.
    let refusing = Verifier::of_class(Class::Rejected);
    let outer = builder(&refusing).rule(super::rule().name("outer")).build().unwrap();
    let (numbers, inner) = layer(rule());
    let (_, seen) = through(&outer, unchanged, &inner).await;
    let refused = of::<Prove>(&seen.unwrap()).unwrap().now().await.unwrap_err();
    assert_eq!((refused.rule(), refusing.calls(), numbers.calls()), (Some("outer"), 1, 0));
}

#[tokio::test]
async fn three_layers_come_to_one_answer() {
    let kinds = [Rule::post("/login", captcha()).on_demand(), captchas(), rule()];
    let layers = kinds.map(layer);
    let application = Application::default();
    let [(one, outer), (two, middle), (three, inner)] = layers;
    let service = outer.layer(middle.layer(inner.layer(application.clone())));
    assert_eq!(service.oneshot(post_json("/login", BOTH)).await.unwrap().status(), 200);
    assert_not_asked(&application.last(), "three");
    assert_eq!([one.calls(), two.calls(), three.calls()], [0, 1, 0]);
    let verified = of::<Prove>(&application.last()).unwrap().now().await.unwrap();
    assert_eq!(verified.verdicts().len(), 3);
    assert_eq!([one.calls(), two.calls(), three.calls()], [1, 1, 1]);
}

#[tokio::test]
async fn a_prove_that_a_middleware_removes_verifies_nothing_any_more() {
    let without = |mut request: Request<Full<Bytes>>| {
        request.extensions_mut().remove::<Prove>();
        request
    };
    // The same layer inside takes the decision over, which is that nothing was asked.
    let (verifier, twice) = layer(rule());
    let (_, seen) = through(&twice, without, &twice).await;
    let seen = seen.unwrap();
    assert_not_asked(&seen, "the same layer");
    assert!(of::<Prove>(&seen).is_none());
    assert_eq!(verifier.calls(), 0);
    // Another layer asks for itself.
    let ((_, outer), (captchas, inner)) = (layer(rule()), layer(captchas()));
    let (_, seen) = through(&outer, without, &inner).await;
    assert_not_asked(&seen.unwrap(), "an enforcing layer");
    assert_eq!(captchas.calls(), 1);
    let ((_, outer), (captchas, inner)) = (layer(rule()), layer(super::stacked::captchas().on_demand()));
    let (_, seen) = through(&outer, without, &inner).await;
    let refused = of::<Prove>(&seen.unwrap()).unwrap().now().await.unwrap_err();
    assert_eq!((refused.reason(), captchas.calls()), (DenialReason::Verdict(Class::Unknown), 1));
    assert!(refused.detail().unwrap().contains("Prove"), "{refused:?}");
    // A decision that was removed as well is a request that nothing is known of.
    let forgets = |mut request: Request<Full<Bytes>>| {
        request.extensions_mut().remove::<Decision>();
        request
    };
    let (verifier, twice) = layer(rule());
    let (_, seen) = through(&twice, forgets, &twice).await;
    let seen = seen.unwrap();
    assert_not_asked(&seen, "forgotten");
    of::<Prove>(&seen).unwrap().now().await.unwrap();
    assert_eq!(verifier.calls(), 2, "each service asks its own checks");
}

#[tokio::test]
async fn what_another_layer_opened_is_not_verified() {
    let unreachable = || {
        tower::service_fn(|_: Check| async {
            Err::<Verdict, CallError>(CallError::no_connection("the verifier is down"))
        })
    };
    let opening = || noticing(unreachable()).policy(Policy::default().on(Class::Unavailable, Fallback::Open));
    for opens_inside in [false, true] {
        let opening = opening().rule(captchas()).build().unwrap();
        let (numbers, on_demand) = layer(rule());
        let application = Application::default();
        let status = if opens_inside {
            let service = on_demand.layer(opening.layer(application.clone()));
            service.oneshot(post_json("/login", BOTH)).await.unwrap().status()
        } else {
            let service = opening.layer(on_demand.layer(application.clone()));
            service.oneshot(post_json("/login", BOTH)).await.unwrap().status()
        };
        assert_eq!(status, 200);
        assert_not_asked(&application.last(), "opened");
        let prove = of::<Prove>(&application.last()).unwrap();
        assert_eq!(prove.now().await.unwrap_err().reason(), DenialReason::Verdict(Class::Unavailable));
        assert_eq!(prove.decision().await.unwrap().reason(), DecisionReason::Unavailable);
        assert_eq!(numbers.calls(), 1);
    }
}

#[tokio::test]
async fn a_layer_inside_that_guards_nothing_here_leaves_the_word_as_it_is() {
    let (_, outer) = layer(rule());
    let (_, inner) = layer(Rule::post("/elsewhere", captcha()));
    let (_, seen) = through(&outer, unchanged, &inner).await;
    assert_not_asked(&seen.unwrap(), "unmatched inside");
    let by_value = captchas().when(tower_jverify::Field::body("/kind"), "sms").otherwise_pass();
    let (_, inner) = layer(by_value);
    let (_, seen) = through(&outer, unchanged, &inner).await;
    assert_not_asked(&seen.unwrap(), "not guarded inside");
}

#[tokio::test]
async fn a_refusal_inside_of_a_rule_on_demand_is_the_layers() {
    let refusing = Verifier::of_class(Class::Rejected);
    let inner = builder(&refusing).rule(captchas()).build().unwrap();
    let guarded = Guarded::by([rule()]);
    let (status, seen) = through(&guarded.layer, unchanged, &inner).await;
    assert_eq!((status, seen.is_none(), guarded.verifier.calls()), (403, true, 0));
}
