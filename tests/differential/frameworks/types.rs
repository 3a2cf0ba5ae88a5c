//! Readers that ignore the type of a body, trust it, or compare a prefix of it.

use super::{Backend, FORM, Fronts, JSON, MINE, VICTIM, both, form, json, post};

const SUFFIXED: &str = "application/x-www-form-urlencoded+json";

#[tokio::test(flavor = "multi_thread")]
async fn flask_that_ignores_the_type() {
    let Some(flask) = Backend::flask() else { return };
    let fronts = Fronts::before(flask.address()).await;
    fronts.lets_in("json", &post(JSON, &json(MINE)), "JSON").await;
    fronts.lets_in("form", &post(FORM, &form(MINE)), "a form").await;
    let reader = "json of any type";
    fronts.attack_on_the_body(reader, &post(FORM, &both(VICTIM, MINE)), "JSON in a form").await;
    fronts
        .attack_on_the_body(
            reader,
            &post("application/x-www-form-urlencoded; a=+json", &both(VICTIM, MINE)),
            "and a parameter",
        )
        .await;
    fronts.attack_on_the_body("form of any type", &post(JSON, &both(MINE, VICTIM)), "a form in JSON").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn django_that_ignores_the_type() {
    let Some(django) = Backend::django() else { return };
    let fronts = Fronts::before(django.address()).await;
    fronts.lets_in("POST", &post(FORM, &form(MINE)), "a form").await;
    fronts.lets_in("json of any type", &post(JSON, &json(MINE)), "JSON").await;
    fronts.attack_on_the_body("json of any type", &post(FORM, &both(VICTIM, MINE)), "JSON in a form").await;
    fronts.attack_on_the_body("form of any type", &post(JSON, &both(MINE, VICTIM)), "a form in JSON").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn php_that_ignores_the_type_or_looks_for_a_part_of_it() {
    let Some(php) = Backend::php() else { return };
    let fronts = Fronts::before(php.address()).await;
    fronts.lets_in("$_POST", &post(FORM, &form(MINE)), "a form").await;
    fronts.lets_in("Laravel", &post(JSON, &json(MINE)), "JSON").await;
    fronts.attack_on_the_body("json of any type", &post(FORM, &both(VICTIM, MINE)), "JSON in a form").await;
    fronts.attack_on_the_body("form of any type", &post(JSON, &both(MINE, VICTIM)), "a form in JSON").await;
    for parameter in ["a=+json", "a=/json", "charset=utf-8; a=\"+json\""] {
        let request = post(&format!("{FORM}; {parameter}"), &both(VICTIM, MINE));
        fronts.attack_on_the_body("Laravel", &request, parameter).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn express_fastify_and_formidable() {
    let Some(node) = Backend::node() else { return };
    for (name, what, request, good) in [
        ("json of any type", "JSON in a form", post(FORM, &both(VICTIM, MINE)), post(JSON, &json(MINE))),
        ("form of any type", "a form in JSON", post(JSON, &both(MINE, VICTIM)), post(FORM, &form(MINE))),
        ("URLSearchParams", "a form in JSON", post(JSON, &both(MINE, VICTIM)), post(FORM, &form(MINE))),
        ("Fastify", "a prefix", post(SUFFIXED, &both(MINE, VICTIM)), post(FORM, &form(MINE))),
        (
            "formidable",
            "a part of the type",
            post(&format!("{FORM}; a=json"), &both(VICTIM, MINE)),
            post(FORM, &form(MINE)),
        ),
    ] {
        let fronts = Fronts::before(node.named(name)).await;
        fronts.lets_in("login", &good, name).await;
        fronts.attack_on_the_body("login", &request, &format!("{name}: {what}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn axum_that_compares_a_prefix() {
    let axum = Backend::axum().await;
    let fronts = Fronts::before(axum.address()).await;
    fronts.lets_in("Form", &post(FORM, &form(MINE)), "a form").await;
    fronts.lets_in("Json", &post(JSON, &json(MINE)), "JSON").await;
    fronts.attack_on_the_body("Form", &post(SUFFIXED, &both(MINE, VICTIM)), "a form that ends in +json").await;
}
