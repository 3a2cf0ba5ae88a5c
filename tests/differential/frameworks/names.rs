//! Readers that merge the query or cookies into the body, fold names, or bind the phone from elsewhere.

use tower_jverify::{Field, number};

use super::{Backend, FORM, Fronts, JSON, MINE, VICTIM, form, json, post, request};

fn login_with(target: &str, headers: &[(&str, &str)]) -> Vec<u8> {
    request("POST", target, &[&[("Content-Type", FORM)], headers].concat(), form(MINE).as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn flask_that_merges_the_query() {
    let Some(flask) = Backend::flask() else { return };
    let fronts = Fronts::before(flask.address()).await;
    fronts.lets_in("values", &login_with("/login?next=%2Fhome", &[]), "a harmless query").await;
    for query in [format!("phone={VICTIM}"), format!("%70hone={VICTIM}"), format!("x&phone={VICTIM}&token=x")] {
        fronts.attack("values", &login_with(&format!("/login?{query}"), &[]), &query).await;
        fronts.attack("values", &request("GET", &format!("/login?{query}"), &[], b""), "the same with GET").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn express_that_merges_the_query() {
    let Some(node) = Backend::node() else { return };
    let fronts = Fronts::before(node.named("query and body")).await;
    fronts.lets_in("login", &login_with("/login?x=1", &[]), "a harmless query").await;
    fronts.attack("login", &login_with(&format!("/login?phone={VICTIM}"), &[]), "the query").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn php_that_merges_query_and_cookies() {
    let Some(php) = Backend::php() else { return };
    let fronts = Fronts::before(php.address()).await;
    fronts.lets_in("$_REQUEST", &login_with("/login", &[("Cookie", "sid=1")]), "a session").await;
    for cookie in [format!("phone={VICTIM}"), format!("sid=1; phone={VICTIM}"), format!("sid=1;phone={VICTIM}; a=b")] {
        fronts.attack("$_REQUEST", &login_with("/login", &[("Cookie", &cookie)]), &cookie).await;
    }
    let get = |target: &str| request("GET", target, &[], b"");
    fronts.attack("$_REQUEST", &get(&format!("/login?phone={VICTIM}&token=x")), "GET").await;
    let cookie = format!("phone={VICTIM}; token=x");
    fronts.attack("$_REQUEST", &request("GET", "/login", &[("Cookie", &cookie)], b""), "GET with a cookie").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn php_that_folds_names() {
    let Some(php) = Backend::php() else { return };
    let fronts = Fronts::asking(php.address(), number().phone(Field::body("/phone_number")).into()).await;
    let good = format!("token=real&phone_number={MINE}");
    fronts.lets_in("folded", &post(FORM, &good), "a form").await;
    for name in ["phone.number", "phone+number", "phone[number", "phone%20number", "phone%5bnumber", "+phone_number"] {
        let body = format!("{good}&{name}={VICTIM}");
        fronts.attack_on_the_body("folded", &post(FORM, &body), name).await;
    }
    for name in ["phone_number", "phone.number", "phone[number"] {
        let headers = [("Content-Type", FORM), ("Cookie", &format!("sid=1; {name}={VICTIM}"))];
        fronts.attack("folded", &request("POST", "/login", &headers, good.as_bytes()), name).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn express_that_binds_by_dots() {
    let Some(node) = Backend::node() else { return };
    let fronts = Fronts::before(node.named("qs with dots")).await;
    fronts.lets_in("login", &post(FORM, &form(MINE)), "a form").await;
    for name in ["model.phone", "model[phone]", "model%2Ephone", "model%5Bphone%5D"] {
        fronts.attack("login", &post(FORM, &format!("{}&model.token=x&{name}={VICTIM}", form(MINE))), name).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn flask_that_wraps_parameters() {
    let Some(flask) = Backend::flask() else { return };
    let fronts = Fronts::before(flask.address()).await;
    fronts.lets_in("wrapped json", &post(JSON, &json(MINE)), "JSON").await;
    for session in [format!(r#""session":{{"phone":"{VICTIM}"}}"#), format!(r#""session":{{"\u0070hone":"{VICTIM}"}}"#)]
    {
        let body = format!(r#"{{"token":"real","phone":"{MINE}",{session}}}"#);
        fronts.attack("wrapped json", &post(JSON, &body), &session).await;
    }
}
