//! If a JSON body passes, then `serde_json` reads the same proof as the verifier got, and reads it once.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tower_jverify::{Class, JVerifyLayer};
use tower_jverify_fuzz::{Verifier, login, pairs, post, send};

static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| Verifier::of_class(Class::Passed));
static LAYER: LazyLock<JVerifyLayer<Verifier>> = LazyLock::new(|| login(&VERIFIER));

fuzz_target!(|body: &[u8]| {
    let Some(asked) = send(&LAYER, &VERIFIER, post("application/json", body)).accepted() else { return };

    let document: Value = serde_json::from_slice(body).expect("what is let in is JSON");
    let text = |name: &str| match &document[name] {
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_u64() => number.to_string(),
        other => panic!("{name} is {other}"),
    };
    assert_eq!((text("token"), text("phone")), (asked.token, asked.phone));

    let pairs = pairs(body);
    for guarded in ["token", "phone"] {
        let like = pairs.iter().filter(|(key, _)| careless(key) == guarded).count();
        assert_eq!(like, 1, "{guarded} is there in several spellings");
    }
});

/// A key as a careless parser looks it up: folded, and cut at a NUL.
fn careless(key: &str) -> String {
    let key = key.split('\0').next().unwrap_or_default();
    key.to_uppercase().to_lowercase().chars().filter(|c| !matches!(c, '_' | '-')).collect()
}
