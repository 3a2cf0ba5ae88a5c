//! Calls on a shared path, and null or empty values: no reader reads a login in a call that passes unverified.

use std::net::SocketAddr;

use tower_jverify::{Ask, Field, Rule, captcha, number};

use super::{Backend, FORM, Fronts, JSON, MINE, VICTIM, json, post, request};

/// A login on `/login` where `method` says so; every other call passes.
fn shared() -> Rule {
    Rule::post("/login", number()).when(Field::body("/method"), "login").otherwise_pass()
}

/// Backends that run a login where they read `method` as `login`.
fn dispatching() -> Vec<(SocketAddr, Vec<&'static str>, Backend)> {
    let mut all = Vec::new();
    if let Some(flask) = Backend::flask() {
        all.push((flask.address(), vec!["call in json", "call in values", "call in any form"], flask));
    }
    if let Some(php) = Backend::php() {
        all.push((php.address(), vec!["call in json", "call in $_REQUEST", "call in any form"], php));
    }
    if let Some(node) = Backend::node() {
        all.push((
            node.named("calls"),
            vec!["call in json", "call in any form", "call in query and body", "call in a copy"],
            node,
        ));
    }
    all
}

fn call(method: &str, phone: &str) -> String {
    format!(r#"{{"method":{method},"token":"real","phone":"{phone}"}}"#)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_passes_is_a_login_to_no_backend() {
    for (address, readers, _backend) in dispatching() {
        let fronts = Fronts::guarding(address, shared()).await;
        let login = |members: String| post(JSON, &format!("{{{members}\"token\":\"real\",\"phone\":\"{VICTIM}\"}}"));
        fronts.lets_in("call in json", &post(JSON, &call("\"login\"", MINE)), "a call").await;
        for (reader, what, attack) in [
            ("call in json", "a login", login(r#""method":"login","#.into())),
            ("call in json", "twice", login(r#""method":"sms","method":"login","#.into())),
            ("call in json", "null first", login(r#""method":null,"method":"login","#.into())),
            ("call in json", "escaped", login(r#""method":"sms","\u006dethod":"login","#.into())),
            ("call in a copy", "a prototype", post(JSON, &format!(r#"{{"__proto__":{}}}"#, call("\"login\"", VICTIM)))),
            ("call in a copy", "a prototype beside a phone", login(r#""__proto__":{"method":"login"},"#.into())),
            (
                "call in any form",
                "a hidden form",
                login(format!(r#""method":"sms","x":"&method=login&phone={VICTIM}&z=","#)),
            ),
            ("call in any form", "escapes", login(format!(r#""method":"","x":"&meth%6fd=login&phone={VICTIM}&z=","#))),
            (
                "call in values",
                "in the query",
                request("POST", "/login?method=login", &[("Content-Type", FORM)], format!("phone={VICTIM}").as_bytes()),
            ),
            ("call in $_REQUEST", "in a form", post(FORM, &format!("method=sms&method=login&phone={VICTIM}"))),
            ("call in $_REQUEST", "empty first", post(FORM, &format!("method=&method=login&phone={VICTIM}"))),
            (
                "call in $_REQUEST",
                "empty in the query",
                request(
                    "POST",
                    "/login?method=",
                    &[("Content-Type", FORM)],
                    format!("method=login&phone={VICTIM}").as_bytes(),
                ),
            ),
            ("call in $_REQUEST", "bent", post(FORM, &format!("+method=login&phone={VICTIM}"))),
            ("call in $_REQUEST", "multipart", multipart(&[("method", "sms"), ("method", "login"), ("phone", VICTIM)])),
            (
                "call in $_REQUEST",
                "a cookie",
                request(
                    "POST",
                    "/login",
                    &[("Content-Type", FORM), ("Cookie", "method=login")],
                    format!("phone={VICTIM}").as_bytes(),
                ),
            ),
            (
                "call in query and body",
                "the query",
                request("POST", "/login?method=login", &[("Content-Type", JSON)], call("null", VICTIM).as_bytes()),
            ),
            (
                "call in query and body",
                "a list in the query",
                request("POST", "/login?method[]=login", &[("Content-Type", JSON)], call("null", VICTIM).as_bytes()),
            ),
        ] {
            if readers.contains(&reader) {
                fronts.is_no_login(reader, &attack, what).await;
            }
        }
        // Whatever passes, passes as no login.
        for body in [
            call("\"sms\"", VICTIM),
            call("null", VICTIM),
            call("\"\"", VICTIM),
            call("7", VICTIM),
            format!(r#"{{"method":"sms","params":[{{"method":"login","phone":"{VICTIM}"}}],"phone":"{VICTIM}"}}"#),
            format!(r#"{{"method":"sms","phone":["{VICTIM}"],"token":{{}},"phone":"{VICTIM}"}}"#),
        ] {
            fronts.never_logs_in("call", &post(JSON, &body), &body).await;
        }
        for body in
            [format!("method=sms&phone={VICTIM}&phone=1"), format!("method&phone={VICTIM}"), format!("phone={VICTIM}")]
        {
            fronts.never_logs_in("call", &post(FORM, &body), &body).await;
        }
    }
}

fn multipart(fields: &[(&str, &str)]) -> Vec<u8> {
    let part = |(name, value): &(&str, &str)| {
        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let body: String = fields.iter().map(part).collect();
    post("multipart/form-data; boundary=b", &format!("{body}--b--\r\n"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_is_null_or_empty_is_read_by_no_backend_elsewhere() {
    let in_two =
        || -> Ask { captcha().or(number().phone(Field::body("/phone").or(Field::body("/user/phone")))).into() };
    let (flask, php, node) = (Backend::flask(), Backend::php(), Backend::node());
    let backends = [
        flask.as_ref().map(|it| (it.address(), "json of any type", "values", Some("form of any type"))),
        php.as_ref().map(|it| (it.address(), "json of any type", "$_REQUEST", Some("$_REQUEST"))),
        node.as_ref().map(|it| (it.named("query and body"), "login", "login", None)),
    ];
    for (address, json_reader, merging, last) in backends.into_iter().flatten() {
        let fronts = Fronts::guarding(address, Rule::post("/login", in_two())).await;
        fronts.lets_in(json_reader, &post(JSON, &json(MINE)), "JSON").await;
        let nothing = |value: &str, more: &str| format!(r#"{{"token":"real","phone":{value}{more}}}"#);
        for value in ["null", "\"\""] {
            let elsewhere = nothing(value, &format!(r#","user":{{"phone":"{VICTIM}"}}"#));
            fronts.never_logs_in("", &post(JSON, &elsewhere), &elsewhere).await;
            let twice = nothing(value, &format!(r#","phone":"{VICTIM}""#));
            fronts.attack(json_reader, &post(JSON, &twice), &twice).await;
            let mine = nothing(value, &format!(r#","user":{{"phone":"{MINE}"}}"#));
            let in_query =
                request("POST", &format!("/login?phone={VICTIM}"), &[("Content-Type", JSON)], mine.as_bytes());
            fronts.attack(merging, &in_query, &mine).await;
            fronts.never_logs_in("", &in_query, &mine).await;
            fronts.never_logs_in("", &post(JSON, &mine), &mine).await;
        }
        for body in [
            format!("token=real&phone=&phone={VICTIM}"),
            format!("token=real&phone&user[phone]={VICTIM}&phone={VICTIM}"),
        ] {
            // qs makes a list of the two.
            match last {
                Some(reader) => fronts.attack(reader, &post(FORM, &body), &body).await,
                None => fronts.never_logs_in("", &post(FORM, &body), &body).await,
            }
        }
    }
}
