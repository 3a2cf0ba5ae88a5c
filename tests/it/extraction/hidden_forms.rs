//! A form inside a body that is not a form, in front of a backend that parses every body as a form.

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use tower_jverify::{Denial, Extracted, ForeignBackend, Media, Rule, Suspicion, number};

use super::post_form;
use crate::support::{Guarded, builder, post_json};

fn before(backend: ForeignBackend, rule: Rule) -> Guarded {
    Guarded::with(|verifier| builder(verifier).rule(rule).foreign_backend(backend).build().unwrap())
}

fn login() -> Guarded {
    before(ForeignBackend::any(), Rule::post("/login", number()))
}

fn with(text: &str) -> String {
    format!(r#"{{"token":"t","phone":"13812345678","y":"{text}"}}"#)
}

async fn is_suspected(guarded: &Guarded, request: Request<Full<Bytes>>, what: &str) {
    let before = (guarded.verifier.calls(), guarded.application.runs());
    let response = guarded.send(request).await;
    let denial = response.extensions().get::<Denial>().unwrap_or_else(|| panic!("let in: {what}"));
    assert_eq!((denial.code(), denial.suspicion()), ("proof_malformed", Some(Suspicion::HiddenForm)), "{what}");
    assert_eq!((guarded.verifier.calls(), guarded.application.runs()), before, "asked or let through: {what}");
}

/// A reader of GBK takes the last byte of the character and the backslash for one character, so that the text ends.
#[tokio::test]
async fn json_in_which_a_reader_of_another_charset_ends_a_text_elsewhere_is_refused() {
    let guarded = login();
    for text in
        [r#"中\",phone:13999998888}//"#, r"中\\", r"a\n中\\", r#"\"é\""#, r#"\\中文\" #"#, r#"😀\""#, r"\u4e2d中\\"]
    {
        is_suspected(&guarded, post_json("/login", with(text)), text).await;
    }
    let in_a_name = format!(r#"{{"中\"":1,{}"#, &with("")[1..]);
    is_suspected(&guarded, post_json("/login", in_a_name.clone()), "in a name").await;
    for text in ["中", r#"a\"中"#, r"\\中", r"中\u0022", r"中\n\/", r#"中 \""#, r"\u4e2d\\", r#"中\n\""#] {
        guarded.verifies(post_json("/login", with(text)), text).await;
    }
    for other in [
        before(ForeignBackend::any().without_hidden_forms(), Rule::post("/login", number())),
        before(ForeignBackend::any(), Rule::post("/login", number()).canonical_body(true)),
        Guarded::login(),
    ] {
        other.verifies(post_json("/login", with(r"中\\")), "switched off, rewritten, or a Rust application").await;
    }
}

#[tokio::test]
async fn json_in_which_a_form_reader_finds_a_guarded_name_is_refused() {
    let guarded = login();
    for text in [
        "&token=x&phone=13912345678&z=",
        "&phone=1",
        "&phone&",
        ";phone=1",
        "&phone;x",
        "&x=1&token=u",
        "&&=&phone=1",
        "& phone=1",
        "&+phone=1",
        "&%20phone=1",
        "&%70hone=1",
        "&ph%6fne=1",
        "&%u0070hone=1",
        "&Phone=1",
        "&phone[]=1",
        "&phone%5b0%5d=1",
        "&phone.x=1",
        "&phone%00x=1",
        "&phone[%zz=1",
        "&pho%ffne=1",
        "&to\u{212a}en=1",
        "&to%E2%84%AAen=1",
        "&!phone=1",
        "&phone:utf8=1",
        "&ｐｈｏｎｅ=1",
        "&pho\u{ad}ne=1",
        "&model.phone=1",
        "&user[phone][]=1",
        "&a:phone=1",
        "&model['phone']=1",
        "&model[%22phone%22]=1",
        "&phone[a,b]=1",
        "&user[phone].x=1",
        "&user[phone]{,}=1",
        "x&amp;phone=1",
    ] {
        is_suspected(&guarded, post_json("/login", with(text)), text).await;
    }
    let key = r#"{"token":"t","phone":"13812345678","&phone=13912345678&":1}"#;
    is_suspected(&guarded, post_json("/login", key), "in a key").await;
    let long = with(&format!("{}&phone=1", "&".repeat(20_000)));
    is_suspected(&guarded, post_json("/login", long), "far inside").await;
}

#[tokio::test]
async fn other_ampersands_pass() {
    let guarded = login();
    for text in [
        r"\u0026token=x\u0026phone=13912345678",
        "Tom & Jerry; a phone & more",
        "https://example.com/?a=1&b=2;c=3&phones=4&x=phone",
        "&phone number=1",
        "phone=13912345678",
        "call me (phone=1)",
        "&{phone=1",
        "a:phone;=",
        "by mail & phone",
        "by mail & phone. Thank you",
        "mail; phone: 010-12345678",
        "<p>Tom &amp; Jerry&nbsp;</p>",
        "https://example.com/?utm=a&from=phone",
    ] {
        let body = with(text);
        let seen = guarded.verifies(post_json("/login", body.clone()), text).await;
        assert_eq!(seen.body.unwrap(), body);
    }
    guarded.verifies(post_form("token=t&phone=13812345678&x=1"), "a form is not hidden").await;
}

#[tokio::test]
async fn the_class_can_be_switched_off_and_is_off_without_a_foreign_backend() {
    let body = with("&phone=13912345678");
    let off = before(ForeignBackend::any().without_hidden_forms(), Rule::post("/login", number()));
    off.verifies(post_json("/login", body.clone()), "off").await;
    Guarded::login().verifies(post_json("/login", body), "no foreign backend").await;
}

#[tokio::test]
async fn what_a_closure_reads_is_searched_unless_it_is_a_form() {
    let lines = |content_type| {
        let rule = Rule::post("/login", number()).extract([content_type], |_, body| {
            let (token, phone) = std::str::from_utf8(body)?.split_once('\n').ok_or("not two lines")?;
            Ok(Extracted::new().with("/token", token.to_owned()).with("/phone", phone.to_owned()))
        });
        before(ForeignBackend::any(), rule)
    };
    let request = |content_type: &str, body: &'static str| {
        Request::post("/login").header("content-type", content_type).body(Full::new(Bytes::from(body))).unwrap()
    };
    let guarded = lines("text/x-lines");
    is_suspected(&guarded, request("text/x-lines", "phone=13912345678&x=\n13812345678"), "at the beginning").await;
    is_suspected(&guarded, request("text/x-lines", "??phone=13912345678&x=\n13812345678"), "after question marks")
        .await;
    is_suspected(&guarded, request("text/x-lines", "t&phone=13912345678&x=\n13812345678"), "inside").await;
    guarded.verifies(request("text/x-lines", "t\n13812345678"), "plain").await;

    let form = "application/x-www-form-urlencoded";
    lines(form).verifies(request(form, "t&phone=\n13812345678"), "a form of the user's").await;
}

#[cfg(feature = "multipart")]
#[tokio::test]
async fn multipart_is_searched_too() {
    let guarded = before(ForeignBackend::any(), Rule::post("/login", number()).accept([Media::Multipart]));
    let request = |boundary: &str, text: &str| {
        let part = |name: &str, value: &str| {
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let body = [part("token", "t"), part("phone", "13812345678"), part("x", text), format!("--{boundary}--\r\n")];
        let request =
            Request::post("/login").header("content-type", format!("multipart/form-data; boundary=\"{boundary}\""));
        request.body(Full::new(Bytes::from(body.concat()))).unwrap()
    };
    guarded.verifies(request("XX", "a & b; c=1"), "nothing hidden").await;
    for text in ["&phone=13912345678&", ";token=u", "&model.phone=1"] {
        is_suspected(&guarded, request("XX", text), text).await;
    }
    is_suspected(&guarded, request("phone=13912345678", "1"), "in the boundary").await;
}
