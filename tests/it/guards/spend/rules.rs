//! The limits of a rule, and limits that are refused.

use std::time::Duration;

use tokio::time::advance;
use tower_jverify::{
    CheckKind, ClientIp, Field, ForeignBackend, Guards, JVerifyLayer, Limit, PhoneGrammar, Rate, Rule, captcha,
};

use super::{Desk, LIMITED};
use crate::guards::{MINUTE, OTHER, PHONE, from, login, outcome};
use crate::support::{Verifier, code, post_json, send};

fn sms() -> Rule {
    Rule::post("/sms", captcha()).client_ip(ClientIp::forwarded(1))
}

#[tokio::test(start_paused = true)]
async fn a_rule_limits_what_the_application_pays_for_itself() {
    let hour = Duration::from_secs(3600);
    let rule = sms()
        .limit(Limit::per_client(Rate::new(4, hour)))
        .limit(Limit::per_client_and_phone(Rate::new(2, hour), Field::body("/phone")));
    let desk = Desk::new(Guards::builder(), [rule, login()]);
    let send = async |client: &str, phone: &str| outcome(&desk.send("/sms", client, phone).await);
    assert_eq!((send("192.0.2.1", PHONE).await, send("192.0.2.1", PHONE).await), (Ok(()), Ok(())));
    assert_eq!(send("192.0.2.1", PHONE).await, LIMITED, "this phone");
    assert_eq!(send("192.0.2.2", PHONE).await, Ok(()), "another client");
    assert_eq!(send("192.0.2.1", OTHER).await, Ok(()), "another phone");
    assert_eq!(send("192.0.2.1", OTHER).await, LIMITED, "this client: the refused one has counted");
    assert_eq!(desk.verifier.kinds(), [CheckKind::Captcha; 4]);
    assert_eq!(desk.login("192.0.2.1", PHONE).await, Ok(()), "other rules are not limited by it");
    advance(hour).await;
    assert_eq!(send("192.0.2.1", PHONE).await, Ok(()));
}

#[tokio::test]
async fn a_limit_for_a_phone_reads_the_phone_with_the_rules_grammar() {
    let limit = || Limit::per_client_and_phone(Rate::new(1, MINUTE), Field::body("/phone"));
    let rule = sms().limit(limit()).phone_grammar(PhoneGrammar::lenient());
    let desk = Desk::new(Guards::builder(), [rule]);
    assert_eq!(outcome(&desk.send("/sms", "192.0.2.1", PHONE).await), Ok(()));
    for same in [format!("+86{PHONE}"), format!("86 {PHONE}")] {
        assert_eq!(outcome(&desk.send("/sms", "192.0.2.1", &same).await), LIMITED, "{same}");
    }
    for (phone, expected) in [("", "proof_missing"), ("1381234567", "proof_malformed")] {
        let refused = desk.send("/sms", "192.0.2.1", phone).await;
        assert_eq!((code(&refused), desk.verifier.calls()), (expected.into(), 1), "{phone}");
    }
    // Its name is guarded, as that of every phone.
    let layer = JVerifyLayer::builder(desk.verifier.clone()).rule(sms().limit(limit()));
    let layer = layer.foreign_backend(ForeignBackend::any()).build().unwrap();
    for body in [
        format!(r#"{{"captchaContent":"c","phone":"{PHONE}","phone":"{OTHER}"}}"#),
        format!(r#"{{"captchaContent":"c","phone":"{PHONE}","Phone":"{OTHER}"}}"#),
        format!(r#"{{"captchaContent":"c","phone":"{PHONE}","sms":{{"phone":"{OTHER}"}}}}"#),
    ] {
        let request = from("192.0.2.1", post_json("/sms", body.clone()));
        assert_eq!(send(&layer, &desk.application, request).await.status(), 400, "{body}");
    }
    assert_eq!(desk.verifier.calls(), 1);
}

#[test]
fn limits_that_can_never_hold_are_refused_with_their_names() {
    let none = Rate::new(0, MINUTE);
    for (guards, setting) in [
        (Guards::builder().per_client(none), "guards.per_client"),
        (Guards::builder().per_client_and_phone(none), "guards.per_client_and_phone"),
        (Guards::builder().per_account(none), "guards.per_account"),
        (Guards::builder().daily_budget(0), "guards.daily_budget"),
    ] {
        assert_eq!(guards.build().unwrap_err().setting(), setting);
    }
    let limit = || Limit::per_client(Rate::new(1, MINUTE));
    for rule in [Rule::post("/sms", captcha()).limit(limit()), sms().limit(Limit::per_client(none))] {
        let error = JVerifyLayer::builder(Verifier::passing()).rule(rule).build().unwrap_err();
        assert_eq!((error.setting(), error.rule()), ("rule.limit", Some("POST /sms")), "{error}");
    }
}
