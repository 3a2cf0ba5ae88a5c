//! No random spelling of a guarded path reaches the application unverified.

use proptest::{collection::vec, prelude::*, sample::select};
use tower_jverify::{Rule, number};

use crate::support::{Guarded, post_json};

/// A character, as it is, in the other case, or escaped; rarely escaped twice, or as IIS does.
fn spelt(c: char) -> impl Strategy<Value = String> {
    let other = if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c };
    let code = u32::from(c);
    prop_oneof![
        6 => Just(c.to_string()),
        2 => Just(other.to_string()),
        2 => Just(format!("%{code:02x}")),
        2 => Just(format!("%{:02X}", u32::from(other))),
        1 => Just(format!("%25{code:02x}")),
        1 => Just(format!("%u{code:04x}")),
    ]
}

/// Spellings of a slash.
fn slash() -> impl Strategy<Value = String> {
    let plain = ["/", "//", "/./", "/x/../", "/%2e/", "/x/%2E./", "/;a=1/", "/x;a/../", "/.//"];
    prop_oneof![
        4 => Just("/".to_owned()),
        4 => select(plain.to_vec()).prop_map(ToOwned::to_owned),
        1 => select(vec!["/%2f", "/%5C", "\\", "/x%2f../", "/%252f"]).prop_map(ToOwned::to_owned),
    ]
}

/// What may follow a path without changing it.
fn tail() -> impl Strategy<Value = String> {
    select(vec!["", "", "", "/", "//", "/.", "/./", "/x/..", ";a=1", ";/", "?x=/health", "/%2e", "%00", "%2f", "%5c"])
        .prop_map(ToOwned::to_owned)
}

fn spelling(path: &'static str) -> impl Strategy<Value = String> {
    let mut parts: Vec<BoxedStrategy<String>> = Vec::new();
    for (at, c) in path.char_indices() {
        parts.push(match c {
            // Only a slash at the beginning makes it a path.
            '/' if at == 0 => {
                (Just("/".to_owned()), vec(slash(), 0..2)).prop_map(|(first, more)| first + &more.concat()).boxed()
            }
            '/' => slash().boxed(),
            c => spelt(c).boxed(),
        });
    }
    (parts, tail()).prop_map(|(parts, tail)| parts.concat() + &tail)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_spelling_of_a_guarded_path_gets_through(
        path in prop_oneof![spelling("/login"), spelling("/v1/acme/login"), spelling("/a-b/c.d")],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let rules = ["/login", "/v1/{tenant}/login", "/a-b/c.d"].map(|path| Rule::post(path, number()));
        let guarded = Guarded::by(rules);
        let response = runtime.block_on(guarded.send(post_json(&path, "{}")));
        prop_assert_eq!(response.status(), 400, "{}", path);
        prop_assert_eq!(guarded.application.runs(), 0, "{}", path);
    }
}
