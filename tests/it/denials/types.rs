//! The `type` of problem documents.

use serde_json::{Value, json};
use tower_jverify::{Rule, number};

use crate::support::{Guarded, Verifier, builder, post_json};

fn login() -> Rule {
    Rule::post("/login", number())
}

async fn problem(guarded: &Guarded, path: &str) -> Value {
    serde_json::from_slice(guarded.send(post_json(path, "{}")).await.body()).unwrap()
}

#[tokio::test]
async fn a_problem_has_no_type_unless_a_base_is_set() {
    assert_eq!(problem(&Guarded::login(), "/login").await["type"], "about:blank");
    let guarded = Guarded::with(|verifier| {
        let own = Rule::post("/own", number()).problem_types("http://own.example/");
        builder(verifier).rules([login(), own]).problem_types("https://shop.example/answers#").build().unwrap()
    });
    for (path, expected) in [
        ("/login", "https://shop.example/answers#proof_missing"),
        ("/own", "http://own.example/proof_missing"),
        ("/login%2F", "https://shop.example/answers#path_ambiguous"),
    ] {
        let problem = problem(&guarded, path).await;
        assert_eq!(problem["type"], expected, "{path}");
        assert_eq!(problem["status"], json!(400), "{path}");
    }
}

#[test]
fn a_base_to_which_no_code_can_be_added_is_refused() {
    for base in [
        "",
        "about:blank",
        "answers#",
        "/answers#",
        "//shop.example/",
        "ftp://shop.example/",
        "https://",
        "https:///",
        "https://#",
        "https://shop.example",
        "https://shop.example/answers",
        "https://shop.example/answers?code=",
        "https://shop.example/#a/#",
        "https://shop.example/a b/",
        "https://shop.example/\"/",
        "https://shop.example/\\/",
        "https://shop.example/答/",
        "https://shop.example/\n/",
        &format!("https://shop.example/{}/", "a".repeat(256)),
    ] {
        let on_the_layer = builder(&Verifier::passing()).rule(login()).problem_types(base).build().err();
        let on_the_rule = builder(&Verifier::passing()).rule(login().problem_types(base)).build().err();
        for error in [on_the_layer, on_the_rule] {
            let error = error.unwrap_or_else(|| panic!("{base:?} was accepted"));
            assert_eq!((error.setting(), error.value()), ("problem_types", Some(base)));
        }
    }
}
