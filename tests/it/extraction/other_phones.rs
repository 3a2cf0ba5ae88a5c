//! The phone's name elsewhere in the request, in front of a foreign backend.

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use tower_jverify::{Denial, Field, ForeignBackend, JVerifyBuilder, Rule, Suspicion, captcha, number};

use super::post_form;
use crate::support::{Guarded, Verifier, builder, post_json};

fn before(backend: ForeignBackend, rules: impl IntoIterator<Item = Rule>) -> Guarded {
    Guarded::with(|verifier| {
        let builder = builder(verifier).foreign_backend(backend);
        rules.into_iter().fold(builder, JVerifyBuilder::rule).build().unwrap()
    })
}

fn login() -> Guarded {
    before(ForeignBackend::any(), [Rule::post("/login", number())])
}

fn form(pair: &str) -> Request<Full<Bytes>> {
    post_form(format!("token=t&phone=13812345678&{pair}=13912345678"))
}

fn json(members: &str) -> Request<Full<Bytes>> {
    post_json("/login", format!(r#"{{{members},"token":"t","phone":"13812345678"}}"#))
}

fn query(query: &str) -> Request<Full<Bytes>> {
    post_json(&format!("/login?{query}"), crate::support::LOGIN)
}

async fn is_suspected(guarded: &Guarded, request: Request<Full<Bytes>>, what: &str) {
    let before = (guarded.verifier.calls(), guarded.application.runs());
    let response = guarded.send(request).await;
    let denial = response.extensions().get::<Denial>().unwrap_or_else(|| panic!("let in: {what}"));
    assert_eq!((denial.code(), denial.suspicion()), ("proof_malformed", Some(Suspicion::OtherPhone)), "{what}");
    assert_eq!((guarded.verifier.calls(), guarded.application.runs()), before, "asked or let through: {what}");
}

const KEYS: [&str; 27] = [
    "model.phone",
    "Model.Phone",
    "user[phone]",
    "user%5Bphone%5D",
    "user[phone][]",
    "user[phone][0]",
    "a[b][phone]",
    "a:phone",
    "form:b:phone",
    "a.b.ph_one",
    "model%2Ephone",
    "model.+phone",
    "model.phone%00x",
    "model['phone']",
    "model('phone')",
    "a.phone[",
    // Spring's `BeanWrapper` and OGNL.
    "model[%22phone%22]",
    "model.a[%22phone%22][0]",
    // Rails' multiparameter attributes.
    "user[phone(1s)]",
    // PHP leaves out what follows the closing bracket.
    "user[phone].x",
    "user[phone]:x",
    "user[phone]x[y]",
    "a]b[user][phone]x",
    // Rack (`normalize_params`) needs no opening bracket.
    "session]phone",
    "session%5Dphone",
    "a[b]phone",
    "a[]phone",
];

#[tokio::test]
async fn a_key_whose_last_segment_is_the_phones_name_is_refused() {
    let guarded = login();
    for key in KEYS {
        is_suspected(&guarded, form(key), key).await;
        is_suspected(&guarded, query(&format!("x=1&{key}=13912345678")), key).await;
    }
}

#[tokio::test]
async fn a_tokens_name_elsewhere_and_other_names_pass() {
    for guarded in [login(), before(ForeignBackend::any().without_other_phones(), [Rule::post("/login", number())])] {
        for key in ["model.token", "user[token]", "model.phones", "phone_number", "a.telephone", "phonebook.x"] {
            guarded.verifies(form(key), key).await;
            guarded.verifies(query(&format!("{key}=1")), key).await;
        }
        for members in [r#""session":{"token":"u"}"#, r#""x":[{"phones":1}],"y":"phone","model.token":1"#] {
            guarded.verifies(json(members), members).await;
        }
    }
    for guarded in
        [Guarded::login(), before(ForeignBackend::any().without_other_phones(), [Rule::post("/login", number())])]
    {
        for key in ["model.phone", "user[phone]"] {
            guarded.verifies(form(key), key).await;
            guarded.verifies(query(&format!("{key}=1")), key).await;
        }
        guarded.verifies(json(r#""session":{"phone":"13912345678"}"#), "JSON").await;
    }
}

#[tokio::test]
async fn the_phones_name_in_any_other_object_is_refused() {
    let guarded = login();
    let deep = format!(r#""x":{}{{"phone":1}}{}"#, "[".repeat(120), "]".repeat(120));
    for members in [
        r#""session":{"phone":"13912345678"}"#,
        r#""session":{"Phone":"13912345678"}"#,
        r#""session":{"ph_one":1}"#,
        r#""session":{"\u0070hone":1}"#,
        r#""session":{"phone\u0000":1}"#,
        r#""session":{"phone":null}"#,
        r#""a":{"b":{"c":{"phone":1}}}"#,
        r#""a":[1,[],{},[{"x":{}},{"phone":1}]]"#,
        r#""a":{"x":1,"y":[2],"phone":1}"#,
        &deep,
    ] {
        is_suspected(&guarded, json(members), members).await;
    }
    let nested = Rule::post("/login", number().phone(Field::body("/user/phone")).token(Field::body("/user/token")));
    let nested = before(ForeignBackend::any(), [nested]);
    let body = |more: &str| format!(r#"{{{more}"user":{{"token":"t","phone":"13812345678"}}}}"#);
    is_suspected(&nested, post_json("/login", body(r#""phone":"13912345678","#)), "at the root").await;
    is_suspected(&nested, post_json("/login", body(r#""x":{"user":{"phone":1}},"#)), "under the same name").await;
    is_suspected(&nested, post_json("/login?user2.phone=1", body("")), "in the query").await;
    nested.verifies(post_json("/login", body(r#""x":{"token":1},"#)), "a token").await;
}

/// qs searches for `]=` before `=`: the name ends inside of what others read as the value.
#[tokio::test]
async fn a_name_that_qs_ends_inside_of_a_value_is_refused() {
    let guarded = login();
    let bodies = [
        "[model]x=y[phone]=13912345678",
        "%5Bmodel%5Dx=y%5Bphone%5D=13912345678",
        "model[a]x=y=z[phone]=13912345678",
        "x=y[phone]=1&z=1",
        "[model]x=y[ph%6fne]=1",
    ];
    for pair in bodies {
        let body = format!("token=t&phone=13812345678&{pair}");
        is_suspected(&guarded, post_form(body), pair).await;
        is_suspected(&guarded, query(pair), pair).await;
        let page = Request::get(format!("/login?{pair}")).body(Full::default()).unwrap();
        guarded.refuses(page, "proof_malformed", pair).await;
    }
    for pair in ["x=y[token]=1", "x=y[a]=phone", "x[a]=y[phone]=1", "x=y=z", "x=[phone]", "x=a]=b"] {
        guarded.verifies(post_form(format!("token=t&phone=13812345678&{pair}")), pair).await;
        guarded.verifies(query(pair), pair).await;
    }
}

#[tokio::test]
async fn a_key_in_json_that_is_a_path_to_the_phone_is_refused() {
    let guarded = login();
    for key in [
        "model.phone",
        "Model.Phone",
        "model.ph_one",
        "model[phone]",
        "model['phone']",
        "a:phone",
        "a.b.phone",
        "model.phone[0]",
        "model[phone].x",
        "model(phone)",
        "phone.x",
        "phone[0]",
        "session]phone",
        r"model\u002ephone",
    ] {
        is_suspected(&guarded, json(&format!(r#""{key}":"13912345678""#)), key).await;
        is_suspected(&guarded, json(&format!(r#""x":[{{"{key}":"13912345678"}}]"#)), key).await;
    }
    let nested = Rule::post("/login", number().phone(Field::body("/user/phone")).token(Field::body("/user/token")));
    let nested = before(ForeignBackend::any(), [nested]);
    let body = |root: &str, user: &str| format!(r#"{{{root}"user":{{{user}"token":"t","phone":"13812345678"}}}}"#);
    is_suspected(&nested, post_json("/login", body(r#""user.phone":"13912345678","#, "")), "at the root").await;
    is_suspected(&nested, post_json("/login", body("", r#""user.phone":"13912345678","#)), "in the object").await;
    for key in ["v1.2", "a:b", "phones.x", "telephone.number", "model.token", "model.phones", "(phones)", "...", "[]"] {
        guarded.verifies(json(&format!(r#""{key}":"13912345678""#)), key).await;
    }
}

#[tokio::test]
async fn a_path_in_json_to_a_place_that_is_listed_passes() {
    let places = ["/emergency/phone", "/contacts/*/phone", "/a.b/phone", "/x/y.phone"];
    let guarded = before(ForeignBackend::any(), [Rule::post("/login", number()).other_phones(places)]);
    for members in [
        r#""emergency.phone":1"#,
        r#""emergency[phone]":1"#,
        r#""contacts[0].phone":1"#,
        r#""contacts":{"a":1,"b.x":{"phone":2}}"#,
        r#""contacts":[{"a":1,"phone":2}]"#,
        r#""a.b":{"phone":1}"#,
        r#""x":{"y.phone":1}"#,
    ] {
        guarded.verifies(json(members), members).await;
    }
    for members in
        [r#""x":{"emergency.phone":1}"#, r#""emergency":{"x.phone":1}"#, r#""emergency.x.phone":1"#, r#""y.phone":1"#]
    {
        is_suspected(&guarded, json(members), members).await;
    }
}

#[tokio::test]
async fn a_place_that_is_listed_passes() {
    let places = ["/emergency/phone", "address[phone]", "/contacts/*/phone", "/list/0/phone", "a~1b.phone"];
    let guarded = before(ForeignBackend::any(), [Rule::post("/login", number()).other_phones(places)]);
    for key in [
        "emergency.phone",
        "emergency[phone]",
        "emergency[phone][]",
        "address[phone]",
        "address.phone",
        "address%5Bphone%5D",
        "contacts[0][phone]",
        "contacts[][phone]",
        "contacts.home.phone",
        "contacts[0].phone",
        "list[0][phone]",
    ] {
        guarded.verifies(form(key), key).await;
        guarded.verifies(query(&format!("{key}=1")), key).await;
    }
    for members in [
        r#""emergency":{"x":[{"y":1}],"phone":"13912345678"}"#,
        r#""address":{"phone":"13912345678"}"#,
        r#""contacts":[{"phone":1},{"a":[1,{}],"phone":2}]"#,
        r#""contacts":{"home":{"phone":1},"work":{"phone":2}}"#,
        r#""list":[{"phone":1},{"x":1}]"#,
    ] {
        guarded.verifies(json(members), members).await;
    }
    for key in [
        "emergency.Phone",
        "x.emergency.phone",
        "emergency.phone.phone",
        "contacts[0][1][phone]",
        "contacts.phone",
        "contacts[phone]x[phone]",
    ] {
        is_suspected(&guarded, form(key), key).await;
    }
    for members in [
        r#""emergency":{"Phone":1}"#,
        r#""emergency":[{"phone":1}]"#,
        r#""x":{"emergency":{"phone":1}}"#,
        r#""emergency":{"x":{"phone":1}}"#,
        r#""contacts":[[{"phone":1}]]"#,
        r#""contacts":{"phone":1}"#,
        r#""list":[1,{"phone":1}]"#,
        r#""emergency":{"x":[1,{"y":2}],"z":{"phone":1}}"#,
    ] {
        is_suspected(&guarded, json(members), members).await;
    }
}

#[tokio::test]
async fn a_place_next_to_a_nested_field_can_be_listed() {
    let ask = number().phone(Field::body("/user/phone")).token(Field::body("/user/token"));
    let rule = Rule::post("/login", ask).other_phones(["/phone", "/user/backup/phone"]);
    let guarded = before(ForeignBackend::any(), [rule]);
    let body = r#"{"phone":"1","user":{"backup":{"phone":"2"},"token":"t","phone":"13812345678"}}"#;
    guarded.verifies(post_json("/login", body), "listed").await;
    let body = r#"{"user":{"other":{"phone":"2"},"token":"t","phone":"13812345678"}}"#;
    is_suspected(&guarded, post_json("/login", body), "not listed").await;
}

#[tokio::test]
async fn ignore_query_permits_the_query() {
    let guarded = before(ForeignBackend::any(), [Rule::post("/login", number()).ignore_query(true)]);
    guarded.verifies(query("model.phone=13912345678&phone=1"), "ignored").await;
    is_suspected(&guarded, form("model.phone"), "the body is not").await;
}

#[cfg(feature = "multipart")]
#[tokio::test]
async fn parts_are_searched_as_forms_are() {
    let rule = || Rule::post("/login", number()).accept([tower_jverify::Media::Multipart]);
    let guarded = before(ForeignBackend::any(), [rule()]);
    let listed = before(ForeignBackend::any(), [rule().other_phones(["/model/phone"])]);
    let request = |name: &str| {
        let part = |name: &str, value: &str| {
            format!("--XX\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let body = [part("token", "t"), part("phone", "13812345678"), part(name, "13912345678"), "--XX--\r\n".into()];
        let request = Request::post("/login").header("content-type", "multipart/form-data; boundary=XX");
        request.body(Full::new(Bytes::from(body.concat()))).unwrap()
    };
    for name in ["model.phone", "model[phone]", "model%5Bphone%5D", "a:phone", "model[Phone][0]"] {
        is_suspected(&guarded, request(name), name).await;
    }
    guarded.verifies(request("model.token"), "a token").await;
    listed.verifies(request("model[phone]"), "listed").await;
}

#[test]
fn a_bad_entry_is_a_configuration_error() {
    let problem = |rule: Rule| {
        let built = builder(&Verifier::passing()).rule(rule).build();
        built.err().map(|error| (error.setting(), error.value().unwrap_or_default().to_owned()))
    };
    for entry in [
        "",
        "/",
        "/a//phone",
        "a..phone",
        "/a/b",
        "address[token]",
        "/phone",
        "phone",
        "/Phone",
        "/a/~phone",
        "/phone/*",
    ] {
        let rule = Rule::post("/login", number()).other_phones([entry]);
        assert_eq!(problem(rule), Some(("other_phones", entry.to_owned())));
    }
    assert!(problem(Rule::post("/login", captcha()).other_phones(["/a/phone"])).is_some(), "no phone is read");
    let many = (0..65).map(|n| format!("/a{n}/phone"));
    assert!(problem(Rule::post("/login", number()).other_phones(many)).is_some(), "too many");

    let kind = || Field::body("/kind");
    let rules = [
        Rule::post("/login", number()).when(kind(), "a").other_phones(["/x/phone"]),
        Rule::post("/login", number()).when(kind(), "b"),
    ];
    let built = rules.into_iter().fold(builder(&Verifier::passing()), JVerifyBuilder::rule).build();
    assert_eq!(built.err().map(|error| error.setting()), Some("rule.when"), "rules of one path that differ");
}

#[tokio::test]
async fn the_country_code_of_the_phone_has_no_other_place_in_forms_queries_and_cookies() {
    let rule = || Rule::post("/login", number().country_code(Field::body("/cc")));
    let guarded = before(ForeignBackend::any(), [rule()]);
    for key in ["model.cc", "user[cc]", "a:C_C", "model['cc']"] {
        is_suspected(&guarded, post_form(format!("token=t&phone=15123456789&{key}=49")), key).await;
        is_suspected(&guarded, query(&format!("{key}=49")), key).await;
    }
    let mut request = post_form("token=t&phone=15123456789&cc=86");
    request.headers_mut().insert("cookie", "a=1; cc=49; b=2".parse().unwrap());
    guarded.verifies(request, "a cookie").await;
    assert_eq!(guarded.application.header("cookie").as_deref(), Some("a=1; b=2"));
    guarded.verifies(json(r#""company":{"cc":"49"}"#), "an inner object").await;
    let listed = before(ForeignBackend::any(), [rule().other_phones(["company[cc]"])]);
    listed.verifies(post_form("token=t&phone=15123456789&company[cc]=49"), "listed").await;
}
