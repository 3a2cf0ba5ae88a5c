//! `build()` rejects settings of gRPC that contradict each other.

use tower_jverify::{Field, Media, Rule, captcha, number};

use super::{LOGIN, LoginRequest, by_numbers, call, frame, good, rule};
use crate::support::{Guarded, Verifier, builder};
use prost::Message;

fn problem(rule: Rule) -> &'static str {
    builder(&Verifier::passing()).rule(rule).build().unwrap_err().setting()
}

#[test]
fn fields_that_no_accepted_type_can_hold_are_an_error() {
    let of = |token: &str, phone: &str| number().token(Field::body(token)).phone(Field::body(phone));
    for (token, phone) in [
        ("/token", "/phone"),
        ("/1", "/phone"),
        ("/0", "/2"),
        ("/01", "/2"),
        ("/19000", "/2"),
        ("/536870912", "/2"),
        ("/1/x", "/2"),
    ] {
        assert_eq!(problem(Rule::post(LOGIN, of(token, phone)).accept([Media::Grpc])), "accept", "{token} {phone}");
    }
    // Neither by number nor by name.
    assert_eq!(problem(Rule::post(LOGIN, of("/1", "/phone")).accept([Media::Json, Media::Grpc])), "accept");
    assert_eq!(problem(Rule::post(LOGIN, of("/1", "/1/2")).accept([Media::Grpc])), "field");
    assert_eq!(problem(Rule::post(LOGIN, of("/1", "/1")).accept([Media::Grpc])), "rule.ask");
}

#[test]
fn rules_among_which_a_value_chooses_read_a_call_alike() {
    let when = |value| Rule::post(LOGIN, by_numbers()).when(Field::body("/9"), value).accept([Media::Grpc]);
    let both = builder(&Verifier::passing()).rule(when("1").client_streaming(true)).rule(when("2")).build();
    assert_eq!(both.unwrap_err().setting(), "rule.when");
    let streaming = || builder(&Verifier::passing()).client_streaming(true);
    assert!(streaming().rule(when("1")).rule(when("2")).build().is_ok());
    let one_undoes_it = streaming().rule(when("1").client_streaming(false)).rule(when("2")).build();
    assert_eq!(one_undoes_it.unwrap_err().setting(), "rule.when");
}

#[tokio::test]
async fn a_risk_may_ask_for_a_captcha_where_the_message_has_one() {
    // The default place of a captcha is a name, which a message of numbers does not have.
    Guarded::by([rule()]).verifies(call(good()), "without a place for a captcha").await;

    let ask = number().token(Field::body("/1")).phone(Field::body("/2")).step_up_captcha(Field::body("/3"));
    Guarded::by([Rule::post(LOGIN, ask.clone()).accept([Media::Grpc])])
        .verifies(
            call(frame(&LoginRequest { devices: Vec::new(), ..LoginRequest::good() }.encode_to_vec())),
            "with one, and not used",
        )
        .await;
    let named = number().token(Field::body("/1")).phone(Field::body("/2")).step_up_captcha(Field::body("/captcha"));
    assert_eq!(problem(Rule::post(LOGIN, named).accept([Media::Grpc])), "accept");
}

#[tokio::test]
async fn a_proof_may_sit_partly_in_metadata() {
    let ask = captcha().content(Field::header("x-captcha")).then(by_numbers());
    let guarded = Guarded::by([Rule::post(LOGIN, ask).accept([Media::Grpc])]);
    let mut request = call(good());
    request.headers_mut().insert("x-captcha", "solved".parse().unwrap());
    let response = guarded.send(request).await;
    assert_eq!(response.headers().get("grpc-status"), None);
    assert_eq!(guarded.verifier.calls(), 2);
}
