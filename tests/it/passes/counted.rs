//! `jverify_passes_total`: each pass that is issued, accepted or refused.

use serde_json::json;
use tower_jverify::DenialReason;

use super::{Desk, PHONE, captcha_content, login, passes, solved};
use crate::telemetry::metrics::Recorded;

fn counted(recorded: &Recorded) -> [i64; 3] {
    let counted = recorded.counted();
    let of = |event: &str| counted.get(&format!("jverify_passes_total{{event={event}}}")).copied().unwrap_or_default();
    ["issued", "accepted", "refused"].map(of)
}

#[tokio::test]
async fn what_is_issued_accepted_and_refused_is_counted_once() {
    let (desk, recorded) = Recorded::around(Desk::new);
    let pass = desk.earned().await;
    assert_eq!(counted(&recorded), [1, 0, 0]);
    desk.refuses("no.pass.at-all", &solved(), DenialReason::PassInvalid, "not a pass").await;
    assert_eq!(counted(&recorded), [1, 0, 1]);
    assert_eq!(desk.by_pass(&pass, &solved()).await.status(), 200);
    assert_eq!(counted(&recorded), [1, 1, 1]);
    desk.refuses(&pass, &solved(), DenialReason::PassUsed, "again").await;
    assert_eq!(counted(&recorded), [1, 1, 2]);
    assert_eq!(recorded.counted().get("jverify_saved_checks_total{by=pass}"), Some(&1));
    // A request with a token leaves its pass unread.
    let fresh = json!({"token": "100 fresh", "phone": PHONE, "captchaContent": captcha_content()});
    assert_eq!(desk.by_pass(&pass, &fresh).await.status(), 200);
    assert_eq!(counted(&recorded), [1, 1, 2]);
}

#[tokio::test]
async fn a_pass_after_an_answer_of_the_application_is_issued_too() {
    let (desk, recorded) =
        Recorded::around(|| Desk::set(|builder| builder.passes(passes()).retry_pass([401]).rule(login())));
    desk.answers(401);
    assert_eq!(desk.login(&json!({"token": "100 t", "phone": PHONE})).await.status(), 401);
    assert_eq!(counted(&recorded), [1, 0, 0]);
    desk.answers(200);
    assert_eq!(desk.login(&json!({"token": "100 u", "phone": PHONE})).await.status(), 200);
    assert_eq!(counted(&recorded), [1, 0, 0]);
}
