//! A query next to a proof in the body contains no second proof for any reader. A proof in a query is read as other readers read
//! it.
#![no_main]

use std::{borrow::Cow, sync::LazyLock};

use bytes::Bytes;
use http::{Request, uri::PathAndQuery};
use http_body_util::Full;
use libfuzzer_sys::fuzz_target;
use tower_jverify::{Class, Field, JVerifyLayer, Rule, number};
use tower_jverify_fuzz::{LOGIN, Verifier, guarding, names::READINGS, send};

static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| Verifier::of_class(Class::Passed));
static LAYER: LazyLock<JVerifyLayer<Verifier>> = LazyLock::new(|| {
    let in_query = number().token(Field::query("token")).phone(Field::query("phone"));
    guarding(&VERIFIER, [Rule::post("/login", number()), Rule::post("/query", in_query)])
});

fuzz_target!(|query: &[u8]| {
    for path in ["/login", "/query"] {
        let target = [path.as_bytes(), b"?", query].concat();
        let Ok(target) = PathAndQuery::try_from(target.as_slice()) else { return };
        let Some(query) = target.query().map(str::to_owned) else { return };
        if target.path() != path {
            return;
        }
        let request = Request::post(http::Uri::from(target)).header("content-type", "application/json");
        let body = Full::new(Bytes::from_static(LOGIN.as_bytes()));
        let Ok(request) = request.body(if path == "/login" { body } else { Full::default() }) else { return };
        let Some(asked) = send(&LAYER, &VERIFIER, request).accepted() else { continue };

        // With the question mark that some leave out, without; with semicolons as separators, and not.
        let stripped = query.trim_start_matches('?');
        for query in [Cow::from(&*query), stripped.into(), stripped.replace(';', "&").into()] {
            let pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
            for (name, value) in [("token", &asked.token), ("phone", &asked.phone)] {
                let expected = if path == "/query" { vec![value] } else { vec![] };
                for read in READINGS {
                    let found = pairs.iter().filter(|(key, _)| read(key) == name);
                    assert!(found.map(|(_, value)| value.as_ref()).eq(expected.iter().copied()), "{name} in {query}");
                }
            }
        }
    }
});
