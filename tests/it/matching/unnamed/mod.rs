//! In front of a foreign backend: methods that no rule of a guarded path names.

mod bare;
mod ended;
mod permitted;
mod refused;

use http::{Request, request::Builder};
use http_body_util::Empty;
use tower_jverify::{ForeignBackend, JVerifyBuilder, Rule, number};

use crate::support::{Guarded, builder};

type Bodiless = Empty<bytes::Bytes>;

fn before(backend: ForeignBackend, rules: impl IntoIterator<Item = Rule>) -> Guarded {
    Guarded::with(|verifier| {
        rules.into_iter().fold(builder(verifier), JVerifyBuilder::rule).foreign_backend(backend).build().unwrap()
    })
}

fn any(rules: impl IntoIterator<Item = Rule>) -> Guarded {
    before(ForeignBackend::any(), rules)
}

fn login() -> Rule {
    Rule::post("/login", number())
}

fn bare(method: &str, uri: &str) -> Builder {
    Request::builder().method(method).uri(uri)
}

async fn passes(guarded: &Guarded, request: Builder, what: &str) {
    guarded.leaves_alone(request.body(Bodiless::new()).unwrap(), what).await;
}

async fn refuses(guarded: &Guarded, request: Builder, expected: &str) {
    let what = format!("{request:?}");
    guarded.refuses(request.body(Bodiless::new()).unwrap(), expected, &what).await;
}
