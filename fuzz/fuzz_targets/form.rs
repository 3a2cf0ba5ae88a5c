//! If a form passes, then `form_urlencoded`, and parsers that change names as PHP and qs do, read the same proof as the verifier
//! got, and read it once.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use tower_jverify::{Class, JVerifyLayer};
use tower_jverify_fuzz::{Verifier, login, names::READINGS, post, send};

static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| Verifier::of_class(Class::Passed));
static LAYER: LazyLock<JVerifyLayer<Verifier>> = LazyLock::new(|| login(&VERIFIER));

fuzz_target!(|body: &[u8]| {
    let Some(asked) = send(&LAYER, &VERIFIER, post("application/x-www-form-urlencoded", body)).accepted() else {
        return;
    };
    // Some parsers pass the body to their query parser, which drops a `?` at the beginning.
    let stripped = body.strip_prefix(b"?").unwrap_or(body);
    let pairs: Vec<_> = form_urlencoded::parse(stripped).collect();
    for (name, value) in [("token", &asked.token), ("phone", &asked.phone)] {
        for read in READINGS {
            let found: Vec<_> = pairs.iter().filter(|(key, _)| read(key) == name).map(|(_, value)| value).collect();
            assert_eq!(found, [value], "{name}");
        }
    }

    assert!(body.split(|&byte| byte == b'&').count() <= 1000, "PHP, qs and others read no more than a thousand");
});
