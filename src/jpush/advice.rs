//! What the layer and the operator learn in addition to a verdict's class: what to do, and when to try again.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::verdict::{Class, Verdict};

/// Adds what the vendor's answer means to the operator: advice, and a time to wait.
pub(super) fn advised(verdict: Verdict) -> Verdict {
    match verdict.class() {
        Class::Throttled => {
            let seconds = throttled_for(verdict.code());
            verdict.with_retry_after(seconds)
        }
        Class::Account => verdict.with_advice(
            "JPush refuses this account: top up its balance, or enable the product in the vendor's console",
        ),
        Class::Misconfigured if matches!(verdict.code(), Some("9013" | "9015")) => {
            verdict.with_advice("something between this process and JPush rewrites requests: JPush refuses their method or media type")
        }
        // The verdict already has more specific advice.
        Class::Misconfigured if verdict.advice().is_some() => verdict,
        Class::Misconfigured => verdict.with_advice(
            "JPush refuses this set-up: check app key, master secret, the app's package and signature, and the RSA key",
        ),
        // 9007 is the app's quota of a day. The other limits end without action.
        Class::Quota if verdict.code() == Some("9007") => verdict.with_advice(
            "JPush's quota of this app is used up for today: ask the vendor to raise it",
        ),
        Class::Invalid => verdict.with_advice(
            "JPush refuses most requests as malformed: check in which fields the rules read proofs, and the version of the client's SDK",
        ),
        Class::Unknown => verdict.with_advice(
            "JPush answered with a code that is not classified: look it up, and report it to tower-jverify",
        ),
        Class::Passed
        | Class::Rejected
        | Class::Stale
        | Class::Inconclusive
        | Class::Quota
        | Class::Unavailable
        | Class::Unreadable => verdict,
    }
}

/// How many seconds JPush throttles: 30 for 9005, and until midnight in Shanghai for 9006 (vendor FAQ: 30 s between
/// submissions, and 10 per calendar day for one number).
fn throttled_for(code: Option<&str>) -> u32 {
    const DAY: u64 = 86_400;
    /// China Standard Time, without daylight saving since 1991.
    const SHANGHAI: u64 = 8 * 3600;
    if code != Some("9006") {
        return 30;
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    u32::try_from(DAY - (now + SHANGHAI) % DAY).unwrap_or(30)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CheckKind;

    #[test]
    fn throttling_says_for_how_long() {
        let of_code =
            |code: i64| advised(Verdict::new(CheckKind::Number, Class::Throttled).with_code(code)).retry_after();
        assert_eq!(of_code(9005), Some(30));
        assert!(of_code(9006).is_some_and(|until_midnight| (1..=86_400).contains(&until_midnight)));
    }

    #[test]
    fn a_class_that_an_operator_must_act_on_has_advice() {
        let of_class = |class| advised(Verdict::new(CheckKind::Number, class)).advice();
        assert!(of_class(Class::Account).is_some_and(|advice| advice.contains("balance")));
        assert!(of_class(Class::Misconfigured).is_some_and(|advice| advice.contains("secret")));
        assert!(of_class(Class::Unknown).is_some_and(|advice| advice.contains("code")));
        assert_eq!(of_class(Class::Rejected), None);
    }
}
