//! A form that is let in says to `form_urlencoded` what it said to the verifier, and says it once, also to parsers that
//! bend names as PHP and qs do.
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
    // Some parsers hand the body to what reads a query, which leaves out a `?` at the beginning.
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
