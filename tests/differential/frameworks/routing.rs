//! Backends that read the path or method from a header or the query, and backends that ignore the method.

use super::{Backend, FORM, Fronts, JSON, MINE, VICTIM, form, json, post, request};

const TYPE: (&str, &str) = ("Content-Type", FORM);

#[tokio::test(flavor = "multi_thread")]
async fn flask_and_django_under_gunicorn_that_take_the_prefix_from_a_header() {
    for (backend, reader) in [(Backend::flask(), "form"), (Backend::django(), "POST")] {
        let Some(backend) = backend else { continue };
        let fronts = Fronts::before(backend.address()).await;
        fronts.lets_in(reader, &post(FORM, &form(MINE)), "a form").await;
        for name in ["SCRIPT_NAME", "Script_Name", "script_name"] {
            let attack = request("POST", "/zz/login", &[TYPE, (name, "/zz")], form(VICTIM).as_bytes());
            fronts.attack(reader, &attack, name).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pyramid_that_takes_the_root_of_its_traversal_from_a_header() {
    let Some(pyramid) = Backend::pyramid() else { return };
    let fronts = Fronts::before(pyramid.address()).await;
    fronts.lets_in("json", &post(JSON, &json(MINE)), "JSON").await;
    let attack = request("POST", "/", &[("Content-Type", JSON), ("X-Vhm-Root", "/login")], json(VICTIM).as_bytes());
    fronts.attack("json", &attack, "X-Vhm-Root").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn express_that_takes_the_method_from_a_header() {
    let Some(node) = Backend::node() else { return };
    let fronts = Fronts::before(node.named("method override")).await;
    fronts.lets_in("login", &post(JSON, &json(MINE)), "JSON").await;
    for method in ["GET", "PUT", "DELETE", "OPTIONS", "PATCH"] {
        for header in ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "x-http-method-override"] {
            let headers = [("Content-Type", JSON), (header, "POST")];
            fronts.attack("login", &request(method, "/login", &headers, json(VICTIM).as_bytes()), method).await;
        }
        let in_query = request(method, "/login?_method=POST", &[("Content-Type", JSON)], json(VICTIM).as_bytes());
        fronts.attack("login", &in_query, "a method in the query").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn express_and_php_that_route_by_the_query() {
    let node = Backend::node().map(|node| (node.named("routed by query"), "login", node));
    let php = Backend::php().map(|php| (php.address(), "$_POST", php));
    for (address, reader, _backend) in [node, php].into_iter().flatten() {
        let fronts = Fronts::before(address).await;
        for target in ["/?s=/login", "/?s=login", "/?a=b&s=/login/", "/?s=%2Flogin", "/?%73=%6cogin"] {
            let attack = request("POST", target, &[TYPE], form(VICTIM).as_bytes());
            fronts.attack(reader, &attack, target).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_route_by_the_url_of_host_and_path() {
    let Some(node) = Backend::node() else { return };
    for name in ["URL of the host", "@whatwg-node/server"] {
        let fronts = Fronts::before(node.named(name)).await;
        fronts.lets_in("login", &post(JSON, &json(MINE)), "JSON").await;
        for host in ["a/login?", "a/login#", "a:80/login?", "a\\login?", "[::1]/login?"] {
            let attack = request("POST", "/other", &[("Content-Type", JSON), ("Host", host)], json(VICTIM).as_bytes());
            fronts.attack("login", &attack, host).await;
        }
    }
    let fronts = Fronts::before(node.named("URL of the host")).await;
    let empty = request("POST", "/a/login", &[("Content-Type", JSON), ("Host", "")], json(VICTIM).as_bytes());
    fronts.attack("login", &empty, "an empty host").await;
    for (header, value) in [
        ("X-Forwarded-Host", "a/login?"),
        ("X-Forwarded-Proto", "http://a/login?"),
        ("X-Forwarded-Proto", "x://a/login#"),
    ] {
        let attack = request("POST", "/other", &[("Content-Type", JSON), (header, value)], json(VICTIM).as_bytes());
        fronts.attack("login", &attack, value).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn django_and_php_that_ignore_the_method() {
    let django = Backend::django().map(|django| (django, "json of any type"));
    let php = Backend::php().map(|php| (php, "json of any type"));
    for (backend, reader) in [django, php].into_iter().flatten() {
        let fronts = Fronts::before(backend.address()).await;
        fronts.lets_in(reader, &post(JSON, &json(MINE)), "JSON").await;
        for method in ["PUT", "PATCH", "DELETE", "GET", "OPTIONS"] {
            let attack = request(method, "/login", &[("Content-Type", JSON)], json(VICTIM).as_bytes());
            fronts.attack(reader, &attack, method).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_login_page_is_still_served() {
    let Some(flask) = Backend::flask() else { return };
    let fronts = Fronts::before(flask.address()).await;
    for (guard, address) in &fronts.guarded {
        let answer = super::ask(*address, &request("GET", "/login", &[], b"")).await;
        assert!(answer.is_login(), "{guard:?}: {answer:?}");
    }
}
