//! No random spelling of `/login` reaches a framework's login without a proof.

use std::fmt::Write;

use super::{Backend, Fronts, JSON, ask, request};
use crate::bodies::Chance;

#[rustfmt::skip]
const SLASHES: &[&str] = &[
    "/", "/", "/", "//", "/./", "/x/../", "/%2e/", "/x/%2E./", "/;a=1/", "/x;a/../", "/%2f", "/x%2f../", "/%252f", "/\\",
    "/(S(abc))/", "/index.php/", "/./..//", "/%ef%bc%8f",
];

#[rustfmt::skip]
const TAILS: &[&str] = &[
    "", "", "", "", "/", "//", "/.", "/x/..", ";a=1", ";/", "?x=/health", "/%2e", "%00", "%2f", "%5c", "/index", "/index.php", ".php",
    "!x", "%20", "+", "%09", "%0a", "%c2%ad", "%e2%80%8b", "%c2%a0", ".", "%2e", ".json", "/;", "#x", "%23", "%3f", "?",
];

/// One spelling: each character as it is, in the other case, or escaped.
fn spelling(chance: &mut Chance) -> String {
    let mut path = if chance.one_in(2) { "/" } else { chance.pick(SLASHES) }.to_owned();
    let plain = chance.one_in(2);
    for c in "login".chars() {
        match chance.below(16) {
            _ if plain => path.push(c),
            0 => path.push(c.to_ascii_uppercase()),
            1 => write!(path, "%{:02x}", u32::from(c)).unwrap(),
            2 => write!(path, "%{:02X}", u32::from(c.to_ascii_uppercase())).unwrap(),
            3 if chance.one_in(4) => write!(path, "%25{:02x}", u32::from(c)).unwrap(),
            3 if chance.one_in(4) => write!(path, "%u{:04x}", u32::from(c)).unwrap(),
            4 if chance.one_in(4) => write!(path, "{c}%c2%ad").unwrap(),
            _ => path.push(c),
        }
    }
    path + if chance.one_in(2) { "" } else { chance.pick(TAILS) }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_spelling_reaches_the_login_unverified() {
    let node = Backend::node().map(|node| ("Express", node.named("json of any type"), node));
    let flask = Backend::flask().map(|flask| ("Flask", flask.address(), flask));
    let django = Backend::django().map(|django| ("Django", django.address(), django));
    let php = Backend::php().map(|php| ("PHP", php.address(), php));
    for (name, address, _backend) in [node, flask, django, php].into_iter().flatten() {
        let fronts = Fronts::before(address).await;
        let mut chance = Chance(20_260_802);
        let mut reached = 0;
        for _ in 0..400 {
            let path = spelling(&mut chance);
            let request = request("POST", &path, &[("Content-Type", JSON)], b"{}");
            if !ask(fronts.open, &request).await.is_login() {
                continue;
            }
            reached += 1;
            for (guard, address) in &fronts.guarded {
                // With `canonical_body` alone, spellings that only other frameworks take are not looked for.
                if *guard == super::Guard::Canonical {
                    continue;
                }
                let answer = ask(*address, &request).await;
                assert!(!answer.is_login(), "{name}, {guard:?}: {path}: {answer:?}");
            }
        }
        // Spellings that never reach a login would show nothing.
        assert!(reached > 20, "{name}: {reached}");
    }
}

/// What frameworks are known to take for `/login`.
#[tokio::test(flavor = "multi_thread")]
async fn known_spellings_reach_the_login_and_not_through_the_layer() {
    let node = Backend::node().map(|node| (node.named("json of any type"), node, &["/LOGIN", "/login/"][..]));
    let django = Backend::django().map(|it| (it.address(), it, &["/login/", "/l%6fgin"][..]));
    let php =
        Backend::php().map(|it| (it.address(), it, &["/index.php/login", "/x/../login", "/%6cogin", "//login"][..]));
    for (address, _backend, paths) in [node, django, php].into_iter().flatten() {
        let fronts = Fronts::before(address).await;
        for path in paths {
            let request = request("POST", path, &[("Content-Type", JSON)], b"{}");
            let answer = ask(fronts.open, &request).await;
            assert!(answer.is_login(), "without the layer: {path}: {answer:?}");
            for (guard, address) in fronts.guarded.iter().filter(|(guard, _)| *guard != super::Guard::Canonical) {
                let answer = ask(*address, &request).await;
                assert!(!answer.is_login(), "{guard:?}: {path}: {answer:?}");
            }
        }
    }
}
