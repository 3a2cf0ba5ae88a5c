//! In front of a foreign backend: cookies that PHP's `$_REQUEST` reads as the phone.

use http::{HeaderMap, HeaderName, HeaderValue, Request};
use http_body::Frame;
use http_body_util::{Full, StreamBody};
use tower_jverify::{Field, ForeignBackend, Rule, captcha, number};

use crate::support::{Guarded, LOGIN, builder, post_json};

fn before(backend: ForeignBackend, rule: Rule) -> Guarded {
    Guarded::with(|verifier| builder(verifier).rule(rule).foreign_backend(backend).build().unwrap())
}

fn login() -> Rule {
    Rule::post("/login", number())
}

/// The cookie lines that reach the application with a login.
async fn left(guarded: &Guarded, lines: &[&str]) -> Vec<String> {
    let mut request = post_json("/login", LOGIN);
    for line in lines {
        request.headers_mut().append("cookie", HeaderValue::from_bytes(line.as_bytes()).unwrap());
    }
    guarded.verifies(request, &lines.join("|")).await;
    let headers = guarded.application.last().parts.headers;
    headers.get_all("cookie").iter().map(|line| String::from_utf8(line.as_bytes().to_vec()).unwrap()).collect()
}

#[tokio::test]
async fn a_cookie_with_the_name_of_the_phone_is_removed_and_the_rest_stays() {
    let guarded = before(ForeignBackend::any(), login());
    for (came, stays) in [
        (&["phone=13999998888"][..], &[][..]),
        (&["a=1; phone=13999998888; b=2"], &["a=1; b=2"]),
        (&["phone=13999998888;b=2"], &["b=2"]),
        (&["a=1;b=2; phone=13999998888"], &["a=1;b=2"]),
        (&["a=1; phone=1; phone=2; b=2"], &["a=1; b=2"]),
        (&["a=1", "phone=13999998888", "b=2;  c=3"], &["a=1", "b=2;  c=3"]),
        (&["a=1; phone; b=2"], &["a=1; b=2"]),
        (&["$Version=1; phone=\"V\"; $Path=/; b=2"], &["$Version=1; $Path=/; b=2"]),
        (&["a=1; phone=\"138 0000;0000\"; b=2"], &["a=1; b=2"]),
        (&["a=1; phone=\"138; b=2"], &["a=1; b=2"]),
        // Where a quoted value ends: semicolons in it, white space before it, and text after it.
        (&["phone=\"138;\"; b=2"], &["b=2"]),
        (&["phone= \"1;3;\"; b=2"], &["b=2"]),
        (&["phone=  \"1;3\"; b=2"], &["b=2"]),
        (&["phone=\"138;0\" x; b=2"], &["b=2"]),
        (&["phone=\"\";b=2"], &["b=2"]),
        (&["a=1; phone=\"1;3\"x"], &["a=1"]),
        (&["a=名; phone=1; b=%zz"], &["a=名; b=%zz"]),
    ] {
        assert_eq!(left(&guarded, came).await, stays, "{came:?}");
    }
}

#[tokio::test]
async fn a_name_that_a_backend_reads_as_the_phone_goes_too() {
    let guarded = before(ForeignBackend::any(), login());
    for name in [
        "Phone",
        "PHONE",
        "phone[]",
        "phone[0]",
        "phone[x]",
        "phone%5Bx%5D",
        "%70hone",
        "p%68one",
        "+phone",
        "%20phone",
        "phone%00x",
        "phone.x",
        "user.phone",
        "user[phone]",
        "a:phone",
        "phone_",
        "=phone",
        "p_hone",
        // Perl's `CGI::Cookie` and classic ASP decode UTF-16 units.
        "%u0070hone",
        "%U0070hon%65",
        "user.%u0070hone",
    ] {
        let line = format!("a=1; {name}=13999998888; b=2");
        assert_eq!(left(&guarded, &[&line]).await, ["a=1; b=2"], "{name}");
    }
    // Readers that end a cookie at a comma or at white space.
    for line in
        ["a=1,phone=2", "a=1 phone=2", "a=\"x; phone=2; y\"", "a=1,\tphone=2", "a=1,phone =2", "a=1 phone \t= 2"]
    {
        let left = left(&guarded, &[line]).await.concat();
        assert!(!left.contains("phone") && left.starts_with("a="), "{line}: {left}");
    }
    let left = left(&guarded, &["a=1,phone=2; b=3"]).await;
    assert_eq!(left, ["a=1,; b=3"]);
}

#[tokio::test]
async fn other_cookies_stay_byte_for_byte() {
    let guarded = before(ForeignBackend::any(), login());
    for line in [
        "token=x; session=abc",
        "a=phone=13999998888",
        "phones=1; telephone=2; phone-model=3",
        "",
        ";;a=1 ; ;b",
        "lang=zh; theme=\"dark; light\"",
        "seen=tablet,phone,tv; b=2",
        "device=watch, phone",
        "q=my phone is new",
        "a={\"t\":\"new phone: now\"}",
    ] {
        assert_eq!(left(&guarded, &[line]).await, [line]);
    }
}

#[tokio::test]
async fn the_names_are_those_of_the_rules_phones() {
    let rule = || Rule::post("/login", number().phone(Field::body("/user/mobile")).token(Field::body("/token")));
    let guarded = before(ForeignBackend::any(), rule());
    let mut request = post_json("/login", r#"{"token":"t","user":{"mobile":"13812345678"}}"#);
    request.headers_mut().insert("cookie", "mobile=1; phone=2; user=3; token=4".parse().unwrap());
    guarded.verifies(request, "another name").await;
    assert_eq!(guarded.application.header("cookie").as_deref(), Some("phone=2; user=3; token=4"));
}

#[tokio::test]
async fn only_on_guarded_paths_and_only_with_the_class() {
    let guarded = before(ForeignBackend::any(), login());
    let get = |path: &str| Request::get(path).header("cookie", "phone=1; a=2").body(Full::<bytes::Bytes>::default());
    guarded.leaves_alone(get("/other").unwrap(), "another path").await;
    assert_eq!(guarded.application.header("cookie").as_deref(), Some("phone=1; a=2"));
    // `GET /login` is a login to `$_REQUEST`, once a cookie names the phone.
    guarded.leaves_alone(get("/login").unwrap(), "the page").await;
    assert_eq!(guarded.application.header("cookie").as_deref(), Some("a=2"));
    guarded.leaves_alone(get("/?s=login").unwrap(), "a search").await;
    assert_eq!(guarded.application.header("cookie").as_deref(), Some("a=2"));

    let without = [before(ForeignBackend::any().without_cookies(), login()), Guarded::by([login()])];
    for guarded in without {
        assert_eq!(left(&guarded, &["phone=1; a=2"]).await, ["phone=1; a=2"]);
    }
    // A captcha does not name a person.
    let guarded = before(ForeignBackend::any(), Rule::post("/login", captcha()));
    let mut request = post_json("/login", r#"{"captchaContent":"c"}"#);
    request.headers_mut().insert("cookie", "phone=1; captchaContent=2".parse().unwrap());
    guarded.verifies(request, "a captcha").await;
    assert_eq!(guarded.application.header("cookie").as_deref(), Some("phone=1; captchaContent=2"));
}

/// Some servers add trailers to the headers.
#[tokio::test]
async fn trailers_of_a_login_bring_no_cookie_either() {
    let names = async |guarded: Guarded| {
        let mut trailers = HeaderMap::new();
        for name in ["cookie", "x-sum"] {
            trailers.append(HeaderName::from_static(name), HeaderValue::from_static("phone=13999998888"));
        }
        let frames = [Frame::data(bytes::Bytes::from_static(LOGIN.as_bytes())), Frame::trailers(trailers)];
        let body = StreamBody::new(futures_util::stream::iter(frames.map(Ok::<_, std::convert::Infallible>)));
        let request = Request::post("/login").header("content-type", "application/json").body(body).unwrap();
        let trailers = guarded.verifies(request, "trailers").await.trailers.unwrap();
        trailers.keys().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(names(before(ForeignBackend::any(), login())).await, ["x-sum"]);
    assert_eq!(names(before(ForeignBackend::any().without_cookies(), login())).await, ["cookie", "x-sum"]);
}
